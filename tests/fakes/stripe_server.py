"""A Stripe of our own, on a real socket: it makes Checkout sessions, and signs the webhooks that the real one would send.

Only what RunAPI uses. Objects have the fields of API version 2026-06-24 that matter, and some that must not.
"""

import hmac
import itertools
import json
import re
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qsl

SECRET_KEY = "sk_live_canary_51Fake"
WEBHOOK_SECRET = "whsec_canary_0123456789abcdef"

Thing = dict[str, object]


class StripeServer:
    """Use as a context manager; `url` is the API base."""

    def __init__(self, *, secret_key: str = SECRET_KEY, webhook_secret: str = WEBHOOK_SECRET) -> None:
        self.secret_key = secret_key
        self.webhook_secret = webhook_secret
        self.live = secret_key.startswith("sk_live_")
        self.sessions: dict[str, Thing] = {}
        self.asked: list[Mapping[str, str]] = []  # the parameters of each creation
        self.fails_with: int | None = None  # a status to answer everything with
        self._by_idempotency_key: dict[str, str] = {}
        self._numbers = itertools.count(1)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # ---- what customers and banks do ---------------------------------------------------------------------

    def pay(self, session_id: str, *, payment_status: str = "paid") -> Thing:
        """The customer pays on the page; the session as it stands then."""
        session = self.sessions[session_id]
        session |= {"payment_status": payment_status, "status": "complete"}
        session["payment_intent"] = session["payment_intent"] or f"pi_{next(self._numbers)}"
        return session

    def charge(self, session_id: str, *, amount_refunded: int = 0) -> Thing:
        """The charge behind a paid session."""
        session = self.sessions[session_id]
        return {
            "id": f"ch_{session_id}",
            "object": "charge",
            "amount": session["amount_total"],
            "amount_refunded": amount_refunded,
            "currency": session["currency"],
            "livemode": self.live,
            "payment_intent": session["payment_intent"],
            "refunded": amount_refunded == session["amount_total"],
        }

    def dispute(self, session_id: str, *, amount: int | None = None, number: int = 1) -> Thing:
        """A dispute of a paid session."""
        session = self.sessions[session_id]
        return {
            "id": f"dp_{session_id}_{number}",
            "object": "dispute",
            "amount": session["amount_total"] if amount is None else amount,
            "currency": session["currency"],
            "livemode": self.live,
            "payment_intent": session["payment_intent"],
            "status": "needs_response",
        }

    # ---- webhooks ----------------------------------------------------------------------------------------

    def event(self, kind: str, thing: Thing, **changes: object) -> bytes:
        """The body of a webhook."""
        event = {
            "id": f"evt_{next(self._numbers)}",
            "object": "event",
            "api_version": "2026-06-24.basil",
            "created": int(time.time()),
            "type": kind,
            "livemode": self.live,
            "data": {"object": thing},
            **changes,
        }
        return json.dumps(event, indent=2).encode()

    def sign(self, body: bytes, *, at_s: int | None = None, secret: str | None = None) -> bytes:
        """The Stripe-Signature header of a webhook."""
        at_s = int(time.time()) if at_s is None else at_s
        key = (self.webhook_secret if secret is None else secret).encode()
        made = hmac.new(key, b"%d." % at_s + body, "sha256").hexdigest()
        return f"t={at_s},v1={made},v0={'0' * 64}".encode()

    # ---- the API -----------------------------------------------------------------------------------------

    def create(self, parameters: Mapping[str, str], idempotency_key: str) -> Thing:
        known = self._by_idempotency_key.get(idempotency_key)
        if known is not None:
            return self.sessions[known]
        self.asked.append(parameters)
        session_id = f"cs_{'live' if self.live else 'test'}_{next(self._numbers)}"
        self._by_idempotency_key[idempotency_key] = session_id
        amount = int(parameters["line_items[0][price_data][unit_amount]"])
        self.sessions[session_id] = {
            "id": session_id,
            "object": "checkout.session",
            "amount_total": amount * int(parameters["line_items[0][quantity]"]),
            "client_reference_id": parameters["client_reference_id"],
            "currency": parameters["line_items[0][price_data][currency]"],
            "livemode": self.live,
            "metadata": {"runapi_order": parameters["metadata[runapi_order]"]},
            "mode": parameters["mode"],
            "payment_intent": None,
            "payment_status": "unpaid",
            "status": "open",
            "url": f"https://checkout.stripe.com/c/pay/{session_id}",
        }
        return self.sessions[session_id]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stripe = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"])).decode()
                if self._is_allowed() and self.path == "/v1/checkout/sessions":
                    self._answer(200, stripe.create(dict(parse_qsl(body)), self.headers["idempotency-key"]))

            def do_GET(self) -> None:
                found = re.fullmatch(r"/v1/checkout/sessions/(\w+)", self.path)
                if self._is_allowed() and found:
                    self._answer(200, stripe.sessions[found[1]])

            def _is_allowed(self) -> bool:
                if stripe.fails_with is not None:
                    self._answer(stripe.fails_with, _error("api_error", "Something went wrong"))
                    return False
                if self.headers["authorization"] != f"Bearer {stripe.secret_key}":
                    self._answer(
                        401, _error("invalid_request_error", f"Invalid API Key: {stripe.secret_key}")
                    )
                    return False
                return True

            def _answer(self, status: int, thing: Thing) -> None:
                body = json.dumps(thing).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.send_header("request-id", "req_fake")
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        return Handler


def _error(kind: str, message: str) -> Thing:
    return {"error": {"type": kind, "message": message}}
