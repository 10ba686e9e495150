"""Every problem in Anthropic's words."""

import json

import pytest

from runapi.core import frame_problems, limit_problems, problems
from runapi.core.problems import Problem
from runapi.web.anthropic_problems import render_anthropic_problem
from runapi.wire.anthropic.errors import error_event, write_error
from wire.anthropic.strict_types import read_error, read_events


@pytest.mark.parametrize(
    ("problem", "kind"),
    [
        (problems.bad_json(), "invalid_request_error"),
        (problems.invalid_key("sk"), "authentication_error"),
        (limit_problems.insufficient_credits(2, 1, "Top up."), "billing_error"),
        (Problem(403, "No."), "permission_error"),
        (problems.unknown_model("x"), "not_found_error"),
        (problems.wrong_method("GET", "POST"), "invalid_request_error"),
        (frame_problems.slow_body(), "timeout_error"),
        (problems.retired_model("x", None), "not_found_error"),
        (frame_problems.body_too_large(5), "request_too_large"),
        (frame_problems.wrong_content_type("x"), "invalid_request_error"),
        (Problem(422, "No."), "invalid_request_error"),
        (problems.upstream_busy(5), "rate_limit_error"),
        (frame_problems.headers_too_large(5), "invalid_request_error"),
        (problems.internal_error(), "api_error"),
        (frame_problems.unknown_transfer_coding("x"), "api_error"),
        (problems.upstream_bad_reply(), "api_error"),
        (problems.no_upstream("x"), "overloaded_error"),
        (problems.upstream_timeout(), "timeout_error"),
        (Problem(529, "Busy."), "overloaded_error"),
    ],
)
def test_the_kind_of_an_error_goes_by_its_status(problem, kind):
    status, headers, body = render_anthropic_problem(problem, "req_1")
    error = read_error(body)
    assert (status, error.error.type, error.request_id) == (problem.status, kind, "req_1")
    assert dict(headers)[b"request-id"] == dict(headers)[b"x-request-id"] == b"req_1"
    assert [value for name, value in headers if name == b"content-length"] == [b"%d" % len(body)]


def test_openais_keys_are_not_in_it():
    body = json.loads(write_error(problems.missing_parameter("max_tokens"), None))
    assert body.keys() == {"type", "error", "request_id"}
    assert body["error"] == {
        "type": "invalid_request_error",
        "message": "Missing required parameter: 'max_tokens'.",
    }


def test_what_helps_a_client_to_retry_stands_in_the_headers_as_ever():
    _, headers, _ = render_anthropic_problem(problems.upstream_busy(7), "req_1")
    assert (b"retry-after", b"7") in headers
    _, headers, _ = render_anthropic_problem(problems.invalid_key("sk"), "req_1")
    assert (b"x-should-retry", b"false") in headers


@pytest.mark.parametrize(
    ("message", "told"),
    [
        (
            "This model's maximum context length is 272000 tokens. However, your messages resulted in 300,001 tokens.",
            "prompt is too long: 300001 tokens > 272000 maximum",
        ),
        (
            "prompt is too long: 300001 tokens > 272000 maximum",
            "prompt is too long: 300001 tokens > 272000 maximum",
        ),
        (
            "Your input exceeds the context window of this model.",
            "prompt is too long: Your input exceeds the context window of this model.",
        ),
    ],
)
def test_a_prompt_that_is_too_long_is_told_as_claude_code_reads_it(message, told):
    problem = Problem(400, message, code="context_length_exceeded")
    assert read_error(write_error(problem, None)).error.message == told
    assert read_error(write_error(Problem(400, message), None)).error.message == message


def test_the_event_of_an_error_has_its_name():
    [event] = read_events(error_event(problems.stream_failed(), "req_1"))
    assert event.error.type == "api_error"
