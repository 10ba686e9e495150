"""The whole URL table. A URL that does not stand here does not exist; each row says who may call it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runapi.core import problems
from runapi.web import health
from runapi.web.api import (
    count_tokens,
    estimate,
    me,
    models,
    receipts,
    redeem,
    relayed,
    requests,
    responses_store,
    topups,
)
from runapi.web.call import Call
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
    Route("POST", "/v1/chat/completions", Who.KEY, relayed.create_chat_completion),
    Route("GET", "/v1/chat/completions", Who.KEY, relayed.list_chat_completions),
    Route("POST", "/v1/responses", Who.KEY, relayed.create_response),
    Route("POST", "/v1/responses/input_tokens", Who.KEY, count_tokens.count_response_input),
    Route("POST", f"{responses_store.PREFIX}{{id}}/cancel", Who.KEY, responses_store.cancel_response),
    Route("GET", f"{responses_store.PREFIX}{{id}}/input_items", Who.KEY, responses_store.list_input_items),
    Route("GET", responses_store.PREFIX, Who.KEY, responses_store.retrieve_response),
    Route("DELETE", responses_store.PREFIX, Who.KEY, responses_store.delete_response),
    Route("POST", "/v1/messages", Who.KEY, relayed.create_message),
    Route("POST", "/v1/messages/count_tokens", Who.KEY, count_tokens.count_message_input),
    Route("POST", "/v1/embeddings", Who.KEY, relayed.create_embeddings),
    Route("POST", "/v1/completions", Who.KEY, relayed.create_completion),
    Route("POST", "/v1/moderations", Who.KEY, relayed.create_moderation),
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
_EXACT = {
    (route.method, route.path): route
    for route in ROUTES
    if not route.path.endswith("/") and _ID not in route.path
}
_PATHS: dict[str, list[Route]] = {}
for _route in ROUTES:
    _PATHS.setdefault(_route.path, []).append(_route)
_PATTERNS = [
    (*path.partition(_ID)[::2], rows) for path, rows in _PATHS.items() if path.endswith("/") or _ID in path
]
"""What a path begins and ends with; the first that fits is taken."""

_TWICE = "/v1/v1/"  # clients that add /v1 themselves are given base URLs that end in it (clients.md 1.13)
_ABSENT = frozenset(
    ("/v1/responses/compact",)
)  # at OpenAI only: no id of a response, as it would be taken for here


def find_route(method: str, path: str) -> Route:
    """Find the row for a request; HEAD is served where GET is.

    Raises:
        Problem: 404, with a hint where only /v1 is missing; 405, but for URLs that are secret: they are not there for
            who may not call them.
    """
    route = _EXACT.get((method, path))
    if route is not None:
        return route
    rows = () if path in _ABSENT else _rows_at(path)
    asked = "GET" if method == "HEAD" else method
    for route in rows:
        if route.method == asked:
            return route
    if rows and not rows[0].is_secret:
        raise problems.wrong_method(method[:20], ", ".join(route.method for route in rows))
    if not rows and _rows_at(f"/v1{path}"):
        raise problems.missing_v1(method[:20], path[:200])
    raise problems.unknown_url(method[:20], path[:200])


def canonical_path(path: str) -> str:
    """The path without a /v1 that stands twice."""
    return path[3:] if path.startswith(_TWICE) else path


def _rows_at(path: str) -> list[Route]:
    """The rows of a path, one for each method."""
    if not path.endswith("/") and path in _PATHS:
        return _PATHS[path]
    for head, tail, rows in _PATTERNS:
        if len(path) > len(head) + len(tail) and path.startswith(head) and path.endswith(tail):
            return rows
    return []
