"""What Anthropic's refusals mean, and how long an upstream that names its limits is left alone."""

import json
from datetime import UTC, datetime

import pytest

from runapi.core.upstream_errors import Blame, Redaction, judge, read_wait, upstream_request_id

REDACTION = Redaction("sk-ant-canary", "api.anthropic.com", "claude-their-5", "claude-ours")
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LOW_BALANCE = (
    "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
    "purchase credits."
)
USED_UP = (
    "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC."
)


def refusal(status: int, kind: str, message: str = "Something."):
    body = {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_011"}
    return judge(status, json.dumps(body).encode(), 7, REDACTION)


@pytest.mark.parametrize(
    ("status", "kind", "blame"),
    [
        (401, "authentication_error", Blame.ACCOUNT),
        (402, "billing_error", Blame.ACCOUNT),
        (400, "billing_error", Blame.ACCOUNT),
        (403, "permission_error", Blame.ACCOUNT),
        (400, "invalid_request_error", Blame.REQUEST),
        (413, "request_too_large", Blame.REQUEST),
        (404, "not_found_error", Blame.UPSTREAM),  # which does not say what: our own URL, for all we know
        (429, "rate_limit_error", Blame.LOAD),
        (500, "api_error", Blame.UPSTREAM),
        (504, "timeout_error", Blame.UPSTREAM),
        (529, "overloaded_error", Blame.UPSTREAM),
        (400, "overloaded_error", Blame.UPSTREAM),
    ],
)
def test_anthropics_errors_are_blamed_on_whom_they_concern(status, kind, blame):
    assert refusal(status, kind).blame is blame


@pytest.mark.parametrize("message", [LOW_BALANCE, USED_UP, "This organization has been disabled."])
def test_operators_trouble_at_anthropic_is_not_the_clients_though_it_comes_as_a_400(message):
    found = refusal(400, "invalid_request_error", message)
    assert (found.blame, found.problem.status) == (Blame.ACCOUNT, 503)
    assert found.rest_s > 0
    assert "balance" not in found.problem.message


@pytest.mark.parametrize("name", [LOW_BALANCE, USED_UP, "This organization has been disabled"])
@pytest.mark.parametrize("form", ["{}: Extra inputs are not permitted", "tools.0.{}: Field required"])
def test_client_cannot_have_an_upstream_set_aside_by_the_name_of_a_field(name, form):
    assert refusal(400, "invalid_request_error", form.format(name)).blame is Blame.REQUEST


@pytest.mark.parametrize(
    "message",
    [
        "prompt is too long: 210000 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length",
    ],
)
def test_context_that_is_too_long_has_the_code_by_which_clients_know_it(message):
    found = refusal(400, "invalid_request_error", message)
    assert (found.blame, found.problem.status) == (Blame.REQUEST, 400)
    assert (found.problem.type, found.problem.code) == ("invalid_request_error", "context_length_exceeded")
    assert found.problem.message == message


def test_request_that_is_too_large_is_told_in_openais_kind():
    problem = refusal(413, "request_too_large", "Request exceeds the maximum size").problem
    assert (problem.status, problem.type, problem.code) == (413, "invalid_request_error", "request_too_large")


def test_overload_and_limits_reach_the_client_as_what_may_be_tried_again():
    assert refusal(529, "overloaded_error").problem.status == 503
    limited = refusal(429, "rate_limit_error")
    assert (limited.problem.status, limited.problem.retry_after_s, limited.rest_s) == (429, 7, 7)


def test_message_names_neither_the_key_nor_the_host_nor_the_upstreams_model():
    told = "claude-their-5 at api.anthropic.com with sk-ant-canary, see https://docs.anthropic.com/x"
    message = refusal(400, "invalid_request_error", told).problem.message
    assert message == "claude-ours at (host left out) with ***, see (address left out)"


def test_openais_refusals_keep_their_code():
    body = (
        b'{"error":{"message":"prompt is too long","type":"invalid_request_error","code":"string_too_long"}}'
    )
    assert judge(400, body, 5, REDACTION).problem.code == "string_too_long"


# ---- headers ---------------------------------------------------------------------------------------------


def limits(remaining: str, reset: str, kind: str = "requests") -> dict[str, str]:
    return {
        f"anthropic-ratelimit-{kind}-limit": "50",
        f"anthropic-ratelimit-{kind}-remaining": remaining,
        f"anthropic-ratelimit-{kind}-reset": reset,
    }


@pytest.mark.parametrize("kind", ["requests", "tokens", "input-tokens", "output-tokens"])
def test_wait_is_read_from_the_limit_that_is_used_up(kind):
    others = limits("3", "2026-11-22T09:30:50Z", "requests" if kind != "requests" else "tokens")
    assert read_wait(others | limits("0", "2026-11-22T09:30:12Z", kind), NOW) == 12


def test_longest_of_the_limits_that_are_used_up_counts():
    headers = limits("0", "2026-11-22T09:30:12Z") | limits("0", "2026-11-22T09:30:31.5+00:00", "input-tokens")
    assert read_wait(headers, NOW) == 32


@pytest.mark.parametrize(
    ("reset", "wait_s"),
    [
        ("2026-11-22T09:29:00Z", 1),
        ("2026-11-22T10:30:00Z", 60),
        ("2026-11-22T09:30:09", 9),
        ("", 5),
        ("soon", 5),
        ("9" * 5_000, 5),
    ],
)
def test_reset_of_anthropics_limits_is_bounded_whatever_it_says(reset, wait_s):
    assert read_wait(limits("0", reset), NOW) == wait_s


def test_retry_after_goes_before_the_limits():
    assert read_wait({"retry-after": "3"} | limits("0", "2026-11-22T09:30:12Z"), NOW) == 3


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ({"x-request-id": "req_1"}, "req_1"),
        ({"request-id": "req_2"}, "req_2"),
        ({"x-request-id": "req_1", "request-id": "req_2"}, "req_1"),
        ({"x-request-id": "", "request-id": "req_2"}, "req_2"),
        ({}, None),
    ],
)
def test_upstreams_name_for_a_request_is_found_under_both_names(headers, name):
    assert upstream_request_id(headers) == name
