"""A Responses stream on its way through: upstream bytes in, client bytes out, and what they mean.

Events go on as the upstream wrote them, unknown ones too. Only the response object that some of them hold is put right:
the model's name, and in the last one the cost, and the items where a server leaves them out. That last event is held
back until the cost is known.

Nothing leaves before the answer delivers something, or a heartbeat is due. So an upstream that fails at once, which it
says in its second event, has not begun an answer, and another one can be tried.
"""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.delivery import Delivery
from runapi.wire.half_characters import decode_mending, without_half_characters
from runapi.wire.members import replace_members
from runapi.wire.neutral import EndReason, Failure
from runapi.wire.openai_chat.reply import texts_of
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.openai_responses.answer_parts import ResponseError, end_reason, read_error, read_response
from runapi.wire.openai_responses.event_blocks import (
    MOST_EVENT_BYTES,
    BlockSplitter,
    data_of,
    is_canonical,
    write_event,
)
from runapi.wire.openai_responses.failed import error_of, write_error
from runapi.wire.openai_responses.reply import NO_ECHOES, WRITTEN, Item, delivers, is_hosted_call
from runapi.wire.openai_responses.request import ResponsesRequest
from runapi.wire.openai_responses.response_object import ResponseObject, Status
from runapi.wire.openai_responses.usage import read_responses_usage, write_responses_usage
from runapi.wire.splice import with_cost
from runapi.wire.sse import EventTooLongError, is_name

_DONE = b"[DONE]"
_CREATED = "response.created"
_OPENING = frozenset((_CREATED, "response.queued", "response.in_progress"))
_INCOMPLETE = "response.incomplete"
_ENDS = frozenset(("response.completed", _INCOMPLETE))
_FAILURES = frozenset(("response.failed", "response.cancelled", "error"))
_TEXT_DELTAS = frozenset(
    f"response.{kind}.delta"
    for kind in ("output_text", "function_call_arguments", "custom_tool_call_input", "reasoning_summary_text")
)
_NO_ITEMS = (b"null", b"[]")
_MOST_HELD_BYTES = 2 * MOST_EVENT_BYTES  # both events that open an answer say all again that was asked
_NUMBER = b"sequence_number"
_NUMBER_KEY = b'"sequence_number":'
_NOT_WRITTEN = frozenset(("response.audio.delta",))  # deltas that are no text


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    sequence_number: int | None = None
    delta: str | None = None
    output_index: int | None = None
    item: Raw = NULL
    response: Raw = NULL
    error: Raw = NULL
    code: str | int | None = None
    message: str | None = None


class _EventHead(msgspec.Struct):
    type: str = ""
    sequence_number: int | None = None


class _ResponseHead(msgspec.Struct):
    """As written: what is of another type than we know is passed on, not refused."""

    id: Raw = NULL
    created_at: Raw = NULL
    model: Raw = NULL
    output: Raw = NULL


class _NamedItem(Item):
    name: str | None = None


class _Held(NamedTuple):
    """An event that has not left."""

    kind: str
    number: int | None  # as the upstream counts
    block: bytes
    data: bytes


_decode_event = msgspec.json.Decoder(_Event).decode
_decode_event_head = msgspec.json.Decoder(_EventHead).decode
_decode_response_head = msgspec.json.Decoder(_ResponseHead).decode
_decode_item = msgspec.json.Decoder(_NamedItem).decode


