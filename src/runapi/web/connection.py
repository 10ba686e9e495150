"""One client's connection: its calls are served one after the other, and their responses written."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import cast

from runapi.core.problems import Problem
from runapi.flows.client_side import Header
from runapi.web.call import Call
from runapi.web.manner import Manner
from runapi.web.request_reader import RequestReader
from runapi.web.response_head import NOT_CHOSEN, choose_framing

_COPIED_BYTES = 16 * 1024  # what is longer is not joined to its frame
_MOST_PASSED_OVER_BYTES = 1024 * 1024
_LINGER_S = 1.0
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Connection(asyncio.Protocol):
    """Reads requests ahead of their turn no further than what came in one piece."""

    __slots__ = (
        *("_call", "_closing", "_deaf", "_drained", "_framing", "_head", "_is_half_closed", "_is_paused", "_manner"),
        *("_passed_over_bytes", "_reader", "_reads", "_rests", "_task", "_transport", "_unread_bytes", "_waiting"),
    )  # fmt: skip

    def __init__(self, manner: Manner) -> None:
        self._manner = manner
        self._transport: asyncio.Transport | None = None
        self._reader: RequestReader | None = None  # while a request is coming
        self._call: Call | None = None  # which is being served
        self._task: asyncio.Task[None] | None = None  # which serves it
        self._waiting: list[Call] = []  # calls that came before their turn
        self._reads = True
        self._deaf = False  # nothing further that comes is a request
        self._head = b""  # of the response, until its first piece
        self._framing = NOT_CHOSEN  # of the response being written
        self._is_paused = False  # the client does not read what was written
        self._rests = False  # the next call waits until it has
        self._drained: asyncio.Future[None] | None = None
        self._closing = False
        self._is_half_closed = False  # the client says no more
        self._passed_over_bytes = 0
        self._unread_bytes = 0  # of what was written, when the client was given its time to read it

    # ---- what the event loop calls -------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._manner.open.add(self)
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            self._pass_over(len(data))
            return
        reader, is_new = self._reader, False
        if reader is None:
            reader, is_new = RequestReader(self), True
            self._reader = reader
        reader.feed(data)
        if reader.is_between or self._deaf:
            self._reader = None
            reader.close()
            return
        if is_new and self._call is None:
            self._expect_head()  # it has begun, and has its time
        body = reader.body
        if body is not None and body.is_full:
            self._read(reads=False)

    def eof_received(self) -> bool:
        """Who says no more is taken to have left, but for who left a body unfinished: it is told so."""
        self._deaf = self._is_half_closed = True
        has_body = self._let_go_of_reader()
        if not has_body and not self._closing:
            self._expect_reading()
        return has_body

    def pause_writing(self) -> None:
        self._is_paused = True

    def resume_writing(self) -> None:
        self._is_paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._rests and self._transport is not None and not self._transport.is_closing():
            self._rests = False
            self._go_on_to_next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._deaf = True
        self._manner.open.discard(self)
        self._manner.deadlines.remove(self)
        self._let_go_of_reader()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._waiting = []
        if self._call is not None:
            self._call.lose()

    def expire(self) -> None:
        """Too long nothing came, or what was written was not read."""
        transport = self._transport
        if transport is None:
            return
        if transport.get_write_buffer_size() < self._unread_bytes:
            self._expect_reading()  # slow, but it reads
        else:
            transport.abort()

    # ---- what the reader calls -----------------------------------------------------------------------------

    def take(self, call: Call) -> None:
        if self._call is None and not self._rests:
            self._serve(call)
        else:
            self._waiting.append(call)
            self._read(reads=False)

    def fail(self, problem: Problem) -> None:
        self._deaf = True
        if self._call is None or self._call.body.ended:
            call = Call(self, "", b"/", "1.1", {})
            call.fault = problem
            self.take(call)

    def go_on(self) -> None:
        self._read(reads=True)

    # ---- what calls call -----------------------------------------------------------------------------------

    def peer(self) -> str:
        name = None if self._transport is None else self._transport.get_extra_info("peername")
        return str(name[0]) if name else ""

    def wants_body(self, call: Call) -> None:
        is_asked = call.headers.get(b"expect", b"").lower() == b"100-continue" and call.version == "1.1"
        transport = self._transport
        if is_asked and not call.body.came_bytes and transport is not None and not transport.is_closing():
            transport.write(_CONTINUE)

    def start(self, call: Call, status: int, headers: Sequence[Header]) -> None:
        if call is not self._call:
            return
        may_follow = call.keeps_alive and call.body.ended and (not self._deaf or bool(self._waiting))
        self._framing = framing = choose_framing(
            status, headers, is_old=call.version != "1.1", may_follow=may_follow
        )
        self._head = self._manner.heads.write(status, headers, framing.lines)

    def send(self, call: Call, data: bytes, *, last: bool) -> Awaitable[None] | None:
        transport = self._transport
        if transport is None or call is not self._call or transport.is_closing():
            return None
        head, self._head = self._head, b""
        if last:
            call.is_complete = True
        pieces = (head,) if call.method == "HEAD" else (head, *self._framing.frame(data, last=last))
        if len(data) > _COPIED_BYTES:
            transport.writelines(pieces)
        else:
            transport.write(b"".join(pieces))
        return self._until_drained() if self._is_paused else None

    def end(self, call: Call) -> None:
        if call is not self._call:
            return
        self._call = self._task = None
        if self._transport is None or self._transport.is_closing():
            return
        if not call.is_complete or not self._framing.keeps:
            self._close(lingers=not call.body.ended or self._deaf)
        elif self._is_paused:
            self._rests = True
            self._expect_reading()
        else:
            self._go_on_to_next()

    def close(self) -> None:
        """Close it, now."""
        if self._transport is not None:
            self._transport.close()

    # ---- within --------------------------------------------------------------------------------------------

    def _serve(self, call: Call) -> None:
        self._manner.deadlines.remove(self)
        self._call = call
        self._task = asyncio.get_running_loop().create_task(self._manner.serve(call))

    def _go_on_to_next(self) -> None:
        if self._waiting:
            self._serve(self._waiting.pop(0))
            if not self._waiting:
                self._read(reads=True)
        else:
            self._expect_head()

    def _expect_head(self) -> None:
        self._unread_bytes = 0
        self._manner.deadlines.set(self, self._manner.header_timeout_s)

    def _expect_reading(self) -> None:
        """Give the client its time to read more of what was written."""
        if self._transport is not None:
            self._unread_bytes = self._transport.get_write_buffer_size()
            self._manner.deadlines.set(self, self._manner.stall_timeout_s)

    def _let_go_of_reader(self) -> bool:
        """Read no further request; say whether a body was under way."""
        reader, self._reader = self._reader, None
        if reader is None:
            return False
        body = reader.body
        if body is not None:
            body.fail()
        reader.close()
        return body is not None

    def _read(self, *, reads: bool) -> None:
        transport = self._transport
        if reads == self._reads or transport is None or transport.is_closing():
            return
        self._reads = reads
        if reads:
            transport.resume_reading()
        else:
            transport.pause_reading()

    def _until_drained(self) -> Awaitable[None]:
        if self._drained is None or self._drained.done():
            self._drained = asyncio.get_running_loop().create_future()
        return asyncio.shield(self._drained)

    def _close(self, *, lingers: bool) -> None:
        """Close it once what was written has left.

        Bytes that nobody has read would have it reset, and the reset may overtake the answer on its way: they are
        passed over for a while.
        """
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._closing = self._deaf = True
        self._let_go_of_reader()
        if lingers and not self._is_half_closed:
            transport.write_eof()
            self._read(reads=True)
            self._unread_bytes = 0
            self._manner.deadlines.set(self, _LINGER_S)
        else:
            transport.close()
            self._expect_reading()

    def _pass_over(self, more_bytes: int) -> None:
        self._passed_over_bytes += more_bytes
        if (
            self._closing
            and self._passed_over_bytes > _MOST_PASSED_OVER_BYTES
            and self._transport is not None
        ):
            self._transport.abort()
