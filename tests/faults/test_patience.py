"""Upstreams that are silent: signs of life for the client, and an end to the waiting."""

import json
import threading
import time

import pytest

from fakes import replies, steps
from faults.conftest import BEAT_EVERY_S, BEAT_FIRST_S, IDLE_S, TOTAL_S
from faults.kinds import FINISH, JSON, NEVER, REPLY, ROLE, STREAM, USAGE, WORD, streamed
from relay.calls import HELLO, Streamed, has

UNCHARGED = {"cost_nano": "0", "outcome": "failed", "error_code": "upstream_timeout"}
ASKED = HELLO | {"stream_options": {"include_usage": True}}
SILENCE_S = BEAT_FIRST_S + BEAT_EVERY_S * 1.8
SILENT = [steps.wait(NEVER)]


def heads(got: Streamed) -> set[tuple[object, ...]]:
    return {(chunk["id"], chunk["created"], chunk["model"]) for chunk in got.chunks}


# ---- signs of life ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("body", [HELLO, ASKED], ids=["usage hidden", "usage asked for"])
@pytest.mark.parametrize(
    "script",
    [
        [steps.sleep(SILENCE_S), *replies.stream_reply()],
        [
            steps.headers(200, STREAM),
            steps.sleep(SILENCE_S),
            steps.sse([ROLE, WORD, FINISH, USAGE, "[DONE]"]),
        ],
        streamed(ROLE, end=[steps.sleep(SILENCE_S), steps.sse([WORD, FINISH, USAGE, "[DONE]"])]),
        streamed(ROLE, WORD, end=[steps.sleep(SILENCE_S), steps.sse([FINISH, USAGE, "[DONE]"])]),
        streamed(ROLE, WORD, FINISH, end=[steps.sleep(SILENCE_S), steps.sse([USAGE, "[DONE]"])]),
    ],
    ids=["before its headers", "before its role", "before its content", "in its content", "before its usage"],
)
def test_silence_is_filled_with_empty_chunks_under_the_name_of_the_others(caller, first, body, script):
    first.then(script)
    got = caller.stream(body)
    assert isinstance(got, Streamed)
    assert len(got.heartbeats) >= 2
    assert len(heads(got)) == 1
    assert heads(got).pop()[2] == HELLO["model"]
    assert got.text in ("Hel", "Hello.")
    assert (got.deltas("role"), got.finish_reasons, got.done) == (["assistant"], ["stop"], True)
    assert len(got.usages) == 1
    has(caller.row(), outcome="completed", usage_source="reported")


def test_comments_of_an_upstream_are_no_sign_of_life_for_the_client(caller, first):
    comment = [steps.body(b": PROCESSING\n\n"), steps.sleep(BEAT_EVERY_S / 2)]
    rest = [steps.repeat(comment, 8), steps.sse([WORD, FINISH, USAGE, "[DONE]"])]
    first.then(streamed(ROLE, end=rest))
    got = caller.stream(HELLO)
    assert len(got.heartbeats) >= 2
    assert (got.text, got.done) == ("Hel", True)
    caller.row()


def test_upstream_that_speaks_needs_no_sign_of_life(caller, first):
    word = [steps.sse([WORD]), steps.sleep(BEAT_FIRST_S / 3)]
    first.then(streamed(ROLE, end=[steps.repeat(word, 6), steps.sse([FINISH, USAGE, "[DONE]"])]))
    got = caller.stream(HELLO)
    assert got.heartbeats == []
    assert got.text == "Hel" * 6
    caller.row()


def test_first_byte_goes_out_while_the_upstream_still_writes(caller, first):
    words = steps.sse([WORD, FINISH, USAGE, "[DONE]"])
    seen = threading.Event()
    first.then(streamed(ROLE, end=[steps.wait(seen, 5), *words]))
    with caller.open({**HELLO, "stream": True}) as connection:
        connection.read_head()
        payloads = connection.data()
        assert json.loads(next(payloads))["choices"][0]["delta"]["role"] == "assistant"
        seen.set()
        assert [*payloads][-1] == b"[DONE]"
    caller.row()


@pytest.mark.parametrize(
    "script",
    [
        [steps.sleep(BEAT_FIRST_S * 2), *replies.error(500)],
        [steps.sleep(BEAT_FIRST_S * 2), steps.fin()],
        streamed(end=[steps.sleep(BEAT_FIRST_S * 2), steps.rst()]),
        streamed(ROLE, end=[steps.sleep(BEAT_FIRST_S * 2), steps.rst()]),
        streamed(ROLE, end=[steps.sleep(BEAT_FIRST_S * 2), steps.sse([{"error": {"message": "no"}}])]),
    ],
    ids=["status", "closed", "cut before its role", "cut after its role", "error after its role"],
)
def test_after_signs_of_life_another_upstream_goes_on_under_the_same_name_with_one_role(
    caller, first, second, script
):
    first.then(script, *[[steps.fin()]] * (script[-1] == steps.fin()))
    second.then(streamed(*[renamed(item) for item in (ROLE, WORD, FINISH, USAGE)], "[DONE]"))
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert got.heartbeats
    assert len(heads(got)) == 1
    assert (got.text, got.deltas("role"), got.finish_reasons, got.done) == (
        "Hel",
        ["assistant"],
        ["stop"],
        True,
    )
    row = caller.row()
    has(row, upstream="second", outcome="completed", attempts=2)


