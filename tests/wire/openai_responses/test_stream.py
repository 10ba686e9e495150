"""A Responses stream on its way through: what the client gets, and what is learned."""

import functools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import omit
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import ResponseStreamEvent
from pydantic import TypeAdapter

from fakes import specification
from fakes.feeding import bytes_fed
from runapi.core import problems
from runapi.core.usage import Usage
from runapi.wire.delivery import MOST_TEXT_KEPT
from runapi.wire.neutral import Failure
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.openai_responses import event_blocks
from runapi.wire.openai_responses.stream import ResponsesStream
from wire.openai_responses import answers
from wire.openai_responses.answers import call, custom_call, message, reasoning, refusal_part, text_part
from wire.openai_responses.asking import CODEX, request

COUNTED = Usage(input=7, output=2)
COST = "0.000123"
OURS, NOW_S = "resp_ours", 1_795_000_000
SEARCH = {
    "id": "ws_1",
    "type": "web_search_call",
    "status": "completed",
    "action": {"type": "search", "query": "x"},
}
FULL = (
    reasoning("**Look**", "it up"),
    SEARCH,
    message(text_part("Hel. Lo 🌍!", [answers.CITATION], [answers.LOGPROB]), refusal_part("No.")),
    call(),
    custom_call(),
)
UNKNOWN = {"type": "response.steer.delta", "delta": {"new": 1}, "sequence_number": 7}


def stream(**fields):
    return ResponsesStream(model="gpt-5.5", request=request(**fields))


def relay(data, cuts=(), *, one=None, counted=COUNTED):
    one = one or stream()
    out = bytes_fed(one, data, cuts)
    if one.ended:
        out += one.tail(COST, counted)
    return one, out


def renamed(data):
    return data.replace(b'"model":"gpt-5.5-2026-04-23"', b'"model":"gpt-5.5"')


def with_cost(data):
    return data.replace(b'"total_tokens":2135}', b'"total_tokens":2135,"cost":0.000123}')


def as_the_sdk_reads(events):
    state = ResponseStreamState(input_tools=omit, text_format=omit)
    adapter = TypeAdapter(ResponseStreamEvent)
    told = [made for event in events for made in state.handle_event(adapter.validate_python(event))]
    return told[-1].response


def numbers(events):
    return [event["sequence_number"] for event in events]


def test_every_byte_passes_but_the_models_name_and_the_cost():
    data = answers.stream(*FULL)
    one, out = relay(data)
    assert out == with_cost(renamed(data))
    assert one.ended


def test_nothing_is_altered_where_the_name_is_the_clients_and_other_layouts_stay():
    told = answers.events(answers.response(message("Hi"), model="gpt-5.5"))
    data = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in told).encode()
    _, out = relay(data)
    assert out == data.replace(b'"total_tokens": 2135}', b'"total_tokens": 2135,"cost":0.000123}')


@given(st.lists(st.integers(0, len(answers.stream(*FULL))), max_size=12))
def test_any_split_of_the_bytes_gives_the_same(cuts):
    data = answers.stream(*FULL)
    assert relay(data, cuts)[1] == relay(data)[1]


def test_each_byte_alone_gives_the_same():
    data = answers.stream(*FULL)
    one, out = relay(data, range(len(data)))
    assert out == relay(data)[1]
    assert one.text == relay(data)[0].text


@pytest.mark.parametrize("ends", [b"\r\n", b"\r", b"\n"])
def test_other_layouts_of_the_same_events_come_out_as_openai_writes_them(ends):
    data = answers.stream(*FULL)
    odd = b"\xef\xbb\xbf: hello\n\n" + data.replace(b"\n\nevent:", b"\n\n: ping\n\nid: 7\nretry: 5\nevent:")
    odd = odd.replace(b"data: ", b"data:").replace(b'"sequence_number":3', b'"sequence_number":\ndata: 3')
    assert relay(odd.replace(b"\n", ends))[1] == relay(data)[1].replace(
        b'"sequence_number":3', b'"sequence_number": 3'
    )


