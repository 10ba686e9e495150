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
from runapi.wire.meter import read_chat_usage, write_chat_usage
from runapi.wire.openai_chat.request import NULL
from runapi.wire.splice import (
    as_written,
    null_usage_as_written,
    with_cost,
    with_usage,
    with_value,
    without_role,
    without_usage,
)
from runapi.wire.sse import EventSplitter, EventTooLongError

DONE = b"data: [DONE]\n\n"
MOST_TEXT_KEPT = (
    64 * 1024
)  # characters of the answer kept for counting it here, should the upstream not count


class StreamFault(StrEnum):
    """Why an upstream's stream cannot be believed to be whole."""

    ERROR = "upstream_error"  # it said so itself
    TRUNCATED = "upstream_truncated"  # it ended without a finish_reason
    UNREADABLE = "upstream_bad_reply"  # an event that is no chunk, or too long


class _Call(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None  # of a function
    input: str | None = None  # of a custom tool


class _ToolCall(msgspec.Struct):
    function: _Call | None = None
    custom: _Call | None = None


class _Delta(msgspec.Struct):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: Raw = NULL
    error: Raw = NULL
    service_tier: str | None = None


class _ChunkHead(msgspec.Struct):
    """As written: a head of another shape than we know is passed on, not refused."""

    id: Raw = NULL
    created: Raw = NULL
    model: Raw = NULL


_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_head = msgspec.json.Decoder(_ChunkHead).decode
_EMPTY_CHOICE: dict[str, object] = {"index": 0, "delta": {}, "finish_reason": None}


class ChatStream:
    """The stream of one client, across one or more upstream attempts.

    Feed it what an upstream sends; send the client what it returns. When `ended`, settle, and then send `tail(...)`.
    """

    __slots__ = (
        "_drops_roles",
        "_finish",
        "_finished",
        "_head",
        "_raw_usage",
        "_renames",
        "_role_sent",
        "_splitter",
        "_text_length",
        "_texts",
        "_usage_chunk",
        "_wants_usage",
        "delivers",
        "ended",
        "fault",
        "model",
        "service_tier",
        "usage",
    )

    def __init__(self, *, model: str, wants_usage: bool) -> None:
        self.model = model
        self._wants_usage = wants_usage
        self._head: _ChunkHead | None = None  # what every chunk to this client begins with, once one was sent
        self._role_sent = False
        self.delivers = False  # some text, refusal or call went to the client: no other attempt can be made
        self._texts: list[str] = []
        self._text_length = 0
        self.restart()

    def restart(self) -> None:
        """Begin again with another upstream; only before anything was delivered."""
        self._splitter = EventSplitter()
        self._renames: list[tuple[bytes, bytes]] | None = None
        self._drops_roles = self._role_sent
        self._finished = False
        self._finish: bytes | None = None  # the newest chunk with a finish_reason, held for its usage
        self._usage_chunk: bytes | None = None
        self._raw_usage: bytes | None = None
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.ended = False
        self.fault: StreamFault | None = None

    def feed(self, data: bytes) -> bytes:
        """Take in what the upstream sent and return what the client may have now.

        After it `ended` says that the upstream has finished, `fault` that it broke; neither takes more.
        """
        try:
            events = self._splitter.feed(data)
        except EventTooLongError:
            self.fault = StreamFault.UNREADABLE
            return b""
        return self._take(events)

    def feed_end(self) -> bytes:
        """Take in the end of the upstream's body; a finish_reason must have come, `[DONE]` need not."""
        out = self._take(self._splitter.end())
        if self.fault is StreamFault.UNREADABLE:
            self.fault = StreamFault.TRUNCATED  # half an event is the mark of a cut
        if not self.ended and self.fault is None:
            self._end()
        return out

    def heartbeat(self, id_if_first: str, now_s: int) -> bytes:
        """An empty chunk, which resets the idle timers of clients as no comment does (openclaw.md 0.5)."""
        if self._head is None:
            self._head = _ChunkHead(Raw(msgspec.json.encode(id_if_first)), Raw(b"%d" % now_s))
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
            last = with_usage(last, usage)
        elif self._usage_chunk is not None and self._raw_usage is not None:
            last = b"%b\n\ndata: %b" % (last, with_value(self._usage_chunk, self._raw_usage, usage))
        else:
            last = b"%b\n\ndata: %b" % (last, self._chunk([], Raw(usage)))
        return b"data: %b\n\n%b" % (last, DONE)

    @property
    def text(self) -> str:
        """The delivered text, its first MOST_TEXT_KEPT characters or a little more."""
        return "".join(self._texts)

    @property
    def text_length(self) -> int:
        """Characters of the delivered text, all of it."""
        return self._text_length

    def _take(self, events: list[bytes]) -> bytes:
        out = []
        for event in events:
            if self.ended or self.fault is not None:
                break
            if event == b"[DONE]":
                self._end()
            elif chunk := self._take_chunk(event):
                out.append(b"data: %b\n\n" % chunk)
        return b"".join(out)

    def _end(self) -> None:
        if self._finished:
            self.ended = True
        else:
            self.fault = StreamFault.TRUNCATED

    def _take_chunk(self, event: bytes) -> bytes | None:
        """Read one chunk; return what the client gets now, if anything."""
        try:
            chunk = _decode_chunk(event)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            self.fault = StreamFault.UNREADABLE
            return None
        if chunk.error != NULL:
            self.fault = StreamFault.ERROR
            return None
        if self._renames is None:
            self._renames = self._learn_renames(event)
        for old, new in self._renames:
            event = event.replace(old, new)
        if chunk.service_tier is not None:
            self.service_tier = chunk.service_tier
        if chunk.usage != NULL:
            event = self._take_usage(event, chunk)
            if not chunk.choices:
                return None
        return self._place(event, chunk.choices or [])

    def _take_usage(self, event: bytes, chunk: _Chunk) -> bytes:
        """Keep the counts for the end: the last report holds, reports are never summed (reliability F-34)."""
        raw = bytes(chunk.usage)
        usage = read_chat_usage(raw)
        if usage is not None:
            self.usage, self._raw_usage = usage, raw
            self._usage_chunk = None if chunk.choices else event
        return without_usage(event, raw, leave_null=self._wants_usage)

    def _place(self, event: bytes, choices: list[_Choice]) -> bytes | None:
        """Hold a chunk that finishes; pass on all others, behind a held one that was not the last after all."""
        text = _text_of(choices)
        if text:
            self.delivers = True
            if self._text_length < MOST_TEXT_KEPT:
                self._texts.append(text)
            self._text_length += len(text)
        finishes = any(choice.finish_reason for choice in choices)
        if any(choice.delta.role for choice in choices):
            if self._drops_roles:  # the client has its role from an attempt before, and would append this one
                event = without_role(event)
                if not text and not finishes:
                    return None
            self._role_sent = True
        held, self._finish = self._finish, event if finishes else None
        self._finished = self._finished or finishes
        if finishes:
            return held
        return event if held is None else b"%b\n\ndata: %b" % (held, event)

    def _learn_renames(self, event: bytes) -> list[tuple[bytes, bytes]]:
        """Work out, from its first chunk, which bytes of this upstream's chunks must change."""
        theirs = _decode_head(event)
        renames = [
            (as_written(event, b"model", theirs.model), b'"model":%b' % msgspec.json.encode(self.model)),
        ]
        if not self._wants_usage:
            renames.append((null_usage_as_written(event), b""))
        if self._head is None:
            self._head = theirs
        else:
            ours = self._head
            renames.append((as_written(event, b"id", theirs.id), b'"id":%b' % bytes(ours.id)))
            renames.append(
                (as_written(event, b"created", theirs.created), b'"created":%b' % bytes(ours.created))
            )
        return [(old, new) for old, new in renames if old and old != new]

    def _chunk(self, choices: list[dict[str, object]], usage: Raw) -> bytes:
        """A chunk of our own making, with the head of this stream."""
        head = self._head or _ChunkHead()
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


def _text_of(choices: list[_Choice]) -> str:
    """What a chunk adds to the answer: text, refusal, reasoning shown, names and arguments of calls."""
    if len(choices) == 1:
        delta = choices[0].delta
        if delta.content and not delta.tool_calls:
            return delta.content
    parts: list[str | None] = []
    for choice in choices:
        delta = choice.delta
        parts += (delta.content, delta.refusal, delta.reasoning_content)
        for call in delta.tool_calls or ():
            for written in (call.function, call.custom):
                if written is not None:
                    parts += (written.name, written.arguments, written.input)
    return "".join(part for part in parts if part)
