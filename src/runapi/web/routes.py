"""The whole URL table. A URL that does not stand here does not exist; each row says who may call it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from runapi.core import problems
from runapi.web import health
from runapi.web.api import chat_completions, models
from runapi.web.asgi import Call
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
    """One row of the table. A path that ends in / takes whatever follows as its argument."""

    method: str
    path: str
    who: Who
    handler: Handler


ROUTES = (
    Route("POST", "/v1/chat/completions", Who.KEY, chat_completions.create_chat_completion),
    Route("GET", "/v1/models", Who.KEY, models.list_models),
    Route("GET", models.PREFIX, Who.KEY, models.retrieve_model),
    Route("GET", "/healthz", Who.ANYONE, health.live),
    Route("GET", "/readyz", Who.ANYONE, health.ready),
    Route("POST", commands.PREFIX, Who.OPERATOR, commands.perform_command),
)

_EXACT = {route.path: route for route in ROUTES if not route.path.endswith("/")}
_PREFIXED = [route for route in ROUTES if route.path.endswith("/")]


def find_route(method: str, path: str) -> Route:
    """Find the row for a request; HEAD is served where GET is.

    Raises:
        Problem: 404, with a hint where only /v1 is missing; 405, but for the operator's URLs, which are not there
            for who may not call them.
    """
    route = _EXACT.get(path) or _find_prefixed(path)
    if route is None:
        if _EXACT.get(f"/v1{path}") or _find_prefixed(f"/v1{path}"):
            raise problems.missing_v1(method[:20], path[:200])
        raise problems.unknown_url(method[:20], path[:200])
    if method != route.method and (method, route.method) != ("HEAD", "GET"):
        if route.who is Who.OPERATOR:
            raise problems.unknown_url(method[:20], path[:200])
        raise problems.wrong_method(method[:20], route.method)
    return route


def _find_prefixed(path: str) -> Route | None:
    return next(
        (route for route in _PREFIXED if len(path) > len(route.path) and path.startswith(route.path)), None
    )
