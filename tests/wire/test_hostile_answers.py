"""Upstreams gone wrong: whatever they answer, a client gets well-formed events or a fault, in work that its length decides."""

import copy
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import chunks
from fakes.feeding import bytes_fed
from fakes.translated import COST, COUNTED, NAMING, client, stream_for
from runapi.core.bridge import Dialect
from runapi.core.problems import internal_error
from runapi.wire.anthropic.stream import MessagesStream
from runapi.wire.dialects import UPSTREAM_SIDES, answer_writer
from runapi.wire.openai_chat.reply import BadReplyError
from runapi.wire.openai_chat.stream import ChatStream, StreamFault
from runapi.wire.openai_responses.event_blocks import BlockSplitter
from runapi.wire.openai_responses.stream import ResponsesStream
from runapi.wire.sse import MOST_EVENT_BYTES, EventSplitter
from runapi.wire.translate import TranslatedReply, read_translated_reply
from wire.anthropic import streams
from wire.openai_responses import answers

BROKEN = (internal_error(), "id_1", 1)
SPLITTERS = (EventSplitter, BlockSplitter)
WEIRD = st.sampled_from(
    [
        *("null", "true", "-1", "1.5", "1e999", "9" * 400, "9" * 5_000, '""', '"x"', '"a\\nb"', '"\\u2028"'),
        *(
            '"\\ud83d"',
            '{"\\ude00":1}',
            "[]",
            "{}",
            "[{}]",
            "[null]",
            "[1]",
            '{"type":null}',
            '{"a":1,"a":2}',
        ),
        '[{"token":"a","logprob":-1,"top_logprobs":null}]',
        '{"content":{}}',
        '{"input_tokens":1,"output_tokens":2,"prompt_tokens":1,"completion_tokens":2,"x":"@BYTE@"}',
        '"@BYTE@"',
        "[" * 900 + "]" * 900,
        '"response.created"',
        '"message_start"',
        '"content_block_delta"',
    ]
)
TEXT = answers.text_part("Hello", [answers.CITATION], [answers.LOGPROB])
CITATION = {"type": "url_citation", "url_citation": answers.CITATION}
CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
CHAT_CHUNKS = [
    json.loads(chunks.chunk({"role": "assistant", "content": ""})),
    json.loads(
        chunks.chunk({"content": "Hi", "annotations": [CITATION]}, logprobs={"content": [answers.LOGPROB]})
    ),
    json.loads(chunks.chunk({"tool_calls": [CALL]})),
    json.loads(chunks.chunk({"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]})),
    json.loads(chunks.chunk({"reasoning_content": "Hm", "refusal": "No"}, "tool_calls")),
    json.loads(chunks.chunk(usage=chunks.USAGE)),
]
for one in CHAT_CHUNKS[1:2]:
    one["choices"][0]["logprobs"] = one.pop("logprobs")
SAMPLES = {
    Dialect.RESPONSES: answers.events(
        answers.response(
            answers.reasoning("Hm"), answers.message(TEXT), answers.call(), answers.custom_call()
        )
    ),
    Dialect.ANTHROPIC: [
        streams.start(),
        streams.PING,
        *streams.thought(0, "Hm"),
        *streams.text(1, "Hi"),
        *streams.call(2, "{}"),
        *streams.end("tool_use"),
    ],
    Dialect.CHAT: CHAT_CHUNKS,
}
REPLIES = {
    Dialect.RESPONSES: answers.response(answers.reasoning("Hm"), answers.message(TEXT), answers.call()),
    Dialect.ANTHROPIC: streams.start()["message"]
    | {
        "content": [
            {"type": "thinking", "thinking": "Hm", "signature": "s"},
            {"type": "redacted_thinking", "data": "d"},
            {"type": "text", "text": "Hi"},
            {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
    },
    Dialect.CHAT: {
        "id": "c",
        "created": 1,
        "model": "up",
        "choices": [
            {
                "message": {"content": "Hi", "annotations": [CITATION], "tool_calls": [CALL]},
                "logprobs": {"content": [answers.LOGPROB]},
                "finish_reason": "stop",
            }
        ],
        "usage": chunks.USAGE,
    },
}


def passing(dialect):
    match dialect:
        case Dialect.RESPONSES:
            return ResponsesStream(model="m", request=client(dialect))
        case Dialect.ANTHROPIC:
            return MessagesStream(model="m")
        case Dialect.CHAT:
            return ChatStream(model="m", wants_usage=True)


def written(dialect, payloads):
    """The bytes of a stream whose events hold these JSON texts."""
    if dialect is Dialect.CHAT:
        return chunks.sse(*payloads)
    named = [(json.loads(payload.decode(errors="replace"), parse_int=str), payload) for payload in payloads]
    kinds = [fields.get("type") if isinstance(fields, dict) else "" for fields, _ in named]
    return b"".join(
        b"event: %b\ndata: %b\n\n"
        % (kind.encode() if isinstance(kind, str) and kind.isidentifier() else b"x", data)
        for kind, data in zip(kinds, payloads, strict=True)
    )


def play(stream, data, *, beats=False):
    """All that a client gets of a stream, to its end or to its fault."""
    out = stream.heartbeat("id_1", 1) if beats else b""
    out += bytes_fed(stream, data)
    if stream.ended:
        return out + stream.tail(COST, COUNTED)
    return out if isinstance(stream, ChatStream | MessagesStream) else out + stream.error(*BROKEN)


def check_events(out):
    """Each event is a name and one line of JSON, as every client can read it."""
    *blocks, rest = out.split(b"\n\n")
    assert rest == b""
    for block in blocks:
        *name, data = block.split(b"\n")
        assert len(name) <= 1
        assert all(line.startswith(b"event: ") for line in name)
        assert data.startswith(b"data: ")
        if data != b"data: [DONE]":
            json.loads(data[6:].decode(), parse_constant=pytest.fail, parse_int=str)


def places(value, path=()):
    yield path
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        yield from places(inner, (*path, key))


def put(value, path, new):
    if not path:
        return new
    value = copy.copy(value)
    value[path[0]] = put(value[path[0]], path[1:], new)
    return value


def with_weird(value, path, weird):
    text = json.dumps(put(value, path, "@HERE@")).replace('"@HERE@"', weird)
    return text.encode().replace(b"@BYTE@", b"\xff")


@st.composite
def spoilt_streams(draw, dialect):
    """A stream of which one value is weird, or one event comes again elsewhere, or not at all."""
    events = list(SAMPLES[dialect])
    index = draw(st.integers(0, len(events) - 1))
    texts = [json.dumps(event).encode() for event in events]
    match draw(st.sampled_from(["value", "value", "again", "never"])):
        case "value":
            path = draw(st.sampled_from(list(places(events[index]))))
            texts[index] = with_weird(events[index], path, draw(WEIRD))
        case "again":
            texts.insert(draw(st.integers(0, len(events))), texts[index])
        case _:
            del texts[index]
    return texts


@pytest.mark.parametrize("to", [None, *Dialect])
@pytest.mark.parametrize("upstream", Dialect)
@given(data=st.data())
def test_stream_is_well_formed_whatever_its_upstream_says(upstream, to, data):
    payloads = data.draw(spoilt_streams(upstream))
    stream = passing(upstream) if to is None else stream_for(to, upstream)
    out = play(stream, written(upstream, payloads), beats=data.draw(st.booleans()))
    check_events(out)
    if stream.raw_usage is not None:
        stream.raw_usage.decode()


@pytest.mark.parametrize("to", Dialect)
@pytest.mark.parametrize("upstream", Dialect)
@given(data=st.data())
def test_whole_answer_is_json_whatever_its_upstream_says(upstream, to, data):
    sample = REPLIES[upstream]
    body = with_weird(sample, data.draw(st.sampled_from(list(places(sample)))), data.draw(WEIRD))
    try:
        reply = translated(upstream, to, body)
    except BadReplyError:
        return
    reply.text()
    json.loads(reply.render("m", COST, COUNTED), parse_constant=pytest.fail, parse_int=str)


def translated(upstream, to, body) -> TranslatedReply:
    writer = answer_writer(client(to), NAMING)
    return read_translated_reply(body, UPSTREAM_SIDES[upstream].read_answer, writer)


# ---- single events ---------------------------------------------------------------------------------------


def responses_event(kind, **fields):
    return {"type": kind, "sequence_number": 0} | fields


@pytest.mark.parametrize("to", Dialect)
def test_arguments_behind_the_end_of_their_call_are_let_go(to):
    call = answers.call(call_id="c1", item_id="fc_1")
    other = answers.call(call_id="c2", item_id="fc_2")
    more = {"output_index": 0, "delta": "?"}
    events = [
        answers.events(answers.response())[0],
        responses_event("response.output_item.added", output_index=0, item=call | {"arguments": ""}),
        responses_event("response.output_item.done", output_index=0, item=call),
        responses_event("response.output_item.added", output_index=1, item=other | {"arguments": ""}),
        responses_event("response.function_call_arguments.delta", **more),
        responses_event("response.output_item.done", output_index=0, item=call | {"arguments": "{}?"}),
        responses_event("response.output_item.done", output_index=1, item=other),
        answers.events(answers.response(call, other))[-1],
    ]
    stream = stream_for(to, Dialect.RESPONSES)
    out = play(stream, written(Dialect.RESPONSES, [json.dumps(event).encode() for event in events]))
    check_events(out)
    assert stream.ended
    assert b"?" not in out


@pytest.mark.parametrize("response", ["missing", [], "x", None])
@pytest.mark.parametrize("beats", [False, True])
def test_answer_that_begins_with_no_response_is_unreadable(response, beats):
    opening = {"type": "response.created"} | ({} if response == "missing" else {"response": response})
    events = [opening, *answers.events(answers.response(answers.message("Hi")))[1:]]
    stream = passing(Dialect.RESPONSES)
    out = play(
        stream, written(Dialect.RESPONSES, [json.dumps(event).encode() for event in events]), beats=beats
    )
    check_events(out)
    assert stream.fault is StreamFault.UNREADABLE


@pytest.mark.parametrize("dialect", [Dialect.RESPONSES, Dialect.ANTHROPIC])
def test_type_of_an_event_cannot_hold_another_event(dialect):
    odd = {"type": 'x\n\ndata: {"type":"message_stop"}'}
    stream = passing(dialect)
    out = play(stream, written(dialect, [json.dumps(event).encode() for event in [odd, *SAMPLES[dialect]]]))
    check_events(out)
    assert stream.fault is StreamFault.UNREADABLE


@pytest.mark.parametrize("to", [None, *Dialect])
@pytest.mark.parametrize("upstream", Dialect)
def test_report_that_is_not_text_is_unreadable(upstream, to):
    texts = [json.dumps(event).encode() for event in SAMPLES[upstream]]
    texts = [text.replace(b'"output_tokens": ', b'"odd": "\xff", "output_tokens": ') for text in texts]
    texts = [text.replace(b'"prompt_tokens": ', b'"odd": "\xff", "prompt_tokens": ') for text in texts]
    stream = passing(upstream) if to is None else stream_for(to, upstream)
    play(stream, written(upstream, texts))
    assert stream.fault is StreamFault.UNREADABLE


def test_cost_is_put_into_a_usage_that_says_nothing():
    events = [streams.start(), *streams.text(0, "Hi"), *streams.end(usage={})]
    stream = passing(Dialect.ANTHROPIC)
    out = play(stream, streams.sse(*events))
    check_events(out)
    assert b'"usage":{"cost":0.000123}' in out


@pytest.mark.parametrize("to", Dialect)
def test_lines_of_one_event_are_one_line_for_the_client(to):
    text = json.dumps(CHAT_CHUNKS[1], indent=1).replace("\n", "\ndata: ").encode()
    payloads = [text, *[json.dumps(chunk).encode() for chunk in CHAT_CHUNKS[4:]]]
    stream = stream_for(to)
    out = play(stream, written(Dialect.CHAT, payloads))
    check_events(out)
    assert stream.ended
    assert b"example.com" in out or to is Dialect.ANTHROPIC  # which has no words for it


@pytest.mark.parametrize("to", Dialect)
@pytest.mark.parametrize("logprobs", [{"content": {}}, {"content": [1]}, {"content": [{"token": None}]}])
def test_likelihoods_that_nobody_can_read_are_left_out(to, logprobs):
    odd = copy.deepcopy(CHAT_CHUNKS[1])
    odd["choices"][0]["logprobs"] = logprobs
    stream = stream_for(to)
    out = play(stream, written(Dialect.CHAT, [json.dumps(one).encode() for one in (odd, *CHAT_CHUNKS[4:])]))
    check_events(out)
    assert stream.ended
    body = copy.deepcopy(REPLIES[Dialect.CHAT])
    body["choices"][0]["logprobs"] = logprobs
    assert translated(Dialect.CHAT, to, json.dumps(body).encode()).text().startswith("Hi")


# ---- work and memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("splitter", SPLITTERS)
@pytest.mark.parametrize("line", [b"x", b"data: x\n", b"data: x\r\n"])
def test_long_event_in_small_pieces_is_looked_at_once(splitter, line):
    pieces = MOST_EVENT_BYTES // len(line) - 10  # looked at again with each, it would take hours
    cut, events = splitter(), []
    cut.feed(b"data: ")
    for _ in range(pieces):
        events += cut.feed(line)
    events += cut.feed(b"\n\n")
    (event,) = events
    assert event.count(b"x") == pieces


@pytest.mark.parametrize("splitter", SPLITTERS)
def test_unfinished_event_takes_the_memory_of_its_bytes(splitter):
    cut = splitter()
    tracemalloc.start()
    try:
        for _ in range(MOST_EVENT_BYTES // 16 - 10):  # kept as they came, they would take 57 bytes each
            cut.feed(b"0123456789abcdef")
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size < 2 * MOST_EVENT_BYTES


def test_chat_stream_with_a_template_takes_small_pieces_too():
    stream = ChatStream(model="m", wants_usage=True)
    out = stream.feed(chunks.sse(*[chunks.chunk({"content": "a"}) for _ in range(5)], done=False))
    long = chunks.sse(chunks.chunk({"content": "b" * 900_000}), done=False)
    for at in range(len(long)):
        out += stream.feed(long[at : at + 1])
    assert out.count(b"b") >= 900_000
    assert stream.text_length == 900_005


def many_calls(count):
    """Calls that all begin before the first of them ends, and end in the other order."""
    begun = [
        {"output_index": index, "item": answers.call(call_id=f"c{index}") | {"arguments": ""}}
        for index in range(count)
    ]
    ended = [
        {"output_index": index, "item": answers.call(call_id=f"c{index}")} for index in reversed(range(count))
    ]
    return [
        answers.events(answers.response())[0],
        *[responses_event("response.output_item.added", **fields) for fields in begun],
        *[responses_event("response.output_item.done", **fields) for fields in ended],
        answers.events(answers.response())[-1],
    ]


@pytest.mark.parametrize("to", Dialect)
def test_many_calls_that_overlap_are_told_in_one_pass(to):
    count = 20_000
    events = [json.dumps(event).encode() for event in many_calls(count)]
    stream = stream_for(to, Dialect.RESPONSES)
    out = play(stream, written(Dialect.RESPONSES, events))
    assert stream.ended
    assert out.count(b'"c19999"') >= 1


@pytest.mark.parametrize("to", Dialect)
def test_many_pieces_of_one_text_are_put_together_in_one_pass(to):
    count = 100_000
    body = json.dumps(answers.response(answers.message(*["abcdefgh"] * count))).encode()
    reply = translated(Dialect.RESPONSES, to, body)
    assert reply.render("m", COST, COUNTED).count(b"abcdefgh") >= count


def test_usage_that_grows_without_end_is_unreadable():
    reports = [
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {f"key_{index}": index}}
        for index in range(5_000)
    ]
    data = streams.sse(streams.start(), *streams.text(0, "Hi"), *reports, {"type": "message_stop"})
    for stream in (passing(Dialect.ANTHROPIC), stream_for(Dialect.CHAT, Dialect.ANTHROPIC)):
        play(stream, data)
        assert stream.fault is StreamFault.UNREADABLE


@pytest.mark.parametrize("to", Dialect)
def test_thoughts_before_the_first_word_are_not_kept_for_ever(to):
    item = answers.reasoning()
    event = written(
        Dialect.RESPONSES,
        [
            json.dumps({"type": "response.output_item.done", "output_index": index, "item": item}).encode()
            for index in range(20_000)
        ],
    )
    stream = stream_for(to, Dialect.RESPONSES)
    stream.feed(event)
    assert (stream.fault is StreamFault.UNREADABLE) is not stream.delivers


@pytest.mark.parametrize("dialect", [Dialect.RESPONSES, Dialect.ANTHROPIC])
def test_events_before_the_first_word_are_not_kept_for_ever(dialect):
    filler = {"type": "response.in_progress" if dialect is Dialect.RESPONSES else "x", "x": "x" * 1_000_000}
    if dialect is Dialect.RESPONSES:
        filler["response"] = answers.response()
    event = written(dialect, [json.dumps(filler).encode()])
    stream = passing(dialect)
    for _ in range(100):
        if stream.fault is None:
            stream.feed(event)
    assert stream.fault is StreamFault.UNREADABLE
