"""Bad bodies are refused in OpenAI's shape, with the parameter's name, before anything is called."""

import base64
import json
import re
import struct
from collections.abc import Iterator

import pytest

from fakes import http, specification
from fakes.server import Gateway
from fakes.upstream import ScriptedUpstream
from web.bad_bodies import BAD_BODIES, MESSAGES, UNKNOWN_MODELS, BadBody, with_field, with_model
from web.exchange import BODY, GOOD

CHAT = "/v1/chat/completions"


def send(gateway: Gateway, body: bytes, key: str, headers: dict[str, str] | None = None) -> http.Response:
    return http.request(gateway.url, "POST", CHAT, key=key, body=body, headers=headers)


@pytest.fixture
def elsewhere() -> Iterator[ScriptedUpstream]:
    """A server that nobody may call."""
    with ScriptedUpstream() as server:
        yield server
        assert not server.requests


@pytest.mark.parametrize("bad", BAD_BODIES, ids=str)
def test_bad_body_is_refused_before_any_call(bad: BadBody, gateway: Gateway, upstream: ScriptedUpstream):
    response = send(gateway, bad.body, gateway.live_key())
    assert response.status == bad.status, response.body[:300]
    specification.check_error(response.json)
    error = response.json["error"]  # type: ignore[index]
    assert (error["type"], error["param"], error["code"]) == ("invalid_request_error", bad.param, bad.code)
    assert len(error["message"]) < 400
    assert re.fullmatch(r"req_[0-9a-f]{32}", response.headers["x-request-id"])
    assert send(gateway, bad.body, gateway.test_key).body == response.body
    assert not upstream.calls
    assert send(gateway, BODY, gateway.live_key()).status == 200


def test_a_refused_body_leaves_the_connection_usable(gateway: Gateway):
    headers = {"authorization": f"Bearer {gateway.test_key}"}
    with http.Connection(gateway.url) as connection:
        for body, status in ((b"[]", 400), (BODY, 200), (b"{", 400), (BODY, 200)):
            connection.send_request("POST", CHAT, body=body, headers=headers)
            assert connection.read_response().status == status


def test_unknown_models_are_told_apart_by_nothing_but_their_name(gateway: Gateway):
    texts = set()
    for model in UNKNOWN_MODELS:
        message = send(gateway, with_model(model), gateway.test_key).json["error"]["message"]  # type: ignore[index]
        texts.add(message.replace(f"`{model[:100]}`", "`MODEL`"))
    assert len(texts) == 1


def test_of_a_field_that_stands_twice_the_last_counts_and_goes_upstream_alone(
    gateway: Gateway, upstream: ScriptedUpstream
):
    """The upstream may take the first: it must not see two."""
    body = b'{"model":"nope","stream":true,"messages":[],"model":"gpt-5.5","stream":false,"messages":%b}'
    raw = json.dumps(MESSAGES).encode()
    assert send(gateway, body % raw, gateway.live_key()).status == 200
    [call] = upstream.calls
    assert json.loads(call.body) == {"model": "gpt-5.5", "stream": False, "messages": MESSAGES}
    assert call.body.count(b'"model"') == call.body.count(b'"stream"') == call.body.count(b'"messages"') == 1


@pytest.mark.parametrize(
    "raw", [b"1e999", b"1" * 5000, b"99999999999999999999", b"-0.0", b"1E+2", b'"\\u00e9"']
)
def test_numbers_and_texts_that_nobody_here_needs_go_upstream_as_they_are(
    gateway: Gateway, upstream: ScriptedUpstream, raw: bytes
):
    assert send(gateway, with_field("unknown_to_us", raw), gateway.live_key()).status == 200
    [call] = upstream.calls
    assert b'"unknown_to_us":' + raw in call.body


# ---- what the body is said to be -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "text/plain;charset=UTF-8"],
)
def test_json_is_taken_under_these_types(gateway: Gateway, content_type: str):
    assert send(gateway, BODY, gateway.test_key, {"content-type": content_type}).status == 200


def test_json_is_taken_without_a_type(gateway: Gateway):
    with http.Connection(gateway.url) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {gateway.test_key}\r\n"
        connection.send(f"{head}Content-Length: {len(BODY)}\r\n\r\n".encode() + BODY)
        assert connection.read_response().status == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/html",
        "application/jsonx",
        "application/xml",
        "",
        "\xe9",
    ],
)
def test_other_types_are_refused(gateway: Gateway, upstream: ScriptedUpstream, content_type: str):
    response = send(gateway, BODY, gateway.live_key(), {"content-type": content_type})
    assert response.status == 415
    specification.check_error(response.json)
    error = response.json["error"]  # type: ignore[index]
    assert error["code"] == "unsupported_content_type"
    assert "application/json" in error["message"]
    assert not upstream.calls


# ---- what is large but right -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fields",
    [
        {"messages": [{"role": "user", "content": "a"}] * 100_000},
        {"messages": [{"role": "user", "name": "a" * 1_000_000, "content": "Hi"}]},
        {"tools": [{"type": "function", "function": {"name": f"f{n}"}} for n in range(10_000)]},
        {"metadata": {str(n): "x" for n in range(100_000)}},
    ],
    ids=["100,000 messages", "a name of 1 MB", "10,000 tools", "a metadata of 100,000"],
)
def test_large_bodies_are_the_upstreams_to_judge(
    gateway: Gateway, upstream: ScriptedUpstream, fields: dict[str, object]
):
    assert send(gateway, json.dumps({**GOOD, **fields}).encode(), gateway.live_key()).status == 200
    [call] = upstream.calls
    received = json.loads(call.body)
    assert all(received[name] == value for name, value in fields.items())


# ---- what must not be followed ---------------------------------------------------------------------------


def test_fields_that_steer_other_gateways_are_not_followed(
    gateway: Gateway, upstream: ScriptedUpstream, elsewhere: ScriptedUpstream
):
    steering = {
        "api_base": elsewhere.base_url,
        "base_url": elsewhere.base_url,
        "api_key": "sk-of-the-client",
        "custom_llm_provider": "openai",
        "extra_headers": {"authorization": "Bearer sk-of-the-client"},
        "metadata": {"user_id": "another"},
    }
    assert send(gateway, json.dumps({**GOOD, **steering}).encode(), gateway.live_key()).status == 200
    [call] = upstream.calls
    assert call.headers["authorization"] == f"Bearer {upstream.api_key}"


HUGE_PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 10_000, 10_000, 8, 2, 0, 0, 0)


@pytest.mark.parametrize("key", ["live", "test"])
@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "http://169.254.169.254/latest/meta-data/",
        "{elsewhere}/image.png",
        "data:image/png;base64," + base64.b64encode(HUGE_PNG).decode(),
        "data:image/png;base64," + "A" * 5_000_000,
        "data:image/png;base64,\u1234",
        "",
    ],
    ids=["file", "link-local", "elsewhere", "10^8 pixels", "5 MB", "not base64", "empty"],
)
def test_images_are_never_fetched(
    gateway: Gateway, upstream: ScriptedUpstream, elsewhere: ScriptedUpstream, key: str, url: str
):
    image = {"type": "image_url", "image_url": {"url": url.replace("{elsewhere}", elsewhere.base_url)}}
    body = {**GOOD, "messages": [{"role": "user", "content": [image]}]}
    chosen = gateway.live_key() if key == "live" else gateway.test_key
    response = http.post(gateway.url, body, key=chosen)
    if key == "live":
        assert response.status == 200
        assert json.loads(upstream.calls[0].body)["messages"][0]["content"] == [image]
    else:
        assert response.status in (200, 400)
        assert not upstream.calls