def test_event_without_its_name_gets_it():
    data = b"\n\n".join(line for line in answers.stream(message("Hi")).split(b"\n") if line[:5] == b"data:")
    assert relay(data + b"\n\n")[1] == relay(answers.stream(message("Hi")))[1]


def test_nothing_leaves_before_the_answer_says_something():
    one = stream()
    told = answers.events(answers.response(*FULL))
    first = next(index for index, event in enumerate(told) if "delta" in event)
    assert one.feed(answers.sse(told[:first])) == b""
    assert not one.delivers
    assert one.feed(answers.sse(told[first : first + 1])) == renamed(answers.sse(told[: first + 1]))
    assert one.delivers


@pytest.mark.parametrize("item", [call(), custom_call(), SEARCH, {"type": "unheard_of", "content": 7}])
def test_item_that_is_no_text_delivers_by_being_there(item):
    told = answers.events(answers.response(message("Hi")))
    added = {"type": "response.output_item.added", "sequence_number": 2, "output_index": 0, "item": item}
    one = stream()
    assert one.feed(answers.sse([*told[:2], added])) != b""
    assert one.delivers


def test_end_is_held_back_until_the_tail():
    one = stream()
    data = answers.stream(message("Hi"))
    assert b"response.completed" not in one.feed(data)
    assert one.ended
    (end,) = answers.read(one.tail(COST, COUNTED))
    assert (end["type"], end["response"]["usage"]["cost"]) == ("response.completed", 0.000123)


def test_tail_before_the_end_is_a_mistake():
    with pytest.raises(ValueError, match="ended"):
        stream().tail(COST, COUNTED)


def test_counts_tier_and_tools_of_the_upstream_are_learned():
    one, _ = relay(answers.stream(*FULL))
    assert one.usage == Usage(input=1024, cached=1024, output=87, reasoning=64)
    assert json.loads(one.raw_usage) == answers.USAGE
    assert one.service_tier == "default"
    assert one.hosted_calls == {"web_search_call": 1}


def test_text_is_all_that_the_model_wrote():
    one, _ = relay(answers.stream(*FULL))
    words = "**Look**it upHel. Lo 🌍!No.look_up" + '{"city":"Oslo"}' + "apply_patch*** Begin Patch"
    assert one.text == words
    assert one.text_length == len(words)


def test_only_the_beginning_of_a_long_answer_is_kept():
    one, _ = relay(answers.stream(message("x" * 3 * MOST_TEXT_KEPT), pieces=30))
    assert MOST_TEXT_KEPT <= len(one.text) < 1.1 * MOST_TEXT_KEPT
    assert one.text_length == 3 * MOST_TEXT_KEPT


@pytest.mark.parametrize("usage", [None, {"input_tokens": -5, "output_tokens": 1}, "many"])
def test_counts_of_our_own_stand_in_where_the_upstreams_cannot_be_believed(usage):
    one, out = relay(answers.stream(message("Hi"), usage=usage))
    assert (one.usage, one.raw_usage) == (None, None)
    end = answers.read(out)[-1]
    specification.check_response_event(end)
    assert end["response"]["usage"] == {
        "input_tokens": 7,
        "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
        "output_tokens": 2,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 9,
        "cost": 0.000123,
    }


def test_incomplete_answer_is_an_end():
    details = {"reason": "max_output_tokens"}
    one, out = relay(answers.stream(message("Hi"), status="incomplete", incomplete_details=details))
    assert one.ended
    assert answers.read(out)[-1]["type"] == "response.incomplete"


@pytest.mark.parametrize(
    "output", [(), (reasoning(),), (message(""),), (message(text_part("")), reasoning())]
)
def test_answer_that_says_nothing_delivers_nothing_but_passes(output):
    one, out = relay(answers.stream(*output))
    assert (one.ended, one.delivers) == (True, False)
    assert answers.read(out)[-1]["type"] == "response.completed"
    assert len(answers.read(out)) == len(answers.events(answers.response(*output)))


