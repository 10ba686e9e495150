"""Who may call: every way to send a key, and every way to send it wrong."""

import re
from collections.abc import Mapping

import pytest

from fakes import http, specification
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from runapi.core import problems
from runapi.core.keys import Mode, Principal, digest, make_key
from runapi.flows.authenticate import Keyring
from web.exchange import BODY, GOOD, exchange

UNKNOWN = make_key(Mode.LIVE, bytes(range(64)))  # right form and checksum, and nobody's
MISTYPED = UNKNOWN[:-1] + ("0" if UNKNOWN[-1] != "0" else "1")
MALFORMED = {
    "too short": UNKNOWN[:-1],
    "too long": UNKNOWN + "A",
    "mistyped": MISTYPED,
    "other prefix": "sk-" + UNKNOWN,
    "10 kB": "runapi_live_" + "A" * 10_000,
    "not ASCII": "runapi_live_" + "\xe9" * 36,
    "SQL": "' OR 1=1--",
    "quote": '"' + UNKNOWN + '"',
    "escapes": "%00../../etc/passwd",
    "two words": UNKNOWN + " " + UNKNOWN,
    "one character": "x",
}


def models(gateway: Gateway, headers: Mapping[str, str], query: str = "") -> http.Response:
    return http.request(gateway.url, "GET", f"/v1/models{query}", headers=headers)


def refused(response: http.Response, code: str | None) -> str:
    """Check a 401 in all its parts; give its message."""
    assert response.status == 401
    specification.check_error(response.json)
    assert response.headers["content-type"] == "application/json"
    assert re.fullmatch(r"req_[0-9a-f]{32}", response.headers["x-request-id"])
    assert response.headers["x-should-retry"] == "false"
    assert response.headers["www-authenticate"].startswith("Bearer ")
    error = response.json["error"]  # type: ignore[index]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", None, code)
    return error["message"]


# ---- right -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        {"authorization": "Bearer {key}"},
        {"authorization": "bearer {key}"},
        {"authorization": "BEARER   {key}  "},
        {"authorization": "{key}"},
        {"x-api-key": "{key}"},
        {"x-api-key": " {key} "},
        {"authorization": "Bearer {key}", "x-api-key": "{key}"},
        {"authorization": "Bearer ", "x-api-key": "{key}"},
        {"authorization": "Basic dXNlcjpwYXNz", "x-api-key": "{key}"},
    ],
    ids=str,
)
def test_a_key_is_taken_in_each_of_these_forms(gateway: Gateway, form: dict[str, str]):
    headers = {name: value.format(key=gateway.test_key) for name, value in form.items()}
    assert models(gateway, headers).status == 200


# ---- wrong -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": ""},
        {"authorization": "Bearer"},
        {"authorization": "Bearer  "},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"authorization": "Digest a=b"},
        {"x-api-key": ""},
        {"cookie": "session=abc; runapi_session=abc"},
    ],
    ids=str,
)
def test_without_a_key_the_answer_says_how_to_send_one(gateway: Gateway, headers: dict[str, str]):
    message = refused(models(gateway, headers), None)
    assert message.startswith("You didn't provide an API key.")
    assert "Authorization: Bearer YOUR_KEY" in message


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
@pytest.mark.parametrize("key", [*MALFORMED.values(), UNKNOWN], ids=[*MALFORMED, "unknown"])
def test_wrong_key_is_refused_and_not_repeated_to_the_caller(gateway: Gateway, name: str, key: str):
    value = key if name == "x-api-key" else f"Bearer {key}"
    message = refused(models(gateway, {name: value}), "invalid_api_key")
    assert message.startswith("Incorrect API key provided: ")
    assert key not in message or len(key) < 2


