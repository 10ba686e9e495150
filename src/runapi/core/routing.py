"""Which upstreams to try for a request, and in which order."""

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec

from runapi.core.dialects import Dialect

MOST_ATTEMPTS = 3
COST_RATIO_ONE_PPM = 1_000_000


class UpstreamAuth(StrEnum):
    """How a call shows the API key."""

    BEARER = "bearer"  # Authorization: Bearer KEY
    API_KEY = "api_key"  # api-key: KEY, as Azure wants it
    ANTHROPIC = "anthropic"  # x-api-key: KEY, with Anthropic's version beside it


class Upstream(msgspec.Struct, frozen=True, kw_only=True):
    """A provider account that serves some of our models, under its own names for them."""

    id: int
    name: str
    base_url: str  # without a trailing slash, with its version path: https://api.openai.com/v1
    query: str = ""  # what follows the ? of every call, such as api-version=2024-10-21
    dialects: tuple[Dialect, ...] = (Dialect.CHAT,)
    auth: UpstreamAuth = UpstreamAuth.BEARER
    models: Mapping[str, str]  # our model id -> theirs
    priority: int = 100  # lower is tried first; equals in the order in which they were added
    cost_ratio_ppm: int = (
        COST_RATIO_ONE_PPM  # what it charges the operator, in millionths of the official price
    )


class Deployment(msgspec.Struct, frozen=True):
    """One model at one upstream: what an attempt calls."""

    upstream: Upstream
    model: str  # their name for it


def plan(
    upstreams: Iterable[Upstream], model: str, resting: Mapping[int, float], now_s: float
) -> list[Deployment]:
    """List the deployments of `model` to try, best first, at most MOST_ATTEMPTS.

    Args:
        upstreams: all of them, in the order in which they were added.
        model: our model id.
        resting: upstream id -> monotonic second until which it is left alone.
        now_s: the monotonic clock.

    Resting upstreams come last rather than never: when all rest, the one that wakes first is tried.
    """
    serving = [upstream for upstream in upstreams if model in upstream.models]
    serving.sort(key=lambda upstream: (max(resting.get(upstream.id, 0.0) - now_s, 0.0), upstream.priority))
    return [Deployment(upstream, upstream.models[model]) for upstream in serving[:MOST_ATTEMPTS]]


class ProbeResult(msgspec.Struct, frozen=True):
    """What an upstream said when it was tried."""

    ok: bool
    status: int | None  # its HTTP status, if it gave one
    latency_ms: int
    detail: str  # one sentence: what it means and what to do
    models: frozenset[str] | None = None  # the names it lists