def test_answer_that_comes_with_its_end_alone_delivers():
    one, out = relay(answers.sse(answers.events(answers.response(*FULL))[-1:]))
    assert one.delivers
    assert "Hel. Lo 🌍!" in one.text
    assert one.hosted_calls == {"web_search_call": 1}
    assert len(answers.read(out)) == 1


def test_unknown_events_fields_and_items_pass():
    told = answers.events(answers.response(message("Hi")))
    told = [*told[:2], {"type": "response.newest"}, UNKNOWN | {"new": None}, *told[2:]]
    data = answers.sse(answers.numbered(told)).replace(b'"delta":"H"', b'"extra":[1.50],"delta":"H"')
    assert relay(data)[1] == with_cost(renamed(data))


def test_odd_delta_counts_as_delivered_for_nobody_knows_what_it_holds():
    one = stream()
    assert one.feed(answers.sse([UNKNOWN])) == answers.sse([UNKNOWN])
    assert (one.delivers, one.text) == (True, "")


def test_half_a_character_passes_unless_its_event_has_to_be_written_anew():
    data = answers.stream(message("AXB"), pieces=1).replace(b'"AXB"', rb'"A\ud83dB"')
    one, out = relay(data)
    told = answers.read(out)
    assert rb'"delta":"A\ud83dB"' in out
    assert told[-1]["response"]["output"][0]["content"][0]["text"] == "A�B"
    assert one.text == "A�B"


def test_half_a_character_is_mended_in_an_event_that_is_counted_anew():
    told = answers.events(answers.response(message("AXB")), pieces=1)
    one = stream()
    one.heartbeat(OURS, NOW_S)
    one.heartbeat(OURS, NOW_S)
    out = one.feed(answers.sse(told).replace(b'"AXB"', rb'"A\ud83dB"'))
    assert numbers(answers.read(out)) == list(range(3, 3 + len(told) - 2))


# ---- heartbeats ------------------------------------------------------------------------------------------


def parts(*sizes):
    """The stream of a full answer, cut after so many events."""
    told = answers.events(answers.response(*FULL))
    return [answers.sse(told[start:end]) for start, end in zip((0, *sizes), (*sizes, None), strict=True)]


EVENTS = len(answers.events(answers.response(*FULL)))


@functools.cache
def undisturbed():
    """What the SDK makes of the full answer."""
    return as_the_sdk_reads(answers.read(relay(parts()[0])[1]))


@pytest.mark.parametrize("beats", [1, 3])
@pytest.mark.parametrize("at", range(EVENTS - 1))
def test_heartbeats_at_any_time_disturb_nothing(at, beats):
    one, (before, behind) = stream(), parts(at)
    out = one.feed(before) + b"".join(one.heartbeat(OURS, NOW_S) for _ in range(beats)) + one.feed(behind)
    events = answers.read(out + one.tail(COST, COUNTED))
    assert numbers(events) == list(range(len(events)))
    for event in events:
        specification.check_response_event(event)
    assert [event["type"] for event in events].count("response.created") == 1
    final = as_the_sdk_reads(events)
    assert final.output == undisturbed().output
    opened = events[0]["response"]
    assert (final.id, final.created_at) == (opened["id"], opened["created_at"])
    assert opened["id"] == (OURS if at == 0 else "resp_up")


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_events_behind_a_heartbeat_change_in_their_number_alone(separators):
    nested = {"sequence_number": 9, "text": '"sequence_number":9'}
    told = answers.events(answers.response(message("Hi")))
    told = answers.numbered([*told[:5], {"type": "response.newest", "nested": nested}, *told[5:]])

    def wire(events):
        blocks = [
            f"event: {one['type']}\ndata: {json.dumps(one, separators=separators)}\n\n" for one in events
        ]
        return "".join(blocks).encode()

    one = stream()
    one.feed(wire(told[:5]))
    one.heartbeat(OURS, NOW_S)
    expected = [event | {"sequence_number": event["sequence_number"] + 1} for event in told[5:-1]]
    assert one.feed(wire(told[5:])) == wire(expected)


