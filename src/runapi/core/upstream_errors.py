"""What an upstream's refusal means: for the client, for the next attempt and for that upstream."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum

import msgspec

from runapi.core import problems
from runapi.core.failed_attempts import Fault, shorten
from runapi.core.problems import Problem

MOST_RETRY_AFTER_S = 60
_RETRY_AFTER_S = 5  # where an upstream says nothing that can be read
_MOST_MESSAGE = 2_000
_MOST_WORD = 100
_LONGEST_HEAD = 1_000  # bytes of a page before it shows itself as one
_PAGE = "html"
_SECRET = re.compile(
    r"\b(?:(?:sk|pk|rk|key|runapi)[-_][A-Za-z0-9_*-]{8,}|(?:org-|proj_)[A-Za-z0-9]{16,})"
)  # of keys, and of the accounts that they belong to
_MARKUP = re.compile(r"<\s*(?:!doctype|html|head|body|title|script)\b", re.IGNORECASE)
_DURATION = re.compile(
    r"(?:(\d{1,9})h)?(?:(\d{1,9})m)?(?:(\d{1,9})(?:\.\d+)?s)?(?:(\d{1,9})(?:\.\d+)?ms)?", re.ASCII
)
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
_NO_MODEL = {"model_not_found", "deploymentnotfound"}
_OF_MODEL = re.compile(r"\b(?:models?|deployment)\b", re.IGNORECASE)
_OF_ADDRESS = re.compile(r"\b(?:url|uri|path|route)\b", re.IGNORECASE)
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
    fault: Fault  # for the operator
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

    def hide_keys(self, text: str) -> str:
        """Replace the key, and whatever looks like one: all that the operator's log must not hold."""
        if self.api_key:
            text = text.replace(self.api_key, "***")
        return _SECRET.sub("***", text)

    def apply(self, text: str) -> str:
        """Replace all of it, and whatever looks like a key or an address."""
        text = _ADDRESS.sub("(address left out)", self.hide_keys(text))
        if self.host:
            text = text.replace(self.host, "(host left out)")
        return text.replace(self.their_model, self.our_model)[:_MOST_MESSAGE]

    def apply_to_word(self, word: str | None) -> str | None:
        """Do the same to the name of a parameter or a kind of error."""
        return None if word is None else _word(self.apply(word))


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
    blame, problem, rest_s = _blame(status, error, code, wait_s, redaction)
    message = shorten(redaction.hide_keys(_plain(error.message) or ""))
    return Refusal(blame, problem, Fault(_what(status, error, body, redaction), status, message), rest_s)


def _blame(
    status: int, error: _Error, code: str | None, wait_s: int, redaction: Redaction
) -> tuple[Blame, Problem, int]:
    """Whose fault a refusal is, what the client is told, and how long to leave the upstream alone."""
    if status in (401, 402, 403) or _is_account_trouble(error):
        return Blame.ACCOUNT, problems.upstream_refused_us(), MOST_RETRY_AFTER_S
    if status == 429 or error.type == "rate_limit_error":
        return Blame.LOAD, problems.upstream_busy(wait_s), wait_s
    if status == 404:
        return (*_blame_missing(error, code, redaction), 0)
    if error.type == "overloaded_error":
        return Blame.UPSTREAM, _own_fault(529), 0
    if status in (400, 413, 415, 422):
        return Blame.REQUEST, _told(status, error, code, redaction), 0
    return Blame.UPSTREAM, _own_fault(status), 0


def _blame_missing(error: _Error, code: str | None, redaction: Redaction) -> tuple[Blame, Problem]:
    """What a 404 says is not there: the model, a thing that the request names (an item, a file), or else our URL.

    The last is a base URL that is wrong, or a page of a proxy's: the operator's trouble, of which the client's request
    knows nothing.
    """
    if code != "unknown_url":
        if _is_about_model(error, code, redaction):
            return Blame.MODEL, problems.unknown_model(redaction.our_model)
        if error.param:
            return Blame.REQUEST, _told(404, error, code, redaction)
    return Blame.UPSTREAM, problems.upstream_refused_us()


def _is_about_model(error: _Error, code: str | None, redaction: Redaction) -> bool:
    if error.param == "model" or not _NO_MODEL.isdisjoint(((code or "").lower(), (error.type or "").lower())):
        return True
    message = error.message or ""
    if _OF_ADDRESS.search(message):
        return False
    return redaction.their_model in message or bool(_OF_MODEL.search(message))


def _what(status: int, error: _Error, body: bytes, redaction: Redaction) -> str:
    """A refusal in two words, as the request's row keeps it."""
    word = error.code if isinstance(error.code, str) else None  # as a number it is the status again
    word = word or error.type or (_PAGE if _MARKUP.search(body[:_LONGEST_HEAD].decode("latin-1")) else "")
    return f"{status} {_word(redaction.hide_keys(word))}".rstrip()


def _word(text: str) -> str:
    """A short word for a row: nothing that no terminal or database takes."""
    return "".join(each if each.isprintable() else "?" for each in text)[:_MOST_WORD]


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


def repeat(status: int, body: bytes, wait_s: int | None, *, should_retry: bool | None = None) -> Refusal:
    """Pass a refusal on as it is: the sandbox's, which the client asked for."""
    error = _read_error(body)
    problem = Problem(
        status,
        error.message or "The sandbox refused the request.",
        type=error.type or "invalid_request_error",
        param=error.param,
        code=str(error.code) if error.code is not None else None,
        should_retry=should_retry,
        retry_after_s=wait_s,
    )
    return Refusal(Blame.REQUEST, problem, Fault(f"{status} {_word(problem.code or problem.type)}", status))


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
    except (ValueError, OverflowError):  # the latter of a year with a dozen digits
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
