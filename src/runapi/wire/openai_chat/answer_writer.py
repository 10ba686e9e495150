"""Events of the neutral form as a Chat answer, streamed or whole, for a client that speaks Chat.

A stream begins with the chunk that names the role, as soon as there is something to say; no finish_reason stands before
`tail`, which is sent only once the answer is paid for.
"""

from collections.abc import Sequence

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.meter import write_chat_usage
from runapi.wire.neutral import (
    Annotation,
    CallBegin,
    CallDelta,
    CallKind,
    End,
    EndReason,
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.stream import DONE, error_event
from runapi.wire.splice import with_cost

_FINISH_REASONS = {
    EndReason.STOP: "stop",
    EndReason.STOP_SEQUENCE: "stop",
    EndReason.LENGTH: "length",
    EndReason.CALLS: "tool_calls",
    EndReason.CONTENT_FILTER: "content_filter",
}
_encode = msgspec.json.encode
_decode_list = msgspec.json.Decoder(list[Raw]).decode


def _finish_reason(end: End, *, is_older: bool) -> str:
    reason = _FINISH_REASONS[end.reason]
    return "function_call" if is_older and end.reason is EndReason.CALLS else reason


class ChatWriter:
    """Writes one client's stream, across one or more upstream attempts."""

    __slots__ = (
        "_before",
        "_behind",
        "_is_older",
        "_kinds",
        "_role_sent",
        "_shows_reasoning",
        "_wants_usage",
    )

    def __init__(
        self,
        model: str,
        id: str,  # noqa: A002 - the wire's name
        created_s: int,
        *,
        wants_usage: bool = False,
        is_older: bool = False,
        shows_reasoning: bool = False,
    ) -> None:
        """Begin a stream.

        Args:
            model: the client's name for the model.
            id: of the answer, `chatcmpl-...`.
            created_s: Unix time, on every chunk.
            wants_usage: the client asked for the usage chunk, and for `"usage":null` on all others.
            is_older: the client asked with `functions` and reads `function_call`.
            shows_reasoning: write summaries of reasoning as `reasoning_content`, which some clients read.
        """
        head = {"id": id, "object": "chat.completion.chunk", "created": created_s, "model": model}
        self._before = b'data: %b,"choices":[' % _encode(head)[:-1]
        self._behind = b'],"usage":null}\n\n' if wants_usage else b"]}\n\n"
        self._wants_usage = wants_usage
        self._is_older = is_older
        self._shows_reasoning = shows_reasoning
        self._role_sent = False
        self._kinds: dict[int, CallKind] = {}

    def write(self, events: Sequence[Event]) -> bytes:
        """Write what the client may have now; of an `End`, nothing."""
        return b"".join([self._write(event) for event in events])

    def _write(self, event: Event) -> bytes:
        match event:
            case TextDelta(text, logprobs) if text or logprobs is not None:
                written = (
                    b'{"content":%b,"refusal":null}' % bytes(logprobs) if logprobs is not None else b"null"
                )
                return self._opened(b'{"content":%b}' % _encode(text), written)
            case RefusalDelta(text) if text:
                return self._opened(b'{"refusal":%b}' % _encode(text))
            case ReasoningDelta(text) if text and self._shows_reasoning:
                return self._opened(b'{"reasoning_content":%b}' % _encode(text))
            case Annotation(raw):
                return self._opened(b'{"annotations":[%b]}' % bytes(raw))
            case CallBegin() | CallDelta():
                return self._write_call(event)
            case _:
                return b""

    def _write_call(self, event: CallBegin | CallDelta) -> bytes:
        if self._is_older and event.index:
            return b""  # `function_call` holds one call
        if isinstance(event, CallBegin):
            return self._open_call(event)
        return self._chunk(self._call_delta(event.index, _encode(event.arguments)))

    def heartbeat(self) -> bytes:
        """An empty chunk, which resets the idle timers of clients as no comment does (openclaw.md 0.5)."""
        return self._chunk(b"{}")

    def tail(self, end: End, usage: Usage, cost_usd: str) -> bytes:
        """The end of a whole stream: finish_reason, usage with its cost, and the end marker."""
        priced = with_cost(write_chat_usage(usage), cost_usd)
        finish = _encode(_finish_reason(end, is_older=self._is_older))
        choice = b'{"index":0,"delta":{},"logprobs":null,"finish_reason":%b}' % finish
        tier = b"" if end.service_tier is None else b',"service_tier":%b' % _encode(end.service_tier)
        role = b"" if self._role_sent else self._open()
        if not self._wants_usage:
            return b'%b%b%b],"usage":%b%b}\n\n%b' % (role, self._before, choice, priced, tier, DONE)
        closing = b'%b],"usage":%b%b}\n\n' % (self._before, priced, tier)
        return b'%b%b%b],"usage":null%b}\n\n%b%b' % (role, self._before, choice, tier, closing, DONE)

    def error(self, problem: Problem) -> bytes:
        """The last event of a broken stream; the end marker never follows it."""
        return error_event(problem)

    def _open_call(self, call: CallBegin) -> bytes:
        self._kinds[call.index] = call.kind
        opening = b"" if self._role_sent else self._open(b"null")
        if self._is_older:
            delta = {"function_call": {"name": call.name, "arguments": ""}}
            return opening + self._chunk(_encode(delta))
        written = "input" if call.kind is CallKind.CUSTOM else "arguments"
        opened = {
            "index": call.index,
            "id": call.id,
            "type": call.kind,
            call.kind: {"name": call.name, written: ""},
        }
        return opening + self._chunk(_encode({"tool_calls": [opened]}))

    def _call_delta(self, index: int, arguments: bytes) -> bytes:
        if self._is_older:
            return b'{"function_call":{"arguments":%b}}' % arguments
        if self._kinds[index] is CallKind.CUSTOM:
            return b'{"tool_calls":[{"index":%d,"custom":{"input":%b}}]}' % (index, arguments)
        return b'{"tool_calls":[{"index":%d,"function":{"arguments":%b}}]}' % (index, arguments)

    def _opened(self, delta: bytes, logprobs: bytes = b"null") -> bytes:
        chunk = self._chunk(delta, logprobs)
        return chunk if self._role_sent else self._open() + chunk

    def _open(self, content: bytes = b'""') -> bytes:
        """The chunk that names the role; once in a stream, for clients join what it says to what they have."""
        self._role_sent = True
        return self._chunk(b'{"role":"assistant","content":%b,"refusal":null}' % content)

    def _chunk(self, delta: bytes, logprobs: bytes = b"null") -> bytes:
        return b'%b{"index":0,"delta":%b,"logprobs":%b,"finish_reason":null}%b' % (
            self._before,
            delta,
            logprobs,
            self._behind,
        )


def write_answer(
    events: Sequence[Event],
    usage: Usage,
    cost_usd: str,
    *,
    model: str,
    id: str,  # noqa: A002 - the wire's name
    created_s: int,
    is_older: bool = False,
    shows_reasoning: bool = False,
) -> bytes:
    """Write a whole answer; the arguments are those of `ChatWriter` and its `tail`."""
    end = next((event for event in events if isinstance(event, End)), End(EndReason.STOP))
    choice = {
        "index": 0,
        "message": _message(events, is_older=is_older, shows_reasoning=shows_reasoning),
        "logprobs": _logprobs(events),
        "finish_reason": _finish_reason(end, is_older=is_older),
    }
    answer = {
        "id": id,
        "object": "chat.completion",
        "created": created_s,
        "model": model,
        "choices": [choice],
        "usage": Raw(with_cost(write_chat_usage(usage), cost_usd)),
    }
    if end.service_tier is not None:
        answer["service_tier"] = end.service_tier
    return _encode(answer)


def _message(events: Sequence[Event], *, is_older: bool, shows_reasoning: bool) -> dict[str, object]:
    text = "".join([event.text for event in events if isinstance(event, TextDelta)])
    refusal = "".join([event.text for event in events if isinstance(event, RefusalDelta)])
    thought = "".join([event.text for event in events if isinstance(event, ReasoningDelta)])
    calls = _calls(events)
    message: dict[str, object] = {
        "role": "assistant",
        "content": text if text or not (calls or refusal) else None,
        "refusal": refusal or None,
        "annotations": [event.raw for event in events if isinstance(event, Annotation)],
    }
    if thought and shows_reasoning:
        message["reasoning_content"] = thought
    if calls and is_older:
        message["function_call"] = calls[0]["function"]
    elif calls:
        message["tool_calls"] = calls
    return message


def _calls(events: Sequence[Event]) -> list[dict[str, object]]:
    pieces: dict[int, list[str]] = {}
    for event in events:
        if isinstance(event, CallDelta):
            pieces.setdefault(event.index, []).append(event.arguments)
    calls: list[dict[str, object]] = []
    for event in events:
        if isinstance(event, CallBegin):
            written = "input" if event.kind is CallKind.CUSTOM else "arguments"
            called = {"name": event.name, written: "".join(pieces.get(event.index, ()))}
            calls.append({"id": event.id, "type": event.kind, event.kind: called})
    return calls


def _logprobs(events: Sequence[Event]) -> dict[str, object] | None:
    parts = [
        event.logprobs for event in events if isinstance(event, TextDelta) and event.logprobs is not None
    ]
    if not parts:
        return None
    return {"content": [token for part in parts for token in _decode_list(part)], "refusal": None}
