"""Problem -> response, for callers that speak Anthropic Messages."""

from runapi.core.problems import Problem
from runapi.web.problems import Headers, render_problem
from runapi.wire.anthropic.errors import write_error

_LENGTH = b"content-length"


def render_anthropic_problem(problem: Problem, request_id: str) -> tuple[int, Headers, bytes]:
    """Render a problem as Anthropic does; the headers are those of OpenAI's shape, and `request-id`."""
    status, headers, _ = render_problem(problem, request_id)
    body = write_error(problem, request_id)
    kept = [(name, value) for name, value in headers if name != _LENGTH]
    return status, [*kept, (_LENGTH, b"%d" % len(body)), (b"request-id", request_id.encode())], body
