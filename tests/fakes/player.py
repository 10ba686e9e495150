"""Plays a script on one connection."""

import asyncio
import socket
import struct
import threading
import time

from fakes import steps
from fakes.received import Request
from fakes.steps import Script, Step


class HungUp(Exception):  # noqa: N818 - no error: the script ends the connection here
    """The script has closed or reset the connection."""


class Player:
    """Writes what scripts say on one connection, and knows how the response in hand is framed."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        self.written = 0
        self.split = 0
        self.pause_s = 0.0
        self.framing = ""  # "", "length", "chunked" or "close"

    @property
    def reusable(self) -> bool:
        """Whether the connection may carry another request after this response."""
        return self.framing in {"length", "chunked"}

    async def play(self, script: Script, request: Request | None) -> None:
        """Play a whole script, and end its response unless the script hung up.

        Raises HungUp where it did, ConnectionError where the client did.
        """
        self.written, self.split, self.framing = 0, 0, ""
        await self._steps(script, request)
        if self.framing == "chunked":
            await self._write(b"0\r\n\r\n")
        if self.framing == "close":
            self._close()

    async def _steps(self, script: Script, request: Request | None) -> None:
        for step in script:
            await self._step(step, request)

    async def _step(self, step: Step, request: Request | None) -> None:  # noqa: C901, PLR0912 - one row a step
        match step:
            case steps.Send(data):
                await self._write(data)
            case steps.Head():
                await self._write(self._head(step))
            case steps.Body(data):
                framed = b"%x\r\n%b\r\n" % (len(data), data) if self.framing == "chunked" and data else data
                await self._write(framed)
            case steps.Sleep(seconds):
                await asyncio.sleep(seconds)
            case steps.Wait(event, timeout_s):
                await self._wait(event, timeout_s)
            case steps.Signal(event):
                event.set()
            case steps.SplitEvery(size, pause_s):
                self.split, self.pause_s = size, pause_s
            case steps.Reset():
                self._reset()
            case steps.Close():
                self._close()
            case steps.Again(script, times):
                played = 0
                while times is None or played < times:
                    await self._steps(script, request)
                    await asyncio.sleep(0)
                    played += 1
            case steps.Answer(write):
                assert request is not None, "there is no request to answer before one was read"
                await self._steps(write(request), request)
            case _:
                await self._steps(step, request)

    def _head(self, head: steps.Head) -> bytes:
        names = {name.lower() for name, _ in head.fields}
        fields = list(head.fields)
        if "content-length" in names:
            self.framing = "length"
        elif "transfer-encoding" in names:
            self.framing = "chunked"
        else:
            self.framing = "close"
            fields.append(("connection", "close"))
        lines = [f"HTTP/1.1 {head.status} {_REASONS.get(head.status, 'Unknown')}"]
        lines += [f"{name}: {value}" for name, value in fields]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    async def _write(self, data: bytes) -> None:
        size = self.split or max(len(data), 1)
        for start in range(0, len(data), size):
            piece = data[start : start + size]
            self.writer.write(piece)
            await self.writer.drain()
            self.written += len(piece)
            if self.split:
                await asyncio.sleep(self.pause_s)

    @staticmethod
    async def _wait(event: threading.Event, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while not event.is_set():
            if time.monotonic() > deadline:
                raise TimeoutError("a script waited in vain for its event")
            await asyncio.sleep(0.002)

    def _close(self) -> None:
        self.writer.close()
        raise HungUp

    def _reset(self) -> None:
        raw: socket.socket = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()
        raise HungUp


_REASONS = {
    200: "OK",
    301: "Moved Permanently",
    302: "Found",
    307: "Temporary Redirect",
    308: "Permanent Redirect",
    400: "Bad Request",
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    404: "Not Found",
    413: "Content Too Large",
    422: "Unprocessable Content",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
