"""What comes from an upstream given to a reader in pieces, and what was read with its pieces as one again."""

from collections.abc import Iterable, Sequence

from runapi.wire.neutral import CallDelta, Event, ReasoningDelta, RefusalDelta, TextDelta


def feed(reader, data: bytes, cuts: Iterable[int] = ()) -> list:
    """What `feed` and `feed_end` gave, each time, for the data cut at these places; lists, or bytes."""
    given, at = [], 0
    for cut in [*sorted(cuts), len(data)]:
        if not reader.ended and reader.fault is None:
            given.append(reader.feed(data[at:cut]))
        at = max(at, cut)
    if not reader.ended and reader.fault is None:
        given.append(reader.feed_end())
    return given


def events_fed(reader, data: bytes, cuts: Iterable[int] = ()) -> list[Event]:
    """The events of all that `feed` gave."""
    return [event for events in feed(reader, data, cuts) for event in events]


def bytes_fed(stream, data: bytes, cuts: Iterable[int] = ()) -> bytes:
    """The bytes of all that `feed` gave."""
    return b"".join(feed(stream, data, cuts))


def folded(events: Sequence[Event]) -> list[Event]:
    """The same events with neighbouring deltas as one, for comparing what was cut differently."""
    out: list[Event] = []
    for event in events:
        match out[-1] if out else None, event:
            case TextDelta(text, None), TextDelta(more, None):
                out[-1] = TextDelta(text + more)
            case RefusalDelta(text), RefusalDelta(more):
                out[-1] = RefusalDelta(text + more)
            case ReasoningDelta(text), ReasoningDelta(more):
                out[-1] = ReasoningDelta(text + more)
            case CallDelta(index, text), CallDelta(same, more) if index == same:
                out[-1] = CallDelta(index, text + more)
            case _:
                out.append(event)
    return out
