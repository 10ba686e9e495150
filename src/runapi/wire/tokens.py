"""Count tokens as GPT-5 models do (o200k_base), with no network: for the sandbox, and where an upstream reports none.

Text counts are exact. What surrounds it (messages, tools, images) follows the published rules as far as they are
published; it is close, not exact (api.md 7). Any JSON is accepted: what has an unknown shape counts as nothing.
"""

import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from runapi.wire import image_tokens

if TYPE_CHECKING:
    import tiktoken

_MODULE = "runapi.wire.o200k"
_SLICE_CHARACTERS = 20_000
"""More than some 200,000 spaces in one go overflow the splitter's stack, which panics beyond `except Exception`."""
_SAFE_CUT = re.compile(r"\S (?=[A-Za-z])")

PER_MESSAGE = 3
PER_NAME = 1
PRIMING = 3  # every answer begins with the assistant's header
PER_FILE = 1_500
"""A document's size in tokens cannot be told from its bytes: about two pages of a PDF."""

_PER_FUNCTION = 7
_PER_FUNCTIONS = 12
_PER_PROPERTIES = 3
_PER_PROPERTY = 3
_PER_ENUM = -3
_PER_ENUM_ITEM = 3
_DEEPEST = 32


def load() -> None:
    """Load the encoding: 0.2 s and 50 MB, once; for a thread, before the first count. Every count does it if need be."""
    _encoding()


def is_loaded() -> bool:
    """Whether `load` would return at once."""
    return getattr(sys.modules.get(_MODULE), "ENCODING", None) is not None


def count_text(text: str) -> int:
    """Count the tokens of `text`; names of special tokens are text like any other."""
    encode = _encoding().encode_ordinary
    if len(text) <= _SLICE_CHARACTERS:
        return len(encode(text))
    return sum(len(encode(part)) for part in _slices(text))


def split_text(text: str) -> list[bytes]:
    """Give the tokens of `text` as bytes; a character may be spread over several of them."""
    encoding = _encoding()
    decode = encoding.decode_single_token_bytes
    return [decode(token) for part in _slices(text) for token in encoding.encode_ordinary(part)]


def join_tokens(tokens: Iterable[int]) -> str | None:
    """Give the text that these token numbers spell; None if one of them is no token."""
    decode = _encoding().decode_single_token_bytes
    try:
        return b"".join(map(decode, tokens)).decode("utf-8", "replace")
    except (KeyError, OverflowError):
        return None


def count_chat_input(
    messages: Iterable[object],
    tools: Iterable[object] | None = None,
    *,
    auto_detail: image_tokens.Detail = image_tokens.Detail.HIGH,
) -> int:
    """Count the input tokens of a Chat Completions request, given its decoded `messages` and `tools`.

    Args:
        messages: as they came, of any shape.
        tools: as they came; None and empty are the same.
        auto_detail: what the model takes `"detail": "auto"` for.
    """
    count = PRIMING
    for message in messages:
        count += PER_MESSAGE
        if isinstance(message, dict):
            count += _count_message(message, auto_detail)
    functions = [tool for tool in tools or () if isinstance(tool, dict)]
    if functions:
        count += _PER_FUNCTIONS + sum(map(_count_tool, functions))
    return count


def _encoding() -> "tiktoken.Encoding":
    from runapi.wire.o200k import ENCODING  # noqa: PLC0415 - loaded on first use, see there

    return ENCODING


def _slices(text: str) -> Iterator[str]:
    """Cut long text where that changes no count (before " word"), or anywhere if there is no such place."""
    start = 0
    while len(text) - start > _SLICE_CHARACTERS:
        end = start + _SLICE_CHARACTERS
        found = _SAFE_CUT.search(text, end - 2_000, end)
        end = found.start() + 1 if found else end
        yield text[start:end]
        start = end
    yield text[start:] if start else text


def _count_message(message: dict[str, object], auto_detail: image_tokens.Detail) -> int:
    count = _count_value(message.get("role")) + _count_value(message.get("refusal"))
    if "name" in message:
        count += PER_NAME + _count_value(message["name"])
    content = message.get("content")
    if isinstance(content, list):
        count += sum(_count_part(part, auto_detail) for part in content if isinstance(part, dict))
    else:
        count += _count_value(content)
    calls = message.get("tool_calls")
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            count += _count_call(call.get("function")) + _count_call(call.get("custom"))
    return count + _count_call(message.get("function_call"))


def _count_value(value: object) -> int:
    return count_text(value) if isinstance(value, str) else 0


def _count_call(call: object) -> int:
    if not isinstance(call, dict):
        return 0
    return sum(_count_value(call.get(key)) for key in ("name", "arguments", "input"))


def _count_part(part: dict[str, object], auto_detail: image_tokens.Detail) -> int:
    match part.get("type"):
        case "text" | "refusal":
            return _count_value(part.get("text")) + _count_value(part.get("refusal"))
        case "image_url":
            image = part.get("image_url")
            url, detail = (
                (image.get("url"), image.get("detail")) if isinstance(image, dict) else (image, None)
            )
            return image_tokens.count_image(url, detail, auto_detail)
        case "file":
            return PER_FILE
        case _:
            return 0


def _count_tool(tool: dict[str, object]) -> int:
    """Count a tool by the published rule for functions, applied to nested objects too."""
    function = tool.get("function") or tool.get("custom")
    if not isinstance(function, dict):
        return 0
    line = f"{function.get('name')}:{_description(function)}"
    return (
        _PER_FUNCTION
        + count_text(line)
        + _count_properties(function.get("parameters"), 0)
        + _count_grammar(function)
    )


def _count_grammar(tool: dict[str, object]) -> int:
    form = tool.get("format")
    grammar = form.get("grammar") if isinstance(form, dict) else None
    return _count_value(grammar.get("definition")) if isinstance(grammar, dict) else 0


def _count_properties(schema: object, depth: int) -> int:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict) or not properties or depth > _DEEPEST:
        return 0
    return _PER_PROPERTIES + sum(
        _count_property(name, value, depth) for name, value in properties.items() if isinstance(value, dict)
    )


def _count_property(name: object, schema: dict[str, object], depth: int) -> int:
    count = _PER_PROPERTY + count_text(f"{name}:{schema.get('type', '')}:{_description(schema)}")
    choices = schema.get("enum")
    if isinstance(choices, list):
        count += _PER_ENUM + sum(_PER_ENUM_ITEM + count_text(str(item)) for item in choices)
    return count + _count_properties(schema, depth + 1) + _count_properties(schema.get("items"), depth + 1)


def _description(schema: dict[str, object]) -> str:
    text = schema.get("description")
    return text.removesuffix(".") if isinstance(text, str) else ""
