"""What upstreams do wrong, what a client sees of it, and that it is never charged for it."""

import pytest

from fakes import steps
from faults.kinds import (
    BREAKS,
    EITHER_WAY,
    NEVER,
    ROLE,
    UNSTARTED,
    WHOLE,
    WORD,
    Break,
    Fault,
    names,
    streamed,
)
from relay.calls import HELLO, Streamed, Whole, has

UNCHARGED = {"cost_nano": "0", "outcome": "failed", "client_left": False}


@pytest.mark.parametrize("fault", [*EITHER_WAY, *WHOLE], ids=names([*EITHER_WAY, *WHOLE]))
def test_whole_answer_that_fails_is_an_error_in_openai_s_shape_and_costs_nothing(caller, first, fault: Fault):
    first.then(*[fault.script] * fault.calls)
    got = caller.post(HELLO)
    assert (got.status, got.error["code"]) == (fault.status, fault.code)
    has(caller.row(), id=got.id, status=fault.status, error_code=fault.code, attempts=1, **UNCHARGED)
    assert len(first.calls) == fault.calls


@pytest.mark.parametrize("fault", [*EITHER_WAY, *UNSTARTED], ids=names([*EITHER_WAY, *UNSTARTED]))
def test_stream_that_fails_before_its_content_ends_without_the_end_marker(caller, first, fault: Fault):
    first.then(*[fault.script] * fault.calls)
    got = caller.stream(HELLO)
    row = caller.row()
    if isinstance(got, Whole):
        assert (got.status, got.error["code"]) == (fault.status, fault.code)
        has(row, status=fault.status)
    else:  # something empty had been sent: the role, or a heartbeat
        assert got.error is not None
        assert got.error["code"] == fault.code
        assert not got.done
    has(row, id=got.id, error_code=fault.code, usage_source="none", **UNCHARGED)


@pytest.mark.parametrize("fault", [*EITHER_WAY, *WHOLE], ids=names([*EITHER_WAY, *WHOLE]))
def test_another_upstream_gives_the_whole_answer(caller, first, second, fault: Fault):
    first.then(*[fault.script] * fault.calls)
    got = caller.post(HELLO)
    assert (got.status, got.text) == (200, "Hello.")
    row = caller.row()
    has(row, id=got.id, status=200, outcome="completed", upstream="second", attempts=2, error_code=None)
    assert int(row["cost_nano"]) > 0
    assert len(second.calls) == 1


@pytest.mark.parametrize("fault", [*EITHER_WAY, *UNSTARTED], ids=names([*EITHER_WAY, *UNSTARTED]))
def test_another_upstream_gives_the_stream(caller, first, second, fault: Fault):
    first.then(*[fault.script] * fault.calls)
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert (got.text, got.finish_reasons, got.done) == ("Hello.", ["stop"], True)
    assert got.deltas("role") == ["assistant"]
    assert len({(chunk["id"], chunk["created"], chunk["model"]) for chunk in got.chunks}) == 1
    row = caller.row()
    has(row, id=got.id, status=200, outcome="completed", upstream="second", attempts=2, error_code=None)
    assert int(row["cost_nano"]) > 0


@pytest.mark.parametrize("fault", BREAKS, ids=names(BREAKS))
def test_stream_that_breaks_in_its_content_says_so_and_no_other_upstream_goes_on(
    caller, first, second, fault: Break
):
    first.then(streamed(ROLE, WORD, end=fault.end))
    got = caller.stream(HELLO)
    assert isinstance(got, Streamed)
    assert got.error is not None
    assert (got.text, got.error["code"], got.error["type"]) == ("Hel", fault.code, "server_error")
    assert not got.done
    row = caller.row()
    has(row, id=got.id, status=200, error_code=fault.code, upstream="first", attempts=1, **UNCHARGED)
    has(row, usage_source="estimated")
    assert int(row["upstream_cost_nano"]) > 0
    assert second.calls == []


IN_DOUBT = [
    fault
    for fault in [*EITHER_WAY, *WHOLE]
    if fault.name.startswith(("F-12", "F-13", "F-14", "F-17", "F-29"))
]


@pytest.mark.parametrize("fault", IN_DOUBT, ids=names(IN_DOUBT))
def test_connection_in_doubt_is_not_used_again(caller, first, fault: Fault):
    first.then(fault.script)
    caller.post(HELLO)
    assert caller.post(HELLO).text == "Hello."
    caller.rows(2)
    assert first.calls[0].connection != first.calls[1].connection


def test_connection_of_a_stream_that_broke_is_closed(caller, first):
    first.then(streamed(ROLE, WORD, "nonsense", end=[steps.wait(NEVER)]))
    caller.stream(HELLO)
    [left] = first.wait_for_closed_early()
    caller.stream(HELLO)
    caller.rows(2)
    assert first.calls[1].connection != left.request.connection
