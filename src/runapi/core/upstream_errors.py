"""What an upstream's refusal means: for the client, for the next attempt and for that upstream."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

import msgspec

from runapi.core import problems
from runapi.core.problems import Problem

MOST_RETRY_AFTER_S = 60
_RETRY_AFTER_S = 5  # where an upstream says nothing that can be read
_MOST_MESSAGE = 2_000
_MOST_WORD = 100
_SECRET = re.compile(r"\b(?:sk|pk|rk|key|runapi)[-_][A-Za-z0-9_*-]{8,}")
_MARKUP = re.compile(r"<\s*(?:!doctype|html|head|body|title|script)\b", re.IGNORECASE)
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)(?:\.\d+)?s)?(?:(\d+)(?:\.\d+)?ms)?")
_SECOND = timedelta(seconds=1)
_LIMITS = ("requests", "tokens")
_ANTHROPIC_LIMITS = ("requests", "tokens", "input-tokens", "output-tokens")
_ACCOUNT_TYPES = {"insufficient_quota", "billing_error"}
# Anthropic puts the operator's trouble into a 400, and says it in words alone. The whole message must be of this form:
# were a part enough, a client could have the upstream set aside with a field of such a name, since "NAME: Extra inputs
# are not permitted" repeats it.
_ACCOUNT_TROUBLE = re.compile(
    r"(?:Your credit balance is too low|You have reached your specified API usage limits"
    r"|This organization has been disabled)\b[^:]*(?:\d\d:\d\d UTC\.?)?"
)
_TOO_LONG = re.compile(r"prompt is too long|input length and `max_tokens` exceed context limit")
_ADDRESS = re.compile(r"https?://(?!platform\.openai\.com|help\.openai\.com)[^\s\"'<>)]+")


class Blame(StrEnum):
    """Whose fault a refusal is."""

    REQUEST = "request"  # the client's request: every upstream would say the same
    ACCOUNT = "account"  # the operator's key or account there
    MODEL = "model"  # that account has no such model; its others may do
    LOAD = "load"  # its rate limit
    UPSTREAM = "upstream"  # its own


class Refusal(msgspec.Struct, frozen=True):
    """An upstream's refusal, understood."""

    blame: Blame
    problem: Problem
    rest_s: int = 0  # how long to leave that upstream alone


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

    def apply_to_word(self, word: str | None) -> str | None:
        """Do the same to the name of a parameter or a kind of error."""
        return None if word is None else self.apply(word)[:_MOST_WORD]


def judge(status: int, body: bytes, wait_s: int, redaction: Redaction) -> Refusal:
    """Understand an answer that is no success (reliability F-35 to F-43).

    Args:
        status: of the answer.
        body: of the answer, whatever it is.
        wait_s: how long it asks to be left alone, from `read_wait`.
        redaction: what the client must not read.
    """
    error = _read_error(body)
    code = str(error.code) if error.code is not None else None
    if status in (401, 402, 403) or _is_account_trouble(error):
        return Refusal(Blame.ACCOUNT, problems.upstream_refused_us(), rest_s=MOST_RETRY_AFTER_S)
    if status == 429 or error.type == "rate_limit_error":
        return Refusal(Blame.LOAD, problems.upstream_busy(wait_s), rest_s=wait_s)
    if status == 404:
        return Refusal(Blame.MODEL, problems.unknown_model(redaction.our_model))
    if error.type == "overloaded_error":
        return Refusal(Blame.UPSTREAM, _own_fault(529))
    if status in (400, 413, 415, 422):
        return Refusal(Blame.REQUEST, _told(status, error, code, redaction))
    return Refusal(Blame.UPSTREAM, _own_fault(status))


def _is_account_trouble(error: _Error) -> bool:
    return not _ACCOUNT_TYPES.isdisjoint((error.code, error.type)) or bool(
        error.message and _ACCOUNT_TROUBLE.fullmatch(error.message)
    )


