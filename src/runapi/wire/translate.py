"""An answer on its way from an upstream of one dialect to a client of another, or of the same where it must be altered.

`TranslatedStream` and `TranslatedReply` are to their flows what `ChatStream` and `ChatReply` are: the same names, with
a reader and a writer of any dialect behind them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.delivery import Delivery
from runapi.wire.neutral import (
    Begin,
    CallBegin,
    CallDelta,
    End,
    EndReason,
    Event,
    Failure,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.reply import BadReplyError
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.reasoning_memory import Thought, ThoughtCollector
from runapi.wire.stops import StopFilter

_MOST_WAITING = 10_000  # events


class Reader(Protocol):
    """Reads one upstream's stream: bytes in, events out."""

    ended: bool
    fault: StreamFault | None

    def feed(self, data: bytes) -> list[Event]: ...

    def feed_end(self) -> list[Event]: ...


class Writer(Protocol):
    """Writes one client's stream: events in, bytes out."""

    def write(self, events: Sequence[Event]) -> bytes: ...

    def heartbeat(self) -> bytes: ...

    def tail(self, end: End, usage: Usage, cost_usd: str) -> bytes: ...

    def error(self, problem: Problem) -> bytes: ...


class WriteAnswer(Protocol):
    """Writes one client's whole answer."""

    def __call__(self, events: Sequence[Event], usage: Usage, cost_usd: str, *, model: str) -> bytes: ...


class TranslatedStream(Delivery):
    """The stream of one client, across one or more upstream attempts.

    Feed it what an upstream sends; send the client what it returns. When `ended`, settle, and then send `tail(...)`.
    The client's bytes do not depend on where the network cut the upstream's. None leave before the answer delivers
    something, but heartbeats: an upstream that fails at once has not begun an answer, and another one can be tried.
    """

    __slots__ = (
        "_collector",
        "_end",
        "_filter",
        "_has_thought",
        "_new_reader",
        "_reader",
        "_shows_reasoning",
        "_stops",
        "_waiting",
        "_writer",
        "ended",
        "failure",
        "fault",
        "origin",
        "raw_usage",
        "service_tier",
        "usage",
    )

    def __init__(
        self,
        new_reader: Callable[[], Reader],
        writer: Writer,
        *,
        stops: Sequence[str] = (),
        shows_reasoning: bool = False,
    ) -> None:
        """Begin a stream.

        Args:
            new_reader: makes the reader of an attempt; it may read another dialect than the attempt's before.
            writer: the client's, for all attempts.
            stops: stop sequences to enforce here, as the upstream does not.
            shows_reasoning: the writer shows reasoning, so that an answer has begun with it.
        """
        super().__init__()
        self._new_reader = new_reader
        self._writer = writer
        self._stops = stops
        self._shows_reasoning = shows_reasoning
        self.origin: str | None = None  # the upstream and model of the attempt, if its reasoning is to say so
        self.restart()

    def restart(self) -> None:
        """Begin again with another upstream; only before anything was delivered."""
        self._reader = self._new_reader()
        self._filter = StopFilter(self._stops)
        self._collector = ThoughtCollector()
        self._has_thought = False
        self._waiting: list[Event] = []  # what came before anything was delivered
        self._end: End | None = None
        self.usage: Usage | None = None
        self.raw_usage: bytes | None = None  # the upstream's report, if it can be believed
        self.service_tier: str | None = None
        self.is_capped = False
        self.ended = False
        self.fault: StreamFault | None = None
        self.failure: Failure | None = None  # what the upstream itself said of its failing

    def feed(self, data: bytes) -> bytes:
        """Take in what the upstream sent and return what the client may have now.

        After it `ended` says that the upstream has finished, `fault` that it broke; neither takes more.
        """
        return self._take(self._reader.feed(data))

    def feed_end(self) -> bytes:
        """Take in the end of the upstream's body."""
        return self._take(self._reader.feed_end())

    def heartbeat(self, _id_if_first: str = "", _now_s: int = 0) -> bytes:
        """What resets the idle timers of this client; the writer knows the answer's id and time itself."""
        return self._writer.heartbeat()

    def tail(self, cost_usd: str, counted: Usage) -> bytes:
        """The end of a whole stream, with its usage and cost.

        `counted` stands in where the upstream sent no usage that can be believed.
        """
        end = self._end or End(EndReason.STOP)
        return self._writer.tail(end, counted if self.usage is None else self.usage, cost_usd)

    def error(self, problem: Problem, _id_if_first: str = "", _now_s: int = 0) -> bytes:
        """The last bytes of a broken stream, which no client takes for an end."""
        return self._writer.error(problem)

    @property
    def is_stopped(self) -> bool:
        """Whether a stop sequence was found: the client gets no more but the end, for whose usage we read on."""
        return self._filter.found is not None

    @property
    def thoughts(self) -> Sequence[Thought]:
        """Of an answer that has ended: the reasoning that led to its calls, to be kept for the next request."""
        return self._collector.thoughts

    def _take(self, events: list[Event]) -> bytes:
        passed = self._filter.take(events) if self._stops else events
        self._note_all(passed)
        fault = self._reader.fault
        if fault is not None and not self.is_stopped:
            self.fault = fault
            if not self.delivers:
                return b""  # what was not sent need not be taken back for the next attempt
        if (
            fault is not None and self.is_stopped
        ):  # the client has its whole answer; only the usage is missing
            self._end = End(EndReason.STOP_SEQUENCE, stop_sequence=self._filter.found)
        if self._reader.ended or self._end is not None:
            self._be_ended()
        if not self.delivers and not self.ended:
            self._waiting += [event for event in passed if not isinstance(event, ReasoningDelta)]
            if len(self._waiting) > _MOST_WAITING:
                self.fault = StreamFault.UNREADABLE  # an answer that does not begin
            return b""  # of the reasoning nothing is shown, or it would have delivered something
        if self._waiting:
            passed, self._waiting = self._waiting + passed, []
        return self._writer.write(passed)

    def _note_all(self, passed: list[Event]) -> None:
        """Note what the events say; reasoning is marked with where it comes from."""
        for index, event in enumerate(passed):
            if isinstance(event, TextDelta):
                self._deliver(event.text)
                if self._has_thought:
                    self._collector.take(event)
            elif isinstance(event, ReasoningEnd):
                passed[index] = self._take_thought(event)
            else:
                self._note(event)

    def _note(self, event: Event) -> None:
        match event:
            case CallDelta(_, text) | RefusalDelta(text):
                self._deliver(text)
            case CallBegin():
                self._deliver(event.name)
            case ReasoningDelta(text) if self._shows_reasoning:
                self._deliver(text)
            case Begin(_, tier):
                self.service_tier = tier
            case End():
                self._end = event
                self.delivers = self.delivers or event.reason is EndReason.STOP_SEQUENCE
            case Failure():
                self.failure = event
        if self._has_thought:
            self._collector.take(event)

    def _take_thought(self, event: ReasoningEnd) -> ReasoningEnd:
        if event.item.origin is None and self.origin is not None:
            event = ReasoningEnd(msgspec.structs.replace(event.item, origin=self.origin))
        self._has_thought = True
        self.delivers = self.delivers or self._shows_reasoning
        self._collector.take(event)
        return event

    def _deliver(self, text: str) -> None:
        if text:  # an answer has not begun with an empty one
            self._add_text(text)

    def _be_ended(self) -> None:
        end = self._end
        if end is None:
            self.fault = StreamFault.TRUNCATED
            return
        self.ended = True
        self._collector.end()
        self.usage = end.usage
        self.is_capped = end.reason is EndReason.LENGTH
        self.service_tier = end.service_tier or self.service_tier
        self.raw_usage = bytes(end.raw_usage) if end.usage is not None and end.raw_usage is not None else None


