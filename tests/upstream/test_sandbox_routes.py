import json

import pytest

from fakes import specification
from fakes.sandbox_calls import turns_of_others
from runapi.upstream.client import BrokenReplyError
from runapi.upstream.sandbox.player import SandboxReply
from runapi.upstream.sandbox.routes import PLANNERS, answer

MODELS = ("gpt-5.5", "gpt-5.4", "gpt-5.4-mini", "gpt-5.4-nano", "gpt-5.3-codex", "gpt-5.2")
MESSAGES = [{"role": "user", "content": "Say hi"}]
BODIES = {
    "/chat/completions": ({"messages": MESSAGES}, specification.check_reply),
    "/responses": ({"input": "Say hi"}, specification.check_response),
    "/responses/input_tokens": ({"input": "Say hi"}, specification.check_input_tokens),
    "/embeddings": ({"input": "Say hi"}, specification.check_embeddings),
    "/completions": ({"prompt": "Say hi"}, specification.check_completion),
    "/moderations": ({"input": "Say hi"}, specification.check_moderation),
}


async def ask(path: str, *, is_strict: bool = False, **fields: object) -> SandboxReply:
    return await answer(path, json.dumps(fields).encode(), request_id="req_abc", is_strict=is_strict)


async def read_all(reply: SandboxReply) -> bytes:
    pieces = []
    while piece := await reply.read():
        pieces.append(piece)
    return b"".join(pieces)


def test_every_path_is_tried_here():
    assert BODIES.keys() == PLANNERS.keys()


@pytest.mark.parametrize("path", BODIES)
@pytest.mark.parametrize("model", MODELS)
async def test_every_model_is_served_on_every_path(path, model):
    fields, check = BODIES[path]
    reply = await ask(path, model=model, **fields)
    assert (reply.status, reply.headers["x-request-id"]) == (200, "req_abc")
    check(json.loads(await read_all(reply)))


@pytest.mark.parametrize("path", ["/chat/completions", "/responses", "/completions"])
async def test_streams_are_read_event_by_event(path):
    fields, _ = BODIES[path]
    reply = await ask(path, model="gpt-5.5", stream=True, **fields)
    first = await reply.read()
    assert first.endswith(b"\n\n")
    assert first.count(b"data: ") == 1
    assert (await read_all(reply)).count(b"data: ") > 5


@pytest.mark.parametrize("path", BODIES)
async def test_no_json_is_refused_on_every_path(path):
    reply = await answer(path, b"{", request_id="req_abc")
    assert reply.status == 400
    specification.check_error(json.loads(await read_all(reply)))


async def test_cut_breaks_a_responses_stream():
    reply = await ask("/responses", model="gpt-5.5", input="[[sandbox:cut_after 3]]", stream=True)
    with pytest.raises(BrokenReplyError):
        await read_all(reply)


@pytest.mark.parametrize("path", ["/images/generations", "/v1/responses", "", "/responses/"])
async def test_other_path_is_an_error_in_openais_shape(path):
    reply = await ask(path, model="gpt-5.5", input="hi")
    body = json.loads(await read_all(reply))
    specification.check_error(body)
    assert (reply.status, body["error"]["code"]) == (404, "unknown_url")


@pytest.mark.parametrize(
    ("path", "model", "status"),
    [
        ("/chat/completions", "gpt-5.3-codex", 404),
        ("/chat/completions", "gpt-5.5", 200),
        ("/responses", "gpt-5.3-codex", 200),
        ("/responses", "gpt-5.5", 200),
        ("/completions", "gpt-5.5", 404),
        ("/completions", "gpt-3.5-turbo-instruct", 200),
        ("/embeddings", "text-embedding-3-small", 200),
    ],
)
async def test_strict_sandbox_serves_a_model_only_where_openai_does(path, model, status):
    reply = await ask(path, is_strict=True, model=model, **BODIES[path][0])
    assert reply.status == status
    if status == 404:
        assert json.loads(await read_all(reply))["error"]["param"] == "model"


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"model": 5, "messages": []}', b"\xff"])
async def test_strict_sandbox_refuses_odd_bodies_as_any_other_does(body):
    reply = await answer("/chat/completions", body, request_id="req_abc", is_strict=True)
    assert reply.status == 400


async def test_much_arithmetic_lets_others_work():
    await ask("/embeddings", model="m", input="load the tokenizer")
    much = ask("/embeddings", model="text-embedding-3-large", input=["a"] * 300, encoding_format="base64")
    reply, turns = await turns_of_others(much)
    assert reply.status == 200
    assert turns > 10