def test_opening_event_that_comes_twice_goes_out_once():
    told = answers.events(answers.response(message("Hi")))
    _, out = relay(answers.sse(answers.numbered([*told[:2], told[0], *told[2:]])))
    kinds = [event["type"] for event in answers.read(out)]
    assert kinds.count("response.created") == 1
    assert numbers(answers.read(out)) == list(range(len(told)))


def test_heartbeat_before_the_upstream_has_begun_opens_an_answer_of_our_own():
    one = stream(**CODEX)
    opening = answers.read(one.heartbeat(OURS, NOW_S))
    assert [event["type"] for event in opening] == ["response.created", "response.in_progress"]
    response = opening[0]["response"]
    assert (response["id"], response["created_at"], response["model"]) == (OURS, NOW_S, "gpt-5.5")
    assert response["tools"] == CODEX["tools"]
    (beat,) = answers.read(one.heartbeat("resp_other", NOW_S + 9))
    assert beat == {"type": "response.in_progress", "sequence_number": 2, "response": response}


def test_heartbeat_while_the_answer_is_held_back_lets_its_opening_go():
    one, (before, behind) = stream(), parts(3)
    assert one.feed(before) == b""
    opening = one.heartbeat(OURS, NOW_S)
    assert opening == renamed(answers.sse(answers.events(answers.response(*FULL))[:2]))
    rest = one.feed(behind) + one.tail(COST, COUNTED)
    assert opening + rest == relay(parts()[0])[1]


def test_heartbeats_of_an_upstream_that_does_not_count_stay_in_their_place():
    told = [
        {name: value for name, value in event.items() if name != "sequence_number"}
        for event in answers.events(answers.response(message("Hi")))
    ]
    one = stream()
    out = one.feed(answers.sse(told[:6])) + one.heartbeat(OURS, NOW_S) + one.heartbeat(OURS, NOW_S)
    kinds = [event["type"] for event in answers.read(out + one.feed(answers.sse(told[6:])))]
    assert kinds.count("response.created") == 1
    assert kinds[6:8] == ["response.in_progress"] * 2


def test_answer_that_its_upstream_never_opened_is_not_opened_in_its_middle():
    one = stream()
    told = answers.events(answers.response(message("Hi")))[2:6]
    out = one.feed(answers.sse(answers.numbered(told))) + one.heartbeat(OURS, NOW_S)
    events = answers.read(out + one.error(problems.stream_failed(), OURS, NOW_S))
    assert [event["type"] for event in events[4:]] == ["response.in_progress", "error", "response.failed"]
    assert events[-1]["response"]["id"] == OURS
    assert numbers(events) == list(range(7))


# ---- faults ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", range(EVENTS))
@pytest.mark.parametrize("done", [True, False])
def test_stream_without_its_end_is_truncated(at, done):
    one, out = relay(answers.sse(answers.events(answers.response(*FULL))[:at], done=done))
    assert (one.fault, one.ended) == (StreamFault.TRUNCATED, False)
    assert b"response.completed" not in out


@given(st.integers(0, len(answers.stream(*FULL)) - 3))
def test_stream_that_is_cut_anywhere_has_no_end(at):
    one, out = relay(answers.stream(*FULL)[:at])
    assert (one.fault, one.ended) == (StreamFault.TRUNCATED, False)
    assert b"response.completed" not in out


def failing(*told):
    return answers.sse([*answers.events(answers.response(message("Hi")))[:2], *told])


@pytest.mark.parametrize(
    ("data", "failure"),
    [
        (
            failing(
                {
                    "type": "response.failed",
                    "response": {"error": {"code": "invalid_prompt", "message": "No."}},
                }
            ),
            Failure("invalid_prompt", "No."),
        ),
        (failing({"type": "error", "code": "x", "message": "No.", "param": None}), Failure("x", "No.")),
        (failing({"type": "error", "error": {"code": 7, "message": "No."}}), Failure("7", "No.")),
        (b'data: {"error":{"message":"No."}}\n\n', Failure(None, "No.")),
    ],
)
def test_upstream_that_fails_before_it_says_anything_has_not_begun(data, failure):
    one, out = relay(data + answers.stream(message("later")))
    assert (one.fault, one.failure, one.ended) == (StreamFault.ERROR, failure, False)
    assert out == b""
    one.restart()
    assert one.failure is None
    assert relay(answers.stream(*FULL), one=one)[1] == relay(answers.stream(*FULL))[1]