def renamed(chunk):
    return chunk | {"id": "chatcmpl-another", "created": 1_800_000_000, "model": "gpt-5.5-other"}


def test_refusal_after_a_sign_of_life_is_an_event(caller, first):
    code = "context_length_exceeded"
    refusal = replies.error(400, "Too long.", type="invalid_request_error", code=code, param="messages")
    first.then([steps.sleep(BEAT_FIRST_S * 2), *refusal])
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert got.heartbeats
    assert got.error == {
        "message": "Too long.",
        "type": "invalid_request_error",
        "param": "messages",
        "code": code,
    }
    assert not got.done
    has(caller.row(), status=200, error_code=code, cost_nano="0")


def test_whole_answer_gets_no_sign_of_life(caller, first):
    first.then([steps.sleep(SILENCE_S), *replies.plain_reply()])
    assert caller.post(HELLO).text == "Hello."
    caller.row()


# ---- an end to the waiting -------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_headers_that_never_come_are_not_waited_for_forever(caller, first, stream):  # F-11
    first.then(SILENT)
    if stream:
        got = caller.stream(HELLO)
        assert got.heartbeats
        assert not got.done
    else:
        got = caller.post(HELLO)
        assert got.status == 504
    assert got.error["code"] == "upstream_timeout"
    has(caller.row(), **UNCHARGED, usage_source="none", first_byte_us=None)
    first.wait_for_closed_early()


@pytest.mark.parametrize(
    ("stream", "begin"),
    [
        (False, []),
        (False, [steps.headers(200, JSON | {"content-length": "9000"})]),
        (True, []),
        (True, streamed()),
        (True, streamed(ROLE)),
    ],
    ids=["its headers", "its body", "the headers of its stream", "its role", "its content"],
)
def test_another_upstream_answers_where_one_never_comes_to(caller, first, second, stream, begin):
    first.then([*begin, *SILENT])
    got = caller.stream(HELLO) if stream else caller.post(HELLO)
    assert got.text == "Hello."
    has(caller.row(), upstream="second", outcome="completed")
    first.wait_for_closed_early()


def test_whole_answer_that_stalls_ends(caller, first):  # F-21
    half = json.dumps(REPLY).encode()[:100]
    first.then([steps.headers(200, JSON | {"content-length": "9000"}), steps.body(half), *SILENT])
    began = time.monotonic()
    got = caller.post(HELLO)
    assert (got.status, got.error["code"]) == (504, "upstream_timeout")
    assert time.monotonic() - began >= IDLE_S  # no sooner
    has(caller.row(), **UNCHARGED)
    first.wait_for_closed_early()


def test_stream_that_stalls_in_its_content_ends_with_an_event(caller, first, second):  # F-21
    first.then(streamed(ROLE, WORD, end=SILENT))
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert got.heartbeats
    assert (got.text, got.error["code"], got.done) == ("Hel", "upstream_timeout", False)
    has(caller.row(), **UNCHARGED, usage_source="estimated", upstream="first")
    first.wait_for_closed_early()
    assert second.calls == []


def test_thinking_before_the_first_word_may_take_longer_than_a_pause_inside_the_answer(caller, first):
    first.then(streamed(ROLE, end=[steps.sleep(IDLE_S * 1.25), steps.sse([WORD, FINISH, USAGE, "[DONE]"])]))
    got = caller.stream(HELLO)
    assert (got.text, got.done) == ("Hel", True)
    assert caller.row()["attempts"] == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_answer_that_drips_for_ever_ends(caller, first, second, stream):  # F-22
    fields = STREAM if stream else JSON | {"transfer-encoding": "chunked"}
    first.then([steps.headers(200, fields), steps.repeat([steps.body(b" "), steps.sleep(0.3)])])
    began = time.monotonic()
    got = caller.stream(HELLO) if stream else caller.post(HELLO)
    assert time.monotonic() - began >= TOTAL_S
    assert got.error["code"] == "upstream_timeout"
    has(caller.row(), **UNCHARGED, attempts=1)
    first.wait_for_closed_early()
    assert second.calls == []


def test_stream_that_talks_for_ever_ends(caller, first):
    first.then(streamed(ROLE, end=[steps.repeat([*steps.sse([WORD]), steps.sleep(0.1)])]))
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert (got.error["code"], got.done) == ("upstream_timeout", False)
    has(caller.row(), **UNCHARGED)
    first.wait_for_closed_early()
