"""A Messages stream on its way through: upstream bytes in, client bytes out, and what they mean.

The data of each event goes on as the upstream wrote it, of unknown ones too, under the name that clients go by. Only the
model's name is put right; what ends the message is held back until its cost is known.

Nothing leaves before the answer delivers something, but heartbeats. So an upstream that fails at once has not begun an
answer, and another one can be tried.
"""

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.anthropic.answer_writer import PING
from runapi.wire.anthropic.errors import error_event
from runapi.wire.anthropic.events import STOPPED, StreamEvent, end_reason, read_event
from runapi.wire.anthropic.usage import merge_usage, read_anthropic_usage, read_tier, write_delta_usage
from runapi.wire.delivery import Delivery
from runapi.wire.members import replace_members
from runapi.wire.neutral import EndReason, Failure
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.splice import with_cost
from runapi.wire.sse import MOST_EVENT_BYTES, EventSplitter, EventTooLongError, is_name

_DONE = b"[DONE]"  # some servers that are not Anthropic's end with it
_STOP = b'{"type":"message_stop"}'
_MOST_HELD_BYTES = 4 * MOST_EVENT_BYTES
_NOT_DELIVERED = ("text", "thinking", "redacted_thinking")  # blocks that say nothing by beginning
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class MessagesStream(Delivery):
    """The stream of one client, across one or more upstream attempts.

    Feed it what an upstream sends; send the client what it returns. When `ended`, settle, and then send `tail(...)`.
    """

    __slots__ = (
        "_delta",
        "_held",
        "_held_bytes",
        "_raw_usage",
        "_splitter",
        "_stop",
        "_stop_reason",
        "ended",
        "failure",
        "fault",
        "model",
        "service_tier",
        "usage",
    )

    def __init__(self, *, model: str) -> None:
        """Begin a stream for a client that asked for `model`."""
        super().__init__()
        self.model = model
        self.restart()

    def restart(self) -> None:
        """Begin again with another upstream; only before anything was delivered."""
        self._splitter = EventSplitter()
        self._held: list[bytes] = []  # events that came before anything was delivered
        self._held_bytes = 0
        self._delta = b""  # the newest `message_delta`
        self._stop = _STOP
        self._stop_reason: str | None = None
        self._raw_usage = b""
        self.usage: Usage | None = None
        self.service_tier: str | None = None
        self.is_capped = False
        self.ended = False
        self.fault: StreamFault | None = None
        self.failure: Failure | None = None  # what the upstream says of its fault

    def feed(self, data: bytes) -> bytes:
        """Take in what the upstream sent and return what the client may have now.

        After it `ended` says that the upstream has finished, `fault` that it broke; neither takes more.
        """
        try:
            return self._take(self._splitter.feed(data))
        except EventTooLongError:
            self.fault = StreamFault.UNREADABLE
            return b""

    def feed_end(self) -> bytes:
        """Take in the end of the upstream's body; a stop_reason must have come, `message_stop` need not."""
        out = self._take(self._splitter.end())
        if self.fault is StreamFault.UNREADABLE:
            self.fault = StreamFault.TRUNCATED  # half an event is the mark of a cut
        if not self.ended and self.fault is None:
            self._end()
        return out

    def heartbeat(self, _id_if_first: str = "", _now_s: int = 0) -> bytes:
        """A ping, which a client takes at any time, even before the message begins."""
        return PING

    def tail(self, cost_usd: str, counted: Usage) -> bytes:
        """The end of a whole stream: the reason, the usage with its cost, and the end marker.

        `counted` stands in where the upstream sent no usage that can be believed.
        """
        held, self._held = self._held, []
        return b"".join(
            (
                *held,
                _named("message_delta", self._priced(cost_usd, counted)),
                _named("message_stop", self._stop),
            )
        )

    def error(self, problem: Problem, request_id: str | None = None, _now_s: int = 0) -> bytes:
        """The last event of a broken stream; the end marker never follows it."""
        return error_event(problem, request_id)

    @property
    def raw_usage(self) -> bytes | None:
        """The upstream's report, the later parts of it laid over the first; None where it cannot be believed."""
        return self._raw_usage if self.usage is not None else None

    # ---- from the upstream -------------------------------------------------------------------------------

    def _take(self, events: list[bytes]) -> bytes:
        out: list[bytes] = []
        for data in events:
            if self.ended or self.fault is not None:
                break
            if data == _DONE:
                self._end()
            elif data:
                try:
                    self._take_event(data.replace(b"\n", b" "), out)
                except (ValueError, RecursionError):
                    self.fault = StreamFault.UNREADABLE
        return b"".join(out)

    def _take_event(self, data: bytes, out: list[bytes]) -> None:
        event = read_event(data)
        if event is None or not is_name(event.type):
            raise ValueError("no event")
        match event.type:
            case "message_delta":
                self._take_delta(event, data)
                return
            case "message_stop":
                self._stop = data
                self._end()
                return
            case "error":
                self.fault = StreamFault.ERROR
                self.failure = event.failure()
                return
            case "message_start":
                data = self._take_start(event, data)
            case "content_block_start" | "content_block_delta":
                self._read_content(event)
            case _:
                pass
        if self.delivers:
            out += (*self._held, _named(event.type, data))
            self._held = []
        elif event.type != "ping":  # which would begin an answer that may still come from elsewhere
            self._hold(_named(event.type, data))

    def _hold(self, event: bytes) -> None:
        """Keep what came before the first word."""
        self._held.append(event)
        self._held_bytes += len(event)
        if self._held_bytes > _MOST_HELD_BYTES:
            raise ValueError("an answer that does not begin")

    def _take_start(self, event: StreamEvent, data: bytes) -> bytes:
        """Note the usage that a message begins with, and put the model's name right."""
        message = event.message
        if message is None:
            return data
        if message.usage != NULL:
            self._add_usage(message.usage)
        return data if message.model == self.model else _with_model(data, self.model)

    def _take_delta(self, event: StreamEvent, data: bytes) -> None:
        """Hold the end back; of several reports each counts the whole message (reliability F-34)."""
        if event.usage != NULL:
            self._add_usage(event.usage)
        if event.delta is not None:
            self._stop_reason = event.delta.stop_reason or self._stop_reason
        self._delta = _merge_deltas(self._delta or b"{}", data)

    def _add_usage(self, raw: Raw) -> None:
        self._raw_usage = merge_usage(self._raw_usage, bytes(raw))
        self.service_tier = read_tier(self._raw_usage) or self.service_tier

    def _end(self) -> None:
        if self._stop_reason is None:
            self.fault = StreamFault.TRUNCATED
            return
        self.ended = True
        self.is_capped = end_reason(self._stop_reason) is EndReason.LENGTH
        self.usage = read_anthropic_usage(self._raw_usage)
        if self._stop_reason == STOPPED:
            self.delivers = True

    def _read_content(self, event: StreamEvent) -> None:
        """Note what the event delivers."""
        delta, block = event.delta, event.content_block
        text = ""
        if delta is not None:
            text = delta.text or delta.partial_json or delta.thinking
        elif block is not None:
            text = block.text or block.thinking or block.name
            self.delivers = self.delivers or block.type not in _NOT_DELIVERED
        if text:
            self._add_text(text)

    # ---- to the client -----------------------------------------------------------------------------------

    def _priced(self, cost_usd: str, counted: Usage) -> bytes:
        """The held `message_delta` with the cost in its usage."""
        if not self._delta:
            raise ValueError("the answer has not ended")
        raw = bytes(_decode_fields(self._delta).get("usage", NULL))
        if self.usage is None or not raw.startswith(b"{"):
            raw = write_delta_usage(self.usage or counted)
        return replace_members(self._delta, {"usage": with_cost(raw, cost_usd)})


def _named(kind: str, data: bytes) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


def _with_model(data: bytes, model: str) -> bytes:
    """Put our name for the model in the message that a stream begins with."""
    message = replace_members(bytes(_decode_fields(data)["message"]), {"model": msgspec.json.encode(model)})
    return replace_members(data, {"message": message})


def _merge_deltas(before: bytes, after: bytes) -> bytes:
    """Lay a later `message_delta` over an earlier one, if there is one."""
    earlier, later = _decode_fields(before), _decode_fields(after)
    if not earlier:
        return after
    merged = earlier | later
    for name in earlier.keys() & later.keys() & {"delta", "usage"}:
        merged[name] = Raw(merge_usage(bytes(earlier[name]), bytes(later[name])))
    data = msgspec.json.encode(merged)
    if len(data) > MOST_EVENT_BYTES:
        raise ValueError("an end without end")
    return data
