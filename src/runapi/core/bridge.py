"""Which dialect a request must be put to an upstream in: decided by the catalogue, never by the client.

OpenAI serves some models at /v1/responses alone, and refuses function tools beside reasoning on Chat Completions for
others (api.md 0 and 2.3). Where the client's own dialect will do, it is taken: its bytes then pass untouched.
"""

from collections.abc import Collection
from enum import StrEnum

import msgspec

from runapi.core.catalog import Model
from runapi.core.dialects import ENDPOINTS, Dialect

__all__ = ["Dialect", "Obstacle", "Wish", "choose_dialect"]


class Obstacle(StrEnum):
    """Why none of a deployment's dialects will do."""

    NOT_SERVED = "not_served"  # the model is not served in any of them
    REASONING_TOOLS = "reasoning_tools"  # only in Chat, which refuses these tools at this effort
    UNSPOKEN_TOOLS = "unspoken_tools"  # only in such as have no word for these tools


class Wish(msgspec.Struct, frozen=True):
    """What of a request decides."""

    client: Dialect
    effort: str | None  # the effective one; None: the model does not reason
    tools: frozenset[str] = frozenset()  # kinds: function, custom, or the type of a hosted one


_BEST_FIRST = {
    # Responses carries more than Chat does: reasoning beside tools, and its summaries
    Dialect.CHAT: (Dialect.CHAT, Dialect.RESPONSES, Dialect.ANTHROPIC),
    Dialect.RESPONSES: (Dialect.RESPONSES, Dialect.CHAT, Dialect.ANTHROPIC),
    Dialect.ANTHROPIC: (Dialect.ANTHROPIC, Dialect.RESPONSES, Dialect.CHAT),
}
_SPOKEN_TOOLS = {
    # the tools for which a dialect has words, if they were asked for in another one
    Dialect.CHAT: frozenset(("function", "custom")),
    Dialect.RESPONSES: frozenset(("function", "custom")),
    Dialect.ANTHROPIC: frozenset(("function",)),
}


def choose_dialect(
    model: Model, wish: Wish, spoken: Collection[Dialect], *, is_lenient: bool = False
) -> Dialect | Obstacle:
    """Choose the dialect to put a request to a deployment in, or say why there is none.

    Args:
        model: with the catalogue's facts.
        wish: what the request asks.
        spoken: what the deployment's upstream understands.
        is_lenient: go by the operator's word that the model is served there, and let the upstream judge what the
            catalogue knows of OpenAI alone; for where there is no other upstream.
    """
    obstacles = set()
    for dialect in _BEST_FIRST[wish.client]:
        if dialect in spoken:
            obstacle = _obstacle(model, wish, dialect, is_lenient=is_lenient)
            if obstacle is None:
                return dialect
            obstacles.add(obstacle)
    for known in (Obstacle.REASONING_TOOLS, Obstacle.UNSPOKEN_TOOLS):
        if known in obstacles:
            return known
    return Obstacle.NOT_SERVED


def _obstacle(model: Model, wish: Wish, dialect: Dialect, *, is_lenient: bool) -> Obstacle | None:
    if not is_lenient and ENDPOINTS[dialect] not in model.endpoints:
        return Obstacle.NOT_SERVED
    if dialect is not wish.client and not wish.tools <= _SPOKEN_TOOLS[dialect]:
        return Obstacle.UNSPOKEN_TOOLS
    is_reasoning = not is_lenient and wish.effort not in (None, "none")
    if dialect is Dialect.CHAT and is_reasoning and wish.tools & set(model.chat_refuses_when_reasoning):
        return Obstacle.REASONING_TOOLS
    return None
