"""Problems in Anthropic's words: as the body of a refusal, and as the last event of a broken stream."""

import re

import msgspec

from runapi.core.problems import Problem

_TYPES = {
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    410: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_REFUSED_THREAD = ("unsupported_parameter", "thread")
_NO_THREADS = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""What makes the tool runner of Anthropic's SDKs send the whole conversation, without a thread, from here on."""
_TOO_LONG = "prompt is too long"
_FIGURE = re.compile(r"\b(?:\d{1,3}(?:,\d{3}){1,4}|\d{4,15})\b")


def error_type(problem: Problem) -> str:
    """Anthropic's word for a kind of problem, which goes by its status (api.md 5.1)."""
    known = _TYPES.get(problem.status)
    return known or ("api_error" if problem.status >= 500 else "invalid_request_error")


def write_error(problem: Problem, request_id: str | None) -> bytes:
    """Write a problem as the body of a refusal; `param` and `code` have no place in it."""
    details = {"details": _NO_THREADS} if (problem.code, problem.param) == _REFUSED_THREAD else {}
    return msgspec.json.encode(
        {
            "type": "error",
            "error": {"type": error_type(problem), "message": _message(problem), **details},
            "request_id": request_id,
        }
    )


def error_event(problem: Problem, request_id: str | None = None) -> bytes:
    """The last event of a broken stream; `message_stop` never follows it."""
    return b"event: error\ndata: %b\n\n" % write_error(problem, request_id)


def _message(problem: Problem) -> str:
    """The problem's message; Claude Code reads both figures of a prompt that is too long (clients.md 1.10)."""
    message = problem.message
    if problem.code != "context_length_exceeded" or message.startswith(_TOO_LONG):
        return message
    figures = sorted({int(figure.replace(",", "")) for figure in _FIGURE.findall(message)})
    if len(figures) != 2:
        return f"{_TOO_LONG}: {message}"
    most, used = figures
    return f"{_TOO_LONG}: {used} tokens > {most} maximum"
