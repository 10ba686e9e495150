"""A request as the scripted upstream received it."""

import asyncio
import json
import time
from typing import Any

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One request as it came; header names are lower case, and the last of several wins in `headers`."""

    method: str
    path: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    received_at: float

    @property
    def headers(self) -> dict[str, str]:
        return dict(self.fields)

    @property
    def json(self) -> object:
        """The decoded body, or None where it is empty or no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def asked(self) -> dict[str, Any]:
        """The decoded body where it is an object, else an empty one."""
        decoded = self.json
        return decoded if isinstance(decoded, dict) else {}


async def read_head(reader: asyncio.StreamReader, connection: int) -> Request:
    """Read a request up to its body, which stays unread.

    Raises IncompleteReadError at the connection's end.
    """
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    start, *lines = text.removesuffix("\r\n\r\n").split("\r\n")
    method, path, _ = start.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    fields = tuple((name.lower(), value.strip()) for name, _, value in pairs)
    return Request(method, path, fields, b"", connection, time.monotonic())


async def read_body(reader: asyncio.StreamReader, head: Request) -> bytes:
    """Read the body that belongs to `head`, framed by its length or in chunks."""
    if head.headers.get("transfer-encoding") != "chunked":
        return await reader.readexactly(int(head.headers.get("content-length", "0")))
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return bytes(body)
