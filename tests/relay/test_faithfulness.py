"""What need not be touched is not touched: bytes of requests, replies and chunks, from end to end."""

import json

import msgspec
import pytest
from msgspec import Raw

from fakes import replies, steps
from relay.calls import HELLO, Caller, Streamed, has

SNAPSHOT = replies.MODEL
ASKED = {"stream_options": {"include_usage": True}}
USAGE_COST = 19 * 2_500 + 10 * 15_000  # nano-dollars: gpt-5.5 at 2.50 and 15.00 USD per 1,000,000 tokens


def fields_of(body: bytes) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in msgspec.json.decode(body, type=dict[str, Raw]).items()}


def received(upstream) -> dict[str, bytes]:
    [call] = upstream.calls
    return fields_of(call.body)


# ---- the request -----------------------------------------------------------------------------------------

ODD = {
    "messages": rb'[ {"role":"user" , "content":"h\u0069 \ud83d\ude00 \/","x_new":1.50} ,{"role":"user","content":[]}]',
    "x_unknown": rb'{ "a" : [1.0, 1e3, -0.0, 12345678901234567890123], "b":"\u00e9\/" , "a":2}',
    "reasoning_effort": rb'"l\u006fw"',
    "metadata": rb'{"k" :"v"}',
    "seed": b"7",
    "store": b"false",
    "parallel_tool_calls": b"true ",
    "tools": rb'[{"type":"custom","custom":{ "name":"p" }, "x":null}]',
    "n": b"1",
    "max_completion_tokens": b"900",
    "verbosity": b'"low"',
    "service_tier": b'"auto"',
    "response_format": rb'{"type" : "text"}',
}


def written(fields: dict[str, bytes], model: bytes = b'"gpt-5.5"') -> bytes:
    pairs = [b'\t"%b" : %b' % (name.encode(), raw) for name, raw in fields.items()]
    return b'{ "model":%b,\n%b }' % (model, b",\n".join(pairs))


def test_fields_that_need_no_change_go_upstream_byte_for_byte(caller: Caller, upstream):
    assert caller.post(written(ODD)).text == "Hello."
    got = received(upstream)
    assert got.pop("model") == b'"gpt-5.5"'
    assert got == {name: raw.strip() for name, raw in ODD.items()}
    has(caller.row(), dropped=[])


@pytest.mark.parametrize("options", [rb'{"include_usage" : true, "include_obfuscation":false}', None])
def test_stream_s_fields_go_upstream_byte_for_byte(caller: Caller, upstream, options):
    fields = {**ODD, "stream": b"true"} | ({"stream_options": options} if options else {})
    with caller.open(written(fields)) as connection:
        assert caller.read(connection).text == "Hello."
    got = received(upstream)
    assert got.pop("model") == b'"gpt-5.5"'
    assert got.pop("stream_options") == (options or b'{"include_usage":true}')
    assert got == {name: raw.strip() for name, raw in ODD.items()} | {"stream": b"true"}
    caller.row()


@pytest.mark.parametrize("options", [{"include_obfuscation": False}, {"include_usage": False}, {}, None])
def test_usage_is_always_asked_for(caller: Caller, upstream, options):
    got = caller.stream(HELLO | {"stream_options": options})
    assert len(got.usages) == 1
    assert json.loads(received(upstream)["stream_options"]) == {**(options or {}), "include_usage": True}
    caller.row()


def test_field_that_stands_twice_counts_with_its_last_value(caller: Caller, upstream):
    caller.post(written({"model": b'"gpt-5.4"', "messages": ODD["messages"], "seed": b"1"}))
    assert received(upstream)["model"] == b'"gpt-5.4"'
    has(caller.row(), model="gpt-5.4")