@pytest.mark.parametrize("bad", [b"nonsense", b"[]", b'"x"', b'{"type":"response.completed"}', b"\xff"])
def test_what_is_no_event_is_unreadable(bad):
    one = stream()
    assert one.feed(b"data: " + bad + b"\n\n" + answers.stream(message("Hi"))) == b""
    assert one.fault is StreamFault.UNREADABLE


def test_event_that_does_not_end_is_not_read_for_ever(monkeypatch):
    monkeypatch.setattr(event_blocks, "MOST_EVENT_BYTES", 1000)
    one = stream()
    for _ in range(11):
        one.feed(b"x" * 100)
    assert one.fault is StreamFault.UNREADABLE


@pytest.mark.parametrize("beaten", [True, False])
@pytest.mark.parametrize("at", [0, 2, 3])
def test_another_upstream_goes_on_where_the_first_had_said_nothing(at, beaten):
    one, (before, _) = stream(), parts(at)
    out = one.feed(before)
    beat = one.heartbeat(OURS, NOW_S) if beaten else b""
    assert out + one.feed_end() == b""
    assert one.fault is StreamFault.TRUNCATED
    one.restart()
    second = answers.stream(*FULL, id="resp_second", created_at=5)
    events = answers.read(beat + relay(second, one=one)[1])
    assert numbers(events) == list(range(len(events)))
    final = as_the_sdk_reads(events)
    assert final.id == ("resp_second" if not beaten else OURS if at == 0 else "resp_up")
    assert [event["type"] for event in events].count("response.created") == 1
    assert final.output_text == "Hel. Lo 🌍!"


@pytest.mark.parametrize("at", [0, 2, 5, 9])
def test_broken_answer_ends_with_an_error_and_a_failed_response(at):
    one, (before, _) = stream(), parts(at)
    out = one.feed(before) + one.error(problems.stream_failed("upstream_truncated"), OURS, NOW_S)
    events = answers.read(out)
    assert numbers(events) == list(range(len(events)))
    for event in events:
        specification.check_response_event(event)
    opened, error, failed = events[0], events[-2], events[-1]
    assert (error["type"], error["code"]) == ("error", "upstream_truncated")
    assert failed["response"] | {"status": "in_progress", "error": None} == opened["response"]
    assert failed["response"]["error"]["code"] == "server_error"


# ---- what is put right -----------------------------------------------------------------------------------


def test_fields_that_went_upstream_otherwise_are_echoed_as_the_client_sent_them():
    echoes = {"store": b"true", "previous_response_id": b'"resp_before"'}
    one = ResponsesStream(model="gpt-5.5", request=request(), echoes=echoes)
    events = answers.read(relay(answers.stream(message("Hi")), one=one)[1])
    held = [event["response"] for event in events if "response" in event]
    assert len(held) == 3
    assert {(told["store"], told["previous_response_id"]) for told in held} == {(True, "resp_before")}


def test_only_the_response_itself_is_renamed():
    tools = [{"type": "image_generation", "model": answers.MODEL}]
    inner = message(f'"model":"{answers.MODEL}"')
    events = answers.read(relay(answers.stream(inner, tools=tools))[1])
    assert {event["response"]["model"] for event in events if "response" in event} == {"gpt-5.5"}
    assert events[-1]["response"]["tools"] == tools
    assert events[-1]["response"]["output"] == [inner]


def test_cost_of_another_reseller_makes_way():
    usage = answers.USAGE | {"cost": 99, "cost_details": {"a": 1}}
    end = answers.read(relay(answers.stream(message("Hi"), usage=usage))[1])[-1]
    assert end["response"]["usage"] == usage | {"cost": 0.000123}
