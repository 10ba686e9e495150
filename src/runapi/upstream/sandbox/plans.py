"""What will be sent, and when: written at once by pure code, played later by `player`."""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from runapi.core.problems import Problem, invalid_value
from runapi.upstream.sandbox.context import NO_LIMITS, Limits
from runapi.upstream.sandbox.directives import DirectedStatus, DirectiveFault, Directives

Headers = Mapping[str, str]


class Send(msgspec.Struct, frozen=True):
    """Bytes of the body."""

    data: bytes


class Pause(msgspec.Struct, frozen=True):
    """Nothing is sent for a while."""

    seconds: float


class Cut(msgspec.Struct, frozen=True):
    """The connection breaks."""


Event = Send | Pause | Cut


class Plan(msgspec.Struct, frozen=True):
    """A whole reply. Events are written as they are taken, so that a long stream needs little memory."""

    status: int
    headers: Headers
    events: Iterator[Event]


class Planner(Protocol):
    """Plans the reply to a body, given a request id, the Unix time in seconds, and how much the models take.

    Any body has a reply, JSON or not, and it is the same for the same arguments.
    """

    def __call__(
        self, body: bytes, request_id: str, created: int = 0, limits: Limits = NO_LIMITS, /
    ) -> Plan: ...


class _DirectedError(Exception):
    """The error that a `status` directive asks for."""

    def __init__(self, status: DirectedStatus, delay_s: float) -> None:
        self.status = status
        self.delay_s = delay_s


def refusing(param: str) -> Callable[[Callable[[bytes, str, int, Limits], Plan]], Planner]:
    """Make a planner of a function that raises what it refuses; `param` is where its directives stand."""

    def decorate(answer: Callable[[bytes, str, int, Limits], Plan]) -> Planner:
        @functools.wraps(answer)
        def plan(body: bytes, request_id: str, created: int = 0, limits: Limits = NO_LIMITS) -> Plan:
            try:
                return answer(body, request_id, created, limits)
            except DirectiveFault as fault:
                return refuse(invalid_value(param, str(fault)), request_id)
            except _DirectedError as asked:
                return refuse(directed_problem(asked.status), request_id, asked.delay_s)
            except Problem as problem:
                return refuse(problem, request_id)

        return plan

    return decorate


def obey_status(directives: Directives) -> None:
    """End the plan of a `refusing` planner here if an error is asked for."""
    if directives.status is not None:
        raise _DirectedError(directives.status, directives.delay_s)


def accept(events: Iterator[Event], request_id: str, *, is_stream: bool = False) -> Plan:
    """Plan an answer with status 200."""
    content_type = "text/event-stream; charset=utf-8" if is_stream else "application/json"
    return Plan(200, {"content-type": content_type, "x-request-id": request_id}, events)


def send_whole(directives: Directives, data: bytes) -> Iterator[Event]:
    """Give `data` in one piece, as late as the directives say; cut in its middle where they ask for a cut."""
    pause = directives.delay_s + directives.interval_s * (directives.chunks or 0)
    if pause:
        yield Pause(pause)
    if directives.cut_after is None:
        yield Send(data)
    else:
        yield Send(data[: len(data) // 2])
        yield Cut()


def send_stream(directives: Directives, events: Iterable[Event], end: Callable[[], Send]) -> Iterator[Event]:
    """Give `events` and then the end; cut where the directives ask for it, at the latest before the end."""
    if directives.delay_s:
        yield Pause(directives.delay_s)
    sent = 0
    for event in events:
        if isinstance(event, Send):
            if sent == directives.cut_after:
                break
            sent += 1
        yield event
    yield end() if directives.cut_after is None else Cut()


def side_by_side(answers: Iterable[Iterator[Send]], interval_s: float) -> Iterator[Event]:
    """Give the pieces of several answers in turns, as OpenAI does, with a pause between two turns."""
    is_first = True
    for row in itertools.zip_longest(*answers):
        if interval_s and not is_first:
            yield Pause(interval_s)
        is_first = False
        yield from (piece for piece in row if piece is not None)


def refuse(problem: Problem, request_id: str, delay_s: float = 0.0) -> Plan:
    """Plan a reply that carries `problem` in OpenAI's shape."""
    headers = {"content-type": "application/json", "x-request-id": request_id}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(problem.retry_after_s)
    if problem.should_retry is False:
        headers["x-should-retry"] = "false"
    body = msgspec.json.encode(problem.body())
    events: tuple[Event, ...] = (Pause(delay_s), Send(body)) if delay_s else (Send(body),)
    return Plan(problem.status, headers, iter(events))


_SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"
_BY_STATUS: Mapping[int, tuple[str, str | None, str]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sandbox."),
    402: ("insufficient_quota", "insufficient_credits", "There is not enough credit for this request."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model `sandbox` does not exist or you do not have access to it.",
    ),
    408: ("invalid_request_error", "request_timeout", "The request did not arrive in time."),
    409: ("invalid_request_error", "conflict", "The request conflicts with another one."),
    410: ("invalid_request_error", "model_retired", "The model `sandbox` has been retired."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    502: ("server_error", None, _SERVER_ERROR),
    503: (
        "service_unavailable_error",
        "server_is_overloaded",
        "The server is currently overloaded. Please try again later.",
    ),
    504: ("server_error", "timeout", "The request took too long."),
}
_QUOTA = "insufficient_quota"
_DEFAULT_RETRY_S = 1
_FINAL_STATUSES = (401, 402)


def directed_problem(asked: DirectedStatus) -> Problem:
    """Make the error that a `status` directive asks for, as OpenAI words it."""
    kind, code, text = _BY_STATUS.get(
        asked.status,
        ("server_error", None, _SERVER_ERROR)
        if asked.status >= 500
        else ("invalid_request_error", None, "The request was refused."),
    )
    if asked.code is not None:
        code = asked.code
    retry_after_s = asked.retry_after_s
    if code == _QUOTA:
        kind, text = _QUOTA, "You exceeded your current quota, please check your plan and billing details."
    elif asked.status == 429 and retry_after_s is None:
        retry_after_s = _DEFAULT_RETRY_S
    if retry_after_s is not None:
        text += f" Please try again in {retry_after_s}s."
    return Problem(
        asked.status,
        f"{text} (The sandbox was asked for this error.)",
        type=kind,
        code=code,
        should_retry=False if code == _QUOTA or asked.status in _FINAL_STATUSES else None,
        retry_after_s=retry_after_s,
    )
