"""Events of the neutral form as a message for a client: streamed, or whole."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.anthropic.block_writer import BlockFolder, BlockWriter, Written, write_event
from runapi.wire.anthropic.errors import error_event
from runapi.wire.anthropic.event_placer import EventPlacer
from runapi.wire.anthropic.request import Thinking
from runapi.wire.anthropic.usage import write_anthropic_usage, write_delta_usage
from runapi.wire.neutral import Begin, End, EndReason, Event
from runapi.wire.splice import with_cost

PING = b'event: ping\ndata: {"type":"ping"}\n\n'

_STOP_REASONS = {
    EndReason.STOP: "end_turn",
    EndReason.STOP_SEQUENCE: "stop_sequence",
    EndReason.LENGTH: "max_tokens",
    EndReason.CALLS: "tool_use",
    EndReason.CONTENT_FILTER: "refusal",
}


class AnthropicWriter:
    """Writes the stream of one client.

    The end is held back: nothing before `tail` says that the message is over, and nothing does after `error`.
    """

    def __init__(
        self,
        model: str,
        request_id: str,
        created_s: int = 0,
        *,
        thinking: Thinking = Thinking.HIDDEN,
        input_tokens: int = 0,
    ) -> None:
        """Begin.

        Args:
            model: as the client named it.
            request_id: ours, `req_...`; the message's id derives from it.
            created_s: Unix time, which Messages does not tell; here for being the same as in other dialects.
            thinking: what of it the client wants to see.
            input_tokens: about how many the request has; the exact count comes with the end.
        """
        del created_s
        self._model = model
        self._request_id = request_id
        self._input_tokens = input_tokens
        self._blocks = BlockWriter()
        self._placer = EventPlacer(self._blocks, thinking)
        self._begun = False
        self._over = False

    def write(self, events: Sequence[Event]) -> bytes:
        """Write what the client may have now; of an `End` or a `Failure`, nothing."""
        out: list[bytes] = []
        if self._over:
            return b""
        for event in events:
            if isinstance(event, Begin):
                out.append(self._begin(event.service_tier))
            elif written := self._placer.place(event):
                out += (self._begin(), written)
        return b"".join(out)

    def heartbeat(self) -> bytes:
        """A ping, which a client takes at any time, even before the message begins."""
        return PING

    def tail(self, end: End, usage: Usage, cost_usd: str) -> bytes:
        """The end of a whole message, once it has been charged; nothing if the stream broke before.

        Args:
            end: as it was among the events.
            usage: what was charged for.
            cost_usd: a decimal number of US dollars.
        """
        if self._over:
            return b""
        self._over = True
        blocks = self._placer.end() + self._blocks.end_all()
        delta = _write_end(end, refused=self._placer.refused) | {"container": None}
        counts = Raw(with_cost(write_delta_usage(usage), cost_usd))
        last = write_event("message_delta", {"delta": delta, "usage": counts})
        return b"".join((self._begin(end.service_tier), blocks, last, write_event("message_stop", {})))

    def error(self, problem: Problem) -> bytes:
        """The last event of a stream that broke."""
        self._over = True
        return error_event(problem, self._request_id)

    def _begin(self, service_tier: str | None = None) -> bytes:
        if self._begun:
            return b""
        self._begun = True
        usage = write_anthropic_usage(Usage(input=self._input_tokens), service_tier)
        message = _write_message(self._model, self._request_id) | {"usage": Raw(usage)}
        return write_event("message_start", {"message": message})


def write_answer(
    events: Sequence[Event],
    usage: Usage,
    cost_usd: str,
    *,
    model: str,
    request_id: str,
    thinking: Thinking = Thinking.HIDDEN,
) -> bytes:
    """Write a whole message.

    Args:
        events: of a whole answer.
        usage: what was charged for.
        cost_usd: a decimal number of US dollars.
        model: as the client named it.
        request_id: ours, `req_...`; the message's id derives from it.
        thinking: what of it the client wants to see.
    """
    folder, end = BlockFolder(), End(EndReason.STOP)
    placer = EventPlacer(folder, thinking)
    for event in events:
        placer.place(event)
        end = event if isinstance(event, End) else end
    placer.end()
    message = _write_message(model, request_id) | {"content": folder.content()}
    message |= _write_end(end, refused=placer.refused)
    written = with_cost(write_anthropic_usage(usage, end.service_tier), cost_usd)
    return msgspec.json.encode(message | {"usage": Raw(written)})


def _write_message(model: str, request_id: str) -> Written:
    return {
        "id": f"msg_{request_id.removeprefix('req_')}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
        "container": None,
    }


def _write_end(end: End, *, refused: bool) -> Written:
    reason = "refusal" if refused and end.reason is EndReason.STOP else _STOP_REASONS[end.reason]
    details = {"type": "refusal", "category": None, "explanation": None} if reason == "refusal" else None
    return {"stop_reason": reason, "stop_sequence": end.stop_sequence, "stop_details": details}