class ResponsesStream(Delivery):
    """The stream of one client, across one or more upstream attempts.

    Feed it what an upstream sends; send the client what it returns. When `ended`, settle, and then send `tail(...)`.

    Args:
        model: the client's name for the model.
        request: as the client sent it, for an answer that has to begin before an upstream's does.
        echoes: fields of the response object, as JSON, in which it says again what was asked, where something else
            went upstream.
    """

    def __init__(
        self, *, model: str, request: ResponsesRequest, echoes: Mapping[str, bytes] = NO_ECHOES
    ) -> None:
        super().__init__()
        self.model = model
        self._model = msgspec.json.encode(model)
        self._request = request
        self._echoes = echoes
        self._last = -1  # the number of the newest event that the client has
        self._response: bytes | None = None  # the response object with which the client's answer began
        self._head = _ResponseHead()  # ... and its id and time
        self.restart()

    def restart(self) -> None:
        """Begin again with another upstream; only before anything was delivered."""
        self._splitter = BlockSplitter()
        self._held: list[_Held] = []  # what came before anything was delivered
        self._held_bytes = 0
        self._shift: int | None = None  # between the upstream's numbers and the client's
        self._end: _Held | None = None
        self._raw_usage: bytes | None = None
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.is_capped = False
        self.hosted_calls: Counter[str] = Counter()
        self._items: dict[int, Raw] = {}  # that are finished, by their places in the answer
        self.ended = False
        self.fault: StreamFault | None = None
        self.failure: Failure | None = None  # what the upstream says of its fault

    def feed(self, data: bytes) -> bytes:
        """Take in what the upstream sent and return what the client may have now.

        After it `ended` says that the upstream has finished, `fault` that it broke; neither takes more.
        """
        try:
            blocks = self._splitter.feed(data)
        except EventTooLongError:
            self.fault = StreamFault.UNREADABLE
            return b""
        return self._take(blocks)

    def feed_end(self) -> bytes:
        """Take in the end of the upstream's body; the event that ends an answer must have come."""
        out = self._take(self._splitter.end())
        if not self.ended and self.fault is not StreamFault.ERROR:
            self.fault = StreamFault.TRUNCATED
        return out

    def heartbeat(self, id_if_first: str, now_s: int) -> bytes:
        """What resets the idle timers of clients: the opening events, or `response.in_progress` once more.

        Nothing may come in front of `response.created`, and comments reset no timer of Codex's (clients.md 1.6). What
        the upstream has opened with goes out now, if it has.
        """
        out: list[bytes] = []
        if not self._has_begun:
            while self._held and self._held[0].kind in _OPENING:
                out.append(self._emit(self._held.pop(0)))
            if not out:
                out.append(self._open(id_if_first, now_s))
        else:
            out.append(self._own("response.in_progress", self._opened(id_if_first, now_s)))
        return b"".join(out)

    def tail(self, cost_usd: str, counted: Usage) -> bytes:
        """The event that ends a whole answer, with its cost.

        `counted` stands in where the upstream sent no usage that can be believed.
        """
        if self._end is None:
            raise ValueError("the answer has not ended")
        usage = with_cost(self._raw_usage or write_responses_usage(counted), cost_usd)
        return self._emit(self._end, usage)

    def error(self, problem: Problem, id_if_first: str, now_s: int) -> bytes:
        """The last events of a broken answer: an `error`, on which some SDKs raise, and `response.failed`."""
        out = [] if self._has_begun else [self._open(id_if_first, now_s)]
        response = self._opened(id_if_first, now_s)
        self._last += 1
        out.append(write_error(problem, self._last))
        failed = {"status": b'"failed"', "error": msgspec.json.encode(error_of(problem))}
        out.append(self._own("response.failed", replace_members(response, failed)))
        return b"".join(out)

    @property
    def _has_begun(self) -> bool:
        """Whether the client has something of an answer; a server may leave out the event that opens it."""
        return self._response is not None or self.delivers

    @property
    def raw_usage(self) -> bytes | None:
        """The upstream's report as it wrote it; None where there is none that can be believed."""
        return self._raw_usage

    # ---- from the upstream -------------------------------------------------------------------------------

    def _take(self, blocks: list[bytes]) -> bytes:
        out: list[bytes] = []
        for block in blocks:
            if self.ended or self.fault is not None:
                break
            data = data_of(block)
            if data == _DONE:
                self.fault = StreamFault.TRUNCATED
            elif data:
                self._take_event(block, data, out)
        return b"".join(out)

    def _take_event(self, block: bytes, data: bytes, out: list[bytes]) -> None:
        try:
            event = _read_event(data)
            if (
                self.delivers
                and self._shift == 0
                and event.delta
                and event.type in _TEXT_DELTAS
                and is_canonical(block)
            ):
                self._last = self._last if event.sequence_number is None else event.sequence_number
                self._add_text(event.delta)  # most events are such; this way is the shortest
                out += (block, b"\n\n")
                return
            held = _Held(event.type, event.sequence_number, block, data)
            if event.type in _ENDS:
                self._take_end(event, held)
            elif event.type in _FAILURES or (not event.type and event.error != NULL):
                self._fail(event)
            else:
                self._read_content(event)
                self._hold(held, event)
            if self.delivers or self.ended:
                out += [self._emit(held) for held in self._held]
                self._held, self._held_bytes = [], 0
        except (ValueError, RecursionError):
            self.fault = StreamFault.UNREADABLE

    def _hold(self, held: _Held, event: _Event) -> None:
        """Keep an event until something was delivered; one that opens the answer must be able to."""
        if held.kind in _OPENING:
            _decode_response_head(event.response)
        self._held.append(held)
        self._held_bytes += len(held.block)
        if self._held_bytes > _MOST_HELD_BYTES or not is_name(held.kind):
            raise ValueError("no event, or an answer that does not begin")

    def _take_end(self, event: _Event, held: _Held) -> None:
        """Keep the event that ends the answer, and what it says was consumed."""
        response = read_response(event.response)
        self.service_tier = response.service_tier
        self.is_capped = (
            held.kind == _INCOMPLETE and end_reason(response.incomplete_details) is EndReason.LENGTH
        )
        usage = read_responses_usage(response.usage)
        if usage is not None:
            self.usage, self._raw_usage = usage, bytes(response.usage)
        if not self.delivers:  # a server that streams nothing and says all of it here
            for raw in response.output or ():
                self._read_item(raw)
                if delivers(_decode_item(raw)):
                    self._add_text("".join(texts_of(msgspec.json.decode(raw), WRITTEN)))
        self._end, self.ended = held, True

    def _fail(self, event: _Event) -> None:
        self.fault = StreamFault.ERROR
        if event.response != NULL:
            self.failure = read_response(event.response).failure()
        elif event.error != NULL and event.message is None:
            self.failure = read_error(event.error).failure()
        else:
            self.failure = ResponseError(event.code, event.message).failure()

    def _read_content(self, event: _Event) -> None:
        """Note what the event delivers."""
        if event.type.endswith(".delta"):
            if event.delta != "":  # a piece of something unknown has none that we could read
                self._add_text(event.delta or "" if event.type not in _NOT_WRITTEN else "")
        elif event.type == "response.output_item.added":
            item = _decode_item(event.item)
            if delivers(item):
                self._add_text(item.name or "")
        elif event.type == "response.output_item.done":
            self._read_item(event.item)
            place = len(self._items) if event.output_index is None else event.output_index
            self._items[place] = event.item

    def _read_item(self, raw: Raw) -> None:
        item = _decode_item(raw)
        self.delivers = self.delivers or delivers(item)
        if is_hosted_call(item.type):
            self.hosted_calls[item.type] += 1

    # ---- to the client -----------------------------------------------------------------------------------

    def _emit(self, held: _Held, usage: bytes | None = None) -> bytes:
        """Write an event of the upstream's for the client: as it is, if nothing in it has to be put right."""
        data = held.data
        changes: dict[str, bytes] = {}
        if held.kind in _OPENING or held.kind in _ENDS:
            if held.kind == _CREATED and self._response is not None:
                self._shift = None if self._shift is None else self._shift - 1
                return b""  # the client's answer has begun already
            changes = self._put_right(data, held.kind, usage)
        number = self._number(held.number)
        if number is not None and number != held.number:
            written = b"%b%d" % (_NUMBER_KEY, held.number or 0)
            if changes or data.count(_NUMBER) != 1 or written not in data:
                changes["sequence_number"] = b"%d" % number
            else:  # quicker
                data = data.replace(written, b"%b%d" % (_NUMBER_KEY, number))
        elif not changes and is_canonical(held.block):
            return held.block + b"\n\n"
        try:
            data = replace_members(data, changes)
        except ValueError:  # half a character: it goes on only where nothing has to be put right
            data = replace_members(without_half_characters(data), changes)
        return write_event(held.kind, data) if held.kind else b"data: %b\n\n" % data

    def _number(self, number: int | None) -> int | None:
        """Count on from what the client has."""
        if number is None:
            return None
        if self._shift is None:
            self._shift = 0 if self._last < 0 else self._last + 1 - number
        self._last = number + self._shift
        return self._last

    def _put_right(self, data: bytes, kind: str, usage: bytes | None) -> dict[str, bytes]:
        """Work out the response object that the client gets, if it is another one."""
        response = bytes(_read_event(data).response)
        head = _decode_response_head(response)
        changes = dict(self._echoes)
        if usage is not None:
            changes["usage"] = usage
        if head.model not in (NULL, Raw(self._model)):
            changes["model"] = self._model
        if kind in _ENDS and self._items and bytes(head.output) in _NO_ITEMS:
            changes["output"] = msgspec.json.encode([self._items[place] for place in sorted(self._items)])
        if self._response is not None and head.id != self._head.id:
            changes["id"], changes["created_at"] = bytes(self._head.id), bytes(self._head.created_at)
        ours = replace_members(response, changes)
        if self._response is None and kind in _OPENING:
            self._response, self._head = ours, head
        return {} if ours == response else {"response": ours}

    # ---- of our own --------------------------------------------------------------------------------------

    def _open(self, response_id: str, now_s: int) -> bytes:
        """Begin the answer without an upstream."""
        writer = ResponseObject(self._request, self.model, response_id, now_s)
        self._response = bytes(writer.write(Status.IN_PROGRESS))
        self._head = _decode_response_head(self._response)
        opening = self._own(_CREATED, self._response)
        return opening + self._own("response.in_progress", self._response)

    def _opened(self, id_if_first: str, now_s: int) -> bytes:
        """The response object with which the client's answer began; an upstream may have sent none."""
        if self._response is not None:
            return self._response
        writer = ResponseObject(self._request, self.model, id_if_first, now_s)
        return bytes(writer.write(Status.IN_PROGRESS))

    def _own(self, kind: str, response: bytes) -> bytes:
        """Write an event in between."""
        self._last += 1
        if self._shift is not None:
            self._shift += 1
        event = {"type": kind, "sequence_number": self._last, "response": Raw(response)}
        return write_event(kind, msgspec.json.encode(event))


def _read_event(data: bytes) -> _Event:
    """Read an event; of one whose fields have other types than ours, only what all events have.

    Raises:
        ValueError: it is no JSON object.
    """
    if not data.isascii():
        data.decode()  # the parts that are skipped must be UTF-8 as well
    try:
        return decode_mending(_decode_event, data)
    except msgspec.ValidationError:
        head = _decode_event_head(data)
        return _Event(head.type, head.sequence_number)