def test_nothing_of_the_client_but_its_body_goes_upstream(caller: Caller, upstream):
    headers = {
        "cookie": "a=b",
        "x-forwarded-for": "10.0.0.1",
        "openai-organization": "org-client",
        "user-agent": "OpenAI/JS 7.15.0",
        "x-stainless-lang": "js",
        "accept-encoding": "gzip",
        "traceparent": "00-1-1-01",
    }
    with caller.open(HELLO) as connection:
        connection.read_response()
        connection.send_request(
            "POST",
            "/v1/chat/completions",
            body=json.dumps(HELLO).encode(),
            headers={**headers, "authorization": f"Bearer {caller.key()}"},
        )
        connection.read_response()
    caller.rows(2)
    plain, dressed = (dict(call.fields) for call in upstream.calls)
    assert plain == dressed
    assert set(dressed) == {
        *(
            "host",
            "authorization",
            "content-type",
            "accept",
            "accept-encoding",
            "user-agent",
            "content-length",
        ),
    }
    assert dressed["authorization"] == f"Bearer {upstream.api_key}"
    assert dressed["accept-encoding"] == "identity"
    assert dressed["user-agent"].startswith("RunAPI/")


# ---- normalisation, against an upstream that refuses what OpenAI refuses ---------------------------------

SEED = HELLO | {"temperature": 0.3, "max_tokens": 1024}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_the_product_s_first_example_works(caller: Caller, upstream, stream):
    upstream.strict = True
    got = caller.stream(SEED) if stream else caller.post(SEED)
    assert got.text == "Hello."
    assert got.headers["x-runapi-dropped"] == "temperature"
    body = received(upstream)
    assert body["max_completion_tokens"] == b"1024"
    assert not {"max_tokens", "temperature"} & set(body)
    has(caller.row(), outcome="completed", dropped=["temperature"])


