"""The upstreams of this installation in memory: their keys, their names for models, and who rests."""

import time
from collections.abc import Callable, Iterable

import msgspec
from yarl import URL

from runapi.core.keys import Mode
from runapi.core.routing import Deployment, Upstream, plan
from runapi.core.upstream_errors import Redaction
from runapi.upstream.client import Reply, UnreachableError, UpstreamClient, call_headers
from runapi.upstream.sandbox.player import answer as answer_as_sandbox

FAILURES_BEFORE_REST = 5
_REST_S = 30
_MOST_REST_S = 300

SANDBOX_ID = 0


class Line(msgspec.Struct, frozen=True):
    """An upstream that can be called: its address and headers are made once."""

    upstream: Upstream
    chat_url: URL
    headers: dict[str, str]
    api_key: str

    def __repr__(self) -> str:
        return f"Line({self.upstream.name!r})"  # never the key


class UpstreamPool:
    """Choose upstreams for a model and call them; those that keep failing are left alone for a while."""

    def __init__(
        self, client: UpstreamClient, models: Iterable[str], *, now_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._now_s = now_s
        self._lines: dict[int, Line] = {}
        self._upstreams: list[Upstream] = []
        self._sandbox = [
            Upstream(
                id=SANDBOX_ID,
                name="sandbox",
                base_url="",
                models={model: model for model in models},
                cost_ratio_ppm=0,
            )
        ]
        self._plans: dict[tuple[str, Mode], list[Deployment]] = {}  # while nobody rests
        self._failures: dict[int, int] = {}
        self._resting: dict[int, float] = {}

    def load(self, upstreams: Iterable[tuple[Upstream, str]]) -> None:
        """Take these upstreams, each with its API key, in the place of those before."""
        pairs = list(upstreams)
        self._lines = {
            upstream.id: Line(
                upstream, URL(f"{upstream.base_url}/chat/completions"), call_headers(api_key), api_key
            )
            for upstream, api_key in pairs
        }
        self._upstreams = [upstream for upstream, _ in pairs]
        self._plans = {}

    def plan(self, model: str, mode: Mode) -> list[Deployment]:
        """The deployments to try for a key of this mode, best first. Not to be changed."""
        upstreams = self._sandbox if mode is Mode.TEST else self._upstreams
        if self._resting:
            now_s = self._now_s()
            self._resting = {number: until_s for number, until_s in self._resting.items() if until_s > now_s}
            return plan(upstreams, model, self._resting, now_s)
        known = self._plans.get((model, mode))
        if known is None:
            known = self._plans[model, mode] = plan(upstreams, model, {}, 0.0)
        return known

    async def call(self, deployment: Deployment, body: bytes, request_id: str) -> Reply:
        """Send a Chat request to a deployment and wait for the head of its answer.

        Raises:
            UnreachableError, BrokenReplyError: see UpstreamClient.post.
        """
        if deployment.upstream.id == SANDBOX_ID:
            return await answer_as_sandbox(body, request_id=request_id)
        line = self._lines.get(deployment.upstream.id)
        if line is None:
            raise UnreachableError("removed", was_connected=False)
        return await self._client.post(line.chat_url, line.headers, body)

    def redaction(self, deployment: Deployment, our_model: str) -> Redaction:
        """What a client must not read in this deployment's error texts."""
        line = self._lines.get(deployment.upstream.id)
        if line is None:
            return Redaction("", "", deployment.model, our_model)
        return Redaction(line.api_key, line.chat_url.host or "", deployment.model, our_model)

    def note_success(self, deployment: Deployment) -> None:
        if self._failures:
            self._failures.pop(deployment.upstream.id, None)

    def note_failure(self, deployment: Deployment, rest_s: int = 0) -> None:
        """Count a failure; leave the upstream alone when it asked for that, or has failed too often in a row."""
        upstream_id = deployment.upstream.id
        if upstream_id == SANDBOX_ID:
            return
        failures = self._failures.get(upstream_id, 0) + 1
        self._failures[upstream_id] = failures
        if failures >= FAILURES_BEFORE_REST:
            rest_s = max(rest_s, min(_REST_S * (failures // FAILURES_BEFORE_REST), _MOST_REST_S))
        if rest_s:
            self._resting[upstream_id] = self._now_s() + rest_s
