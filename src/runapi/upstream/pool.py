"""The upstreams of this installation in memory: their keys, their names for models, and who is left alone.

An upstream that keeps failing rests: others are tried before it, but where there is no other it is tried all the same.
A model that is rate limited at an upstream cools there: it is not asked for until the time is up.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from urllib.parse import urlsplit

import msgspec

from runapi.core.dialects import Dialect
from runapi.core.keys import Mode
from runapi.core.routing import Deployment, Upstream, plan
from runapi.core.upstream_errors import Redaction
from runapi.upstream.address import Address
from runapi.upstream.client import Reply, UnreachableError, UpstreamClient, call_headers
from runapi.upstream.failure_log import FailureLog
from runapi.upstream.sandbox.routes import answer as answer_as_sandbox

FAILURES_BEFORE_REST = 5
_REST_S = 30
_MOST_REST_S = 300

SANDBOX_ID = 0


class Line(msgspec.Struct, frozen=True):
    """An upstream that can be called: its addresses and headers are made once."""

    upstream: Upstream
    headers: Mapping[str, str]
    api_key: str
    host: str
    urls: dict[str, Address] = {}  # by path; the paths are few, all of them our own

    def __repr__(self) -> str:
        return f"Line({self.upstream.name!r})"  # never the key

    def url(self, path: str) -> Address:
        """The address of `path` behind the base URL."""
        url = self.urls.get(path)
        if url is None:
            base_url, query = self.upstream.base_url, self.upstream.query
            url = self.urls[path] = Address.of(f"{base_url}{path}?{query}" if query else f"{base_url}{path}")
        return url


def _line(upstream: Upstream, api_key: str) -> Line:
    headers = call_headers(upstream, api_key)
    return Line(upstream, headers, api_key, urlsplit(upstream.base_url).hostname or "")


class UpstreamPool:
    """Choose upstreams for a model and call them; those that keep failing are left alone for a while."""

    def __init__(
        self,
        client: UpstreamClient,
        models: Iterable[str],
        *,
        input_limits: Mapping[str, int] | None = None,
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.failures = FailureLog()
        self._client = client
        self._now_s = now_s
        self._input_limits = input_limits or {}  # the most input tokens of each model, for the sandbox
        self._lines: dict[int, Line] = {}
        self._upstreams: list[Upstream] = []
        self._sandbox = [
            Upstream(
                id=SANDBOX_ID,
                name="sandbox",
                base_url="",
                dialects=(Dialect.CHAT, Dialect.RESPONSES),
                models={model: model for model in models},
                cost_ratio_ppm=0,
            )
        ]
        self._plans: dict[tuple[str, Mode], list[Deployment]] = {}  # while nobody rests
        self._failures: dict[int, int] = {}
        self._resting: dict[int, float] = {}  # upstream id -> until when
        self._cooling: dict[tuple[int, str], float] = {}  # upstream id and its model -> until when

    def load(self, upstreams: Iterable[tuple[Upstream, str]]) -> None:
        """Take these upstreams, each with its API key, in the place of those before; all begin with a clean record."""
        pairs = list(upstreams)
        self._lines = {upstream.id: _line(upstream, api_key) for upstream, api_key in pairs}
        self._upstreams = [upstream for upstream, _ in pairs]
        self._plans, self._failures, self._resting, self._cooling = {}, {}, {}, {}

    def plan(self, model: str, mode: Mode) -> list[Deployment]:
        """The deployments to try for a key of this mode, best first. Not to be changed."""
        upstreams = self._sandbox if mode is Mode.TEST else self._upstreams
        if self._resting or self._cooling:
            now_s = self._now_s()
            self._resting = {
                upstream: until_s for upstream, until_s in self._resting.items() if until_s > now_s
            }
            self._cooling = {line: until_s for line, until_s in self._cooling.items() if until_s > now_s}
            warm = [up for up in upstreams if (up.id, up.models.get(model, "")) not in self._cooling]
            return plan(warm, model, self._resting, now_s)
        known = self._plans.get((model, mode))
        if known is None:
            known = self._plans[model, mode] = plan(upstreams, model, {}, 0.0)
        return known

    def count_serving(self, model: str) -> int:
        """How many upstreams serve the model to live keys, those that rest or cool too."""
        return sum(model in upstream.models for upstream in self._upstreams)

    def cooling_s(self, model: str) -> int:
        """Whole seconds until the first upstream where this model is rate limited may be asked again; 0: nowhere."""
        ends_s = [
            self._cooling[up.id, up.models[model]]
            for up in self._upstreams
            if (up.id, up.models.get(model, "")) in self._cooling
        ]
        return max(math.ceil(min(ends_s) - self._now_s()), 1) if ends_s else 0

    def call(
        self,
        deployment: Deployment,
        path: str,
        body: bytes,
        request_id: str,
        *,
        headers: Mapping[str, str] | None = None,
        afresh: bool = False,
    ) -> Awaitable[Reply]:
        """Send a request to a deployment and wait for the head of its answer.

        Args:
            deployment: what to call.
            path: behind the base URL, such as "/chat/completions".
            body: JSON, as the deployment understands it.
            request_id: ours; only the sandbox is told.
            headers: beside those of every call, and before them.
            afresh: open a connection for this request alone.

        Raises:
            UnreachableError, BrokenReplyError, TimeoutError: see UpstreamClient.post.
        """
        if deployment.upstream.id == SANDBOX_ID:
            return answer_as_sandbox(path, body, request_id=request_id, limits=self._input_limits)
        line = self._lines.get(deployment.upstream.id)
        if line is None:
            raise UnreachableError("removed", was_connected=False)
        sent = line.headers if headers is None else {**line.headers, **headers}
        return self._client.post(line.url(path), sent, body, afresh=afresh)

    def redaction(self, deployment: Deployment, our_model: str) -> Redaction:
        """What a client must not read in this deployment's error texts."""
        line = self._lines.get(deployment.upstream.id)
        if line is None:
            return Redaction("", "", deployment.model, our_model)
        return Redaction(line.api_key, line.host, deployment.model, our_model)

    def is_key_in(self, deployment: Deployment, text: str) -> bool:
        """Whether the text quotes the key with which the deployment is called."""
        line = self._lines.get(deployment.upstream.id)
        return line is not None and line.api_key != "" and line.api_key in text

    def note_success(self, deployment: Deployment) -> None:
        """Forget the failures of an upstream; if it rested, it is tried in its turn again."""
        if self._failures:
            self._failures.pop(deployment.upstream.id, None)
            self._resting.pop(deployment.upstream.id, None)

    def note_failure(self, deployment: Deployment, rest_s: int = 0) -> int:
        """Count a failure; leave the upstream alone when it asked for that, or has failed too often in a row.

        Gives the seconds for which it is left alone from now on; 0: it is not.
        """
        upstream_id = deployment.upstream.id
        if upstream_id == SANDBOX_ID:
            return 0
        failures = self._failures.get(upstream_id, 0) + 1
        self._failures[upstream_id] = failures
        if failures >= FAILURES_BEFORE_REST:
            rest_s = max(rest_s, min(_REST_S * (failures // FAILURES_BEFORE_REST), _MOST_REST_S))
        if rest_s:
            self._resting[upstream_id] = self._now_s() + rest_s
        return rest_s

    def note_limited(self, deployment: Deployment, wait_s: int) -> None:
        """Do not ask a deployment that is rate limited again before it said that it may be asked."""
        if deployment.upstream.id != SANDBOX_ID:
            self._cooling[deployment.upstream.id, deployment.model] = self._now_s() + wait_s
