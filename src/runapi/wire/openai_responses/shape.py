"""How large a Responses request can be for its upstream, told from its bytes.

Text is measured, not read: only contents and outputs that are lists of parts are, for parts that are no text.
"""

import msgspec
from msgspec import Raw

from runapi.core.admission import RequestShape
from runapi.wire.openai_chat.request import NULL, is_null
from runapi.wire.openai_chat.shape import most_image_tokens
from runapi.wire.openai_responses.request import LEAST_CAP, ResponsesRequest

_OUTSIDE_THE_PROMPT = frozenset(
    (
        "background",
        "client_metadata",
        "include",
        "max_cost",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "model",
        "parallel_tool_calls",
        "previous_response_id",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning",
        "safety_identifier",
        "service_tier",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_logprobs",
        "top_p",
        "truncation",
        "user",
    )
)
_BOUNDED_TOOLS = frozenset(
    ("function", "custom", "namespace", "tool_search")
)  # all of them is in the request
_BOUNDED_ITEMS = frozenset(
    (
        "message",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
        "reasoning",
        "additional_tools",
        "tool_search_call",
        "tool_search_output",
    )
)
_BOUNDED_PARTS = frozenset(("input_text", "output_text", "text", "refusal", "input_image", "reasoning_text"))


class _Part(msgspec.Struct):
    type: str = ""
    image_url: Raw = NULL
    detail: str | None = None


_decode_parts = msgspec.json.Decoder(list[_Part]).decode


def read_shape(request: ResponsesRequest) -> RequestShape:
    """Measure a request that `read_responses_request` accepted, its history in it.

    Every field that is not known to stay out of the prompt counts, unknown ones too. What continues an answer that is
    kept elsewhere has no bounds.
    """
    fields = request.fields
    text_bytes = sum([len(raw) for name, raw in fields.items() if name not in _OUTSIDE_THE_PROMPT])
    image_bytes, image_tokens, is_open = _measure_parts(request.part_lists)
    tools, text = fields.get("tools", NULL), fields.get("text", NULL)
    has_tools = "additional_tools" in request.item_types or "tool_search_output" in request.item_types
    list_items = 0
    for raw in (tools, text, *((fields["input"],) if has_tools else ())):
        if not is_null(raw):
            has_tools = True
            list_items += bytes(raw).count(b",") + 1
    cap = request.max_output_tokens
    return RequestShape(
        text_bytes=text_bytes - image_bytes,
        has_tools=has_tools,
        list_items=list_items,
        image_tokens=image_tokens,
        is_open=is_open
        or not request.tool_types <= _BOUNDED_TOOLS
        or not request.item_types <= _BOUNDED_ITEMS
        or request.previous_response_id is not None,
        output_cap=None if cap is None else max(cap, LEAST_CAP),
        service_tier=request.service_tier,
    )


def _measure_parts(lists: tuple[Raw, ...]) -> tuple[int, int, bool]:
    """Bytes that are images' data, the most tokens that these count, and whether there is what cannot be bounded."""
    image_bytes = image_tokens = 0
    is_open = False
    for parts in lists:
        try:
            read = _decode_parts(parts)
        except msgspec.ValidationError:  # nobody can say what an upstream makes of them
            return 0, 0, True
        for part in read:
            if part.type == "input_image":
                image_bytes += len(part.image_url)
                image_tokens += most_image_tokens(part.detail)
            is_open = is_open or part.type not in _BOUNDED_PARTS
    return image_bytes, image_tokens, is_open
