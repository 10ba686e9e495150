"""An upstream, of OpenAI's or Anthropic's kind, that behaves, or misbehaves, exactly as a script says, on real sockets."""

import asyncio
import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Self

import msgspec

from fakes.player import HungUp, Player
from fakes.polite import polite_answer
from fakes.received import Request, read_body, read_head
from fakes.replies import error
from fakes.steps import Script
from fakes.strictness import refusal

HEAD_LIMIT = 1 << 20


class ClosedEarly(msgspec.Struct, frozen=True):
    """The client went away while its answer was still being written."""

    request: Request
    bytes_written: int
    at: float


Responder = Callable[[Request], Script]


class ScriptedUpstream:
    """Serves on a thread of its own, from `with` to its end.

    Each POST takes the next script of `then(...)`; where none is left, `default` decides. GET requests go to
    `default`. With `strict` the upstream first refuses whatever OpenAI would refuse.
    """

    def __init__(
        self,
        default: Script | Responder = polite_answer,
        *,
        strict: bool = False,
        api_key: str | None = None,
        on_connect: Script | None = None,
        before_body: Responder | None = None,
        serves: tuple[str, ...] | None = None,
    ) -> None:
        """Make an upstream that checks the key against `api_key` when strict.

        Of `serves`, if given, a POST's path must end in one ("/responses"); any other is a 404, as at a server that
        speaks one API alone.
        `on_connect` is played instead of reading any request; `before_body` may answer a request, by a script
        that is not empty, whose body has not been read.
        """
        self._first_default = default
        self._first_strict = strict
        self.api_key = api_key
        self.on_connect = on_connect
        self.before_body = before_body
        self.serves = serves
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="scripted-upstream", daemon=True)
        self._server: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()
        self._counter = 0
        self.faults: list[str] = []
        self.port = 0
        self.reset()

    # ---- what the test says ------------------------------------------------------------------------------

    def then(self, *scripts: Script) -> None:
        """Queue one script for each of the next POST requests."""
        self._queue.extend(scripts)

    def reset(self) -> None:
        """Forget all requests and scripts, and go back to the first default and strictness."""
        with self._changed:
            self.default = self._first_default
            self.strict = self._first_strict
            self._queue: deque[Script] = deque()
            self.requests: list[Request] = []
            self.closed_early: list[ClosedEarly] = []

    # ---- what the test sees ------------------------------------------------------------------------------

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def calls(self) -> list[Request]:
        """The requests for a completion, in order of arrival."""
        return [request for request in self.requests if request.method == "POST"]

    @property
    def unplayed(self) -> int:
        """How many queued scripts no request has taken."""
        return len(self._queue)

    @property
    def open_connections(self) -> int:
        return len(self._connections)

    def assert_done(self) -> None:
        """Every queued script was played, and none went wrong."""
        assert not self.unplayed, f"{self.unplayed} scripts were never played"
        self.assert_well()

    def assert_well(self) -> None:
        """No script went wrong."""
        assert not self.faults, f"the upstream's scripts went wrong: {self.faults}"

    def wait_for_calls(self, count: int = 1, timeout_s: float = 10) -> list[Request]:
        """The first `count` completion requests, as soon as they are here."""
        with self._changed:
            arrived = self._changed.wait_for(lambda: len(self.calls) >= count, timeout_s)
        assert arrived, f"{len(self.calls)} of {count} requests came within {timeout_s} s"
        return self.calls[:count]

    def wait_for_closed_early(self, count: int = 1, timeout_s: float = 10) -> list[ClosedEarly]:
        """The first `count` times that a client went away early, as soon as they have happened."""
        with self._changed:
            happened = self._changed.wait_for(lambda: len(self.closed_early) >= count, timeout_s)
        assert happened, f"{len(self.closed_early)} of {count} connections were closed within {timeout_s} s"
        return self.closed_early[:count]

    # ---- life --------------------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self._thread.start()
        starting = asyncio.run_coroutine_threadsafe(self._start(), self._loop)
        self.port = starting.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.assert_well()

    def close(self) -> None:
        """Stop serving and cut all connections."""
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    async def _start(self) -> int:
        self._server = await self._loop.create_server(self._accept, "127.0.0.1", 0, backlog=1024)
        return int(self._server.sockets[0].getsockname()[1])

    async def _stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in list(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self) -> asyncio.BaseProtocol:
        return _Protocol(self._loop, self._begin)

    def _begin(self, protocol: "_Protocol") -> None:
        self._counter += 1
        connection = _Connection(self, protocol, self._counter)
        task = self._loop.create_task(connection.serve())
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    # ---- told by the connections -------------------------------------------------------------------------

    def record(self, request: Request) -> None:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()

    def record_closed_early(self, event: ClosedEarly) -> None:
        with self._changed:
            self.closed_early.append(event)
            self._changed.notify_all()

    def choose(self, request: Request) -> Script:
        """The script that answers this request."""
        path = request.path.partition("?")[0]
        if self.serves is not None and request.method == "POST" and not path.endswith(self.serves):
            text = f"Unknown request URL: POST {path}. Please check the URL for typos."
            return error(404, text, type="invalid_request_error", code="unknown_url")
        if self.strict and (refused := refusal(request, self.api_key)) is not None:
            return refused
        if request.method == "POST" and self._queue:
            return self._queue.popleft()
        return self.default(request) if callable(self.default) else self.default


