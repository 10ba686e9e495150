"""Scripts that answer as Anthropic's Messages API does: field for field, whole or streamed.

An answer is a list of content blocks: `Said`, `Used` (a tool), `Thought`, or `Raw` for any other.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from fakes import steps
from fakes.received import Request
from fakes.steps import Script
from fakes.streamed import pieces_of, play_events

MESSAGE_ID = "msg_01XFDUDYJgAACzvnptvVoYEL"
HEADERS = {
    "date": "Thu, 01 Jan 2026 00:00:00 GMT",
    "request-id": "req_018EeWyXxfu5pfWkrYcMdjWG",
    "anthropic-organization-id": "canary-organisation-of-the-upstream",
    "anthropic-ratelimit-requests-limit": "1000",
    "anthropic-ratelimit-requests-remaining": "999",
    "server": "cloudflare",
}
"""What Anthropic sends beside its body; none of it may reach a client of ours."""


def usage(
    input: int = 19,  # noqa: A002 - the wire's name
    output: int = 10,
    *,
    cache_read: int = 0,
    cache_write: int = 0,
) -> dict[str, object]:
    """A usage object. Unlike OpenAI's, `input` does not contain what was read from or written to the cache."""
    return {
        "input_tokens": input,
        "cache_creation_input_tokens": cache_write,
        "cache_read_input_tokens": cache_read,
        "cache_creation": {"ephemeral_5m_input_tokens": cache_write, "ephemeral_1h_input_tokens": 0},
        "output_tokens": output,
        "service_tier": "standard",
    }


USAGE = usage()


# ---- content blocks --------------------------------------------------------------------------------------


class Said(msgspec.Struct, frozen=True):
    """Text, in the pieces in which it is streamed."""

    pieces: tuple[str, ...] = ("Hel", "lo.")


class Used(msgspec.Struct, frozen=True):
    """A tool that is called; `arguments` is the JSON text of an object, streamed in so many pieces."""

    name: str
    arguments: str = "{}"
    id: str = "toolu_01A09q90qw90lq917835lq9"
    pieces: int = 3


class Thought(msgspec.Struct, frozen=True):
    """Thinking, with the signature that must come back with it."""

    pieces: tuple[str, ...] = ("Let me ", "see.")
    signature: str = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds"


class Raw(msgspec.Struct, frozen=True):
    """Any other block, as it is: streamed without deltas."""

    block: dict[str, object]


Block = Said | Used | Thought | Raw
HELLO = (Said(),)


# ---- scripts ---------------------------------------------------------------------------------------------


def plain_reply(
    blocks: Sequence[Block] = HELLO,
    *,
    usage: dict[str, object] | None = USAGE,
    stop_reason: str | None = None,
    stop_sequence: str | None = None,
    model: str | None = None,
) -> Script:
    """A whole reply. The stop reason is `tool_use` where a tool is called, else `end_turn`, unless one is given."""

    def write(request: Request) -> Script:
        reply = _message(request, model) | {
            "content": [_block(block) for block in blocks],
            "stop_reason": stop_reason or _stop_reason(blocks),
            "stop_sequence": stop_sequence,
        }
        return steps.json(reply if usage is None else reply | {"usage": usage}, fields=HEADERS)

    return [steps.answer(write)]


def stream_reply(
    blocks: Sequence[Block] = HELLO,
    *,
    usage: dict[str, object] = USAGE,
    stop_reason: str | None = None,
    stop_sequence: str | None = None,
    model: str | None = None,
    **how: Any,
) -> Script:
    """A streamed reply, with one ping; `between`, `cut_after` and `cut` are those of `play_events`."""

    def write(request: Request) -> Script:
        end = {"stop_reason": stop_reason or _stop_reason(blocks), "stop_sequence": stop_sequence}
        events = [
            *_events(request, blocks, usage, model),
            {"type": "message_delta", "delta": end, "usage": {"output_tokens": usage["output_tokens"]}},
            {"type": "message_stop"},
        ]
        return play_events(events, HEADERS, **how)

    return [steps.answer(write)]


def stream_error_reply(
    blocks: Sequence[Block] = HELLO,
    *,
    after: int | None = None,
    kind: str = "overloaded_error",
    message: str = "Overloaded",
) -> Script:
    """A stream that ends with an error event, after so many events of it (by default all)."""

    def write(request: Request) -> Script:
        end = {"type": "error", "error": {"type": kind, "message": message}}
        return play_events([*list(_events(request, blocks, USAGE, None))[:after], end], HEADERS)

    return [steps.answer(write)]


def error(
    status: int,
    message: str = "Internal server error",
    *,
    type: str = "api_error",  # noqa: A002 - the wire's name
    retry_after: int | None = None,
) -> Script:
    """An error in Anthropic's shape."""
    fields = HEADERS if retry_after is None else HEADERS | {"retry-after": str(retry_after)}
    body = {"type": "error", "error": {"type": type, "message": message}, "request_id": HEADERS["request-id"]}
    return steps.json(body, status, fields)


def count_reply(tokens: int = 19) -> Script:
    """An answer of /messages/count_tokens."""
    return steps.json({"input_tokens": tokens}, fields=HEADERS)


def polite_answer(request: Request) -> Script:
    """Answer any well-formed request with "Hello.", streamed or whole as it asks."""
    if request.path.partition("?")[0].endswith("/count_tokens"):
        return count_reply()
    return stream_reply() if request.asked.get("stream") else plain_reply()


# ---- how it is written -----------------------------------------------------------------------------------


def _message(request: Request, model: str | None) -> dict[str, object]:
    return {
        "id": MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "model": model or str(request.asked.get("model")),
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
    }


def _stop_reason(blocks: Sequence[Block]) -> str:
    return "tool_use" if any(isinstance(block, Used) for block in blocks) else "end_turn"


def _block(block: Block) -> dict[str, object]:
    match block:
        case Said(pieces=pieces):
            return {"type": "text", "text": "".join(pieces)}
        case Used():
            arguments = json.loads(block.arguments)
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": arguments}
        case Thought(pieces=pieces):
            return {"type": "thinking", "thinking": "".join(pieces), "signature": block.signature}
        case Raw(block=raw):
            return raw


def _opened(block: Block) -> dict[str, object]:
    match block:
        case Said():
            return {"type": "text", "text": ""}
        case Used():
            return {"type": "tool_use", "id": block.id, "name": block.name, "input": {}}
        case Thought():
            return {"type": "thinking", "thinking": "", "signature": ""}
        case Raw(block=raw):
            return raw


def _deltas(block: Block) -> Iterator[dict[str, object]]:
    match block:
        case Said(pieces=pieces):
            yield from ({"type": "text_delta", "text": piece} for piece in pieces)
        case Used():
            pieces = ("", *pieces_of(block.arguments, block.pieces))  # the first is empty there
            yield from ({"type": "input_json_delta", "partial_json": piece} for piece in pieces)
        case Thought(pieces=pieces):
            yield from ({"type": "thinking_delta", "thinking": piece} for piece in pieces)
            yield {"type": "signature_delta", "signature": block.signature}


def _events(
    request: Request, blocks: Sequence[Block], usage: dict[str, object], model: str | None
) -> Iterator[dict[str, object]]:
    opened = _message(request, model) | {"usage": {**usage, "output_tokens": 1}}
    yield {"type": "message_start", "message": opened}
    for index, block in enumerate(blocks):
        yield {"type": "content_block_start", "index": index, "content_block": _opened(block)}
        if index == 0:
            yield {"type": "ping"}
        for delta in _deltas(block):
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
