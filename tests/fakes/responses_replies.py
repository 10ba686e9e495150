"""Scripts that answer as OpenAI's Responses API does: field for field, whole or streamed.

An answer is a list of items: `Said`, `Refused`, `Called`, `Thought`, or `Raw` for any other.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from fakes import steps
from fakes.received import Request
from fakes.replies import HEADERS
from fakes.responses_writer import (
    HELLO,
    MODELS,
    USAGE,
    Called,
    Item,
    Raw,
    Refused,
    Said,
    Seal,
    Thought,
    Writer,
    read_seal,
    text,
    usage,
    write_seal,
)
from fakes.steps import Script
from fakes.streamed import named_event as event
from fakes.streamed import play_events

__all__ = [
    "HELLO", "MODELS", "USAGE", "Called", "Raw", "Refused", "Said", "Seal", "Thought", "count_reply", "event", "events_of",
    "failed_reply", "plain_reply", "polite_answer", "read_seal", "stream_error_reply", "stream_failed_reply", "stream_reply",
    "text", "usage", "write_seal",
]  # fmt: skip


# ---- whole replies ---------------------------------------------------------------------------------------


def plain_reply(
    items: Sequence[Item] = HELLO,
    *,
    usage: dict[str, object] | None = USAGE,
    incomplete: str | None = None,
    model: str | None = None,
) -> Script:
    """A whole reply, indented by two. `incomplete` is the reason why it ends early; `usage=None` is sent as null."""

    def write(request: Request) -> Script:
        writer = Writer(request, items, model, incomplete=incomplete)
        return steps.json(writer.ended(usage), fields=HEADERS)

    return [steps.answer(write)]


def failed_reply(
    code: str = "server_error",
    message: str = "The server had an error while processing your request.",
    *,
    items: Sequence[Item] = (),
    usage: dict[str, object] | None = None,
) -> Script:
    """A whole reply with status 200 that says that the model failed."""

    def write(request: Request) -> Script:
        writer = Writer(request, items)
        reply = writer.response("failed", usage) | {"error": {"code": code, "message": message}}
        return steps.json(reply, fields=HEADERS)

    return [steps.answer(write)]


def count_reply(tokens: int = 19) -> Script:
    """An answer of /responses/input_tokens."""
    return steps.json({"object": "response.input_tokens", "input_tokens": tokens}, fields=HEADERS)


# ---- streams ---------------------------------------------------------------------------------------------


def stream_reply(
    items: Sequence[Item] = HELLO,
    *,
    usage: dict[str, object] | None = USAGE,
    incomplete: str | None = None,
    model: str | None = None,
    **how: Any,
) -> Script:
    """A streamed reply; `between`, `cut_after` and `cut` are those of `play_events`."""

    def write(request: Request) -> Script:
        writer = Writer(request, items, model, incomplete=incomplete)
        ended = writer.ended(usage)
        events = [*writer.events(), {"type": f"response.{ended['status']}", "response": ended}]
        return _play(events, **how)

    return [steps.answer(write)]


def stream_failed_reply(
    items: Sequence[Item] = HELLO,
    *,
    after: int | None = None,
    code: str = "server_error",
    message: str = "The server had an error while processing your request.",
    usage: dict[str, object] | None = None,
) -> Script:
    """A stream that ends with response.failed, after so many events of it (by default all)."""

    def write(request: Request) -> Script:
        writer = Writer(request, items)
        events = writer.events()[:after]
        output = [event["item"] for event in events if event["type"] == "response.output_item.done"]
        failed = writer.response("failed", usage) | {
            "error": {"code": code, "message": message},
            "output": output,
        }
        return _play([*events, {"type": "response.failed", "response": failed}])

    return [steps.answer(write)]


def stream_error_reply(
    items: Sequence[Item] = HELLO,
    *,
    after: int | None = None,
    code: str | None = "server_error",
    message: str = "The server had an error while processing your request.",
    param: str | None = None,
) -> Script:
    """A stream that ends with a bare error event, after so many events of it (by default all)."""

    def write(request: Request) -> Script:
        end = {"type": "error", "code": code, "message": message, "param": param}
        return _play([*Writer(request, items).events()[:after], end])

    return [steps.answer(write)]


def events_of(script: Script, request: Request) -> list[dict]:
    """The events that a streamed reply sends to this request: for tests that need no socket."""
    (answer,) = script
    bodies = _bodies(answer.write(request))
    return [json.loads(data.split(b"\ndata: ", 1)[1]) for data in bodies]


def _bodies(script: object) -> Iterator[bytes]:
    for step in script if isinstance(script, Sequence) else ():
        if isinstance(step, steps.Body):
            yield step.data
        else:
            yield from _bodies(step)


def _play(events: Sequence[dict[str, object]], **how: Any) -> Script:
    numbered = [
        {"type": told["type"], "sequence_number": number, **told} for number, told in enumerate(events)
    ]
    return play_events(numbered, HEADERS, **how)


def polite_answer(request: Request) -> Script:
    """Answer any well-formed request with "Hello.", streamed or whole as it asks."""
    if request.path.partition("?")[0].endswith("/input_tokens"):
        return count_reply()
    return stream_reply() if request.asked.get("stream") else plain_reply()
