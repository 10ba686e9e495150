"""The whole URL table. A URL that does not stand here does not exist; each row says who may call it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runapi.core import problems
from runapi.web import health
from runapi.web.api import chat_completions, estimate, me, models, receipts, redeem, requests, topups
from runapi.web.asgi import Call
from runapi.web.hooks import stripe
from runapi.web.operator import commands
from runapi.web.services import Services


class Who(StrEnum):
    """Who may call a URL."""

    ANYONE = "anyone"
    KEY = "a customer's API key"
    OPERATOR = "the operator's token"


Handler = Callable[[Services, Call, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the table. {id} in a path stands for whatever is there; one that ends in / takes what follows."""

    method: str
    path: str
    who: Who
    handler: Handler
    is_secret: bool = False  # wrong methods are told that there is no such URL, as where it is not served


async def _take_stripe_event(services: Services, call: Call, _principal: None) -> None:
    await stripe.take_event(services, call, services.stripe_hook)


ROUTES = (
    Route("POST", "/v1/chat/completions", Who.KEY, chat_completions.create_chat_completion),
    Route("POST", "/v1/estimate", Who.KEY, estimate.estimate),
    Route("GET", "/v1/models", Who.KEY, models.list_models),
    Route("GET", models.PREFIX, Who.KEY, models.retrieve_model),
    Route("GET", "/v1/me", Who.KEY, me.show_me),
    Route("GET", "/v1/me/balance", Who.KEY, me.show_my_balance),
    Route("GET", "/v1/me/usage", Who.KEY, me.show_my_usage),
    Route("GET", "/v1/requests", Who.KEY, requests.list_requests),
    Route("GET", f"{requests.PREFIX}{{id}}{receipts.SUFFIX}", Who.KEY, receipts.retrieve_receipt),
    Route("GET", requests.PREFIX, Who.KEY, requests.retrieve_request),
    Route("GET", "/v1/receipts/key", Who.ANYONE, receipts.show_receipt_key),
    Route("POST", "/v1/redeem", Who.KEY, redeem.redeem),
    Route("POST", "/v1/topups", Who.KEY, topups.open_top_up),
    Route("GET", topups.PREFIX, Who.KEY, topups.retrieve_top_up),
    Route("GET", "/healthz", Who.ANYONE, health.live),
    Route("GET", "/readyz", Who.ANYONE, health.ready),
    Route("POST", stripe.PATH, Who.ANYONE, _take_stripe_event, is_secret=True),
    Route("POST", commands.PREFIX, Who.OPERATOR, commands.perform_command, is_secret=True),
)

_ID = "{id}"
_EXACT = {route.path: route for route in ROUTES if not route.path.endswith("/") and _ID not in route.path}
_PATTERNS = [(*route.path.partition(_ID)[::2], route) for route in ROUTES if route.path not in _EXACT]
"""What a path begins and ends with; the first that fits is taken."""


def find_route(method: str, path: str) -> Route:
    """Find the row for a request; HEAD is served where GET is.

    Raises:
        Problem: 404, with a hint where only /v1 is missing; 405, but for URLs that are secret: they are not there for
            who may not call them.
    """
    route = _EXACT.get(path) or _find_pattern(path)
    if route is None:
        if _EXACT.get(f"/v1{path}") or _find_pattern(f"/v1{path}"):
            raise problems.missing_v1(method[:20], path[:200])
        raise problems.unknown_url(method[:20], path[:200])
    if method != route.method and (method, route.method) != ("HEAD", "GET"):
        if route.is_secret:
            raise problems.unknown_url(method[:20], path[:200])
        raise problems.wrong_method(method[:20], route.method)
    return route


def _find_pattern(path: str) -> Route | None:
    for head, tail, route in _PATTERNS:
        if len(path) > len(head) + len(tail) and path.startswith(head) and path.endswith(tail):
            return route
    return None
