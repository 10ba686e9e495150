"""How large a Chat Completions request can be for its upstream, told from its bytes.

Text is measured, not read: only contents that are lists of parts are, for parts that are no text.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.core.admission import RequestShape, read_max_cost
from runapi.wire.openai_chat.request import NULL, ChatRequest, Fields, is_null, read_text

MOST_IMAGE = 4_916  # 64 x 64 patches of 32 pixels x 1.2: what 2,048 pixels a side can hold (api.md 7)
MOST_ORIGINAL = 12_000  # 10,000 patches x 1.2; "auto" means this on some models
_SMALLER_DETAILS = ("low", "high")

_OUTSIDE_THE_PROMPT = frozenset(
    (
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "max_completion_tokens",
        "max_cost",
        "max_tokens",
        "metadata",
        "model",
        "n",
        "parallel_tool_calls",
        "presence_penalty",
        "prompt_cache_key",
        "prompt_cache_options",
        "prompt_cache_retention",
        "reasoning_effort",
        "safety_identifier",
        "seed",
        "service_tier",
        "stop",
        "store",
        "stream",
        "stream_options",
        "temperature",
        "top_logprobs",
        "top_p",
        "user",
        "verbosity",
    )
)
_SCHEMAS = ("tools", "functions", "response_format")
_UNBOUNDED = ("web_search_options", "audio", "prediction")  # what they add is not in the request
_PLAIN_TOOLS = frozenset(("function", "custom"))
_BOUNDED_PARTS = frozenset(("text", "refusal", "image_url"))
_QUOTE = ord('"')


class _Image(msgspec.Struct):
    url: Raw = NULL
    detail: str | None = None


class _Part(msgspec.Struct):
    type: str = ""
    image_url: Raw = NULL


_decode_parts = msgspec.json.Decoder(list[_Part]).decode
_decode_image = msgspec.json.Decoder(_Image | str).decode


def read_shape(request: ChatRequest) -> RequestShape:
    """Measure a request that `read_chat_request` accepted.

    Every field that is not known to stay out of the prompt counts, unknown ones too.
    """
    fields = request.fields
    text_bytes = sum([len(raw) for name, raw in fields.items() if name not in _OUTSIDE_THE_PROMPT])
    image_bytes, image_tokens, is_open = _measure_parts(request.part_lists)
    is_open = is_open or not request.tool_types <= _PLAIN_TOOLS
    for name in _UNBOUNDED:
        if name in fields and not is_null(fields[name]):
            is_open = True
    list_items = 0
    has_tools = False
    for name in _SCHEMAS:
        raw = fields.get(name)
        if raw is not None and not is_null(raw):
            has_tools = True
            list_items += bytes(raw).count(b",") + 1
    newer, older = request.max_completion_tokens, request.max_tokens
    return RequestShape(
        text_bytes=text_bytes - image_bytes,
        has_tools=has_tools,
        list_items=list_items,
        image_tokens=image_tokens,
        is_open=is_open,
        output_cap=newer if newer is not None else older,
        choices=request.choices,
        service_tier=request.service_tier,
    )


def read_ceiling(fields: Fields, headers: Sequence[str] = ()) -> int | None:
    """The most nano-dollars that the client lets this request cost: the lowest of the field `max_cost` and the headers.

    Raises:
        Problem: 400, one of them is no amount.
    """
    raw = fields.get("max_cost")
    texts = list(headers)
    if raw is not None and not is_null(raw):
        first = memoryview(raw)[0]
        if first not in b'"-0123456789':
            raise problems.invalid_type("max_cost", "a decimal number of US dollars", "another type")
        texts.append((read_text(fields, "max_cost") or "") if first == _QUOTE else bytes(raw).decode())
    try:
        return min(map(read_max_cost, texts), default=None)
    except ValueError as fault:
        raise problems.invalid_value("max_cost", f"{fault}.") from None


def _measure_parts(lists: Iterable[Raw]) -> tuple[int, int, bool]:
    """Bytes that are images' data, the most tokens that these count, and whether there is what cannot be bounded."""
    image_bytes = image_tokens = 0
    is_open = False
    for parts in lists:
        try:
            read = _decode_parts(parts)
        except (
            msgspec.ValidationError
        ):  # parts that are no objects: nobody can say what an upstream makes of them
            return 0, 0, True
        for part in read:
            if part.image_url != NULL:
                size, most = _measure_image(part.image_url)
                image_bytes += size
                image_tokens += most
            is_open = is_open or part.type not in _BOUNDED_PARTS
    return image_bytes, image_tokens, is_open


def _measure_image(image: Raw) -> tuple[int, int]:
    try:
        read = _decode_image(image)
    except msgspec.DecodeError:
        return 0, MOST_ORIGINAL
    if isinstance(read, str):
        return len(image), MOST_ORIGINAL
    return len(read.url), most_image_tokens(read.detail)


def most_image_tokens(detail: str | None) -> int:
    """The most tokens that an image can count at this `detail`; one that nobody knows means the original's size."""
    return MOST_IMAGE if detail in _SMALLER_DETAILS else MOST_ORIGINAL
