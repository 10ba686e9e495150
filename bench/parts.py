"""OUR PARTS ALONE: the gateway's own edge and upstream client, forwarding bytes and doing nothing else.

`python -m bench.parts PORT UPSTREAM_URL`. What the gateway costs above this is the gateway's own work: keys, parsing,
metering, the ledger, the request's row. The floor beside it does the same with the field's usual parts.
"""

import asyncio
import sys

import uvloop

from runapi.flows.deadlines import Deadlines
from runapi.upstream.client import Address, Reply, UpstreamClient, read_whole
from runapi.web.call import Call
from runapi.web.server import Server

_HEALTHY = b'{"status":"ok"}'
_MOST_BODY_BYTES = 32 * 1024 * 1024
_UPSTREAM_HEADERS = {
    "Authorization": "Bearer sk-fake",
    "Content-Type": "application/json",
    "Accept": "application/json, text/event-stream",
    "Accept-Encoding": "identity",
    "User-Agent": "RunAPI-parts",
}


class Parts:
    """Answers calls as the floor does."""

    def __init__(self, client: UpstreamClient, url: str, deadlines: Deadlines) -> None:
        self._client = client
        self._url = Address.of(url)
        self._deadlines = deadlines

    async def __call__(self, call: Call) -> None:
        try:
            if call.path == "/healthz":
                await call.respond_json(200, _HEALTHY)
                return
            body = await call.read_body(_MOST_BODY_BYTES, self._deadlines.within(30))
            reply = await self._client.post(self._url, _UPSTREAM_HEADERS, body)
            try:
                await self._forward(call, reply)
            finally:
                reply.close()
        finally:
            call.end()

    @staticmethod
    async def _forward(call: Call, reply: Reply) -> None:
        kind = (b"content-type", reply.headers["content-type"].encode())
        if b"event-stream" not in kind[1]:
            body = await read_whole(reply)
            await call.respond(reply.status, [kind, (b"content-length", b"%d" % len(body))], body)
            return
        await call.start(reply.status, [kind])
        while piece := await reply.read():
            await call.send(piece)
        await call.send(b"", last=True)


async def serve(port: int, url: str) -> None:
    deadlines = Deadlines()
    parts = Parts(UpstreamClient(connect_timeout_s=5), url, deadlines)
    server = Server(parts, deadlines, idle=asyncio.Event(), header_timeout_s=30, stall_timeout_s=60)
    await server.open("127.0.0.1", port)
    await server.serve()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2]))
