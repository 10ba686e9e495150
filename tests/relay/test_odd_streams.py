"""Streams that are well but oddly written, or oddly cut: the client gets the same stream all the same."""

import json

import pytest

from fakes import http, replies, steps
from fakes.replies import chunk
from relay.calls import HELLO, Caller, Streamed, has

ROLE = chunk({"role": "assistant", "content": "", "refusal": None}, asked=True)
FINISH = chunk({}, finish_reason="stop", asked=True)
USAGE = chunk(None, usage=replies.USAGE)
TEXT = "h\u00e9 \u4f60\u597d \U0001f600 \u2028!"
WORD = chunk({"content": TEXT}, asked=True)
EVENTS = [ROLE, WORD, FINISH, USAGE, "[DONE]"]


def stream(*items: object, ending: bytes = b"") -> steps.Script:
    return [steps.headers(200), steps.body(b"".join(map(steps.event, items)) + ending)]


def raw_stream(body: bytes) -> steps.Script:
    return [steps.headers(200), steps.body(body)]


def ask(caller: Caller, upstream, script: steps.Script, *, valid: bool = True, **fields: object) -> Streamed:
    upstream.then(script)
    got = caller.stream(HELLO | fields, valid=valid)
    assert isinstance(got, Streamed)
    return got


def compact(name: str, delta: str, finish: str = "null", more: str = "") -> str:
    return (
        f'{{"id":"c","object":"chat.completion.chunk","created":1,"model":"{name}",'
        f'"choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]{more}}}'
    )


SHORT = [
    compact("m", '{"content":"h\u00e9\U0001f600"}'),
    compact("m", "{}", '"stop"', ',"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}'),
    "[DONE]",
]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=repr)
def test_stream_cut_at_any_byte_gives_the_same_events(caller: Caller, upstream, newline):  # F-23, F-24
    body = b"".join(map(steps.event, SHORT)).replace(b"\n", newline.encode())
    expected = ask(caller, upstream, raw_stream(body)).payloads
    assert expected[-1] == b"[DONE]"
    caller.row()
    every = 1 if newline == "\n" else 7
    places = range(1, len(body), every)
    upstream.then(*[[steps.headers(200), *cut(body, at)] for at in places])
    data = json.dumps({**HELLO, "stream": True}).encode()
    headers = {"authorization": f"Bearer {caller.key()}"}
    with http.Connection(caller.gateway.url) as connection:
        for at in places:
            connection.send_request("POST", "/v1/chat/completions", body=data, headers=headers)
            assert caller.read(connection).payloads == expected, at
    assert {row["outcome"] for row in caller.rows(len(places))} == {"completed"}


def cut(body: bytes, at: int) -> steps.Script:
    return [steps.body(body[:at]), steps.sleep(0.0005), steps.body(body[at:])]


def test_stream_that_comes_byte_by_byte_is_the_same(caller: Caller, upstream):  # F-24
    at_once = ask(caller, upstream, stream(*EVENTS))
    dripping = ask(caller, upstream, [steps.headers(200), steps.split_every(1, 0), *stream(*EVENTS)[1:]])
    assert dripping.payloads == at_once.payloads
    assert dripping.text == TEXT
    caller.rows(2)


LF = b"".join(map(steps.event, EVENTS))
FRAMINGS = {
    "CRLF": LF.replace(b"\n", b"\r\n"),
    "CR": LF.replace(b"\n", b"\r"),
    "all three": LF.replace(b"\n\n", b"\r\n\n", 1).replace(b"}\n\n", b"}\r\r", 2),
    "byte order mark": b"\xef\xbb\xbf" + LF,
    "comments": b": hello\n\n" + LF.replace(b"data: ", b": ping\ndata: "),
    "other fields": LF.replace(b"data: ", b"event: message\nid: 7\nretry: 10\ndata: "),
    "no space": LF.replace(b"data: ", b"data:"),
    "several lines": LF.replace(b'"choices":', b'\ndata: "choices":\ndata:  '),
    "empty events": LF.replace(b"data: ", b"data:\n\ndata: \n\n\n\ndata: "),
    "no blank line at the end": LF[:-1],
    "no line end at the end": LF[:-2],
}


@pytest.mark.parametrize("framing", FRAMINGS)
def test_events_may_be_written_in_any_way_that_the_standard_knows(caller: Caller, upstream, framing):  # F-26
    got = ask(caller, upstream, raw_stream(FRAMINGS[framing]))
    assert (got.text, got.deltas("role"), got.finish_reasons, got.done) == (
        TEXT,
        ["assistant"],
        ["stop"],
        True,
    )
    assert len(got.usages) == 1
    has(caller.row(), outcome="completed", usage_source="reported")


@pytest.mark.parametrize("asked", [False, True], ids=["not asked", "asked"])
def test_end_marker_may_be_missing_where_the_model_has_finished(caller: Caller, upstream, asked):  # F-20
    options = {"stream_options": {"include_usage": True}} if asked else {}
    got = ask(caller, upstream, stream(*EVENTS[:-1]), **options)
    assert (got.text, got.done, len(got.usages)) == (TEXT, True, 1)
    has(caller.row(), outcome="completed", usage_source="reported")


