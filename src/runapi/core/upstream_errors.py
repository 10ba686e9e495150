"""What an upstream's refusal means: for the client, for the next attempt and for that upstream."""

import re
from enum import StrEnum

import msgspec

from runapi.core import problems
from runapi.core.problems import Problem

MOST_RETRY_AFTER_S = 60
_MOST_MESSAGE = 2_000
_SECRET = re.compile(r"\b(?:sk|pk|rk|key|runapi)[-_][A-Za-z0-9_*-]{8,}")
_ADDRESS = re.compile(r"https?://(?!platform\.openai\.com|help\.openai\.com)[^\s\"'<>)]+")


class Blame(StrEnum):
    """Whose fault a refusal is."""

    REQUEST = "request"  # the client's request: every upstream would say the same
    ACCOUNT = "account"  # the operator's key, account or model name there
    LOAD = "load"  # its rate limit
    UPSTREAM = "upstream"  # its own


class Refusal(msgspec.Struct, frozen=True):
    """An upstream's refusal, understood."""

    blame: Blame
    problem: Problem
    rest_s: int = 0  # how long to leave that upstream alone

    @property
    def may_try_next(self) -> bool:
        return self.blame is not Blame.REQUEST


class _Error(msgspec.Struct):
    message: str | None = None
    type: str | None = None
    param: str | None = None
    code: str | int | None = None


class _ErrorReply(msgspec.Struct):
    error: _Error | str | None = None


class Redaction(msgspec.Struct, frozen=True):
    """What must not be read in a message that a client gets: an upstream's key, host and name for the model."""

    api_key: str
    host: str
    their_model: str
    our_model: str

    def apply(self, text: str) -> str:
        """Replace all of it, and whatever looks like a key or an address."""
        if self.api_key:
            text = text.replace(self.api_key, "***")
        text = _ADDRESS.sub("(address left out)", _SECRET.sub("***", text))
        if self.host:
            text = text.replace(self.host, "(host left out)")
        return text.replace(self.their_model, self.our_model)[:_MOST_MESSAGE]


def judge(status: int, body: bytes, retry_after: str | None, redaction: Redaction) -> Refusal:
    """Understand an answer that is no success (reliability F-35 to F-43)."""
    error = _read_error(body)
    code = str(error.code) if error.code is not None else None
    if status in (401, 402, 403) or "insufficient_quota" in (code, error.type):
        return Refusal(Blame.ACCOUNT, problems.upstream_refused_us(), rest_s=MOST_RETRY_AFTER_S)
    if status == 429:
        wait_s = read_retry_after(retry_after)
        return Refusal(Blame.LOAD, problems.upstream_busy(wait_s), rest_s=wait_s)
    if status == 404:
        return Refusal(Blame.ACCOUNT, problems.unknown_model(redaction.our_model))
    if status in (400, 413, 415, 422):
        problem = Problem(
            status,
            redaction.apply(error.message or "The service behind this model refused the request."),
            type=error.type or "invalid_request_error",
            param=error.param,
            code=code,
        )
        return Refusal(Blame.REQUEST, problem)
    return Refusal(Blame.UPSTREAM, _own_fault(status))


def repeat(status: int, body: bytes, retry_after: str | None) -> Refusal:
    """Pass a refusal on as it is: the sandbox's, which the client asked for."""
    error = _read_error(body)
    problem = Problem(
        status,
        error.message or "The sandbox refused the request.",
        type=error.type or "invalid_request_error",
        param=error.param,
        code=str(error.code) if error.code is not None else None,
        retry_after_s=read_retry_after(retry_after) if retry_after else None,
    )
    return Refusal(Blame.REQUEST, problem)


def _own_fault(status: int) -> Problem:
    match status:
        case 500:
            return problems.upstream_failed(500)
        case 503 | 529:
            return problems.upstream_failed(503)
        case 408 | 504 | 524:
            return problems.upstream_timeout()
        case _ if status > 500:
            return problems.upstream_failed(502)
        case _:
            return problems.upstream_bad_reply()


def read_retry_after(value: str | None) -> int:
    """Whole seconds to wait, 1 to MOST_RETRY_AFTER_S; 5 where an upstream says nothing that can be read."""
    try:
        seconds = int(value or "")
    except ValueError:
        return 5
    return min(max(seconds, 1), MOST_RETRY_AFTER_S)


def _read_error(body: bytes) -> _Error:
    try:
        error = msgspec.json.decode(body, type=_ErrorReply).error
    except (msgspec.DecodeError, RecursionError):
        return _Error()
    return _Error(message=error) if isinstance(error, str) else error or _Error()
