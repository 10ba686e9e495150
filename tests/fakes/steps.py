"""What a scripted upstream can do on one connection, step by step, down to the single byte.

A script is a list of steps (lists nest). `headers` opens a response and settles how its body is framed:
by `content-length` if that is among the fields, in chunks if `transfer-encoding` is, else by closing.
`body`, `json`, `sse` and `done` obey that framing; `send` writes its bytes as they are. A script that ends
without `rst` or `fin` ends its response cleanly, and the connection is kept for the next request.
"""

import json as json_module
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

import msgspec

from fakes.received import Request


class Send(msgspec.Struct, frozen=True):
    data: bytes


class Head(msgspec.Struct, frozen=True):
    status: int
    fields: tuple[tuple[str, str], ...]


class Body(msgspec.Struct, frozen=True):
    data: bytes


class Sleep(msgspec.Struct, frozen=True):
    seconds: float


class Wait(msgspec.Struct, frozen=True):
    event: threading.Event
    timeout_s: float


class Signal(msgspec.Struct, frozen=True):
    event: threading.Event


class SplitEvery(msgspec.Struct, frozen=True):
    size: int
    pause_s: float


class Reset(msgspec.Struct, frozen=True):
    pass


class Close(msgspec.Struct, frozen=True):
    pass


class Again(msgspec.Struct, frozen=True):
    script: "Script"
    times: int | None


class Answer(msgspec.Struct, frozen=True):
    write: Callable[[Request], "Script"]


Step: TypeAlias = (
    Send
    | Head
    | Body
    | Sleep
    | Wait
    | Signal
    | SplitEvery
    | Reset
    | Close
    | Again
    | Answer
    | Sequence["Step"]
)
Script: TypeAlias = Sequence[Step]

EVENT_STREAM = {"content-type": "text/event-stream; charset=utf-8", "transfer-encoding": "chunked"}


def send(data: bytes) -> Step:
    """Write these bytes and no others, whatever the response's framing."""
    return Send(data)


def headers(status: int, fields: Mapping[str, str] | Iterable[tuple[str, str]] = EVENT_STREAM) -> Step:
    """Write a status line and these fields; pairs may repeat a name."""
    pairs = fields.items() if isinstance(fields, Mapping) else fields
    return Head(status, tuple(pairs))


def body(data: bytes) -> Step:
    """Write a piece of the response's body, one chunk if it is chunked."""
    return Body(data)


def json(value: object, status: int = 200, fields: Mapping[str, str] | None = None) -> Script:
    """Write a whole JSON response, indented by two as OpenAI's are."""
    data = json_module.dumps(value, indent=2, ensure_ascii=False).encode()
    framing = {"content-type": "application/json", "content-length": str(len(data))}
    return [headers(status, {**framing, **(fields or {})}), body(data)]


def sse(items: Iterable[object]) -> Script:
    """Write each item as one event: objects as compact JSON, strings and bytes as they are."""
    return [body(event(item)) for item in items]


def event(item: object) -> bytes:
    """The bytes of one event: `data: ...` and a blank line."""
    match item:
        case bytes():
            text = item
        case str():
            text = item.encode()
        case _:
            text = json_module.dumps(item, separators=(",", ":"), ensure_ascii=False).encode()
    return b"data: " + text + b"\n\n"


def done() -> Step:
    """Write `data: [DONE]`."""
    return Body(b"data: [DONE]\n\n")


def sleep(seconds: float) -> Step:
    return Sleep(seconds)


def wait(event: threading.Event, timeout_s: float = 30) -> Step:
    """Wait until the test sets `event`; a script that waits in vain fails the test."""
    return Wait(event, timeout_s)


def signal(event: threading.Event) -> Step:
    """Tell the test that the script has come this far."""
    return Signal(event)


def split_every(size: int, pause_s: float = 0.001) -> Step:
    """From here on write at most `size` bytes at a time, with a pause after each; 0 ends it."""
    return SplitEvery(size, pause_s)


def rst() -> Step:
    """Reset the connection."""
    return Reset()


def fin() -> Step:
    """Close the connection where it is, without ending the response."""
    return Close()


def repeat(script: Script, times: int | None = None) -> Step:
    """Play `script` so many times, or until the client goes away."""
    return Again(script, times)


def answer(write: Callable[[Request], "Script"]) -> Step:
    """Let the request decide what comes next."""
    return Answer(write)