def test_one_of_two_answers_alone_is_not_the_whole(caller: Caller, upstream):
    other = json.loads(json.dumps(WORD).replace('"index": 0', '"index": 1'))
    got = ask(caller, upstream, stream(ROLE, WORD, other, FINISH), n=2)
    assert got.error is not None
    assert (got.error["code"], got.done) == ("upstream_truncated", False)
    has(caller.row(), outcome="failed", cost_nano="0")


# ---- chunks of other shapes (F-28, F-45, F-46, F-49) -----------------------------------------------------

DIGITS = "9" * 5_000
CALLS = [{"function": {"arguments": "}{"}}, {"index": 7, "id": None, "function": {"name": "f"}}, {"index": 7}]
ODD = {
    "no choices": chunk(None) | {"usage": None},
    "null choices": {**WORD, "choices": None},
    "null content": chunk({"content": None}, asked=True),
    "tool calls in disorder": chunk({"tool_calls": CALLS}, asked=True),
    "reasoning": chunk(
        {"reasoning_content": "hm", "reasoning": "hm", "reasoning_details": [{"a": 1}]}, asked=True
    ),
    "refusal": chunk({"refusal": "No."}, asked=True),
    "function call": chunk({"function_call": {"name": "f", "arguments": ""}}, asked=True),
    "unknown object": {"x_new": {"a": [1, 2]}},
    "null delta": {**WORD, "choices": [{"index": 0, "delta": None, "finish_reason": None}]},
    "content in parts": chunk({"content": [{"type": "text", "text": "x"}]}, asked=True),
    "a tier of another type": {**WORD, "service_tier": 7},
    "deep": {**WORD, "x": json.loads("[" * 200 + "]" * 200)},
}


@pytest.mark.parametrize("odd", ODD)
def test_chunk_of_another_shape_is_passed_on_as_it_is(caller: Caller, upstream, odd):
    got = ask(caller, upstream, stream(ROLE, ODD[odd], WORD, FINISH, USAGE, "[DONE]"), valid=False)
    expected = {**ODD[odd]}
    expected.pop("usage", None)
    if "model" in expected:
        expected["model"] = "gpt-5.5"
    assert got.chunks[1] == expected
    assert (got.finish_reasons, got.done, got.usages[0]["cost"]) == (["stop"], True, 0.0001975)
    has(caller.row(), outcome="completed", usage_source="reported")


@pytest.mark.parametrize(
    "written",
    [
        compact("m", '{"content":"\\ud83d"}'),
        compact("m", f'{{"content":"x","x":{DIGITS}}}'),
        compact("m", '{"content":"x","content":"y"}'),
        compact("m", '{"content":"x"}', '"new_reason"'),
    ],
    ids=["half an emoji", "5,000 digits", "a key twice", "unknown finish_reason"],
)
def test_bytes_that_say_nothing_to_us_are_passed_on(caller: Caller, upstream, written):
    upstream.then(stream(ROLE, written, FINISH, USAGE, "[DONE]"))
    with caller.open({**HELLO, "stream": True}) as connection:
        connection.read_head()
        payloads = list(connection.data())
    assert written.replace('"m"', '"gpt-5.5"').encode() in payloads
    assert payloads[-1] == b"[DONE]"
    has(caller.row(), outcome="completed", usage_source="reported")


def test_chunks_bear_the_name_that_the_client_used_however_they_begin(caller: Caller, upstream):  # F-49
    filters = {
        "choices": [],
        "created": 0,
        "id": "",
        "model": "",
        "object": "",
        "prompt_filter_results": [{"a": 1}],
    }
    other = {**WORD, "model": "yet-another-name"}
    got = ask(caller, upstream, stream(filters, ROLE, WORD, other, FINISH, USAGE, "[DONE]"), valid=False)
    assert {found["model"] for found in got.chunks} == {"gpt-5.5"}
    assert [found["id"] for found in got.chunks[1:]] == [replies.REPLY_ID] * 4
    assert not any("usage" in found for found in got.chunks[:-1])
    assert json.dumps(got.chunks[-1]).count('"usage"') == 1
    caller.row()


def test_role_on_every_chunk_is_passed_on(caller: Caller, upstream):
    words = [chunk({"content": text, "role": "assistant"}, asked=True) for text in ("a", "b")]
    got = ask(caller, upstream, stream(*words, FINISH, USAGE, "[DONE]"))
    assert (got.text, got.deltas("role")) == ("ab", ["assistant", "assistant"])
    caller.row()


def test_what_follows_the_finish_comes_before_the_usage(caller: Caller, upstream):
    late = chunk({}, asked=True)
    got = ask(caller, upstream, stream(ROLE, WORD, FINISH, late, USAGE, "[DONE]"))
    assert got.finish_reasons == ["stop"]
    assert [bool(found.get("usage")) for found in got.chunks] == [False] * 4 + [True]
    caller.row()


def test_content_type_may_be_written_in_capitals(caller: Caller, upstream):
    fields = steps.EVENT_STREAM | {"content-type": "Text/Event-Stream"}
    upstream.then([steps.headers(200, fields), *stream(*EVENTS)[1:]])
    assert caller.stream(HELLO).text == TEXT
    caller.row()
