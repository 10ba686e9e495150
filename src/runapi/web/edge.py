"""The outermost callable: guards, request id, authentication, and the last word on what goes wrong."""

import asyncio
import hmac
import re
import secrets
import time

import structlog

from runapi.core import problems
from runapi.core.problems import Problem
from runapi.web.asgi import Call, ClientLeft, Receive, Scope, Send
from runapi.web.problems import render_problem
from runapi.web.routes import Who, find_route
from runapi.web.services import Services

MOST_HEADER_BYTES = 32 * 1024
_SINGLE = (b"host", b"authorization", b"x-api-key", b"content-length", b"content-type", b"content-encoding")
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_log = structlog.get_logger("runapi.edge")


class Edge:
    """The ASGI application of a running server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known_hosts: set[bytes] = set()
        self._open_calls = 0
        self.idle = asyncio.Event()  # no call is open
        self.idle.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Nothing but a response comes out of it, whatever goes wrong inside."""
        if scope["type"] != "http":
            return
        pairs = scope["headers"]
        headers: dict[bytes, bytes] = dict(pairs)
        call = Call(scope, headers, receive, send, _new_request_id())
        self._open_calls += 1
        self.idle.clear()
        try:
            self._guard(pairs, headers)
            await self._dispatch(call)
        except Problem as problem:
            await self._refuse(call, problem)
        except ClientLeft:
            pass
        except Exception:  # noqa: BLE001 - the edge's boundary: the caller gets a 500, the log the trace
            _log.exception("request failed", request_id=call.request_id, path=call.path)
            await self._refuse(call, problems.internal_error())
        finally:
            self._open_calls -= 1
            if not self._open_calls:
                self.idle.set()

    async def _dispatch(self, call: Call) -> None:
        services = self._services
        route = find_route(call.method, call.path)
        match route.who:
            case Who.KEY:
                if services.stopping:
                    raise problems.shutting_down()
                headers = call.headers
                principal = services.keyring.authenticate(
                    headers.get(b"authorization"), headers.get(b"x-api-key")
                )
                await route.handler(services, call, principal)
            case Who.OPERATOR:
                token = call.headers.get(b"authorization", b"").removeprefix(b"Bearer ")
                if not hmac.compare_digest(token, services.admin_token.encode()):
                    raise problems.unknown_url(call.method, call.path[:200])
                await route.handler(services, call, None)
            case Who.ANYONE:
                await route.handler(services, call, None)

    def _guard(self, pairs: list[tuple[bytes, bytes]], headers: dict[bytes, bytes]) -> None:
        """Refuse what the HTTP parser lets through and nobody honest sends."""
        if len(headers) != len(pairs):
            names = [name for name, _ in pairs]
            for name in _SINGLE:
                if names.count(name) > 1:
                    raise problems.repeated_header(name.decode())
        if sum(map(len, headers.values())) > MOST_HEADER_BYTES:
            raise problems.headers_too_large(MOST_HEADER_BYTES)
        host = headers.get(b"host", b"")
        if host not in self._known_hosts:
            if not _HOST.fullmatch(host):
                raise problems.bad_host()
            if len(self._known_hosts) < 1000:
                self._known_hosts.add(host)
        if not headers.get(b"content-length", b"0").isdigit():
            raise problems.bad_length()

    async def _refuse(self, call: Call, problem: Problem) -> None:
        if call.started:
            return  # the status has left; the connection closes without the rest, which says enough
        status, headers, body = render_problem(problem, call.request_id)
        await call.respond(status, headers, body)


def _new_request_id() -> str:
    """`req_` and 32 hexadecimal digits, as OpenAI's; the time stands first, so that rows are written in order."""
    return f"req_{time.time_ns() // 1_000_000:012x}{secrets.token_hex(10)}"
