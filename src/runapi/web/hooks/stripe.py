"""`POST /hooks/stripe`: what Stripe tells us. Without a secret of 16 bytes this URL does not exist.

An empty or short secret would make a signature that anybody can (CVE-2026-41432).
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus

import msgspec
import structlog

from runapi.core import problems
from runapi.core.problems import Problem
from runapi.core.webhooks import SHORTEST_SECRET_BYTES
from runapi.flows.topup import TopUps
from runapi.payments.stripe_events import BadEvent, read_webhook
from runapi.web.call import Call
from runapi.web.services import Services

PATH = "/hooks/stripe"
MOST_BODY_BYTES = 256 * 1024
_log = structlog.get_logger("runapi.hooks")


class StripeHook:
    """What the URL needs. Made only where there is a secret that can be relied on."""

    def __init__(self, top_ups: TopUps, secrets: Sequence[bytes], now_us: Callable[[], int]) -> None:
        """Keep the secrets: one, or two while one replaces the other.

        Raises:
            ValueError: there is none, or one is too short.
        """
        if not secrets or any(len(secret) < SHORTEST_SECRET_BYTES for secret in secrets):
            raise ValueError(f"a webhook needs secrets of at least {SHORTEST_SECRET_BYTES} bytes")
        self._top_ups = top_ups
        self._secrets = tuple(secrets)
        self._now_us = now_us

    async def handle(self, signature: bytes, body: bytes) -> tuple[int, bytes]:
        """Check one webhook and act on it; give a status and a JSON body.

        What is authentic gets 200, also where it changes nothing, so that Stripe does not repeat it. A failure of ours
        is no answer: Stripe sends the event again for days.
        """
        try:
            notice = read_webhook(
                body, signature.decode("latin-1"), self._secrets, self._now_us() // 1_000_000
            )
        except BadEvent as fault:
            _log.warning("webhook refused", reason=str(fault))
            problem = Problem(HTTPStatus.BAD_REQUEST, str(fault), code="invalid_webhook")
            return problem.status, msgspec.json.encode(problem.body())
        outcome = await self._top_ups.take_notice(notice)
        return HTTPStatus.OK, msgspec.json.encode({"received": True, "outcome": outcome})


def open_hook(top_ups: TopUps, secrets: Sequence[bytes], now_us: Callable[[], int]) -> StripeHook | None:
    """The hook for the secrets that are set; None, so that the URL does not exist, where none is."""
    return StripeHook(top_ups, secrets, now_us) if secrets else None


async def take_event(services: Services, call: Call, hook: StripeHook | None) -> None:
    """Serve one call of the URL.

    Raises:
        Problem: 404 where there is no hook, exactly as for a URL that stands nowhere; 408, 413, 415 for the body.
    """
    if hook is None:
        raise problems.unknown_url(call.method, call.path)
    body = await call.read_body(MOST_BODY_BYTES, services.body_deadline())
    status, reply = await hook.handle(call.headers.get(b"stripe-signature", b""), body)
    if status == HTTPStatus.OK:
        services.admission.throttle.forget_all()  # who paid is served at once
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(reply))]
    await call.respond(status, headers, reply)
