"""Stop sequences, enforced here for models that refuse them.

The answer ends before the sequence that is the first to be complete, as if it had been written token by token; where
two are complete with the same character, before the longer one. However the text is cut, the outcome is the same.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from runapi.wire.neutral import End, EndReason, Event, TextDelta

_decode_list = msgspec.json.Decoder(list[Raw]).decode


class StopScanner:
    """Look for stop sequences in text that comes in pieces.

    Only what may be the beginning of a sequence is held back; `found` is the sequence that ended the text.
    """

    __slots__ = ("_held", "_stops", "found")

    def __init__(self, stops: Iterable[str]) -> None:
        self._stops = tuple(dict.fromkeys(stop for stop in stops if stop))
        self._held = ""
        self.found: str | None = None

    def feed(self, text: str) -> str:
        """Add a piece of text and return what may go to the client now; after a sequence was found, nothing."""
        if self.found is not None:
            return ""
        text = self._held + text
        first = min(self._ends_in(text), default=None)
        if first is not None:
            _, start, self.found = first
            self._held = ""
            return text[:start]
        keep = max((_overlap(text, stop) for stop in self._stops), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def flush(self) -> str:
        """Return what was held back: no more text follows it, so that it is no sequence."""
        held, self._held = self._held, ""
        return held

    def _ends_in(self, text: str) -> list[tuple[int, int, str]]:
        """Where each sequence that stands in `text` ends first, and where it begins."""
        return [(at + len(stop), at, stop) for stop in self._stops if (at := text.find(stop)) >= 0]


def _overlap(text: str, stop: str) -> int:
    """The length of the longest end of `text` that is a beginning of `stop`, and not all of it."""
    at = max(0, len(text) - len(stop) + 1)
    while (at := text.find(stop[0], at)) >= 0:
        if stop.startswith(text[at:]):
            return len(text) - at
        at += 1
    return 0


class StopFilter:
    """End an answer at a stop sequence: events in, events out, for any reader and writer.

    A sequence is looked for in text alone, and not across what stands between two texts. After it nothing more comes
    but the end, with the upstream's usage; `found` tells who need not wait for that.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = stops
        self._scanner = StopScanner(stops)
        self._logprobs: list[Raw] = []  # of text that is held back

    @property
    def found(self) -> str | None:
        return self._scanner.found

    def take(self, events: Sequence[Event]) -> list[Event]:
        """Pass events on, without what stands behind a stop sequence."""
        if not self._stops:
            return list(events)
        passed: list[Event] = []
        for event in events:
            if isinstance(event, TextDelta):
                self._take_text(event, passed)
            elif isinstance(event, End):
                passed += self._release()
                passed.append(event if self.found is None else _stopped(event, self.found))
            elif self.found is None:
                passed += self._release()
                passed.append(event)
        return passed

    def _take_text(self, delta: TextDelta, passed: list[Event]) -> None:
        if self.found is not None:
            return
        if delta.logprobs is not None:
            self._logprobs.append(delta.logprobs)
        text = self._scanner.feed(delta.text)
        if text:
            passed.append(self._delta(text))

    def _release(self) -> list[Event]:
        text = self._scanner.flush()
        return [self._delta(text)] if text else []

    def _delta(self, text: str) -> TextDelta:
        """A delta with the logprobs of all tokens that came for it, the last of which may reach beyond it."""
        logprobs, self._logprobs = self._logprobs, []
        if len(logprobs) < 2:
            return TextDelta(text, logprobs[0] if logprobs else None)
        joined = [token for part in logprobs for token in _decode_list(part)]
        return TextDelta(text, Raw(msgspec.json.encode(joined)))


def _stopped(end: End, stop: str) -> End:
    return msgspec.structs.replace(end, reason=EndReason.STOP_SEQUENCE, stop_sequence=stop)
