"""A Chat Completions stream on its way through: upstream bytes in, client bytes out, and what they mean.

Content goes on as the upstream wrote it. Only the model's name is put right; usage is held back until its cost is
known, and shown where this client expects it. All of it works on whole events, so that the client's bytes do not
depend on where the network cut the upstream's.
"""

from enum import StrEnum

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.delivery import Delivery
from runapi.wire.meter import read_chat_usage, write_chat_usage
from runapi.wire.openai_chat.chunk import (
    Choice,
    Chunk,
    ChunkHead,
    read_chunk,
    read_head,
    text_of,
)
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_chat.template import Template, learn_template
from runapi.wire.splice import (
    as_written,
    null_usage_as_written,
    with_cost,
    with_usage,
    with_usage_value,
    without_role,
    without_usage,
)
from runapi.wire.sse import EventSplitter, EventTooLongError

DONE = b"data: [DONE]\n\n"
_CAPPED = "length"  # the finish reason of an answer that ended at its output limit
_FREE_TEMPLATES = 8
_TEMPLATE_COST = 4  # chunks that templates must have served for another one to pay


class StreamFault(StrEnum):
    """Why an upstream's stream cannot be believed to be whole."""

    ERROR = "upstream_error"  # it said so itself
    TRUNCATED = "upstream_truncated"  # it ended without a finish_reason
    UNREADABLE = "upstream_bad_reply"  # an event that is no chunk, or too long


_EMPTY_CHOICE: dict[str, object] = {"index": 0, "delta": {}, "finish_reason": None}


