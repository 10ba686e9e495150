"""One chunk of a Chat stream: what we need to know of it, read from the bytes that go on to the client."""

import json

import msgspec
from msgspec import Raw

from runapi.wire.openai_chat.request import NULL


class _Call(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None  # of a function
    input: str | None = None  # of a custom tool


class _ToolCall(msgspec.Struct):
    function: _Call | None = None
    custom: _Call | None = None


class _Delta(msgspec.Struct):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[_ToolCall] | None = None
    function_call: _Call | None = None


class Choice(msgspec.Struct):
    """What one chunk adds to one of the answers."""

    index: int = 0
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None
    text: str | None = None  # of the legacy /v1/completions, which has no delta


class Chunk(msgspec.Struct):
    """A chunk; `usage` and `error` as written."""

    choices: list[Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL
    service_tier: str | None = None


class ChunkHead(msgspec.Struct):
    """As written: a head of another shape than we know is passed on, not refused."""

    id: Raw = NULL
    created: Raw = NULL
    model: Raw = NULL


_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_head = msgspec.json.Decoder(ChunkHead).decode
_HEAD = ("id", "created", "model")


def read_chunk(event: bytes) -> tuple[Chunk, bytes] | None:
    """Read a chunk; give with it the bytes that stand for it. None: it is no JSON object with a list of choices."""
    try:
        if not event.isascii():
            event.decode()  # the parts that are skipped must be UTF-8 as well
        chunk = _decode_chunk(event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_odd_chunk(event)
    if b"\n" in event:  # several lines of data, which go on as one: to JSON, white space is white space
        return read_chunk(event.replace(b"\n", b" "))
    return chunk, event


def read_head(event: bytes) -> ChunkHead:
    """Read what a chunk that `read_chunk` could read begins with."""
    try:
        return _decode_head(event)
    except msgspec.DecodeError:
        fields = json.loads(event)
        return ChunkHead(**{name: Raw(json.dumps(fields.get(name)).encode()) for name in _HEAD})


def text_of(choices: list[Choice]) -> str:
    """What a chunk adds to the answer: text, refusal, reasoning shown, names and arguments of calls."""
    if len(choices) == 1:
        delta = choices[0].delta
        if delta.content and not delta.tool_calls:
            return delta.content
    parts: list[str | None] = []
    for choice in choices:
        delta = choice.delta
        parts += (choice.text, delta.content, delta.refusal, delta.reasoning_content, delta.reasoning)
        calls = [written for call in delta.tool_calls or () for written in (call.function, call.custom)]
        for written in (*calls, delta.function_call):
            if written is not None:
                parts += (written.name, written.arguments, written.input)
    return "".join(part for part in parts if part)


def _read_odd_chunk(event: bytes) -> tuple[Chunk, bytes] | None:
    """Read a chunk that is JSON but not as the specification has it.

    Such are half an emoji in each of two chunks (JavaScript cuts strings so), content in a list of parts, a delta that
    is null. They go on to the client as they are.
    """
    try:
        fields = json.loads(event.decode(), parse_constant=_refuse_constant)
        choices = [_read_odd_choice(choice) for choice in fields.get("choices") or ()]
    except (ValueError, TypeError, AttributeError, RecursionError):
        return None
    chunk, event = Chunk(choices=choices), event.replace(b"\n", b" ")
    if fields.get("usage") is not None:  # written anew, so that it can be found in the text
        event = json.dumps(fields, separators=(",", ":")).encode()
        chunk.usage = Raw(json.dumps(fields["usage"], separators=(",", ":")).encode())
    if fields.get("error") is not None:
        chunk.error = Raw(b"{}")
    return chunk, event


def _read_odd_choice(choice: dict[str, object]) -> Choice:
    delta, index = choice.get("delta"), choice.get("index")
    role = delta.get("role") if isinstance(delta, dict) else None
    reason = choice.get("finish_reason")
    return Choice(
        index=index if isinstance(index, int) else 0,
        delta=_Delta(role="assistant" if role else None, content=_strings_of([delta, choice.get("text")])),
        finish_reason=(reason if isinstance(reason, str) else "stop") if reason else None,
    )


def _strings_of(delta: object) -> str:
    """All strings of a delta but those that only say what the others are."""
    found, ahead = [], [delta]
    while ahead:
        match ahead.pop():
            case str(text):
                found.append(text)
            case list(items):
                ahead.extend(reversed(items))
            case dict(fields):
                ahead.extend(
                    value for name, value in fields.items() if name not in ("role", "type", "id", "index")
                )
    return "".join(found).encode(errors="replace").decode()


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
