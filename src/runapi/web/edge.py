"""The outermost callable: guards, request id, authentication, and the last word on what goes wrong."""

import asyncio
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from typing import assert_never

import structlog

from runapi.core import frame_problems, problems
from runapi.core.keys import Principal
from runapi.core.limit_problems import ledger_unavailable
from runapi.core.problems import Problem
from runapi.store.faults import StoreFault
from runapi.web.anthropic_problems import render_anthropic_problem
from runapi.web.call import Call
from runapi.web.problems import render_problem
from runapi.web.request_reader import MOST_HEADER_BYTES, MOST_URL_BYTES
from runapi.web.routes import Route, Who, canonical_path, find_route
from runapi.web.services import Services

MOST_PORT = 65535
MOST_PASSED_OVER_BYTES = 1024 * 1024
PASS_OVER_S = 1.0
MOST_KNOWN_HOSTS = 1000
_SINGLE = (
    b"host",
    b"authorization",
    b"x-api-key",
    b"content-length",
    b"content-type",
    b"content-encoding",
    b"transfer-encoding",
    b"idempotency-key",
    b"x-runapi-max-cost",
    b"max_cost",
)
_ANTHROPICS = "/v1/messages"  # who calls this reads errors in Anthropic's shape
_HOST = re.compile(rb"(?:[A-Za-z0-9._-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_log = structlog.get_logger("runapi.edge")


class Edge:
    """What answers the calls of a running server."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._known_hosts: set[bytes] = set()
        self._request_ids = RequestIds()
        self._open_calls = 0
        self.idle = asyncio.Event()  # no call is open
        self.idle.set()

    async def __call__(self, call: Call) -> None:
        """Serve one request. Nothing but a response comes out of it, whatever goes wrong inside."""
        call.request_id = self._request_ids.make()
        self._open_calls += 1
        self.idle.clear()
        try:
            self._guard(call)
            call.path = canonical_path(call.path)
            try:
                route = find_route(call.method, call.path)
            except Problem:  # only what is no row is offered to the site
                if await self._visit_site(call):
                    return
                raise
            await route.handler(self._services, call, self._admit(call, route))
        except Problem as problem:
            # Its frames hold the request, and a problem may be kept, to be raised again.
            problem.__traceback__ = None
            await self._refuse(call, problem)
        except StoreFault as fault:
            _log.error("database failed", request_id=call.request_id, path=call.path, reason=str(fault))
            await self._refuse(call, ledger_unavailable())
        except Exception:  # noqa: BLE001 - the edge's boundary: the caller gets a 500, the log the trace
            _log.exception("request failed", request_id=call.request_id, path=call.path)
            await self._refuse(call, problems.internal_error())
        finally:
            call.end()
            self._open_calls -= 1
            if not self._open_calls:
                self.idle.set()

    async def _visit_site(self, call: Call) -> bool:
        """Have the site answer a call; say whether it did."""
        site = self._services.site
        return site is not None and await site.answer(call)

    def _admit(self, call: Call, route: Route) -> Principal | None:
        """Let the caller in whom the route is for, and nobody else.

        Raises:
            Problem: 401, 404 where the route is not to be known, 503.
        """
        services = self._services
        match route.who:
            case Who.KEY:
                if services.stopping:
                    raise problems.shutting_down()
                headers = call.headers
                principal = services.keyring.authenticate(
                    headers.get(b"authorization"), headers.get(b"x-api-key")
                )
                if services.admission.gates.get(principal.key_id) is not None:
                    services.admission.check_caller(principal, call.client_address(services.trusted_proxies))
                return principal
            case Who.OPERATOR:
                token = call.headers.get(b"authorization", b"").removeprefix(b"Bearer ")
                if not hmac.compare_digest(token, services.admin_token.encode()):
                    raise problems.unknown_url(call.method, call.path[:200])
                return None
            case Who.ANYONE:
                return None
        assert_never(route.who)

    def _guard(self, call: Call) -> None:
        """Refuse what is no request, what the HTTP parser lets through and nobody honest sends."""
        if call.fault is not None:
            raise call.fault
        headers, is_old = call.headers, call.version == "1.0"
        if (is_old and b"transfer-encoding" in headers) or (call.version != "1.1" and not is_old):
            raise frame_problems.malformed_request()
        if call.repeated:
            _refuse_repeated(call.repeated)
        if call.head_bytes > MOST_HEADER_BYTES:
            raise frame_problems.headers_too_large(MOST_HEADER_BYTES)
        if call.target_bytes > MOST_URL_BYTES:
            raise frame_problems.url_too_long(MOST_URL_BYTES)
        host = headers.get(b"host", b"")
        if host not in self._known_hosts:
            self._check_host(host, call)
        if not headers.get(b"content-length", b"0").isdigit():
            raise frame_problems.bad_length()
        coding = headers.get(b"transfer-encoding", b"chunked")
        if coding != b"chunked" and coding.lower() != b"chunked":
            raise frame_problems.unknown_transfer_coding(coding[:40].decode("latin-1"))

    def _check_host(self, host: bytes, call: Call) -> None:
        if not host and call.version == "1.0":
            return  # it knew no Host, and health checks still speak it
        match = _HOST.fullmatch(host)
        if not match or int(match[1] or 0) > MOST_PORT:
            raise frame_problems.bad_host()
        if len(self._known_hosts) < MOST_KNOWN_HOSTS:
            self._known_hosts.add(host)

    async def _refuse(self, call: Call, problem: Problem) -> None:
        if call.started:
            return  # the status has left; the connection closes without the rest, which says enough
        await call.pass_over_body(MOST_PASSED_OVER_BYTES, self._services.deadlines.within(PASS_OVER_S))
        render = render_anthropic_problem if call.path.startswith(_ANTHROPICS) else render_problem
        status, headers, body = render(problem, call.request_id)
        await call.respond(status, headers, body)


def _refuse_repeated(names: Sequence[bytes]) -> None:
    for name in _SINGLE:
        if name in names:
            raise frame_problems.repeated_header(name.decode())


class RequestIds:
    """Makes `req_` and 32 hexadecimal digits, as OpenAI's: the time first, so that rows are written in order.

    Chance is fetched for many at once: the system call would be a fiftieth of a request's work.
    """

    _CHANCE_BYTES = 10
    _AT_ONCE = 400

    def __init__(self) -> None:
        self._chance = b""
        self._at = 0

    def make(self) -> str:
        if self._at >= len(self._chance):
            self._chance, self._at = secrets.token_bytes(self._CHANCE_BYTES * self._AT_ONCE), 0
        chance = self._chance[self._at : self._at + self._CHANCE_BYTES]
        self._at += self._CHANCE_BYTES
        return f"req_{time.time_ns() // 1_000_000:012x}{chance.hex()}"
