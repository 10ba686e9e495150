"""What `runapi upstreams test` says of upstreams that work and of those that do not, over real sockets."""

import socket

import pytest

from fakes import steps
from fakes.received import Request
from fakes.steps import Script
from fakes.upstream import ScriptedUpstream
from runapi.core.dialects import Dialect
from runapi.core.routing import ProbeResult, Upstream, UpstreamAuth
from runapi.upstream.probe import probe

KEY = "sk-canary-1"


def at(base_url: str, auth: UpstreamAuth = UpstreamAuth.BEARER, query: str = "") -> Upstream:
    dialect = Dialect.ANTHROPIC if auth is UpstreamAuth.ANTHROPIC else Dialect.CHAT
    return Upstream(id=1, name="u", base_url=base_url, query=query, auth=auth, dialects=(dialect,), models={})


async def ask(script: Script) -> tuple[ProbeResult, list[Request]]:
    with ScriptedUpstream(script) as upstream:
        answer = await probe(at(upstream.base_url), KEY)
        assert KEY not in answer.detail
        return answer, upstream.requests


async def test_upstream_that_lists_models_is_ok_and_was_asked_with_its_key():
    answer, (request,) = await ask(steps.json({"object": "list", "data": [{"id": "gpt-5.5"}, {"id": "x"}]}))
    assert (answer.ok, answer.status) == (True, 200)
    assert answer.models == {"gpt-5.5", "x"}
    assert (request.method, request.path) == ("GET", "/v1/models")
    assert request.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize(
    ("path", "auth", "query", "asked", "shown"),
    [
        (
            "/v1",
            UpstreamAuth.ANTHROPIC,
            "",
            "/v1/models?limit=1000",
            {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        ),
        ("/openai/v1", UpstreamAuth.API_KEY, "", "/openai/v1/models", {"api-key": KEY}),
        (
            "/openai/v1",
            UpstreamAuth.API_KEY,
            "api-version=preview",
            "/openai/v1/models?api-version=preview",
            {"api-key": KEY},
        ),
        (
            "/openai/deployments/mine",
            UpstreamAuth.API_KEY,
            "api-version=2024-10-21",
            "/openai/models?api-version=2024-10-21",
            {"api-key": KEY},
        ),
    ],
)
async def test_models_of_other_makers_are_asked_for_as_they_want_it(
    path: str, auth: UpstreamAuth, query: str, asked: str, shown: dict[str, str]
):
    with ScriptedUpstream(steps.json({"data": [{"id": "m"}]})) as upstream:
        base_url = upstream.base_url.removesuffix("/v1") + path
        answer = await probe(at(base_url, auth, query), KEY)
        [request] = upstream.requests
    assert (answer.ok, answer.models) == (True, {"m"})
    assert request.path == asked
    keys = ("authorization", "api-key", "x-api-key", "anthropic-version")
    assert {name: value for name, value in request.headers.items() if name in keys} == shown


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (401, "with a key that is valid there"),
        (403, "with a key that is valid there"),
        (402, "top up the account"),
        (404, "often ends in /v1"),
        (429, "limits and credit"),
        (500, "an error of its own"),
        (503, "an error of its own"),
        (418, "check the base URL"),
    ],
)
async def test_refusal_is_reported_with_what_to_do_and_without_the_upstreams_words(status: int, advice: str):
    words = {"error": {"message": f"canary words about {KEY}"}}
    answer, _ = await ask(steps.json(words, status))
    assert (answer.ok, answer.status, answer.models) == (False, status, None)
    assert advice in answer.detail
    assert "canary" not in answer.detail


async def test_redirect_is_not_followed_with_the_key():
    with ScriptedUpstream(steps.json({"data": []})) as elsewhere:
        answer, _ = await ask(
            [steps.headers(302, {"location": elsewhere.base_url, "content-length": "0"}), steps.body(b"")]
        )
        assert elsewhere.requests == []
    assert (answer.ok, answer.status) == (False, 302)
    assert "base URL that it redirects to" in answer.detail


@pytest.mark.parametrize(
    "body",
    [b"<html>hello</html>", b"", b"{", b"[]", b'{"data": 5}', b'{"data": [5]}', b"[" * 200_000, b"\xff"],
)
async def test_answer_that_is_no_list_of_models_is_not_ok(body: bytes):
    answer, _ = await ask([steps.headers(200, {"content-length": str(len(body))}), steps.body(body)])
    assert (answer.ok, answer.status) == (False, 200)
    assert "not with a list of models" in answer.detail


async def test_answer_without_end_is_not_read_without_end():
    answer, _ = await ask([steps.headers(200), steps.repeat([steps.body(b" " * 65_536)])])
    assert answer.ok is False
    assert "not with a list of models" in answer.detail


@pytest.mark.parametrize(
    "script",
    [
        [steps.send(b"SSH-2.0-OpenSSH_9.2\r\n"), steps.fin()],
        [steps.fin()],
        [steps.rst()],
        [steps.headers(200, {"content-length": "100"}), steps.body(b"{"), steps.fin()],
    ],
)
async def test_upstream_that_breaks_off_is_reported(script: Script):
    answer, _ = await ask(script)
    assert answer.ok is False
    assert "broke off" in answer.detail


async def test_port_where_nothing_listens_is_reported():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        answer = await probe(at(f"http://127.0.0.1:{unused.getsockname()[1]}/v1"), KEY)
    assert (answer.ok, answer.status) == (False, None)
    assert "Nothing can be reached" in answer.detail


async def test_upstream_that_speaks_no_tls_is_reported():
    in_the_clear = [steps.send(b"HTTP/1.1 400 Bad Request\r\n\r\n"), steps.fin()]
    with ScriptedUpstream(on_connect=in_the_clear) as upstream:
        answer = await probe(at(upstream.base_url.replace("http:", "https:")), KEY)
    assert (answer.ok, answer.status) == (False, None)
    assert "TLS" in answer.detail


async def test_host_name_without_an_address_is_reported():
    answer = await probe(at("http://nowhere.invalid/v1"), KEY)
    assert (answer.ok, answer.status) == (False, None)
    assert "Its host name is unknown" in answer.detail
