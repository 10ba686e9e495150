"""How a Responses stream that broke off says so."""

import msgspec

from runapi.core.problems import Problem
from runapi.wire.openai_responses.event_blocks import write_event

_SAID_AS_THEY_ARE = (
    frozenset(  # the specification's own, and three more on which Codex gives up (clients.md 2)
        (
            "server_error",
            "rate_limit_exceeded",
            "invalid_prompt",
            "invalid_image",
            "context_length_exceeded",
            "insufficient_quota",
        )
    )
)


def error_of(problem: Problem) -> dict[str, str]:
    """The `error` of a response that failed; whatever clients have no word for is the server's error."""
    code = problem.code if problem.code in _SAID_AS_THEY_ARE else None
    return {"code": code or "server_error", "message": problem.message}


def write_error(problem: Problem, sequence_number: int) -> bytes:
    """Write the `error` event, on which some SDKs raise. It goes in front of `response.failed`, which others need."""
    fields = {
        "type": "error",
        "sequence_number": sequence_number,
        "code": problem.code,
        "message": problem.message,
        "param": problem.param,
    }
    return write_event("error", msgspec.json.encode(fields))