class ChatStream(Delivery):
    """The stream of one client, across one or more upstream attempts.

    Feed it what an upstream sends; send the client what it returns. When `ended`, settle, and then send `tail(...)`.
    """

    __slots__ = (
        "_drops_roles",
        "_finish",
        "_finished",
        "_head",
        "_keeps_head",
        "_marks",
        "_newest",
        "_raw_usage",
        "_renames",
        "_role_sent",
        "_seen",
        "_splitter",
        "_template",
        "_template_credit",
        "_usage_chunk",
        "_wants_usage",
        "ended",
        "fault",
        "model",
        "service_tier",
        "usage",
    )

    def __init__(self, *, model: str, wants_usage: bool) -> None:
        super().__init__()
        self.model = model
        self._wants_usage = wants_usage
        self._head: ChunkHead | None = None  # what every chunk to this client begins with, once one was sent
        self._role_sent = False
        self.restart()

    def restart(self) -> None:
        """Begin again with another upstream; only before anything was delivered."""
        self._splitter = EventSplitter()
        self._keeps_head = (
            self._head is not None
        )  # the client knows it from before this upstream's first chunk
        self._renames: list[tuple[bytes, bytes]] | None = None
        self._marks: list[bytes] = []  # what a chunk must hold for `_renames` to fit it
        self._newest = b""  # the newest chunk, if it went to the client
        self._template: Template | None = None  # what it and the next ones are alike in
        self._template_credit = _FREE_TEMPLATES * _TEMPLATE_COST
        self._drops_roles = self._role_sent
        self._seen: set[int] = set()  # the choices that began
        self._finished: set[int] = set()  # ... and those with a finish_reason
        self._finish: bytes | None = None  # the newest chunk with a finish_reason, held for its usage
        self._usage_chunk: bytes | None = None
        self._raw_usage: bytes | None = None
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.is_capped = False
        self.ended = False
        self.fault: StreamFault | None = None

    def feed(self, data: bytes) -> bytes:
        """Take in what the upstream sent and return what the client may have now.

        After it `ended` says that the upstream has finished, `fault` that it broke; neither takes more.
        """
        if self._template is None:
            return self._feed_slowly(data)
        if self._splitter.is_holding:
            if b"\n\n" not in data:  # it ends nothing, or nothing that a template could fit
                return self._feed_slowly(data)
            data = self._splitter.take_held() + data
        take, out, at = self._template.take, [], 0
        while at < len(data) and (plain := take(data, at)):
            chunk, text, at = plain
            out.append(chunk)
            self._add_text(text)
        self._template_credit += len(out)
        if at < len(data):
            out.append(self._feed_slowly(data[at:]))
        return b"".join(out)

    def _feed_slowly(self, data: bytes) -> bytes:
        """Take in what no template fits. Whatever way a chunk takes, the client gets the same bytes."""
        try:
            events = self._splitter.feed(data)
        except EventTooLongError:
            self.fault = StreamFault.UNREADABLE
            return b""
        out = self._take(events)
        if self._newest and self._finish is None and self._template_credit >= _TEMPLATE_COST:
            self._template_credit -= _TEMPLATE_COST
            learned = learn_template(self._newest, self._renames or [], self._marks)
            self._template = learned or self._template
        self._newest = b""
        return out

    def feed_end(self) -> bytes:
        """Take in the end of the upstream's body; a finish_reason must have come, `[DONE]` need not."""
        out = self._take(self._splitter.end())
        if self.fault is StreamFault.UNREADABLE:
            self.fault = StreamFault.TRUNCATED  # half an event is the mark of a cut
        if not self.ended and self.fault is None:
            self._end(is_whole=bool(self._finished) and self._seen <= self._finished)
        return out

    def heartbeat(self, id_if_first: str, now_s: int) -> bytes:
        """An empty chunk, which resets the idle timers of clients as no comment does (openclaw.md 0.5)."""
        head = self._head or ChunkHead()
        if not self._keeps_head:
            self._head = ChunkHead(
                head.id if len(bytes(head.id)) > len(b"null") else Raw(msgspec.json.encode(id_if_first)),
                head.created if head.created != NULL else Raw(b"%d" % now_s),
            )
            self._keeps_head, self._renames, self._template = True, None, None
        return b"data: %b\n\n" % self._chunk([_EMPTY_CHOICE], NULL)

    def tail(self, cost_usd: str, counted: Usage) -> bytes:
        """The end of a whole stream: finish, usage with its cost, and the end marker.

        `counted` stands in where the upstream sent no usage that can be believed.
        """
        usage = with_cost(self._raw_usage or write_chat_usage(counted), cost_usd)
        last = self._finish
        if last is None:  # something followed the finish_reason, which has gone out before it
            last = self._chunk([] if self._wants_usage else [_EMPTY_CHOICE], Raw(usage))
        elif not self._wants_usage:
            null = null_usage_as_written(last)
            last = with_usage(last.replace(null, b"", 1) if null else last, usage)
        elif self._usage_chunk is not None and self._raw_usage is not None:
            last = b"%b\n\ndata: %b" % (last, with_usage_value(self._usage_chunk, self._raw_usage, usage))
        else:
            last = b"%b\n\ndata: %b" % (last, self._chunk([], Raw(usage)))
        return b"data: %b\n\n%b" % (last, DONE)

    def error(self, problem: Problem, _id_if_first: str = "", _now_s: int = 0) -> bytes:
        """The last event of a broken stream; the end marker never follows it."""
        return error_event(problem)

    @property
    def raw_usage(self) -> bytes | None:
        """The upstream's report as it wrote it; None where there is none that can be believed."""
        return self._raw_usage

    def _take(self, events: list[bytes]) -> bytes:
        before = self._role_sent, self._head, self._keeps_head
        out = []
        for event in events:
            if self.ended or self.fault is not None:
                break
            if event == b"[DONE]":
                self._end(is_whole=bool(self._finished))
            elif event and (chunk := self._take_chunk(event)):
                out.append(b"data: %b\n\n" % chunk)
        if self.fault is not None and not self.delivers:
            self._role_sent, self._head, self._keeps_head = before  # what follows was never sent
            return b""
        return b"".join(out)

    def _end(self, *, is_whole: bool) -> None:
        if is_whole:
            self.ended = True
        else:
            self.fault = StreamFault.TRUNCATED

    def _take_chunk(self, event: bytes) -> bytes | None:
        """Read one chunk; return what the client gets now, if anything."""
        self._newest = b""
        read = read_chunk(event)
        if read is None:
            self.fault = StreamFault.UNREADABLE
            return None
        chunk, event = read
        if chunk.error != NULL:
            self.fault = StreamFault.ERROR
            return None
        theirs, event = event, self._rename(event)
        if chunk.service_tier is not None:
            self.service_tier = chunk.service_tier
        if chunk.usage != NULL:
            event = self._take_usage(event, chunk)
            if not chunk.choices:
                return None
        out = self._place(event, chunk.choices or [])
        self._newest = theirs if out else b""
        return out

    def _take_usage(self, event: bytes, chunk: Chunk) -> bytes:
        """Keep the counts for the end: the last report holds, reports are never summed (reliability F-34)."""
        raw = bytes(chunk.usage)
        usage = read_chat_usage(raw)
        if usage is not None:
            self.usage, self._raw_usage = usage, raw
            self._usage_chunk = None if chunk.choices else event
        return without_usage(event, raw, leave_null=self._wants_usage)

    def _place(self, event: bytes, choices: list[Choice]) -> bytes | None:
        """Hold a chunk that finishes; pass on all others, behind a held one that was not the last after all."""
        text = text_of(choices)
        if text:
            self._add_text(text)
        finishes = names_role = False
        for choice in choices:
            self._seen.add(choice.index)
            if choice.finish_reason:
                finishes = True
                self._finished.add(choice.index)
                self.is_capped = self.is_capped or choice.finish_reason == _CAPPED
            if choice.delta.role:
                names_role = True
        if names_role:
            if self._drops_roles:  # the client has its role from an attempt before, and would append this one
                event = without_role(event)
                if not text and not finishes:
                    return None
            self._role_sent = True
        held, self._finish = self._finish, event if finishes else None
        if finishes:
            self._template = None  # what follows lets this one go
            return held
        return event if held is None else b"%b\n\ndata: %b" % (held, event)

    def _rename(self, event: bytes) -> bytes:
        """Put our names in the place of the upstream's; every other byte stays."""
        if self._renames is None or not all([mark in event for mark in self._marks]):  # noqa: C419 - a list is faster
            self._renames = self._learn_renames(event)
            self._template = None
        for old, new in self._renames:
            event = event.replace(old, new)
        return event

    def _learn_renames(self, event: bytes) -> list[tuple[bytes, bytes]]:
        """Work out which bytes of this upstream's chunks must change; its chunks may begin in different ways."""
        theirs = read_head(event)
        model = as_written(event, b"model", theirs.model)
        self._marks = [model]
        renames = [(model, b'"model":%b' % msgspec.json.encode(self.model))]
        if not self._wants_usage:
            renames.append((null_usage_as_written(event), b""))
        if self._head is None or not self._keeps_head:
            self._head = theirs
        else:
            for key, value, ours in (
                (b"id", theirs.id, self._head.id),
                (b"created", theirs.created, self._head.created),
            ):
                written = as_written(event, key, value)
                if written:
                    behind = event[event.find(written) + len(written) :][:1]  # so that 17 is not found in 170
                    self._marks.append(written + behind)
                    renames.append((written + behind, b'"%b":%b%b' % (key, bytes(ours), behind)))
        return [(old, new) for old, new in renames if old and old != new]

    def _chunk(self, choices: list[dict[str, object]], usage: Raw) -> bytes:
        """A chunk of our own making, with the head of this stream."""
        head = self._head or ChunkHead()
        chunk: dict[str, object] = {
            "id": head.id,
            "object": "chat.completion.chunk",
            "created": head.created,
            "model": self.model,
            "choices": choices,
        }
        if usage != NULL or self._wants_usage:
            chunk["usage"] = usage
        return msgspec.json.encode(chunk)


def error_event(problem: Problem) -> bytes:
    """The last event of a broken stream; the end marker never follows it."""
    return b"data: %b\n\n" % msgspec.json.encode(problem.body())
