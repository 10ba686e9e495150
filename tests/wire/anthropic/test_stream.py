"""A Messages stream on its way through: what the client gets, and what is learned."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.anthropic_stream import read_events
from fakes.feeding import bytes_fed
from runapi.core import problems
from runapi.core.usage import Usage
from runapi.wire.anthropic.stream import MessagesStream
from runapi.wire.delivery import MOST_TEXT_KEPT
from runapi.wire.neutral import Failure
from runapi.wire.openai_chat.stream import StreamFault
from wire.anthropic.streams import (
    COUNTED,
    END_USAGE,
    PING,
    START_USAGE,
    USAGE,
    WHOLE,
    block,
    call,
    end,
    event,
    sse,
    start,
    text,
    thought,
)


def relay(data, *, cuts=(), counted=COUNTED, model="claude-ours"):
    stream = MessagesStream(model=model)
    out = bytes_fed(stream, data, cuts)
    if stream.ended:
        out += stream.tail("0.000123", counted)
    return stream, out


def test_events_pass_byte_for_byte_but_for_the_model_and_the_cost():
    quiet = WHOLE.replace(event(PING), b"")
    _, out = relay(WHOLE)
    priced = quiet.replace(b'"model":"claude-up"', b'"model":"claude-ours"').replace(
        b'"usage":{"output_tokens":31}', b'"usage":{"output_tokens":31,"cost":0.000123}'
    )
    assert out == priced


def test_bytes_that_need_no_change_are_not_changed():
    odd = b'{"index":0, "type":"content_block_delta","delta":{"type":"text_delta","text":"\\u00e9", "x":[1.50,1e3]}}'
    stream = MessagesStream(model="claude-up")
    begun = sse(start(), text(0)[0])
    assert stream.feed(begun + b"data: " + odd + b"\n\n") == (
        begun + b"event: content_block_delta\ndata: " + odd + b"\n\n"
    )


@given(texts=st.lists(st.text(min_size=1, max_size=8), max_size=4), data=st.data())
def test_any_cutting_of_the_upstreams_bytes_gives_the_same_bytes_to_the_client(texts, data):
    upstream = sse(start(), PING, *text(0, *texts), PING, *call(1, "{}"), *end("tool_use"))
    cuts = data.draw(st.lists(st.integers(0, len(upstream)), max_size=10))
    _, expected = relay(upstream)
    stream, got = relay(upstream, cuts=cuts)
    assert got == expected
    assert stream.text == "".join(texts) + "look{}"


@given(word=st.text(min_size=1).filter(str.strip))
def test_text_that_looks_like_our_fields_passes_untouched(word):
    trap = word + '"model":"claude-up","usage":{"output_tokens":31} event: message_stop\n\n'
    _, out = relay(sse(start(), *text(0, trap), *call(1, json.dumps({"model": "claude-up"})), *end()))
    events = read_events(out)
    assert events[2]["delta"]["text"] == trap
    assert json.loads(events[5]["delta"]["partial_json"]) == {"model": "claude-up"}


def test_the_models_name_is_put_right_in_the_message_alone():
    odd = start() | {"model": "claude-up"}
    odd["message"] = {"content": [{"model": "claude-up"}], **odd["message"], "x": {"model": "claude-up"}}
    _, out = relay(sse(odd, *text(0, "a"), *end()))
    begun = read_events(out)[0]
    assert begun["message"]["model"] == "claude-ours"
    assert (begun["model"], begun["message"]["x"]) == ("claude-up", {"model": "claude-up"})


@given(data=st.data())
def test_nothing_before_the_tail_looks_like_an_end(data):
    upstream = data.draw(st.sampled_from([WHOLE, sse(start(), *text(0, "a"), *end())]))
    stream = MessagesStream(model="claude-ours")
    out = bytes_fed(stream, upstream, data.draw(st.lists(st.integers(0, len(upstream)), max_size=5)))
    assert b"message_delta" not in out
    assert b"message_stop" not in out


def test_counts_are_disjoint_and_the_whole_report_is_kept():
    stream, _ = relay(WHOLE)
    assert (stream.usage, stream.service_tier) == (USAGE, "default")
    assert json.loads(stream.raw_usage) == START_USAGE | END_USAGE


@pytest.mark.parametrize("lie", [{"output_tokens": -1}, {"output_tokens": "x"}, {"input_tokens": 1.5}])
def test_usage_that_cannot_be_true_is_replaced_by_our_own_count(lie):
    stream, out = relay(sse(start(), *text(0, "a"), *end(usage=END_USAGE | lie)))
    assert (stream.usage, stream.raw_usage) == (None, None)
    usage = read_events(out)[-2]["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["cost"]) == (7, 5, 0.000123)


def test_a_cost_of_the_upstreams_makes_way_for_ours():
    _, out = relay(sse(start(), *text(0, "a"), *end(usage=END_USAGE | {"cost": 9})))
    assert read_events(out)[-2]["usage"] == END_USAGE | {"cost": 0.000123}


def test_an_end_without_usage_gets_one():
    delta, stop = end()
    del delta["usage"]
    _, out = relay(sse(start(START_USAGE | END_USAGE), *text(0, "a"), delta, stop))
    assert read_events(out)[-2]["usage"]["output_tokens"] == 31


def test_of_several_ends_the_client_gets_one():
    first, _ = end(usage={"output_tokens": 3, "input_tokens": 19})
    last, stop = end(reason=None, usage={"output_tokens": 31})
    stream, out = relay(sse(start(), *text(0, "a"), first, last, stop))
    *_, delta, _ = read_events(out)
    assert stream.usage == USAGE
    assert delta["delta"]["stop_reason"] == "end_turn"
    assert delta["usage"] == {"output_tokens": 31, "input_tokens": 19, "cost": 0.000123}
    assert [event_["type"] for event_ in read_events(out)].count("message_delta") == 1


@pytest.mark.parametrize(
    ("upstream", "fault"),
    [
        (sse(start(), *text(0, "a")), StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a"), {"type": "message_stop"}), StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a")) + b"data: [DONE]\n\n", StreamFault.TRUNCATED),
        (b"", StreamFault.TRUNCATED),
        (WHOLE[:-200], StreamFault.TRUNCATED),
        (sse(start(), *text(0, "a")) + b"data: {\n\n", StreamFault.UNREADABLE),
        (sse(start(), *text(0, "a")) + b'data: {"x":1}\n\n', StreamFault.UNREADABLE),
        (sse({"type": "message_start", "message": 7}), StreamFault.UNREADABLE),
        (b"data: " + b"x" * 1_100_000, StreamFault.UNREADABLE),
    ],
)
def test_a_broken_stream_is_never_taken_for_a_whole_one(upstream, fault):
    stream, out = relay(upstream)
    assert not stream.ended
    assert stream.fault is fault
    assert b"message_stop" not in out


def test_an_error_of_the_upstreams_is_understood_and_not_passed_on():
    error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
    stream, out = relay(sse(start(), *text(0, "a"), error, *end()))
    assert stream.fault is StreamFault.ERROR
    assert stream.failure == Failure("overloaded_error", "Overloaded")
    assert b"Overloaded" not in out


def test_an_end_without_its_marker_is_whole_once_there_is_a_reason():
    stream, out = relay(sse(start(), *text(0, "a"), end()[0]))
    assert stream.ended
    assert read_events(out)[-1] == {"type": "message_stop"}


def test_an_upstream_that_delivered_nothing_leaves_nothing_with_the_client():
    stream = MessagesStream(model="claude-ours")
    assert stream.feed(sse(start(), PING, text(0)[0])) == b""
    assert not stream.delivers
    stream.restart()
    out = stream.heartbeat() + stream.feed(sse(start(), *text(0, "a"), *end())) + stream.tail("0", COUNTED)
    ping, begun, *_ = read_events(out)
    assert ping == PING
    assert begun["message"]["model"] == "claude-ours"
    assert [event_["type"] for event_ in read_events(out)].count("message_start") == 1


@pytest.mark.parametrize(
    ("upstream", "delivers"),
    [
        (text(0), False),
        (text(0, "a"), True),
        (thought(0), False),
        (thought(0, "Hm."), True),
        (block(0, type="redacted_thinking", data="x"), False),
        (call(0), True),
        (block(0, type="server_tool_use", id="s", name="web_search", input={}), True),
        (block(0, type="brand_new"), True),
    ],
)
def test_an_answer_delivers_with_its_first_words_or_call(upstream, delivers):
    stream, out = relay(sse(start(), *upstream, *end()))
    assert stream.delivers is delivers
    assert read_events(out)[0]["type"] == "message_start"
    assert len(read_events(out)) == 3 + len(upstream)


def test_pings_and_events_that_are_not_known_pass_once_the_answer_has_begun():
    new = {"type": "brand_new", "x": 1}
    _, out = relay(sse(start(), PING, *text(0, "a"), PING, new, *end()))
    assert [event_["type"] for event_ in read_events(out)][-4:] == [
        "ping",
        "brand_new",
        "message_delta",
        "message_stop",
    ]


def test_kept_text_is_bounded_while_its_length_is_exact():
    stream, _ = relay(sse(start(), *text(0, *["x" * 1000] * 200), *end()))
    assert stream.text_length == 200_000
    assert len(stream.text) < MOST_TEXT_KEPT + 2000


def test_half_an_emoji_passes_as_it_came():
    broken = event(text(0, "~")[1]).replace(b"~", b"\\ud83d")
    stream, out = relay(sse(start(), text(0)[0]) + broken + sse(text(0)[1], *end()))
    assert broken in out
    assert stream.ended


def test_the_last_event_of_a_broken_stream_is_anthropics_error():
    assert read_events(MessagesStream(model="m").error(problems.shutting_down(), "req_1")) == [
        {
            "type": "error",
            "error": {
                "type": "overloaded_error",
                "message": "The server is restarting. Try again in a few seconds.",
            },
            "request_id": "req_1",
        }
    ]


def test_a_tail_without_an_end_is_a_mistake():
    with pytest.raises(ValueError, match="not ended"):
        MessagesStream(model="m").tail("0", Usage())
