"""What models thought before they called tools, kept for clients that cannot carry it.

A Chat client sends a call back without the reasoning that led to it. It is put back here, so that the model need not
think again: encrypted by its upstream, and of use to that upstream and model alone (api.md 4.5).
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence

import msgspec

from runapi.wire.neutral import (
    Call,
    CallBegin,
    Event,
    Item,
    Reasoning,
    ReasoningEnd,
    RefusalDelta,
    Role,
    TextDelta,
    Turn,
)

_ENTRY_BYTES = 200  # what an entry takes beside its texts
_SHARE = 8  # the part of all bytes that one key may have


class Thought(msgspec.Struct, frozen=True):
    """Reasoning that led to calls."""

    items: tuple[Reasoning, ...]
    call_ids: tuple[str, ...]
    is_before_text: bool = False  # the assistant said something between the reasoning and the calls

    @property
    def size_bytes(self) -> int:
        """About what it takes to keep it."""
        texts = [text for item in self.items for text in (item.encrypted or "", *item.summaries)]
        return _ENTRY_BYTES + sum(len(text.encode()) for text in (*texts, *self.call_ids))


class ThoughtCollector:
    """Watches an answer go by and notes which reasoning led to which calls."""

    def __init__(self) -> None:
        self.thoughts: list[Thought] = []
        self._items: list[Reasoning] = []
        self._call_ids: list[str] = []
        self._has_text = False

    def take(self, event: Event) -> None:
        """Take in one event, in the order of the answer."""
        match event:
            case ReasoningEnd(item):
                if self._call_ids or self._has_text:  # what came before led to those calls, or to that text
                    self.end()
                if item.encrypted is not None:
                    self._items.append(item)
            case CallBegin():
                self._call_ids.append(event.id)
            case TextDelta() | RefusalDelta():
                self._has_text = self._has_text or not self._call_ids

    def end(self) -> None:
        """Take in the end of the answer."""
        if self._items and self._call_ids:
            self.thoughts.append(Thought(tuple(self._items), tuple(self._call_ids), self._has_text))
        self._items, self._call_ids, self._has_text = [], [], False


class _Kept(msgspec.Struct):
    thought: Thought
    origin: str
    used_s: float
    size_bytes: int


class ReasoningMemory:
    """Thoughts by the key that they belong to and the id of each call; the longest unused go first.

    Nothing of it is ever given to another key, nor for another upstream or model than it came from.
    """

    def __init__(self, *, most_entries: int, most_bytes: int, most_per_key: int, most_age_s: float) -> None:
        """Bound the memory: entries in all and for each key, bytes in all, and seconds since the last use."""
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._most_per_key = most_per_key
        self._most_age_s = most_age_s
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()  # the longest unused first
        self._calls_of: dict[str, OrderedDict[str, None]] = {}  # of each key, in the same order
        self._bytes_of: dict[str, int] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    def keep(self, key: str, origin: str, thought: Thought, now_s: float) -> None:
        """Keep a thought under each of its calls.

        Args:
            key: whose it is.
            origin: the upstream and model that can read it.
            thought: what to keep.
            now_s: the monotonic clock.
        """
        size_bytes = thought.size_bytes
        for call_id in thought.call_ids:
            name = _plain(call_id)
            self._forget(key, name)
            self._kept[key, name] = _Kept(thought, origin, now_s, size_bytes)
            calls = self._calls_of.setdefault(key, OrderedDict())
            calls[name] = None
            self.size_bytes += size_bytes
            self._bytes_of[key] = self._bytes_of.get(key, 0) + size_bytes
            while len(calls) > 1 and self._is_too_much(key, len(calls)):
                self._forget(key, next(iter(calls)))
        self._shrink(now_s)

    def find(self, key: str, origin: str, call_id: str, now_s: float) -> Thought | None:
        """Give what led to a call, if this upstream and model thought it; being asked for keeps it in memory.

        The id may have lost its punctuation on its way (OpenClaw strips it).
        """
        self._shrink(now_s)
        name = _plain(call_id)
        kept = self._kept.get((key, name))
        if kept is None or kept.origin != origin:
            return None
        kept.used_s = now_s
        self._kept.move_to_end((key, name))
        self._calls_of[key].move_to_end(name)
        return kept.thought

    def _is_too_much(self, key: str, calls: int) -> bool:
        """Whether a key has more than its share: what it keeps must not push out what others need."""
        return calls > self._most_per_key or self._bytes_of[key] > self._most_bytes // _SHARE

    def _shrink(self, now_s: float) -> None:
        while self._kept:
            (key, name), oldest = next(iter(self._kept.items()))
            if (
                len(self._kept) <= self._most_entries
                and self.size_bytes <= self._most_bytes
                and now_s - oldest.used_s <= self._most_age_s
            ):
                return
            self._forget(key, name)

    def _forget(self, key: str, name: str) -> None:
        kept = self._kept.pop((key, name), None)
        if kept is None:
            return
        self.size_bytes -= kept.size_bytes
        self._bytes_of[key] -= kept.size_bytes
        calls = self._calls_of[key]
        del calls[name]
        if not calls:
            del self._calls_of[key], self._bytes_of[key]


def put_back(items: Sequence[Item], find: Callable[[str], Thought | None]) -> tuple[Item, ...]:
    """Put reasoning back where it stood before the calls it led to, unless the client sent it itself.

    Args:
        items: of a request.
        find: gives what led to the call of an id, or None.
    """
    known = {item.encrypted for item in items if isinstance(item, Reasoning)}
    restored: list[Item] = []
    for item in items:
        thought = find(item.id) if isinstance(item, Call) else None
        if thought is not None and known.isdisjoint([one.encrypted for one in thought.items]):
            known.update([one.encrypted for one in thought.items])
            at = len(restored)
            if thought.is_before_text and restored and _is_said(restored[-1]):
                at -= 1
            restored[at:at] = thought.items
        restored.append(item)
    return tuple(restored)


def readable(items: Iterable[Item], origin: str) -> tuple[Item, ...]:
    """Leave out reasoning of which it is known that another upstream or model thought it: none else can read it."""
    return tuple(
        item
        for item in items
        if not (isinstance(item, Reasoning) and item.origin is not None and item.origin != origin)
    )


def _is_said(item: Item) -> bool:
    return isinstance(item, Turn) and item.role is Role.ASSISTANT


def _plain(call_id: str) -> str:
    """What is left of an id at a client that strips it."""
    return "".join(filter(str.isalnum, call_id)) or call_id
