"""What will be sent, and when: written at once by pure code, played later by `player`."""

from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from runapi.core.problems import Problem
from runapi.upstream.sandbox.directives import DirectedStatus, Directives

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


def refuse(problem: Problem, request_id: str, delay_s: float = 0.0) -> Plan:
    """Plan a reply that carries `problem` in OpenAI's shape."""
    headers = {"content-type": "application/json", "x-request-id": request_id}
    if problem.retry_after_s is not None:
        headers["retry-after"] = str(problem.retry_after_s)
    body = msgspec.json.encode(problem.body())
    events: tuple[Event, ...] = (Pause(delay_s), Send(body)) if delay_s else (Send(body),)
    return Plan(problem.status, headers, iter(events))


_SERVER_ERROR = "The server had an error while processing your request. Sorry about that!"
_BY_STATUS: Mapping[int, tuple[str, str | None, str]] = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sandbox."),
    402: ("insufficient_credits", "insufficient_credits", "There is not enough credit for this request."),
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
        retry_after_s=retry_after_s,
    )
