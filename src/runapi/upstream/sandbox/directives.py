"""The words in a message by which a caller steers the sandbox: `[[sandbox:delay 2.5]]`, as in docs/guide/sandbox.md."""

import json
import re
from collections.abc import Callable, Mapping
from typing import NoReturn

import msgspec

MOST_CALLS = 128
MOST_CHUNKS = 10_000
MOST_DELAY_S = 300.0
MOST_PACING_S = 3_600.0
MOST_TOKENS = 1_000_000
MOST_CHARACTERS = 200_000

_OPENING = "[[sandbox:"
_NAME = re.compile(r"[a-z_]*")
_TOOL = re.compile(r"\s+([^\s\]]{1,256})\s*")
_CLOSING = re.compile(r"\s*\]\]")
_NUMBER = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_CODE = re.compile(r"[a-z0-9_]{1,64}")


class DirectiveFault(ValueError):  # noqa: N818 - the caller's directive is at fault
    """A directive is unknown or malformed; the text tells the caller which, and what there is."""


class DirectedCall(msgspec.Struct, frozen=True):
    """A tool call as it was asked for. `arguments` is the text to send; None: the sandbox makes valid ones."""

    name: str
    arguments: str | None = None


class DirectedStatus(msgspec.Struct, frozen=True):
    """An error reply as it was asked for."""

    status: int
    retry_after_s: int | None = None
    code: str | None = None


class Directives(msgspec.Struct, frozen=True, kw_only=True):
    """All that one message asks for."""

    calls: tuple[DirectedCall, ...] = ()
    status: DirectedStatus | None = None
    cut_after: int | None = None
    delay_s: float = 0.0
    chunks: int | None = None
    interval_s: float = 0.0
    refuse: bool = False
    reasoning: int | None = None
    reply: str | None = None
    cached: int = 0


NONE = Directives()

_FORMS = {
    "tool": "[[sandbox:tool NAME {json}]]",
    "status": "[[sandbox:status HTTP_STATUS retry_after=SECONDS code=NAME]]",
    "cut_after": "[[sandbox:cut_after 10]]",
    "delay": "[[sandbox:delay 2.5]]",
    "chunks": "[[sandbox:chunks 200 interval_ms=10]]",
    "refuse": "[[sandbox:refuse]]",
    "reasoning": "[[sandbox:reasoning 300]]",
    "reply": "[[sandbox:reply any text]]",
    "cached": "[[sandbox:cached 1024]]",
}


def has_directives(text: str) -> bool:
    return _OPENING in text


def read_directives(text: str) -> Directives:
    """Read every directive in `text`; of two of one kind the later one counts, but each `tool` is a call of its own.

    Raises:
        DirectiveFault: one of them cannot be understood.
    """
    found = NONE
    at = text.find(_OPENING)
    while at >= 0:
        name_match = _NAME.match(text, at + len(_OPENING))
        name = name_match.group() if name_match else ""
        reader = _READERS.get(name)
        if reader is None:
            _refuse(text, at, f"there is no {name!r}")
        try:
            found, end = reader(found, text, at + len(_OPENING) + len(name))
        except ValueError as fault:
            _refuse(text, at, str(fault))
        at = text.find(_OPENING, end)
    return found


def _refuse(text: str, at: int, reason: str) -> NoReturn:
    shown = text[at : at + 60]
    known = ", ".join(_FORMS.values())
    raise DirectiveFault(f"The sandbox cannot follow {shown!r}: {reason}. The directives are: {known}.")


def _read_tool(found: Directives, text: str, at: int) -> tuple[Directives, int]:
    name = _TOOL.match(text, at)
    if name is None:
        raise ValueError("the name of a tool must follow")
    arguments, end = None, name.end()
    if not text.startswith("]]", end):
        value, end = _read_json(text, end)
        arguments = value if isinstance(value, str) else text[name.end() : end]
        if len(arguments) > MOST_CHARACTERS:
            raise ValueError(f"arguments can have at most {MOST_CHARACTERS} characters")
    closing = _CLOSING.match(text, end)
    if closing is None:
        raise ValueError("]] must follow the arguments")
    if len(found.calls) == MOST_CALLS:
        raise ValueError(f"at most {MOST_CALLS} calls can be made at once")
    calls = (*found.calls, DirectedCall(name.group(1), arguments))
    return msgspec.structs.replace(found, calls=calls), closing.end()


def _read_json(text: str, at: int) -> tuple[object, int]:
    """Decode the object or string that begins at `at`; brackets inside its strings end nothing."""
    try:
        value, end = _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        raise ValueError("the arguments are not JSON") from None
    if isinstance(value, str):
        _check_characters(value)
    if not isinstance(value, dict | str):
        reason = "the arguments must be a JSON object, or a JSON string that is sent as it is"
        raise ValueError(reason)  # noqa: TRY004 - the caller's mistake, told as every other one
    return value, end


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


