"""A 404 of an upstream: its model, a thing that the request names, or the address that the operator gave."""

import json

import pytest

from runapi.core.upstream_errors import Blame, Redaction, Refusal, judge

REDACTION = Redaction("sk-canary", "host.example", "their-gpt", "gpt-5.5")


def judged(body: object, status: int = 404) -> Refusal:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return judge(status, data, 5, REDACTION)


def error(message: str = "", kind: str = "invalid_request_error", **more: object) -> dict[str, object]:
    return {"error": {"message": message, "type": kind, "param": None, "code": None, **more}}


@pytest.mark.parametrize(
    "body",
    [
        error(
            "The model `their-gpt` does not exist or you do not have access to it.", code="model_not_found"
        ),
        error("No.", code="model_not_found"),
        error("The API deployment for this resource does not exist.", code="DeploymentNotFound"),
        error("This is not a chat model and thus not supported in this endpoint.", param="model"),
        error("model: their-gpt", "not_found_error"),
        error('model "their-gpt" not found, try pulling it first', "api_error"),
        error("The model `their-gpt` does not exist.", "NotFoundError", code=404),
        error("No endpoints found for their-gpt.", code=404),
    ],
)
def test_model_that_is_missing_is_told_as_such(body: object):
    found = judged(body)
    assert (found.blame, found.problem.status, found.problem.code) == (Blame.MODEL, 404, "model_not_found")


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (
            error("Unknown request URL: POST /v2/models. Please check the URL.", code="unknown_url"),
            "unknown_url",
        ),
        (error("Unknown URL /deployments/their-gpt/chat/completions"), "invalid_request_error"),
        (error("Resource not found", code="404"), "404"),
        (error("Not Found", "not_found_error"), "not_found_error"),
        ({"detail": "Not Found"}, ""),
        ('{"error":{"code":404}}', ""),
        ("<!DOCTYPE html><html><body>404 page not found</body></html>", "html"),
        ("404 page not found", ""),
        ("", ""),
        ("\xff", ""),
    ],
)
def test_address_that_is_wrong_is_the_operators_and_not_the_clients(body: object, what: str):
    found = judged(body)
    assert (found.blame, found.problem.status, found.problem.code) == (
        Blame.UPSTREAM,
        503,
        "upstream_unavailable",
    )
    assert found.fault.what == f"404 {what}".rstrip()


def test_thing_that_the_request_names_is_told_in_the_upstreams_words():
    said = "Item with id 'rs_1' not found. Items are not persisted when `store` is set to false."
    found = judged(error(said, param="input"))
    assert (found.blame, found.problem.status, found.problem.message) == (Blame.REQUEST, 404, said)
    assert found.problem.param == "input"


def test_operator_reads_the_host_but_never_a_key():
    said = "Key sk-canary (or sk-proj-0123456789) at https://host.example/v1 has no their-gpt."
    found = judged(error(said, code="invalid_api_key"), status=401)
    assert found.fault.message == "Key *** (or ***) at https://host.example/v1 has no their-gpt."
    assert found.fault.what == "401 invalid_api_key"


@pytest.mark.parametrize("page", ["<html>no</html>", "Sorry: <body>no</body>"])
def test_page_inside_an_error_is_not_for_the_log(page: str):
    assert judged(error(page), status=500).fault.message is None
