"""The fake upstream of the proofs: what it does with a request stands in the request itself, as a Plan.

It runs on a thread of its own, over all kills and restarts of the gateways that call it, and counts who called.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from asyncio import StreamReader, StreamWriter
from collections import Counter
from enum import StrEnum
from types import TracebackType
from typing import NamedTuple, Self

import msgspec
import uvloop

from fakes import replies, steps
from fakes.received import Request, read_body, read_head
from prove.answers import endpoint_of, plan_in, whole_body
from prove.answers import events as other_events

SPARE = "/spare"  # the path of the same provider's second house
WORDS = "one two three four five six seven eight nine ten "

_HEAD_LIMIT = 1 << 20
_STARTS_WITHIN_S = 30


class Conduct(StrEnum):
    """What the upstream does with a request."""

    FINE = "fine"
    GATED = "gated"  # fine, but the answer waits until the proof lets it go
    FAILS_OVER = "fails over"  # it fails; its second house answers
    UNCOUNTED = "uncounted"  # fine, but for the usage that is missing
    EMPTY = "empty"  # an answer without any text
    FAILS = "fails"  # 500
    LIMITED = "limited"  # 429
    REFUSES_US = "refuses us"  # 401
    REFUSES_REQUEST = "refuses the request"  # 400
    RESETS = "resets"  # the connection, before any answer
    CUTS = "cuts"  # the connection, inside the answer
    BABBLES = "babbles"  # something that is no answer
    GIVES_UP = "gives up"  # an error where the answer should go on
    SILENT = "silent"  # no answer at all, for as long as anybody waits
    STALLS = "stalls"  # ... inside the answer


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to become of one request; it travels with the request; see `answers.plan_in`."""

    tag: str  # the request's own name; no other request has it
    conduct: Conduct = Conduct.FINE
    stream: bool = False
    chunks: int = 3
    pause_ms: int = 0
    usage: str | None = None  # JSON, as it is to be reported; None: nothing is reported
    tier: str = "default"  # the service tier that is reported


_STATUSES = {
    Conduct.FAILS: 500,
    Conduct.LIMITED: 429,
    Conduct.REFUSES_US: 401,
    Conduct.REFUSES_REQUEST: 400,
}
_read_plan = msgspec.json.Decoder(Plan).decode


