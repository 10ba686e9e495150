"""Problem -> response, in the dialect of the caller. Today there is one: OpenAI's."""

import msgspec

from runapi.core.problems import Problem

Headers = list[tuple[bytes, bytes]]

_JSON = (b"content-type", b"application/json")


def render_problem(problem: Problem, request_id: str) -> tuple[int, Headers, bytes]:
    """Render a problem as OpenAI does: four keys, the request's id, and whether a retry makes sense."""
    body = msgspec.json.encode(problem.body())
    headers: Headers = [
        _JSON,
        (b"content-length", b"%d" % len(body)),
        (b"x-request-id", request_id.encode()),
        (b"x-runapi-request-id", request_id.encode()),
    ]
    if problem.should_retry is not None:
        headers.append((b"x-should-retry", b"true" if problem.should_retry else b"false"))
    if problem.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % problem.retry_after_s))
    if problem.status == 401:
        headers.append((b"www-authenticate", b'Bearer realm="RunAPI"'))
    headers.extend((name.encode(), value.encode()) for name, value in problem.headers)
    return problem.status, headers, body