class _Protocol(asyncio.StreamReaderProtocol):
    """A stream protocol that says, without reading, when the other side has gone."""

    def __init__(self, loop: asyncio.AbstractEventLoop, begin: Callable[["_Protocol"], None]) -> None:
        self.reader = asyncio.StreamReader(limit=HEAD_LIMIT, loop=loop)
        super().__init__(self.reader, loop=loop)
        self.gone = asyncio.Event()
        self._begin = begin

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        super().connection_made(transport)
        self.writer = asyncio.StreamWriter(transport, self, self.reader, asyncio.get_running_loop())
        self._begin(self)

    def eof_received(self) -> bool | None:
        self.gone.set()
        return super().eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        self.gone.set()
        super().connection_lost(exc)


class _Connection:
    """One accepted socket: reads requests and plays their scripts, one after the other."""

    def __init__(self, upstream: ScriptedUpstream, protocol: _Protocol, number: int) -> None:
        self.upstream = upstream
        self.reader = protocol.reader
        self.writer = protocol.writer
        self.gone = protocol.gone
        self.number = number
        self.player = Player(protocol.writer)

    async def serve(self) -> None:
        try:
            if self.upstream.on_connect is not None:
                await self.player.play(self.upstream.on_connect, None)
            else:
                while await self._serve_one():
                    pass
        except (HungUp, ConnectionError, asyncio.IncompleteReadError):
            pass
        except Exception as fault:  # noqa: BLE001 - shown to the test when the upstream is closed
            self.upstream.faults.append(repr(fault))
        finally:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self.writer.close()

    async def _serve_one(self) -> bool:
        """Answer one request; False if the connection is not to be used again."""
        head = await read_head(self.reader, self.number)
        early = self.upstream.before_body(head) if self.upstream.before_body else None
        request = head if early else msgspec.structs.replace(head, body=await read_body(self.reader, head))
        self.upstream.record(request)
        playing = asyncio.ensure_future(self.player.play(early or self.upstream.choose(request), request))
        leaving = asyncio.ensure_future(self.gone.wait())
        try:
            await asyncio.wait({playing, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not playing.done():
                raise ConnectionResetError
            playing.result()
        except ConnectionError:
            self.upstream.record_closed_early(ClosedEarly(request, self.player.written, time.monotonic()))
            raise
        finally:
            playing.cancel()
            leaving.cancel()
        return self.player.reusable and not early
