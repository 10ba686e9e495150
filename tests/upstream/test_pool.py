"""What a call to each kind of upstream looks like on the wire."""

import json
from collections.abc import AsyncIterator, Iterator

import pytest

from fakes import steps
from fakes.sandbox_calls import request
from fakes.upstream import ScriptedUpstream
from runapi.core.dialects import Dialect
from runapi.core.keys import Mode
from runapi.core.routing import Deployment, Upstream, UpstreamAuth
from runapi.upstream.client import (
    MOST_REPLY_BYTES,
    TooLongError,
    UnreachableError,
    UpstreamClient,
    read_whole,
)
from runapi.upstream.pool import UpstreamPool
from runapi.wire.openai_embeddings import most_reply_bytes

KEY = "sk-canary"
BODY = b'{"a":1}'
SHOWING_THE_KEY = {"authorization", "api-key", "x-api-key", "anthropic-version"}


@pytest.fixture
def upstream() -> Iterator[ScriptedUpstream]:
    with ScriptedUpstream(steps.json({"ok": True})) as scripted:
        yield scripted


@pytest.fixture
async def pool() -> AsyncIterator[UpstreamPool]:
    client = UpstreamClient(connect_timeout_s=5)
    yield UpstreamPool(client, ["gpt-5.5"])
    await client.close()


def deployment(upstream: ScriptedUpstream, **said: object) -> Deployment:
    facts = {"id": 1, "name": "u", "base_url": upstream.base_url, "models": {"gpt-5.5": "theirs"}}
    return Deployment(Upstream(**(facts | said)), "theirs")  # type: ignore[arg-type]


async def call(pool: UpstreamPool, target: Deployment, path: str = "/chat/completions", **how: object):
    pool.load([(target.upstream, KEY)])
    reply = await pool.call(target, path, BODY, "req_1", **how)  # type: ignore[arg-type]
    return await read_whole(reply)


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/messages", "/embeddings"])
async def test_call_goes_to_the_path_behind_the_base_url(pool, upstream, path):
    assert json.loads(await call(pool, deployment(upstream), path)) == {"ok": True}
    [got] = upstream.calls
    assert (got.path, got.body) == (f"/v1{path}", BODY)


async def test_query_of_the_address_stands_behind_every_path(pool, upstream):
    target = deployment(upstream, query="api-version=2024-10-21")
    pool.load([(target.upstream, KEY)])
    for path in ("/chat/completions", "/embeddings", "/chat/completions"):
        await read_whole(await pool.call(target, path, BODY, "req_1"))
    assert [got.path for got in upstream.calls] == [
        "/v1/chat/completions?api-version=2024-10-21",
        "/v1/embeddings?api-version=2024-10-21",
        "/v1/chat/completions?api-version=2024-10-21",
    ]


