"""Silence is bridged, and broken streams end, in each protocol's own form; Continue is cut off instead."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from dialects.conftest import BEAT_S
from dialects.town import CHAT, CLAUDE, MESSAGES, RESPONSES
from fakes import anthropic_replies, replies, responses_replies, steps
from fakes.responses_stream import check_stream, read_events

CONTINUE = {"user-agent": "ls/JS 6.9.0"}


class Bridge(msgspec.Struct, frozen=True):
    """A client of one protocol at an upstream of one dialect, and how that streams."""

    path: str
    server: str
    model: str
    stream_reply: object

    def __str__(self) -> str:
        return f"{self.path} at {self.server}"


def later(make):
    """A stream with silence in front of each of its deltas."""
    return make(between=[steps.sleep(0.3)])


BRIDGED = pytest.mark.parametrize(
    "bridge",
    [
        Bridge(CHAT, "hasty_responses", "gpt-5.5", responses_replies.stream_reply),
        Bridge(RESPONSES, "hasty_responses", "gpt-5.5", responses_replies.stream_reply),
        Bridge(RESPONSES, "hasty_chat", "gpt-5.5", replies.stream_reply),
        Bridge(MESSAGES, "hasty_responses", "gpt-5.5", responses_replies.stream_reply),
        Bridge(MESSAGES, "hasty_chat", "gpt-5.5", replies.stream_reply),
        Bridge(MESSAGES, "hasty_messages", CLAUDE, anthropic_replies.stream_reply),
        Bridge(CHAT, "hasty_messages", CLAUDE, anthropic_replies.stream_reply),
        Bridge(RESPONSES, "hasty_messages", CLAUDE, anthropic_replies.stream_reply),
    ],
    ids=str,
)


def beats_in(heard):
    match heard.path:
        case "/v1/chat/completions":
            empty = [{"index": 0, "delta": {}, "logprobs": None, "finish_reason": None}]
            plain = [{"index": 0, "delta": {}, "finish_reason": None}]
            return [chunk for chunk in heard.events if chunk["choices"] in (empty, plain)]
        case "/v1/responses":
            return [kind for kind in heard.kinds if kind == "response.in_progress"][1:]
        case _:
            return [kind for kind in heard.kinds if kind == "ping"]


@BRIDGED
@pytest.mark.parametrize("when", ["before the headers", "before the first event", "between the words"])
def test_silence_is_bridged(hasty_town, request, bridge, when):
    upstream, make = request.getfixturevalue(bridge.server), bridge.stream_reply
    match when:
        case "before the headers":
            upstream.then([steps.sleep(0.5), *make()])
        case "before the first event":
            upstream.then(_delayed(make()))
        case _:
            upstream.then(later(make))
    customer = hasty_town.customer()
    heard = customer.hear(bridge.path, model=bridge.model, stream=True)
    assert beats_in(heard)
    assert heard.is_whole
    assert heard.text == "Hello."
    assert heard.cost_nano == customer.spent_nano > 0


def _delayed(script):
    """The same script with a pause behind its headers."""
    (answer,) = script

    def write(request):
        head, *rest = answer.write(request)
        return [head, steps.sleep(0.5), *rest]

    return [steps.answer(write)]


def test_answer_of_responses_that_began_here_goes_on_under_its_name(hasty_town, hasty_responses):
    hasty_responses.then([steps.sleep(0.5), *responses_replies.stream_reply()])
    heard = hasty_town.customer().hear(RESPONSES, stream=True)
    assert heard.kinds[0] == "response.created"
    assert heard.kinds.count("response.created") == 1
    response = check_stream(heard.events)
    assert response["id"] == f"resp_{heard.id.removeprefix('req_')}"
    assert {event["response"]["id"] for event in heard.events if "response" in event} == {response["id"]}


@pytest.mark.parametrize("server", ["hasty_responses", "hasty_chat"])
def test_signs_of_life_and_words_that_meet_are_numbered_as_they_are_sent(hasty_town, upstream, server):
    """Words come just when a sign of life is due, in many streams at once."""
    words = tuple("word " for _ in range(10))
    if server == "hasty_chat":
        upstream.default = replies.stream_reply(words, between=[steps.sleep(BEAT_S)])
    else:
        said = [responses_replies.Said(words)]
        upstream.default = responses_replies.stream_reply(said, between=[steps.sleep(BEAT_S)])
    customer = hasty_town.customer()
    with ThreadPoolExecutor(16) as pool:
        asked = [pool.submit(customer.hear, RESPONSES, stream=True, max_output_tokens=99) for _ in range(16)]
        heard = [one.result() for one in asked]
    assert all(one.text == "".join(words) for one in heard)
    assert any(beats_in(one) for one in heard)


@BRIDGED
def test_stream_that_breaks_after_a_sign_of_life_says_so(hasty_town, request, bridge):
    upstream = request.getfixturevalue(bridge.server)
    upstream.then([steps.sleep(0.5), *replies.error(500)])
    customer = hasty_town.customer()
    heard = customer.hear(bridge.path, model=bridge.model, stream=True)
    assert heard.status == 200
    assert not heard.is_whole
    match bridge.path:
        case "/v1/chat/completions":
            assert heard.events[-1]["error"]["code"] == "upstream_error"
        case "/v1/responses":
            assert heard.kinds[0] == "response.created"
            assert heard.kinds[-2:] == ["error", "response.failed"]
        case _:
            assert heard.events[-1]["error"]["type"] == "api_error"
    assert customer.spent_nano == 0


def test_upstream_that_falls_silent_is_given_up(hasty_town, hasty_responses):
    said = responses_replies.stream_reply(cut_after=5, cut=steps.sleep(20))
    with ThreadPoolExecutor(3) as pool:
        hasty_responses.then(said, said, said)
        customers = {path: hasty_town.customer() for path in (CHAT, RESPONSES, MESSAGES)}
        asked = {path: pool.submit(customer.hear, path, stream=True) for path, customer in customers.items()}
        heard = {path: one.result() for path, one in asked.items()}
    assert heard[CHAT].events[-1]["error"]["code"] == "upstream_timeout"
    assert heard[RESPONSES].kinds[-2:] == ["error", "response.failed"]
    assert heard[RESPONSES].events[-2]["code"] == "upstream_timeout"
    assert heard[MESSAGES].events[-1]["error"]["type"] == "timeout_error"
    assert [customer.spent_nano for customer in customers.values()] == [0, 0, 0]


def test_upstream_that_never_begins_is_given_up(hasty_town, hasty_responses):
    never = [steps.sleep(20)]
    with ThreadPoolExecutor(3) as pool:
        hasty_responses.then(never, never, never)
        customers = {path: hasty_town.customer() for path in (CHAT, RESPONSES, MESSAGES)}
        asked = {path: pool.submit(customer.hear, path) for path, customer in customers.items()}
        heard = {path: one.result() for path, one in asked.items()}
    assert [one.status for one in heard.values()] == [504, 504, 504]
    assert heard[MESSAGES].error["type"] == "timeout_error"


# ---- Continue --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["responses_only", "chat_only"])
@pytest.mark.parametrize("key", [{}, {"idempotency-key": "k-1"}], ids=["plain", "under a key"])
def test_continue_is_cut_off_where_others_read_of_a_failure(town, request, server, key):
    upstream = request.getfixturevalue(server)
    broken = responses_replies.stream_failed_reply() if server == "responses_only" else _broken_chat()
    upstream.then(broken, broken)
    customer = town.customer()
    told = customer.hear(RESPONSES, stream=True, headers={"user-agent": "codex_exec/0.169.0"})
    assert told.kinds[-2:] == ["error", "response.failed"]
    with customer.knock(RESPONSES, stream=True, headers=CONTINUE | key) as connection:
        assert connection.read_head().status == 200
        pieces = []
        with pytest.raises(EOFError):
            pieces.extend(connection.pieces())
        kinds = [event["type"] for event in read_events(b"".join(pieces))]
    assert kinds[-1].endswith(".delta") or kinds[-1].endswith(".done")
    assert not {"error", "response.failed"} & set(kinds)
    assert [row["outcome"] for row in customer.rows] == ["failed", "failed"]
    assert customer.spent_nano == 0


def _broken_chat():
    said = [replies.chunk({"role": "assistant", "content": ""}), replies.chunk({"content": "Hel"})]
    return [steps.headers(200), *steps.sse(said), steps.sleep(0.05), steps.rst()]


def test_continue_reads_whole_answers_and_refusals_as_others_do(town, responses_only):
    customer = town.customer()
    assert customer.hear(RESPONSES, stream=True, headers=CONTINUE).is_whole
    responses_only.then(replies.error(500))
    assert customer.hear(RESPONSES, stream=True, headers=CONTINUE).status == 500
    assert customer.hear(CHAT, stream=True, headers=CONTINUE).is_whole


def test_continue_on_chat_is_told_of_a_failure(town, chat_only):
    chat_only.then(_broken_chat())
    assert "error" in town.customer().hear(CHAT, stream=True, headers=CONTINUE).events[-1]
