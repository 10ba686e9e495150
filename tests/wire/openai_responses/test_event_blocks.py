"""Events are split from bytes that may be cut anywhere, each as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.openai_responses import event_blocks
from runapi.wire.openai_responses.event_blocks import BlockSplitter, data_of, is_canonical, write_event
from runapi.wire.sse import EventSplitter, EventTooLongError

PIECES = [
    b"\r\n",
    b"\r",
    b"\n",
    b"\n\n",
    b": ping",
    b"event: a",
    b"data: 1",
    b"data:2",
    b"id: 3",
    b"data",
    b"x",
]
BODIES = st.lists(st.sampled_from(PIECES), max_size=14).map(b"".join)
CUTS = st.lists(st.integers(0, 60), max_size=6)


def split(data, cuts=()):
    splitter, blocks, start = BlockSplitter(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        blocks += splitter.feed(data[start:cut])
        start = max(start, cut)
    return blocks + splitter.end()


@given(BODIES, CUTS)
def test_any_split_of_the_bytes_gives_the_same_events(data, cuts):
    assert split(data, cuts) == split(data)


@given(BODIES)
def test_data_is_what_the_other_splitter_finds(data):
    other = EventSplitter()
    expected = [event.replace(b"\n", b" ") for event in (*other.feed(data), *other.end())]
    assert [found for block in split(data) if (found := data_of(block))] == [one for one in expected if one]


def test_event_is_given_as_it_was_written():
    written = write_event("a", b'{"x":1}')
    (block,) = split(written)
    assert block + b"\n\n" == written
    assert is_canonical(block)
    assert data_of(block) == b'{"x":1}'


@pytest.mark.parametrize(
    "block",
    [
        b"data: 1",
        b": x\ndata: 1",
        b"event: a\ndata: 1\nid: 3",
        b"event: a\nid: 3",
        b"event: a\ndata:1",
        b"event: a",
    ],
)
def test_event_in_another_layout_is_known_for_one(block):
    assert not is_canonical(block)


def test_byte_order_mark_is_taken_away_however_it_comes():
    data = b"\xef\xbb\xbf" + write_event("a", b"1")
    assert split(data) == split(data, [1, 2, 3]) == split(write_event("a", b"1"))


def test_event_that_does_not_end_is_not_kept_for_ever(monkeypatch):
    monkeypatch.setattr(event_blocks, "MOST_EVENT_BYTES", 1000)
    splitter = BlockSplitter()
    assert splitter.feed(b"x" * 1000) == []
    with pytest.raises(EventTooLongError):
        splitter.feed(b"y")


def test_long_event_is_given_whole():
    data = write_event("response.completed", b"x" * 3_000_000)
    assert split(data, range(0, len(data), 65_536)) == [data[:-2]]