def _read_reply(found: Directives, text: str, at: int) -> tuple[Directives, int]:
    """Take the text up to the first `]]`; or a JSON string, which may hold `]]` and line breaks."""
    start = at + 1 if text[at : at + 1].isspace() else at
    reply, after = _read_quoted(text, start) if text.startswith('"', start) else (None, at)
    if reply is None:
        end = _find_end(text, at)
        reply, after = text[start:end], end + 2
    if len(reply) > MOST_CHARACTERS:
        raise ValueError(f"a reply can have at most {MOST_CHARACTERS} characters")
    return msgspec.structs.replace(found, reply=reply), after


def _read_quoted(text: str, at: int) -> tuple[str | None, int]:
    try:
        value, end = _DECODER.raw_decode(text, at)
    except ValueError:
        return None, at
    closing = _CLOSING.match(text, end)
    if not isinstance(value, str) or closing is None:
        return None, at
    _check_characters(value)
    return value, closing.end()


def _check_characters(text: str) -> None:
    """JSON can escape half a character (a lone surrogate), which no reply can carry."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("it holds half a character") from None


def _find_end(text: str, at: int) -> int:
    end = text.find("]]", at)
    if end < 0:
        raise ValueError("it is not closed with ]]")
    return end


def _read_words(read: Callable[[Directives, list[str]], Directives]) -> "_Reader":
    """Make a reader of a directive that is plain words up to `]]`."""

    def reader(found: Directives, text: str, at: int) -> tuple[Directives, int]:
        end = _find_end(text, at)
        inside = text[at:end]
        if inside and not inside[0].isspace():
            raise ValueError("a space must follow its name")
        return read(found, inside.split()), end + 2

    return reader


def _status(found: Directives, words: list[str]) -> Directives:
    values, options = _split(words, {"retry_after", "code"})
    retry_after = options.get("retry_after")
    code = options.get("code")
    if code is not None and not _CODE.fullmatch(code):
        raise ValueError("code must be small letters, digits and _")
    status = DirectedStatus(
        _whole(values, 400, 599),
        None if retry_after is None else _whole([retry_after], 0, 86_400),
        code,
    )
    return msgspec.structs.replace(found, status=status)


def _chunks(found: Directives, words: list[str]) -> Directives:
    values, options = _split(words, {"interval_ms"})
    chunks = _whole(values, 1, MOST_CHUNKS)
    interval_s = _decimal([options.get("interval_ms", "0")], 60_000) / 1_000
    if chunks * interval_s > MOST_PACING_S:
        raise ValueError(f"all chunks must fit into {MOST_PACING_S:.0f} s")
    return msgspec.structs.replace(found, chunks=chunks, interval_s=interval_s)


def _cut_after(found: Directives, words: list[str]) -> Directives:
    return msgspec.structs.replace(found, cut_after=_whole(words, 0, MOST_CHUNKS))


def _delay(found: Directives, words: list[str]) -> Directives:
    return msgspec.structs.replace(found, delay_s=_decimal(words, MOST_DELAY_S))


def _reasoning(found: Directives, words: list[str]) -> Directives:
    return msgspec.structs.replace(found, reasoning=_whole(words, 0, MOST_TOKENS))


def _cached(found: Directives, words: list[str]) -> Directives:
    return msgspec.structs.replace(found, cached=_whole(words, 0, MOST_TOKENS))


def _refusal(found: Directives, words: list[str]) -> Directives:
    if words:
        raise ValueError("nothing may follow its name")
    return msgspec.structs.replace(found, refuse=True)


def _split(words: list[str], names: set[str]) -> tuple[list[str], dict[str, str]]:
    """Part `words` into plain ones and `name=value` ones."""
    options: dict[str, str] = {}
    values: list[str] = []
    for word in words:
        name, equals, value = word.partition("=")
        if not equals:
            values.append(word)
        elif name in names:
            options[name] = value
        else:
            raise ValueError(f"it has no {name!r}")
    return values, options


def _decimal(words: list[str], most: float) -> float:
    if len(words) != 1 or not _NUMBER.fullmatch(words[0]) or float(words[0]) > most:
        raise ValueError(f"one number from 0 to {most:g} must follow")
    return float(words[0])


def _whole(words: list[str], least: int, most: int) -> int:
    if len(words) != 1 or not re.fullmatch(r"[0-9]{1,9}", words[0]) or not least <= int(words[0]) <= most:
        raise ValueError(f"one whole number from {least} to {most} must follow")
    return int(words[0])


_Reader = Callable[[Directives, str, int], tuple[Directives, int]]
_READERS: Mapping[str, _Reader] = {
    "tool": _read_tool,
    "status": _read_words(_status),
    "cut_after": _read_words(_cut_after),
    "delay": _read_words(_delay),
    "chunks": _read_words(_chunks),
    "refuse": _read_words(_refusal),
    "reasoning": _read_words(_reasoning),
    "reply": _read_reply,
    "cached": _read_words(_cached),
}
