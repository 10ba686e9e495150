"""What went wrong with one call of an upstream, as the operator is told. Nothing of it is for clients."""

import json

import msgspec

MOST_MESSAGE = 200
_RUN = 32  # so many characters in a row that also stand in the request are taken from it
_STEP = 8
_MOST_SEARCHED_BYTES = 1024 * 1024


class Fault(msgspec.Struct, frozen=True):
    """What an upstream did."""

    what: str  # "401 invalid_api_key", "200 upstream_truncated", "timeout", "unreachable ConnectionRefusedError"
    status: int | None = None  # of its answer, if there was one
    message: str | None = None  # its own words, with no secret in them


class FailedAttempt(msgspec.Struct, frozen=True, kw_only=True):
    """A call of a deployment that failed, and what followed."""

    upstream: str
    model: str
    upstream_model: str
    request_id: str
    fault: Fault
    upstream_request_id: str | None = None
    rests_s: int = 0  # how long the upstream is tried after all others
    model_rests_s: int = 0  # how long it is not asked for this model
    next_upstream: str | None = None  # which was tried instead
    client_told: str | None = None  # where nothing else was tried: status and code


def shorten(message: str | None) -> str | None:
    """A message as one line of a log can hold it."""
    if not message:
        return None
    line = " ".join("".join(each if each.isprintable() else " " for each in message).split())
    return line if len(line) <= MOST_MESSAGE else line[:MOST_MESSAGE] + "..."


def without_the_request(message: str | None, sent: bytes) -> str | None:
    """The message, unless it quotes the request: 40 characters in a row of it are always found.

    A prompt must not get into a log by way of an upstream's complaint about it. Beside a request that is too long to be
    searched no message stands.
    """
    if message is None or len(sent) > _MOST_SEARCHED_BYTES:
        return None
    for start in range(0, len(message) - _RUN + 1, _STEP):
        run = message[start : start + _RUN]
        if run.encode() in sent or json.dumps(run)[1:-1].encode() in sent:
            return None
    return message