class TranslatedReply:
    """A whole reply and what it says."""

    def __init__(
        self,
        events: Iterable[Event],
        write: WriteAnswer,
        *,
        stops: Sequence[str] = (),
        origin: str | None = None,
    ) -> None:
        """Take in an answer.

        Args:
            events: as the upstream's dialect reads it.
            write: writes it in the client's.
            stops: stop sequences to enforce here, as the upstream does not.
            origin: the upstream and model, if its reasoning is to say so.

        Raises:
            BadReplyError: it has no end.
        """
        self._write = write
        self._events: list[Event] = [
            _stamped(event, origin) for event in StopFilter(stops).take(list(events))
        ]
        end = self._events[-1] if self._events else None
        if not isinstance(end, End):
            raise BadReplyError
        self.usage = end.usage  # None: missing, or not to be believed
        self.raw_usage = bytes(end.raw_usage) if end.usage is not None and end.raw_usage is not None else None
        self.service_tier = end.service_tier
        self.is_capped = end.reason is EndReason.LENGTH
        self.delivers = bool(self.text()) or end.reason is EndReason.STOP_SEQUENCE
        collector = ThoughtCollector()
        for event in self._events:
            collector.take(event)
        collector.end()
        self.thoughts: Sequence[Thought] = collector.thoughts

    def render(self, model: str, cost_usd: str, usage: Usage) -> bytes:
        """Write the reply for the client; `usage` stands in where the upstream sent none that can be believed."""
        return self._write(self._events, usage if self.usage is None else self.usage, cost_usd, model=model)

    def text(self) -> str:
        """All that was written in it, for counting it here."""
        return "".join([_text_of(event) for event in self._events])


def read_translated_reply(
    body: bytes,
    read: Callable[[bytes], list[Event]],
    write: WriteAnswer,
    *,
    stops: Sequence[str] = (),
    origin: str | None = None,
) -> TranslatedReply:
    """Read an upstream's whole answer in its dialect, to be written in the client's.

    Raises:
        BadReplyError: it is none, or says that it failed.
    """
    return TranslatedReply(read(body), write, stops=stops, origin=origin)


def _stamped(event: Event, origin: str | None) -> Event:
    if origin is not None and isinstance(event, ReasoningEnd) and event.item.origin is None:
        return ReasoningEnd(msgspec.structs.replace(event.item, origin=origin))
    return event


def _text_of(event: Event) -> str:
    match event:
        case TextDelta(text) | RefusalDelta(text) | CallDelta(_, text):
            return text
        case CallBegin():
            return event.name
        case _:
            return ""
