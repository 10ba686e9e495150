"""Clients that leave, or read no more: the upstream is read to its end or cancelled, and the request is metered."""

import json
import socket
import threading
import time
from pathlib import Path

import pytest

from fakes import replies, steps
from faults.conftest import STALLED_S
from faults.kinds import FINISH, NEVER, ROLE, STREAM, USAGE, WORD, streamed
from relay.calls import HELLO, has, skip_to

STREAM_HELLO = HELLO | {"stream": True}
WORDS = [f"word{number} " for number in range(40)]
CHUNKS = [replies.chunk({"content": text}, asked=True) for text in WORDS]
PIECE = b" " * 16_000
FAT = [replies.chunk({"content": PIECE.decode()}, asked=True)]
LEAVE = pytest.mark.parametrize("how", ["close", "reset"])


def leave(connection, how: str) -> None:
    connection.close() if how == "close" else connection.reset()


class Moments:
    """A stream that waits, before each of its parts, until the test lets it go on."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.may_begin = threading.Event()
        self.may_go_on = threading.Event()
        self.may_end = threading.Event()
        self.script = [
            steps.signal(self.asked),
            steps.wait(self.may_begin),
            steps.headers(200, STREAM),
            steps.sse([ROLE, WORD]),
            steps.wait(self.may_go_on),
            steps.sse(CHUNKS),
            steps.wait(self.may_end),
            steps.sse([FINISH, USAGE, "[DONE]"]),
        ]

    def let_go(self) -> None:
        for moment in (self.may_begin, self.may_go_on, self.may_end):
            moment.set()


def until_the_client_has_left(caller, moments: Moments, when: str, how: str) -> None:
    """Leave at one of the places of a stream; what the upstream still has to say comes afterwards."""
    connection = caller.open(STREAM_HELLO, key=caller.key(on_disconnect=caller.policy))
    assert moments.asked.wait(10)
    if when != "before the headers":
        moments.may_begin.set()
        connection.read_head()
        payloads = connection.data()
        skip_to(payloads, b"Hel")
        if when == "after the content":
            moments.may_go_on.set()
            skip_to(payloads, WORDS[-1].encode())
    leave(connection, how)
    time.sleep(0.1)


PLACES = pytest.mark.parametrize("when", ["before the headers", "in the content", "after the content"])


@LEAVE
@PLACES
def test_stream_is_read_on_to_its_usage_for_who_left(caller, first, when, how):
    caller.policy = "drain"
    moments = Moments()
    first.then(moments.script)
    until_the_client_has_left(caller, moments, when, how)
    moments.let_go()
    row = caller.row()
    has(row, outcome="completed", usage_source="reported", client_left=True, status=200)
    assert (row["usage"]["input"], row["usage"]["output"]) == (19, 10)
    assert int(row["cost_nano"]) == 19 * 2_500 + 10 * 15_000
    assert first.closed_early == []


@LEAVE
@PLACES
def test_stream_is_cancelled_for_who_left_and_what_was_sent_is_charged(caller, first, when, how):
    caller.policy = "cancel"
    moments = Moments()
    first.then(moments.script)
    until_the_client_has_left(caller, moments, when, how)
    first.wait_for_closed_early()
    moments.let_go()
    row = caller.row()
    has(row, outcome="cancelled", client_left=True, error_code="client_left")
    if when == "before the headers":
        assert (row["usage_source"], row["cost_nano"]) == ("none", "0")
    else:
        assert row["usage_source"] == "estimated"
        assert int(row["cost_nano"]) == row["usage"]["input"] * 2_500 + row["usage"]["output"] * 15_000 > 0
        assert row["usage"]["output"] >= (1 if when == "in the content" else len(WORDS))


@pytest.mark.parametrize("policy", ["drain", "cancel"])
def test_client_that_leaves_after_any_byte_leaves_one_right_row(caller, first, policy):
    first.default = streamed(ROLE, WORD, FINISH, USAGE, "[DONE]")
    key = caller.key(on_disconnect=policy)
    whole = b"".join(_raw_bytes(caller, key))
    caller.row()
    step = len(whole) // 24 + 1
    for count in range(0, len(whole), step):
        with caller.open(STREAM_HELLO, key=key) as connection:
            taken = 0
            while taken < count:
                taken += len(connection.socket.recv(count - taken))
        row = caller.row()
        assert row["outcome"] in ("completed", "cancelled")
        if row["outcome"] == "completed":
            assert (row["usage_source"], row["cost_nano"]) == ("reported", str(19 * 2_500 + 10 * 15_000))
        elif taken > whole.index(b"Hel"):
            assert int(row["cost_nano"]) > 0


def _raw_bytes(caller, key):
    with caller.open(STREAM_HELLO, key=key) as connection:
        while data := connection.socket.recv(65536):
            yield data
            if data.endswith(b"0\r\n\r\n"):
                return


@LEAVE
def test_whole_answer_is_read_to_its_end_for_who_left(caller, first, how):
    moments = Moments()
    first.then([steps.signal(moments.asked), steps.wait(moments.may_begin), *replies.plain_reply()])
    connection = caller.open(HELLO, key=caller.key(on_disconnect="drain"))
    assert moments.asked.wait(10)
    leave(connection, how)
    time.sleep(0.6)
    moments.may_begin.set()
    row = caller.row()
    has(row, outcome="completed", usage_source="reported", client_left=True)
    assert int(row["cost_nano"]) > 0


@LEAVE
def test_whole_answer_is_cancelled_for_who_left(caller, first, how):
    asked = threading.Event()
    first.then([steps.signal(asked), steps.wait(NEVER)])
    connection = caller.open(HELLO, key=caller.key(on_disconnect="cancel"))
    assert asked.wait(10)
    leave(connection, how)
    first.wait_for_closed_early()
    row = caller.row()
    has(row, outcome="cancelled", status=499, client_left=True, cost_nano="0")


def test_no_other_upstream_is_asked_for_who_left(caller, first, second):
    moments = Moments()
    first.then(
        [steps.signal(moments.asked), steps.wait(moments.may_begin), *streamed(ROLE, end=[steps.rst()])]
    )
    connection = caller.open(STREAM_HELLO, key=caller.key(on_disconnect="drain"))
    assert moments.asked.wait(10)
    connection.close()
    time.sleep(0.1)
    moments.may_begin.set()
    has(caller.row(), outcome="failed", cost_nano="0", client_left=True)
    assert second.calls == []


def test_upstream_that_breaks_for_who_left_costs_nothing(caller, first):
    moments = Moments()
    first.then([*moments.script[:-3], steps.rst()])
    caller.policy = "drain"
    until_the_client_has_left(caller, moments, "in the content", "close")
    moments.let_go()
    has(caller.row(), outcome="failed", cost_nano="0", client_left=True)


def test_reading_on_has_a_limit_in_bytes(caller, first):
    said = threading.Event()
    first.then(streamed(ROLE, WORD, end=[steps.wait(said), steps.repeat(steps.sse(FAT))]))
    with caller.open(STREAM_HELLO) as connection:
        connection.read_head()
        skip_to(connection.data(), b"Hel")
    time.sleep(0.1)
    said.set()
    first.wait_for_closed_early()
    row = caller.row()
    has(row, outcome="cancelled", usage_source="estimated", client_left=True)
    assert int(row["cost_nano"]) > 0


def test_only_so_many_answers_are_read_on_at_once(caller, first):
    may_end = threading.Event()
    first.default = streamed(ROLE, WORD, end=[steps.wait(may_end), steps.sse([FINISH, USAGE, "[DONE]"])])
    for _ in range(4):  # most_drains is 3
        with caller.open(STREAM_HELLO) as connection:
            connection.read_head()
            skip_to(connection.data(), b"Hel")
    first.wait_for_closed_early(1)
    may_end.set()
    assert sorted(row["outcome"] for row in caller.rows(4)) == ["cancelled"] + ["completed"] * 3


# ---- clients that read slowly, or not at all -------------------------------------------------------------


def small_window(connection) -> None:
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)


@pytest.mark.parametrize("policy", ["drain", "cancel"])
def test_client_that_reads_no_more_counts_as_gone(caller, first, policy):
    first.then(streamed(ROLE, WORD, end=[steps.repeat(steps.sse(FAT))]))
    with caller.open(STREAM_HELLO, key=caller.key(on_disconnect=policy)) as connection:
        small_window(connection)
        connection.read_head()
        began = time.monotonic()
        first.wait_for_closed_early()
        assert time.monotonic() - began >= STALLED_S * 0.9
        row = caller.row()
    has(row, outcome="cancelled", usage_source="estimated", client_left=True)
    assert int(row["cost_nano"]) > 0


def test_answer_is_metered_whole_for_who_reads_no_more(caller, first):
    texts = [replies.chunk({"content": "x" * 60_000}, asked=True)] * 200  # more than all buffers on the way
    first.then(streamed(ROLE, *texts, FINISH, USAGE, "[DONE]"))
    with caller.open(STREAM_HELLO) as connection:
        small_window(connection)
        connection.read_head()
        row = caller.row()
    has(row, client_left=True)


def test_slow_client_slows_the_upstream_and_takes_no_memory(caller, first):
    first.then(streamed(ROLE, WORD, FINISH, "[DONE]"))  # without usage: the tokenizer is loaded from here on
    caller.stream(HELLO)
    has(caller.row(), usage_source="estimated")
    sent = []
    count = steps.answer(lambda _: sent.append(1) or steps.sse(FAT))
    first.then(streamed(ROLE, end=[steps.repeat([count])]))
    before = _rss_kb(caller)
    with caller.open(STREAM_HELLO) as connection:
        small_window(connection)
        connection.read_head()
        for _ in range(10):
            connection.socket.recv(2_000)
            time.sleep(0.05)
        after = _rss_kb(caller)
        written = len(sent) * len(PIECE)
    assert after - before < 30_000
    assert written < 30_000_000
    caller.row()


def test_line_without_end_is_given_up_soon_and_takes_no_memory(caller, first):  # F-29
    before = _rss_kb(caller)
    first.then([steps.headers(200, STREAM), steps.body(b"data: "), steps.repeat([steps.body(PIECE)])])
    got = caller.stream(HELLO)
    assert got.error["code"] == "upstream_bad_reply"
    [left] = first.wait_for_closed_early()
    assert left.bytes_written < 12_000_000
    assert _rss_kb(caller) - before < 30_000
    caller.row()


def _rss_kb(caller) -> int:
    status = Path(f"/proc/{caller.gateway.process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def test_client_that_pauses_and_reads_on_gets_everything(caller, first):
    texts = [json.dumps(number) + "x" * 60_000 for number in range(150)]
    first.then(replies.stream_reply(texts))
    with caller.open(STREAM_HELLO) as connection:
        time.sleep(STALLED_S / 2)
        got = caller.read(connection)
    assert got.text == "".join(texts)
    assert got.done
    has(caller.row(), outcome="completed", client_left=False)