@pytest.mark.parametrize(
    ("sent", "gone_up", "dropped"),
    [
        ({"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}, None),
        ({"tools": [], "tool_choice": "auto", "parallel_tool_calls": True}, {}, None),
        ({"temperature": 1}, {}, None),
        (
            {"temperature": 0.3, "reasoning_effort": "none"},
            {"temperature": 0.3, "reasoning_effort": "none"},
            None,
        ),
        ({"top_p": 0.5, "presence_penalty": 1}, {}, "presence_penalty, top_p"),
        ({"stop": ["x"]}, {}, None),
        ({"stop": ["x"], "n": 2}, {"n": 2}, "stop"),
        ({"max_tokens": 9, "max_completion_tokens": 8}, {"max_completion_tokens": 8}, None),
        ({"max_completion_tokens": 10_000_000}, {"max_completion_tokens": 128_000}, None),
        ({"stream_options": {"include_usage": True}}, {}, None),
        ({"n": 2}, {"n": 2}, None),
    ],
    ids=str,
)
def test_request_is_made_into_one_that_openai_takes(caller: Caller, upstream, sent, gone_up, dropped):
    upstream.strict = True
    got = caller.post(HELLO | sent)
    assert got.text == "Hello."
    told = got.headers.get("x-runapi-dropped")
    assert (", ".join(sorted(told.split(", "))) if told else None) == dropped
    assert json.loads(upstream.calls[0].body) == HELLO | gone_up
    caller.row()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_key_that_wants_to_be_told_is_told_before_any_upstream_is_called(caller: Caller, upstream, stream):
    got = caller.post(SEED | {"stream": stream}, key=caller.key(on_refused_parameter="strict"))
    assert (got.status, got.error["code"], got.error["param"]) == (
        400,
        "unsupported_parameter",
        "temperature",
    )
    assert upstream.calls == []
    has(
        caller.row(),
        outcome="refused",
        status=400,
        error_code="unsupported_parameter",
        cost_nano="0",
        attempts=0,
    )
    assert caller.post(HELLO | {"max_tokens": 9}, key=caller.key(on_refused_parameter="strict")).status == 200
    caller.row()


# ---- the whole reply -------------------------------------------------------------------------------------

REPLY = (
    b'{ "id":"chatcmpl-1" ,\n "object":"chat.completion","created": 1741569952,"model" :  "%b",\n'
    b' "choices":[{"index":0,"message":{"role":"assistant","content":"h\\u0069 \\ud83d\\ude00 \\"model\\": \\"x\\"",'
    b'"refusal":null,"x_thought":{"deep":[1.0,1e3]}},"logprobs":null,"finish_reason":"stop"}],\n'
    b' "x_router":{"usage":{"prompt_tokens":1},"b":[ ]} ,"usage": %b , "x_last" : -0.0 }'
)
USAGE = (
    b'{"prompt_tokens":19,"completion_tokens":10,"total_tokens":29,"x_new":{"a":1},\n'
    b'   "prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0} %b}'
)
COST = b',"cost":0.0001975'


def with_cost(usage: bytes) -> bytes:
    return usage[:-1].rstrip() + COST + b"}"


def whole(body: bytes) -> steps.Script:
    fields = {"content-type": "application/json", "content-length": str(len(body))}
    return [steps.headers(200, replies.HEADERS | fields), steps.body(body)]


@pytest.mark.parametrize("model", [SNAPSHOT, "gpt-5.5"], ids=["their name", "our name"])
def test_reply_comes_back_byte_for_byte_but_for_its_model_and_cost(caller: Caller, upstream, model):
    usage = USAGE % b""
    upstream.then(whole(REPLY % (model.encode(), usage)))
    got = caller.post(HELLO, valid=False)
    ours = REPLY % (b"gpt-5.5", with_cost(usage))
    assert got.body == ours
    assert got.headers["content-length"] == str(len(ours))
    assert caller.row()["cost_nano"] == str(USAGE_COST)


def test_cost_of_the_upstream_makes_way_for_ours(caller: Caller, upstream):
    upstream.then(whole(REPLY % (SNAPSHOT.encode(), USAGE % b', "cost": 0.5')))
    usage = caller.post(HELLO, valid=False).body
    assert usage.count(b'"cost"') == 1
    assert json.loads(usage)["usage"]["cost"] == 0.0001975
    caller.row()


@pytest.mark.parametrize("model", [b"gpt\\u002d5.5-2026", b"another-model", b"gpt-5.5", b""])
def test_reply_bears_the_name_that_the_client_used(caller: Caller, upstream, model):  # F-49
    upstream.then(whole(REPLY % (model, USAGE % b"")))
    got = json.loads(caller.post(HELLO, valid=False).body)
    assert got["model"] == "gpt-5.5"
    assert got["x_router"] == {"usage": {"prompt_tokens": 1}, "b": []}
    caller.row()


@pytest.mark.parametrize(
    "part",
    [
        {
            "content": None,
            "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}}],
        },
        {"content": None, "refusal": "I cannot."},
        {
            "content": None,
            "tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "p", "input": "x"}}],
        },
        {"content": "a", "reasoning_content": "thinking"},
        {"content": [{"type": "text", "text": "a"}]},
        {"content": "a", "annotations": None},
    ],
    ids=str,
)
def test_message_is_passed_on_whatever_it_holds(caller: Caller, upstream, part):  # F-45, F-46
    message = {"role": "assistant", "refusal": None} | part
    choices = [
        {"index": 1, "message": message, "logprobs": None, "finish_reason": "something_new"},
        {"index": 1, "message": message, "logprobs": None, "finish_reason": None},
    ]
    body = {"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}
    upstream.then(steps.json(body | {"usage": replies.USAGE}))
    got = json.loads(caller.post(HELLO, valid=False).body)
    assert got["choices"] == choices
    assert int(caller.row()["cost_nano"]) == USAGE_COST


# ---- the stream ------------------------------------------------------------------------------------------

DELTAS = (
    b'{"role":"assistant","content":"" , "refusal":null}',
    b'{"content":"h\\u0069 \\ud83d\\ude00","x":1.50}',
    '{"content":"\u00e9\u2028 \\"model\\":\\"x\\",\\"usage\\":null data: [DONE]\\n\\n"}'.encode(),
    b'{"tool_calls":[{"index":0,"id":"call_1","type":"function","function":{"name":"f","arguments":""}}]}',
    b'{"tool_calls":[{"index":0,"function":{"arguments":"{\\"id\\":1}"}}]}',
)
CHUNK = (
    b'{"id":"chatcmpl-1", "object":"chat.completion.chunk","created":1741569952,"model":"%b","x_new":{"a":[ ]},'
    b'"choices":[{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}],"usage":null}'
)
LAST = b'{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1741569952,"model":"%b","choices":[],"usage":%b}'


def events(model: bytes, usage: bytes) -> list[bytes]:
    content = [CHUNK % (model, delta, b"null") for delta in DELTAS]
    return [*content, CHUNK % (model, b"{}", b'"tool_calls"'), LAST % (model, usage), b"[DONE]"]


def test_chunks_come_byte_for_byte_but_for_the_model_to_who_asked_for_usage(caller: Caller, upstream):
    usage = (USAGE % b"").replace(b"\n", b" ")
    upstream.then([steps.headers(200), steps.sse(events(SNAPSHOT.encode(), usage))])
    got = caller.stream(HELLO | ASKED, valid=False)
    assert list(got.payloads) == events(b"gpt-5.5", with_cost(usage))
    assert caller.row()["cost_nano"] == str(USAGE_COST)


def test_chunks_come_byte_for_byte_but_for_model_and_usage_to_who_did_not_ask(caller: Caller, upstream):
    usage = (USAGE % b"").replace(b"\n", b" ")
    upstream.then([steps.headers(200), steps.sse(events(SNAPSHOT.encode(), usage))])
    got = caller.stream(HELLO, valid=False)
    *content, finish, _, done = [event.replace(b',"usage":null', b"") for event in events(b"gpt-5.5", usage)]
    assert list(got.payloads) == [*content, finish[:-1] + b',"usage":' + with_cost(usage) + b"}", done]
    assert caller.row()["cost_nano"] == str(USAGE_COST)


@pytest.mark.parametrize("extra", [{}, ASKED], ids=["not asked", "asked"])
def test_usage_stands_where_this_client_expects_it(caller: Caller, upstream, extra):
    got = caller.stream(HELLO | extra)
    assert isinstance(got, Streamed)
    assert [*map(json.loads, got.payloads[:-1])] == got.chunks
    last = got.chunks[-1]
    assert last["usage"] == replies.USAGE | {"cost": 0.0001975}
    if extra:
        assert last["choices"] == []
        assert all(chunk["usage"] is None for chunk in got.chunks[:-1])
        assert got.chunks[-2]["choices"][0]["finish_reason"] == "stop"
    else:
        assert last["choices"][0]["finish_reason"] == "stop"
        assert not any("usage" in chunk for chunk in got.chunks[:-1])
    row = caller.row()
    assert row["cost_usd"] == "0.0001975"
    has(row, usage_source="reported", outcome="completed", status=200, stream=True)


def test_several_answers_come_side_by_side(caller: Caller, upstream):
    def chunk(index, delta, finish=None):
        made = replies.chunk(delta, finish_reason=finish, asked=True)
        made["choices"][0]["index"] = index
        return made

    upstream.then(
        [
            steps.headers(200),
            steps.sse(
                [
                    chunk(0, {"role": "assistant", "content": ""}),
                    chunk(1, {"role": "assistant", "content": ""}),
                ]
            ),
            steps.sse([chunk(1, {"content": "b"}), chunk(0, {"content": "a"}), chunk(1, {}, "length")]),
            steps.sse(
                [chunk(0, {"content": "A"}), chunk(0, {}, "stop"), replies.chunk(None, usage=replies.USAGE)]
            ),
            steps.done(),
        ]
    )
    got = caller.stream(HELLO | {"n": 2})
    assert [got.deltas("content", index) for index in (0, 1)] == [["", "a", "A"], ["", "b"]]
    assert [got.deltas("role", index) for index in (0, 1)] == [["assistant"], ["assistant"]]
    assert (got.finish_reasons, len(got.usages), got.done) == (["length", "stop"], 1, True)
    assert got.chunks[-1]["usage"]["cost"] == 0.0001975
    caller.row()


def test_headers_are_openai_s_and_no_upstream_s(caller: Caller, upstream):  # F-51
    odd = {
        "x-amzn-trace": "a",
        "location": "/x",
        "connection": "x-odd",
        "x-odd": "1",
        "content-language": "de",
    }
    body = json.dumps({"object": "x", "choices": []}).encode()
    fields = replies.HEADERS | odd | {"content-type": "application/json", "content-length": str(len(body))}
    upstream.then([steps.headers(200, fields), steps.body(body)])
    got = caller.post(HELLO, valid=False)
    assert set(got.headers) - {"date", "server"} == {
        *("content-type", "content-length", "x-request-id", "openai-processing-ms", "openai-version"),
        *("x-runapi-request-id", "x-runapi-cost"),
    }
    row = caller.row()
    has(row, id=got.id, upstream_request_id=replies.HEADERS["x-request-id"])
    assert got.id != row["upstream_request_id"]
