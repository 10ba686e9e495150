"""What reading an upstream's stream is in every dialect: events split and folded until one ends the answer, or a fault."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar

from runapi.wire.neutral import Event
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.sse import EventTooLongError

_DONE = b"[DONE]"  # some servers end every dialect with it


class Splitter(Protocol):
    """Cuts a body into events."""

    def feed(self, data: bytes) -> list[bytes]: ...

    def end(self) -> list[bytes]: ...


class Folder(Protocol):
    """Folds events of one dialect into neutral ones."""

    out: list[Event]


AnyFolder = TypeVar("AnyFolder", bound=Folder)


class StreamReader(ABC, Generic[AnyFolder]):
    """Reads one upstream's stream.

    `ended` says that it has finished, `fault` that it broke, and then a `Failure` among the events what it said itself,
    if it did; neither takes more. The same bytes give the same events however they were cut.
    """

    def __init__(self, splitter: Splitter, folder: AnyFolder) -> None:
        self._splitter = splitter
        self._folder = folder
        self.ended = False
        self.fault: StreamFault | None = None

    def feed(self, data: bytes) -> list[Event]:
        """Take in what the upstream sent and return what it says."""
        try:
            return self._take(self._splitter.feed(data))
        except EventTooLongError:
            self.fault = StreamFault.UNREADABLE
            return []

    def feed_end(self) -> list[Event]:
        """Take in the end of the upstream's body; what finishes an answer must have come, `[DONE]` need not."""
        events = self._take(self._splitter.end())
        if self.fault is StreamFault.UNREADABLE:
            self.fault = StreamFault.TRUNCATED  # half an event is the mark of a cut
        if not self.ended and self.fault is None:
            events += self._take([_DONE])
        return events

    @abstractmethod
    def _take_event(self, data: bytes) -> None:
        """Take in the data of one event.

        Raises:
            ValueError, RecursionError: it cannot be read, or contradicts what came before it.
        """

    @abstractmethod
    def _end(self) -> None:
        """Take in that nothing more comes: end the answer, or say what is missing.

        Raises:
            ValueError: what came is no answer.
        """

    def _take(self, events: Sequence[bytes]) -> list[Event]:
        for data in events:
            if self.ended or self.fault is not None:
                break
            try:
                if data == _DONE:
                    self._end()
                elif data:
                    self._take_event(
                        data.replace(b"\n", b" ")
                    )  # of several lines: white space to JSON, an end to SSE
            except (ValueError, RecursionError):
                self.fault = StreamFault.UNREADABLE
        out, self._folder.out = self._folder.out, []
        return out