@pytest.mark.parametrize(
    ("auth", "dialects", "shown"),
    [
        (UpstreamAuth.BEARER, (Dialect.CHAT, Dialect.RESPONSES), {"authorization": f"Bearer {KEY}"}),
        (UpstreamAuth.API_KEY, (Dialect.CHAT,), {"api-key": KEY}),
        (
            UpstreamAuth.ANTHROPIC,
            (Dialect.ANTHROPIC,),
            {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
        ),
        (
            UpstreamAuth.BEARER,
            (Dialect.CHAT, Dialect.ANTHROPIC),
            {"authorization": f"Bearer {KEY}", "anthropic-version": "2023-06-01"},
        ),
    ],
)
async def test_key_is_shown_as_the_upstream_wants_it_and_in_no_other_way(
    pool, upstream, auth, dialects, shown
):
    await call(pool, deployment(upstream, auth=auth, dialects=dialects))
    [got] = upstream.calls
    assert {name: value for name, value in got.headers.items() if name in SHOWING_THE_KEY} == shown


async def test_headers_of_one_call_stand_on_that_call_alone(pool, upstream):
    target = deployment(upstream, auth=UpstreamAuth.ANTHROPIC, dialects=(Dialect.ANTHROPIC,))
    more = {"anthropic-version": "2024-01-01", "anthropic-beta": "context-1m"}
    await call(pool, target, "/messages", headers=more, afresh=True)
    await read_whole(await pool.call(target, "/messages", BODY, "req_2"))
    first, second = upstream.calls
    assert (first.headers["anthropic-version"], first.headers["anthropic-beta"]) == (
        "2024-01-01",
        "context-1m",
    )
    assert second.headers["anthropic-version"] == "2023-06-01"
    assert "anthropic-beta" not in second.headers
    assert first.connection != second.connection


async def test_upstream_that_was_removed_cannot_be_called(pool, upstream):
    target = deployment(upstream)
    pool.load([])
    with pytest.raises(UnreachableError):
        await pool.call(target, "/responses", BODY, "req_1")


def test_errors_are_cleansed_of_key_and_host(pool, upstream):
    target = deployment(upstream, base_url="https://acme.openai.azure.com/openai/v1")
    pool.load([(target.upstream, KEY)])
    told = pool.redaction(target, "gpt-5.5").apply(f"theirs at acme.openai.azure.com, {KEY}")
    assert told == "gpt-5.5 at (host left out), ***"


# ---- the sandbox -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "body", "kind"),
    [
        ("/chat/completions", request("hi"), "chat.completion"),
        ("/responses", {"model": "gpt-5.3-codex", "input": "hi"}, "response"),
        ("/responses/input_tokens", {"model": "gpt-5.5", "input": "hi"}, "response.input_tokens"),
        ("/embeddings", {"model": "e", "input": "hi"}, "list"),
        ("/completions", {"model": "c", "prompt": "hi"}, "text_completion"),
    ],
)
async def test_sandbox_answers_every_path(pool, path, body, kind):
    [sandbox] = pool.plan("gpt-5.5", Mode.TEST)
    reply = await pool.call(sandbox, path, json.dumps(body).encode(), "req_abc")
    assert (reply.status, reply.headers["x-request-id"]) == (200, "req_abc")
    assert json.loads(await read_whole(reply))["object"] == kind


def test_sandbox_speaks_openais_dialects(pool):
    [sandbox] = pool.plan("gpt-5.5", Mode.TEST)
    assert sandbox.upstream.dialects == (Dialect.CHAT, Dialect.RESPONSES)


# ---- how long an answer may be ---------------------------------------------------------------------------


async def answer_of(pool: UpstreamPool, upstream: ScriptedUpstream, length: int):
    upstream.default = [
        steps.headers(200, {"content-length": str(length)}),
        *[steps.body(b"0" * (1 << 20))] * (length >> 20),
        steps.body(b"0" * (length & 0xFFFFF)),
    ]
    target = deployment(upstream)
    pool.load([(target.upstream, KEY)])
    return await pool.call(target, "/embeddings", BODY, "req_1")


async def test_answer_is_read_up_to_its_bound_and_no_further(pool, upstream):
    at_most = await answer_of(pool, upstream, MOST_REPLY_BYTES)
    assert len(await read_whole(at_most)) == MOST_REPLY_BYTES
    over = await answer_of(pool, upstream, MOST_REPLY_BYTES + 1)
    with pytest.raises(TooLongError):
        await read_whole(over)
    over.close()


async def test_answer_may_be_as_long_as_the_vectors_that_were_asked_for(pool, upstream):
    length = MOST_REPLY_BYTES + 1
    reply = await answer_of(pool, upstream, length)
    assert len(await read_whole(reply, most_bytes=most_reply_bytes(1))) == length


def test_bound_of_embeddings_holds_what_openai_writes_for_them():
    longest = "        -1.2345678901234567e-307,\n"  # a number of 24 characters on its own line
    vector = len(longest) * 3_072
    for inputs in (1, 2_048):
        assert most_reply_bytes(inputs) >= inputs * vector
    assert most_reply_bytes(2_048) < 256 * 1024 * 1024