class Provider:
    """The server; use it in a `with` statement."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()  # by tag
        self.faults: list[str] = []
        self.port = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = uvloop.new_event_loop()
        self._gate = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, name="provider", daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        self.port = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(_STARTS_WITHIN_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(_STARTS_WITHIN_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_STARTS_WITHIN_S)
        self._loop.close()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def spare_url(self) -> str:
        return f"http://127.0.0.1:{self.port}{SPARE}/v1"

    def close_gate(self) -> None:
        """Let the answers to GATED requests wait from here on."""
        self._loop.call_soon_threadsafe(self._gate.clear)

    def open_gate(self) -> None:
        """Let them go."""
        self._loop.call_soon_threadsafe(self._gate.set)

    # ---- serving -----------------------------------------------------------------------------------------

    async def _open(self) -> int:
        self._server = await asyncio.start_server(
            self._accept, "127.0.0.1", 0, limit=_HEAD_LIMIT, backlog=1024
        )
        return int(self._server.sockets[0].getsockname()[1])

    async def _close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        """Answer one request after the other, until the other side leaves or a plan says so."""
        try:
            while True:
                head = await read_head(reader, 0)
                request = msgspec.structs.replace(head, body=await read_body(reader, head))
                if not await self._answer(request, reader, writer):
                    break
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as fault:  # noqa: BLE001 - the proof shows it at its end
            self.faults.append(repr(fault))
        finally:
            with contextlib.suppress(ConnectionError, RuntimeError):
                writer.close()

    async def _answer(self, request: Request, reader: StreamReader, writer: StreamWriter) -> bool:
        """Do what the plan says; False if the connection is not to be used again."""
        plan = _read_plan(plan_in(request.body))
        self.calls[plan.tag] += 1
        name = f"{plan.tag}/{self.calls[plan.tag]}"
        conduct = plan.conduct
        if conduct is Conduct.FAILS_OVER:
            conduct = Conduct.FINE if request.path.startswith(SPARE) else Conduct.FAILS
        if conduct is Conduct.GATED:
            await self._gate.wait()
        if conduct is Conduct.RESETS:
            _reset(writer)
            return False
        if conduct is Conduct.SILENT:
            await reader.read(1)  # until the other side has had enough
            return False
        if conduct in _STATUSES:
            _write(writer, _refusal(_STATUSES[conduct], name))
            return True
        call = _Call(request, plan, conduct, name)
        if not plan.stream:
            return await _write_whole(call, reader, writer)
        return await _write_stream(call, reader, writer)


class _Call(NamedTuple):
    """One request, and what is to be done with it."""

    request: Request
    plan: Plan
    conduct: Conduct
    name: str

    @property
    def is_chat(self) -> bool:
        return endpoint_of(self.request.path) is None


async def _write_whole(call: _Call, reader: StreamReader, writer: StreamWriter) -> bool:
    request, plan, conduct, name = call
    if call.is_chat:
        body = _whole_body(plan, conduct, name)
    else:
        body = whole_body(request, _texts(plan, name), _usage(plan, conduct), plan.tier)
    await asyncio.sleep(plan.pause_ms / 1000)
    head = _head(200, {"content-type": "application/json", "content-length": str(len(body))}, name)
    if conduct in (Conduct.CUTS, Conduct.STALLS):
        _write(writer, head + body[: len(body) // 2])
        if conduct is Conduct.STALLS:
            await reader.read(1)
        return False
    _write(writer, head + body)
    return True


async def _write_stream(call: _Call, reader: StreamReader, writer: StreamWriter) -> bool:
    request, plan, conduct, name = call
    if call.is_chat:
        events = _events(plan, conduct, name)
    else:
        events = other_events(request, _texts(plan, name), _usage(plan, conduct), plan.tier)
    _write(writer, _head(200, steps.EVENT_STREAM, name))
    for number, event in enumerate(events):
        if plan.pause_ms and number:
            await asyncio.sleep(plan.pause_ms / 1000)
        _write(writer, _framed(event))
        await writer.drain()
    if conduct is Conduct.STALLS:
        await reader.read(1)
    if conduct in (Conduct.CUTS, Conduct.STALLS):
        return False
    _write(writer, b"0\r\n\r\n")
    return True


def _events(plan: Plan, conduct: Conduct, name: str) -> list[bytes]:
    """The events of a stream, as far as its conduct lets it come."""
    if conduct is Conduct.BABBLES:
        return [steps.event("<html>Bad gateway</html>")]
    texts = [] if conduct is Conduct.EMPTY else _texts(plan, name)
    pieces: list[dict[str, object]] = [{"role": "assistant", "content": ""}]
    pieces += [{"content": text} for text in texts]
    events = [steps.event(_with_tier(replies.chunk(piece), plan)) for piece in pieces]
    if conduct in (Conduct.CUTS, Conduct.STALLS, Conduct.GIVES_UP):
        events = events[: 1 + len(texts) // 2]
        if conduct is Conduct.GIVES_UP:
            events.append(steps.event({"error": {"message": "The engine is gone.", "type": "server_error"}}))
        return events
    events.append(steps.event(_with_tier(replies.chunk({}, finish_reason="stop"), plan)))
    usage = _usage(plan, conduct)
    if usage is not None:
        closing = json.dumps(_with_tier(replies.chunk(None), plan)).encode()
        events.append(b'data: %b,"usage":%b}\n\n' % (closing[:-1], usage.replace(b"\n", b" ")))
    return [*events, b"data: [DONE]\n\n"]


def _whole_body(plan: Plan, conduct: Conduct, name: str) -> bytes:
    if conduct is Conduct.BABBLES:
        return b"<html>Bad gateway</html>"
    if conduct is Conduct.GIVES_UP:
        return b'{"error":{"message":"The engine is gone.","type":"server_error"}}'
    text = "" if conduct is Conduct.EMPTY else "".join(_texts(plan, name))
    message = {"role": "assistant", "content": text, "refusal": None}
    body: dict[str, object] = {
        "id": replies.REPLY_ID,
        "object": "chat.completion",
        "created": replies.CREATED,
        "model": replies.MODEL,
        "service_tier": plan.tier,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
    }
    written = json.dumps(body).encode()
    usage = _usage(plan, conduct)
    return written if usage is None else b'%b,"usage":%b}' % (written[:-1], usage)


def _usage(plan: Plan, conduct: Conduct) -> bytes | None:
    return None if plan.usage is None or conduct is Conduct.UNCOUNTED else plan.usage.encode()


def _texts(plan: Plan, name: str) -> list[str]:
    """The answer, in pieces; it begins with the name of this very call, so that no two answers are alike."""
    return [f"[{name}] ", *(WORDS for _ in range(plan.chunks - 1))]


def _with_tier(chunk: dict[str, object], plan: Plan) -> dict[str, object]:
    return chunk | {"service_tier": plan.tier}


def _refusal(status: int, name: str) -> bytes:
    error = {"message": "Not now.", "type": "server_error", "param": None, "code": None}
    body = json.dumps({"error": error}).encode()
    fields = {"content-type": "application/json", "content-length": str(len(body)), "retry-after": "1"}
    return _head(status, fields, name) + body


def _head(status: int, fields: dict[str, str], name: str) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{key}: {value}" for key, value in fields.items())]
    return "\r\n".join([*lines, f"x-request-id: {name}", "", ""]).encode()


def _framed(event: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(event), event)


def _write(writer: StreamWriter, data: bytes) -> None:
    if writer.is_closing():  # the other side was killed
        raise ConnectionResetError
    writer.write(data)


def _reset(writer: StreamWriter) -> None:
    raw: socket.socket = writer.get_extra_info("socket")
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
