"""A Chat stream on its way through: what the client gets, and what is learned."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes import specification
from fakes.chunks import HEAD, USAGE, chunk, payloads, sse, whole
from fakes.feeding import bytes_fed
from runapi.core import problems
from runapi.core.usage import Usage
from runapi.wire.delivery import MOST_TEXT_KEPT
from runapi.wire.openai_chat.stream import ChatStream, StreamFault, error_event

COUNTED = Usage(input=7, output=2)


def relay(data, *, wants_usage=False, cuts=(), counted=COUNTED):
    stream = ChatStream(model="gpt-5.5", wants_usage=wants_usage)
    out = bytes_fed(stream, data, cuts)
    if stream.ended:
        out += stream.tail("0.000123", counted)
    return stream, out


@pytest.mark.parametrize("wants_usage", [False, True])
@pytest.mark.parametrize("spaced", [False, True])
def test_every_chunk_is_valid_and_named_as_the_client_named_the_model(wants_usage, spaced):
    _, out = relay(whole(spaced=spaced), wants_usage=wants_usage)
    *chunks, end = payloads(out)
    assert end == "[DONE]"
    for got in chunks:
        specification.check_chunk(got)
        assert (got["model"], got["id"], got["created"]) == ("gpt-5.5", HEAD["id"], HEAD["created"])


@pytest.mark.parametrize("spaced", [False, True])
def test_usage_rides_on_the_finishing_chunk_of_a_client_that_did_not_ask(spaced):
    _, out = relay(whole(spaced=spaced))
    *chunks, finish, _ = payloads(out)
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert finish["usage"] == USAGE | {"cost": 0.000123}
    assert all("usage" not in got for got in chunks)


@pytest.mark.parametrize("spaced", [False, True])
def test_usage_comes_as_a_chunk_of_its_own_to_a_client_that_asked(spaced):
    _, out = relay(whole(spaced=spaced), wants_usage=True)
    *chunks, usage, _ = payloads(out)
    assert usage["choices"] == []
    assert usage["usage"] == USAGE | {"cost": 0.000123}
    assert all(got["usage"] is None for got in chunks)


@given(
    texts=st.lists(st.text(max_size=8), max_size=5),
    wants_usage=st.booleans(),
    spaced=st.booleans(),
    data=st.data(),
)
def test_any_cutting_of_the_upstreams_bytes_gives_the_same_bytes_to_the_client(
    texts, wants_usage, spaced, data
):
    upstream = whole(spaced=spaced, texts=texts)
    cuts = data.draw(st.lists(st.integers(0, len(upstream)), max_size=10))
    _, expected = relay(upstream, wants_usage=wants_usage)
    stream, got = relay(upstream, wants_usage=wants_usage, cuts=cuts)
    assert got == expected
    assert stream.text == "".join(texts)
    assert stream.delivers == any(texts)


@given(text=st.text(min_size=1).filter(str.strip))
def test_text_that_looks_like_our_fields_passes_untouched(text):
    trap = text + '"model":"gpt-5.5-2026-04-23","usage":null,"id":"chatcmpl-up" data: [DONE]\n\n'
    _, out = relay(whole(texts=(trap,)))
    assert payloads(out)[1]["choices"][0]["delta"]["content"] == trap


def test_bytes_that_need_no_change_are_not_changed():
    odd = b'{"id":"chatcmpl-up", "choices":[{"delta":{"content":"\\u00e9", "x_new":[1.50,1e3]},"index":0}] ,"model":"gpt-5.5"}'
    stream = ChatStream(model="gpt-5.5", wants_usage=False)
    assert stream.feed(b"data: " + odd + b"\n\n") == b"data: " + odd + b"\n\n"


def test_counts_are_disjoint_and_the_tier_is_noted():
    stream, _ = relay(whole())
    assert stream.usage == Usage(input=15, cached=4, output=10, reasoning=3)
    assert stream.service_tier == "default"


@pytest.mark.parametrize(
    ("upstream", "fault"),
    [
        (whole()[: -len(b"data: [DONE]\n\n")][:300], StreamFault.TRUNCATED),
        (sse(chunk({"content": "a"})), StreamFault.TRUNCATED),
        (sse(chunk({"content": "a"}), done=False), StreamFault.TRUNCATED),
        (b"", StreamFault.TRUNCATED),
        (sse(chunk({"content": "a"}), b'{"error":{"message":"no"}}'), StreamFault.ERROR),
        (sse(b'{"choices":['), StreamFault.UNREADABLE),
        (sse(b"<html>"), StreamFault.UNREADABLE),
        (sse(b'{"choices":[{"delta":{"content":"\xff"}}]}'), StreamFault.UNREADABLE),
        (sse(b"[" * 100_000), StreamFault.UNREADABLE),
        (sse(b'{"choices":NaN}'), StreamFault.UNREADABLE),
        (b"data: " + b"x" * 1_100_000, StreamFault.UNREADABLE),
    ],
)
def test_a_broken_stream_is_never_taken_for_a_whole_one(upstream, fault):
    stream, out = relay(upstream)
    assert not stream.ended
    assert stream.fault is fault
    assert b"[DONE]" not in out


def test_an_end_without_the_end_marker_is_whole_when_the_model_has_finished():
    stream, out = relay(whole().removesuffix(b"data: [DONE]\n\n"))
    assert stream.ended
    assert payloads(out)[-1] == "[DONE]"


def test_the_last_of_several_usage_reports_holds():
    first = USAGE | {"completion_tokens": 1}
    upstream = sse(
        chunk({"role": "assistant", "content": "a"}, usage=first),
        chunk({"content": "b"}, usage=first),
        chunk({}, "stop", usage=USAGE),
    )
    for wants_usage in (False, True):
        stream, out = relay(upstream, wants_usage=wants_usage)
        assert stream.usage is not None
        assert stream.usage.output == 10
        reports = [got["usage"] for got in payloads(out)[:-1] if got.get("usage")]
        assert reports == [USAGE | {"cost": 0.000123}]


@pytest.mark.parametrize(
    "lie",
    [
        {"prompt_tokens": -1},
        {"completion_tokens": "7"},
        {"prompt_tokens": 1e18},
        {"completion_tokens": True},
        {"prompt_tokens": 1.5},
    ],
)
@pytest.mark.parametrize("wants_usage", [False, True])
def test_usage_that_cannot_be_true_is_replaced_by_our_own_count(lie, wants_usage):
    stream, out = relay(
        sse(chunk({"content": "a"}), chunk({}, "stop"), chunk(usage=USAGE | lie)), wants_usage=wants_usage
    )
    assert stream.usage is None
    [report] = [got["usage"] for got in payloads(out)[:-1] if got.get("usage")]
    assert (report["prompt_tokens"], report["completion_tokens"]) == (7, 2)


def test_several_choices_finish_each_for_itself_and_usage_comes_last():
    upstream = sse(
        chunk({"role": "assistant", "content": "a"}),
        chunk({"role": "assistant", "content": "b"}, index=1),
        chunk({}, "stop"),
        chunk({"content": "c"}, index=1),
        chunk({}, "length", index=1),
        chunk(usage=USAGE),
    )
    _, out = relay(upstream)
    *chunks, _ = payloads(out)
    assert [got["choices"][0]["finish_reason"] for got in chunks] == [None, None, "stop", None, "length"]
    assert [bool(got.get("usage")) for got in chunks] == [False] * 4 + [True]


def test_heartbeats_before_the_first_chunk_lend_their_name_to_the_rest():
    stream = ChatStream(model="gpt-5.5", wants_usage=False)
    beat = stream.heartbeat("chatcmpl-ours", 1_800_000_000)
    out = beat + stream.feed(whole()) + stream.tail("0", COUNTED)
    *chunks, _ = payloads(out)
    assert {(got["id"], got["created"], got["model"]) for got in chunks} == {
        ("chatcmpl-ours", 1_800_000_000, "gpt-5.5")
    }
    assert chunks[0]["choices"] == [{"index": 0, "delta": {}, "finish_reason": None}]
    for got in chunks:
        specification.check_chunk(got)


def test_a_second_attempt_goes_on_under_the_first_ones_name_with_one_role():
    stream = ChatStream(model="gpt-5.5", wants_usage=True)
    out = stream.feed(sse(chunk({"role": "assistant", "content": ""}), done=False))
    assert not stream.delivers
    stream.restart()
    other = HEAD | {"id": "chatcmpl-other", "created": 5}
    out += stream.feed(
        sse(
            chunk({"role": "assistant", "content": ""}, head=other),
            chunk({"content": "a"}, head=other),
            chunk({}, "stop", head=other),
            chunk(usage=USAGE, head=other),
        )
    )
    out += stream.tail("0", COUNTED)
    *chunks, _ = payloads(out)
    assert {(got["id"], got["created"]) for got in chunks} == {(HEAD["id"], HEAD["created"])}
    assert [got["choices"][0]["delta"].get("role") for got in chunks if got["choices"]] == [
        "assistant",
        None,
        None,
    ]


def test_tool_calls_refusals_and_custom_inputs_count_as_delivered_text():
    calls = [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}}]
    custom = [{"index": 1, "id": "d", "type": "custom", "custom": {"name": "g", "input": "x"}}]
    for delta, text in (
        ({"tool_calls": calls}, 'f{"a":1}'),
        ({"refusal": "no"}, "no"),
        ({"tool_calls": custom}, "gx"),
    ):
        stream, _ = relay(sse(chunk(delta), chunk({}, "stop")))
        assert stream.delivers
        assert stream.text == text


def test_kept_text_is_bounded_while_its_length_is_exact():
    texts = ["x" * 1000] * 200
    stream, _ = relay(whole(texts=texts))
    assert stream.text_length == 200_000
    assert len(stream.text) < MOST_TEXT_KEPT + 2000


def test_the_error_event_has_all_four_keys():
    event = error_event(problems.stream_failed())
    assert event.startswith(b"data: ")
    specification.check_error(json.loads(event[6:]))
