"""How large a Messages request can be for its upstream, told from its bytes.

Text is measured, not read: of the messages only the kinds of their blocks are, for blocks that are no text.
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from runapi.core.admission import RequestShape
from runapi.wire.anthropic.read_tools import KNOWN_BY_HEART
from runapi.wire.anthropic.request import MessagesRequest
from runapi.wire.openai_chat.request import NULL, is_null
from runapi.wire.openai_chat.shape import MOST_ORIGINAL

_OUTSIDE_THE_PROMPT = frozenset(
    (
        *("cache_control", "context_management", "max_cost", "max_tokens", "metadata", "model"),
        *("service_tier", "stop_sequences", "stream", "temperature", "thinking", "top_k", "top_p"),
    )
)
_SCHEMAS = ("tools", "output_config", "output_format")
_AROUND_TOOLS = 1_024
"""More bytes than the tokens that a Claude model is told of how to use tools, or of one that it knows by heart."""

_BOUNDED = frozenset(("text", "tool_use", "thinking", "redacted_thinking", "search_result", "tool_reference"))
_DEEPEST = 4  # a document in the result of a tool, and its own content in that


class _Source(msgspec.Struct):
    type: str = ""
    data: Raw = NULL
    content: Raw = NULL


class _Block(msgspec.Struct):
    type: str = ""
    source: Raw = NULL
    content: Raw = NULL


class _Measured(msgspec.Struct):
    """What was found in blocks."""

    image_bytes: int = 0
    images: int = 0
    is_open: bool = False


_decode_blocks = msgspec.json.Decoder(list[_Block]).decode
_decode_source = msgspec.json.Decoder(_Source).decode


def read_shape(request: MessagesRequest) -> RequestShape:
    """Measure a request that was read.

    Every field that is not known to stay out of the prompt counts, unknown ones too.
    """
    fields = request.fields
    found = _Measured()
    _measure(found, (message.content for message in request.known.messages), 0)
    text_bytes = sum(len(raw) for name, raw in fields.items() if name not in _OUTSIDE_THE_PROMPT)
    schemas = [raw for name in _SCHEMAS if not is_null(raw := fields.get(name, NULL))]
    by_heart = sum(1 for kind in request.tool_types if kind in KNOWN_BY_HEART)
    return RequestShape(
        text_bytes=text_bytes - found.image_bytes + _AROUND_TOOLS * (bool(schemas) + by_heart),
        has_tools=bool(schemas),
        list_items=sum(bytes(raw).count(b",") + 1 for raw in schemas),
        image_tokens=found.images * MOST_ORIGINAL,
        is_open=found.is_open or by_heart < len(request.tool_types) or request.known.calls_servers,
        output_cap=request.max_tokens,
        service_tier=None,
    )


def _measure(found: _Measured, contents: Iterable[Raw], depth: int) -> None:
    for raw in contents:
        if not bytes(raw).startswith(b"["):
            continue
        try:
            blocks = _decode_blocks(raw)
        except msgspec.DecodeError:  # nobody can say what an upstream makes of it
            blocks, found.is_open = [], True
        for block in blocks:
            _measure_block(found, block, depth)


def _measure_block(found: _Measured, block: _Block, depth: int) -> None:
    if block.type == "tool_result" and depth < _DEEPEST:
        _measure(found, (block.content,), depth + 1)
    elif block.type in ("image", "document"):
        try:
            source = _decode_source(block.source)
        except msgspec.DecodeError:
            found.is_open = True
            return
        if block.type == "image":
            found.images += 1
            found.image_bytes += len(source.data) if source.type == "base64" else 0
        elif source.type == "content" and depth < _DEEPEST:
            _measure(found, (source.content,), depth + 1)
        elif source.type != "text":
            found.is_open = True
    elif block.type not in _BOUNDED:
        found.is_open = True