def _told(status: int, error: _Error, code: str | None, redaction: Redaction) -> Problem:
    """What an upstream says of the client's request, in OpenAI's kinds and codes."""
    kind = error.type
    if kind == "request_too_large":
        kind, code = None, code or kind
    elif code is None and error.message and _TOO_LONG.search(error.message):
        code = "context_length_exceeded"
    return Problem(
        status,
        redaction.apply(_plain(error.message) or "The service behind this model refused the request."),
        type=redaction.apply_to_word(kind) or "invalid_request_error",
        param=redaction.apply_to_word(error.param),
        code=redaction.apply_to_word(code),
    )


def repeat(status: int, body: bytes, wait_s: int | None) -> Refusal:
    """Pass a refusal on as it is: the sandbox's, which the client asked for."""
    error = _read_error(body)
    problem = Problem(
        status,
        error.message or "The sandbox refused the request.",
        type=error.type or "invalid_request_error",
        param=error.param,
        code=str(error.code) if error.code is not None else None,
        retry_after_s=wait_s,
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


def read_wait(headers: Mapping[str, str], now: datetime) -> int:
    """Whole seconds for which an upstream wants to be left alone, 1 to MOST_RETRY_AFTER_S (reliability F-41).

    Read from Retry-After (seconds or a date), or else from the limits that OpenAI or Anthropic names beside it.
    """
    value = headers.get("retry-after", "")
    try:
        wait_s = int(value)
    except ValueError:
        wait_s = _until(value, now) or _until_reset(headers, now) or _RETRY_AFTER_S
    return min(max(wait_s, 1), MOST_RETRY_AFTER_S)


def upstream_request_id(headers: Mapping[str, str]) -> str | None:
    """What the upstream calls the request: OpenAI in `x-request-id`, Anthropic in `request-id`."""
    return headers.get("x-request-id") or headers.get("request-id")


def _until(date: str, now: datetime) -> int:
    """Seconds from `now` to an HTTP date; 0 where it is none."""
    try:
        return _seconds_to(parsedate_to_datetime(date), now)
    except ValueError:
        return 0


def _seconds_to(moment: datetime, now: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(-((now - moment) // _SECOND), 1)


def _until_reset(headers: Mapping[str, str], now: datetime) -> int:
    """Seconds until no limit is used up any more; 0 where none is, or none says."""
    return max(
        *(_reset_of(headers, limit) for limit in _LIMITS),
        *(_anthropic_reset_of(headers, limit, now) for limit in _ANTHROPIC_LIMITS),
    )


def _reset_of(headers: Mapping[str, str], limit: str) -> int:
    """Seconds until a limit that is used up is no more; 0 where it is not, or does not say."""
    if headers.get(f"x-ratelimit-remaining-{limit}", "0") != "0":
        return 0
    match = _DURATION.fullmatch(headers.get(f"x-ratelimit-reset-{limit}", ""))
    if match is None or not match.group():
        return 0
    hours, minutes, seconds, _ = (int(part or 0) for part in match.groups())
    return hours * 3600 + minutes * 60 + seconds + 1


def _anthropic_reset_of(headers: Mapping[str, str], limit: str, now: datetime) -> int:
    """The same for Anthropic, which gives the moment."""
    if headers.get(f"anthropic-ratelimit-{limit}-remaining") != "0":
        return 0
    try:
        return _seconds_to(datetime.fromisoformat(headers.get(f"anthropic-ratelimit-{limit}-reset", "")), now)
    except ValueError:
        return 0


def _plain(message: str | None) -> str | None:
    """A message that people may read: no page of a proxy's."""
    return None if message is None or _MARKUP.search(message) else message


def _read_error(body: bytes) -> _Error:
    try:
        error = msgspec.json.decode(body, type=_ErrorReply).error
    except (msgspec.DecodeError, RecursionError):
        return _Error()
    return _Error(message=error) if isinstance(error, str) else error or _Error()
