"""Server-sent events are the same however the network cut them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.wire.sse import MOST_EVENT_BYTES, EventSplitter, EventTooLongError

LINES = st.sampled_from(
    [
        b"data: one",
        b"data:two",
        b"data:  three",
        b": comment",
        b"event: x",
        b"id: 4",
        b"retry: 5",
        b"data",
        b"",
        b"data: \xc3\xa9",
    ]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])
TEXTS = st.lists(st.tuples(LINES, ENDS), max_size=12).map(lambda pairs: b"".join(a + b for a, b in pairs))


def split(text, cuts):
    splitter, events, start = EventSplitter(), [], 0
    for cut in [*sorted(cuts), len(text)]:
        events += splitter.feed(text[start:cut])
        start = max(start, cut)
    return events + splitter.end()


@given(text=TEXTS, data=st.data())
def test_any_cutting_gives_the_same_events(text, data):
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=8))
    assert split(text, cuts) == split(text, [])


@given(text=TEXTS)
def test_byte_by_byte_gives_the_same_events(text):
    assert split(text, range(len(text))) == split(text, [])


@pytest.mark.parametrize(
    ("text", "events"),
    [
        (b"data: a\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [b"a", b"b"]),
        (b"data: a\r\rdata: b\r\r", [b"a", b"b"]),
        (b"\xef\xbb\xbfdata: a\n\n", [b"a"]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data:a\n\n", [b"a"]),
        (b": ping\n\ndata: a\n\n", [b"a"]),
        (b"event: message\nid: 7\nretry: 1\ndata: a\n\n", [b"a"]),
        (b"data: a\n\n\n\ndata: b\n\n", [b"a", b"b"]),
        (b"data: a\n", [b"a"]),
        (b"data: a", [b"a"]),
        (b"", []),
    ],
)
def test_events_are_read_as_the_standard_says(text, events):
    assert split(text, []) == events


def test_an_event_that_never_ends_is_given_up():
    splitter = EventSplitter()
    for _ in range(MOST_EVENT_BYTES // 65_536):
        splitter.feed(b"x" * 65_536)
    with pytest.raises(EventTooLongError):
        splitter.feed(b"x" * 65_536)


def test_many_events_in_one_read_may_be_longer_than_one_event_may_be():
    event = b"data: " + b"x" * 1000 + b"\n\n"
    assert len(EventSplitter().feed(event * 2000)) == 2000