@pytest.mark.parametrize("key", MALFORMED.values(), ids=MALFORMED)
def test_malformed_key_is_refused_without_a_look_up(key: str):
    class Watched(dict[bytes, Principal]):
        looked_up = 0

        def get(self, *arguments: object) -> Principal | None:  # type: ignore[override]
            self.looked_up += 1
            return super().get(*arguments)  # type: ignore[call-overload]

    principals = Watched()
    keyring = Keyring(b"pepper")
    keyring.load(principals)
    for asked in (key, UNKNOWN):
        with pytest.raises(problems.Problem):
            keyring.authenticate(f"Bearer {asked}".encode("latin-1"), None)
    assert principals.looked_up == 1  # of the well-formed one


def test_two_keys_that_differ_are_refused(gateway: Gateway):
    headers = {"authorization": f"Bearer {gateway.test_key}", "x-api-key": gateway.live_key()}
    assert "more than one" in refused(models(gateway, headers), "invalid_api_key")


@pytest.mark.parametrize("name", ["Authorization", "X-Api-Key"])
@pytest.mark.parametrize("second", ["{key}", "Bearer sk-other"])
def test_a_header_that_stands_twice_is_refused(gateway: Gateway, name: str, second: str):
    lines = f"{name}: Bearer {{key}}\r\n{name}: {second}\r\n".format(key=gateway.test_key)
    data = f"GET /v1/models HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode()
    [response] = exchange(gateway, data, expect_open=True).responses
    assert "more than one" in refused(response, "invalid_api_key")


@pytest.mark.parametrize("name", ["api_key", "key", "access_token", "authorization", "x-api-key"])
def test_a_key_in_the_url_is_no_key_and_is_not_logged(gateway: Gateway, name: str):
    key = gateway.live_key()
    message = refused(models(gateway, {}, f"?{name}={key}"), None)
    assert key not in message
    assert key not in gateway.stderr


def test_refused_key_reaches_no_upstream(gateway: Gateway, upstream: ScriptedUpstream):
    response = http.post(gateway.url, GOOD, key=UNKNOWN)
    refused(response, "invalid_api_key")
    assert not upstream.calls


def test_client_cannot_choose_our_request_id(gateway: Gateway):
    own = "req_" + "a" * 32
    headers = {"authorization": f"Bearer {gateway.test_key}", "x-request-id": own}
    assert models(gateway, headers).headers["x-request-id"] != own


# ---- revoked ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["authorization", "x-api-key"])
def test_revoked_key_is_dead_at_once_on_a_connection_that_is_open(gateway: Gateway, name: str):
    account = f"revoked-{name}"
    gateway.perform("accounts.create", name=account)
    key = gateway.new_key(account=account, mode="test")
    headers = {name: key if name == "x-api-key" else f"Bearer {key}"}
    with http.Connection(gateway.url) as connection:
        for _ in range(2):
            connection.send_request("POST", "/v1/chat/completions", body=BODY, headers=headers)
            assert connection.read_response().status == 200
        gateway.perform("keys.revoke", key=key)
        connection.send_request("POST", "/v1/chat/completions", body=BODY, headers=headers)
        refused(connection.read_response(), "invalid_api_key")


def test_answer_that_has_begun_is_finished_when_its_key_is_revoked(gateway: Gateway):
    gateway.perform("accounts.create", name="revoked-inside")
    key = gateway.new_key(account="revoked-inside", mode="test")
    message = {"role": "user", "content": "[[sandbox:chunks 10 interval_ms=50]] Hi"}
    body = {"model": "gpt-5.5", "stream": True, "messages": [message]}
    with http.stream(gateway.url, body, key=key) as connection:
        assert connection.read_head().status == 200
        gateway.perform("keys.revoke", key=key)
        assert list(connection.data())[-1] == b"[DONE]"


def test_a_key_is_found_by_its_digest_alone():
    """What is compared is an HMAC under a secret pepper: how long it takes says nothing about any key."""
    principal = Principal(1, 1, Mode.LIVE, UNKNOWN[:16])
    keyring = Keyring(b"pepper")
    keyring.load({digest(UNKNOWN, b"pepper"): principal})
    assert keyring.authenticate(None, UNKNOWN.encode()) is principal
    keyring.load({digest(UNKNOWN, b"another pepper"): principal})
    with pytest.raises(problems.Problem):
        keyring.authenticate(None, UNKNOWN.encode())
