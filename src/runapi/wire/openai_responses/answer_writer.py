"""An answer in the neutral form, written for a client that speaks Responses: the whole sequence of events, or one object.

The ids of the answer and its items are made of one that is given. The last events wait for `tail`, so that a client that
has seen the end finds its balance right; what breaks off ends with `response.failed`, which no client takes for an
end (clients.md 1.5).
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

import msgspec
from msgspec import Raw

from runapi.core.problems import Problem
from runapi.core.usage import Usage
from runapi.wire.neutral import (
    Annotation,
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    End,
    EndReason,
    Event,
    Failure,
    Reasoning,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_responses.event_blocks import write_event
from runapi.wire.openai_responses.failed import error_of, write_error
from runapi.wire.openai_responses.output_items import (
    ItemEvent,
    Logprob,
    Message,
    OpenCall,
    TextPart,
    Thought,
    in_delta,
)
from runapi.wire.openai_responses.request import ResponsesRequest
from runapi.wire.openai_responses.response_object import ResponseObject, Status
from runapi.wire.openai_responses.usage import write_responses_usage
from runapi.wire.splice import with_cost

_INCOMPLETE = {EndReason.LENGTH: "max_output_tokens", EndReason.CONTENT_FILTER: "content_filter"}
_decode_logprobs = msgspec.json.Decoder(list[Logprob]).decode


class _UrlCitation(msgspec.Struct):
    url: str
    start_index: int = 0
    end_index: int = 0
    title: str = ""


class _ChatAnnotation(msgspec.Struct):
    url_citation: _UrlCitation


class ResponsesWriter:
    """Writes one answer. What `write`, `heartbeat`, `tail` and `error` return is to be sent in that order.

    Args:
        model: the client's name for the model.
        id: of the answer, `resp_...`; those of its items are made of it.
        created_s: when the request arrived, in Unix seconds.
        request: what was asked.
    """

    def __init__(
        self,
        model: str,
        id: str,  # noqa: A002 - the wire's name
        created_s: int,
        request: ResponsesRequest,
    ) -> None:
        self.id = id
        self._base = id.removeprefix("resp_")
        self._object = ResponseObject(request, model, self.id, created_s)
        self._sequence = 0
        self._begun = False
        self._service_tier: str | None = None
        self._items = 0  # that were opened
        self._output: dict[int, Raw] = {}  # those that are finished
        self._text_length = 0
        self._message: Message | None = None
        self._part: TextPart | None = None
        self._delta = (b"", b"")  # what stands around the number and the text of its deltas
        self._thought: Thought | None = None
        self._calls: dict[int, OpenCall] = {}  # not finished yet
        self._ended: list[int] = []  # those of them that get nothing more; the last one may have been cut off
        self.response: bytes | None = None  # as the client got it at the end

    def write(self, events: Sequence[Event]) -> bytes:  # noqa: C901 - one case for each kind of event
        """Write what happened; an `End` is left to `tail`, a `Failure` to `error`."""
        out: list[bytes] = []
        for event in events:
            match event:
                case TextDelta():
                    self._write_text(out, event)
                case RefusalDelta() if event.text:
                    self._write_refusal(out, event.text)
                case CallDelta() if event.arguments:
                    self._write_arguments(out, event)
                case Begin():
                    self._service_tier = event.service_tier or self._service_tier
                    self._begin(out)
                case ReasoningDelta() if event.text:
                    self._write_thought(out, event.text)
                case ReasoningEnd():
                    self._end_thought(out, event.item)
                case CallBegin():
                    self._begin_call(out, event)
                case CallEnd():
                    self._ended.append(event.index)
                case Annotation():
                    self._annotate(out, event)
                case End() | Failure() | RefusalDelta() | CallDelta() | ReasoningDelta():
                    pass
                case _:
                    assert_never(event)
        return b"".join(out)

    def heartbeat(self) -> bytes:
        """What resets the idle timers of clients: the opening events, or `response.in_progress` once more.

        Nothing may come in front of `response.created`, and comments reset no timer of Codex's (clients.md 1.6).
        """
        out: list[bytes] = []
        if not self._begun:
            self._begin(out)
        else:
            self._put(out, "response.in_progress", {"response": self._object.write(Status.IN_PROGRESS)})
        return b"".join(out)

    def tail(self, end: End, usage: Usage, cost_usd: str, completed_s: int | None = None) -> bytes:
        """Close what is open and end the answer; to be sent once the charge is durable.

        Args:
            end: how it ended.
            usage: what it consumed.
            cost_usd: what it costs, a decimal number.
            completed_s: when it ended, in Unix seconds.
        """
        out: list[bytes] = []
        self._begin(out)
        reason = _INCOMPLETE.get(end.reason)
        status = Status.COMPLETED if reason is None else Status.INCOMPLETE
        self._close_all(out, status)
        response = self._object.write(
            status,
            self._finished(),
            usage=Raw(with_cost(write_responses_usage(usage), cost_usd)),
            service_tier=end.service_tier or self._service_tier,
            incomplete=reason,
            completed_s=completed_s if reason is None else None,
        )
        self.response = bytes(response)
        self._put(out, f"response.{status}", {"response": response})
        return b"".join(out)

    def error(self, problem: Problem) -> bytes:
        """Say that the answer broke off; nothing follows."""
        out: list[bytes] = []
        self._begin(out)
        out.append(write_error(problem, self._sequence))
        self._sequence += 1
        response = self._object.write(Status.FAILED, self._finished(), error=error_of(problem))
        self._put(out, "response.failed", {"response": response})
        return b"".join(out)

    def _finished(self) -> list[Raw]:
        return [self._output[index] for index in sorted(self._output)]

    # ---- events ------------------------------------------------------------------------------------------

    def _put(self, out: list[bytes], kind: str, fields: dict[str, object]) -> None:
        event = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        out.append(write_event(kind, msgspec.json.encode(event)))

    def _put_all(self, out: list[bytes], events: Iterable[ItemEvent]) -> None:
        for kind, fields in events:
            self._put(out, kind, fields)

    def _begin(self, out: list[bytes]) -> None:
        if not self._begun:
            self._begun = True
            response = self._object.write(Status.IN_PROGRESS)
            self._put(out, "response.created", {"response": response})
            self._put(out, "response.in_progress", {"response": response})

    def _new_item(self, prefix: str) -> tuple[str, int]:
        """Make the id and the place of the next item."""
        index = self._items
        self._items += 1
        return f"{prefix}_{self._base}{index:02x}", index

    # ---- messages ----------------------------------------------------------------------------------------

    def _write_text(self, out: list[bytes], event: TextDelta) -> None:
        if not event.text and event.logprobs is None:
            return
        part = self._open_part(out, is_refusal=False)
        part.add(event.text)
        self._text_length += len(event.text)
        logprobs = _read_logprobs(event.logprobs)
        part.logprobs += logprobs
        if not event.text:  # a token that is no text yet: told with the whole
            return
        if not logprobs:
            before, behind = self._delta
            text = msgspec.json.encode(event.text)
            out.append(b'%b%d%b%b,"logprobs":[]}\n\n' % (before, self._sequence, behind, text))
            self._sequence += 1
            return
        fields = {**part.place, "delta": event.text, "logprobs": in_delta(logprobs)}
        self._put(out, "response.output_text.delta", fields)

    def _write_refusal(self, out: list[bytes], text: str) -> None:
        part = self._open_part(out, is_refusal=True)
        part.add(text)
        self._put(out, "response.refusal.delta", {**part.place, "delta": text})

    def _open_part(self, out: list[bytes], *, is_refusal: bool) -> TextPart:
        """Give the part that text of this kind belongs to, opening it if need be."""
        part = self._part
        if part is not None and part.is_refusal is is_refusal:
            return part
        self._begin(out)
        self._close_thought(out)
        self._finish_ended_calls(out)
        if self._message is None:
            self._message = Message(*self._new_item("msg"))
            self._put_all(out, self._message.opened())
        if part is not None:
            self._put_all(out, part.closed())
        self._part = part = self._message.open_part(self._text_length, is_refusal=is_refusal)
        self._put_all(out, [part.opened()])
        kind = "response.output_text.delta"
        head = b'event: %b\ndata: {"type":"%b","sequence_number":' % (kind.encode(), kind.encode())
        self._delta = head, b',%b,"delta":' % msgspec.json.encode(part.place)[1:-1]
        return part

    def _annotate(self, out: list[bytes], event: Annotation) -> None:
        """Write a citation, counted from the part that it stands in."""
        try:
            citation = msgspec.json.decode(event.raw, type=_ChatAnnotation).url_citation
        except (msgspec.DecodeError, RecursionError):
            return
        part = self._open_part(out, is_refusal=False)
        annotation: dict[str, object] = {
            "type": "url_citation",
            "start_index": max(citation.start_index - part.offset, 0),
            "end_index": max(citation.end_index - part.offset, 0),
            "url": citation.url,
            "title": citation.title,
        }
        fields = {**part.place, "annotation_index": len(part.annotations), "annotation": annotation}
        part.annotations.append(annotation)
        self._put(out, "response.output_text.annotation.added", fields)

    def _close_message(self, out: list[bytes], status: Status = Status.COMPLETED) -> None:
        message, self._message, self._part = self._message, None, None
        if message is not None:
            self._put_all(out, message.closed(status))
            self._keep(message.output_index, message.body(status))

    # ---- reasoning ---------------------------------------------------------------------------------------

    def _write_thought(self, out: list[bytes], text: str) -> None:
        thought = self._open_thought(out, None)
        if not thought.is_open:
            self._put_all(out, thought.open_part())
        thought.add(text)
        self._put(out, "response.reasoning_summary_text.delta", {**thought.place, "delta": text})

    def _open_thought(self, out: list[bytes], item_id: str | None) -> Thought:
        if self._thought is None:
            self._begin(out)
            self._close_message(out)
            self._finish_ended_calls(out)
            own_id, index = self._new_item("rs")
            self._thought = Thought(item_id or own_id, index)
            self._put_all(out, self._thought.opened())
        return self._thought

    def _end_thought(self, out: list[bytes], item: Reasoning) -> None:
        if self._thought is None:
            if not item.summaries and item.encrypted is None:
                return
            for text in item.summaries:
                thought = self._open_thought(out, item.id)
                self._write_thought(out, text)
                self._put_all(out, thought.close_part())
        self._open_thought(out, item.id).encrypted = item.encrypted
        self._close_thought(out)

    def _close_thought(self, out: list[bytes]) -> None:
        thought, self._thought = self._thought, None
        if thought is not None:
            self._put_all(out, thought.closed())
            self._keep(thought.output_index, thought.body())

    # ---- calls -------------------------------------------------------------------------------------------

    def _begin_call(self, out: list[bytes], event: CallBegin) -> None:
        self._begin(out)
        self._close_thought(out)
        self._close_message(out)
        self._finish_ended_calls(out)
        item_id, index = self._new_item("fc" if event.kind == "function" else "ctc")
        if not event.id:
            event = CallBegin(event.index, f"call_{item_id}", event.name, event.kind)
        self._calls[event.index] = call = OpenCall(event, item_id, index)
        self._put_all(out, call.opened())

    def _write_arguments(self, out: list[bytes], event: CallDelta) -> None:
        call = self._calls[event.index]
        call.texts.append(event.arguments)
        kind = "custom_tool_call_input" if call.is_custom else "function_call_arguments"
        self._put(out, f"response.{kind}.delta", {**call.place, "delta": event.arguments})

    def _finish_ended_calls(self, out: list[bytes]) -> None:
        """Finish the calls that have ended, as something follows them: they were not cut off."""
        for index in self._ended:
            call = self._calls.pop(index, None)
            if call is not None:
                self._finish_call(out, call, Status.COMPLETED)
        self._ended = []

    def _finish_call(self, out: list[bytes], call: OpenCall, status: Status) -> None:
        self._put_all(out, call.closed(status))
        self._keep(call.output_index, call.body(status))

    # ---- the end -----------------------------------------------------------------------------------------

    def _keep(self, output_index: int, item: dict[str, object]) -> None:
        self._output[output_index] = Raw(msgspec.json.encode(item))

    def _close_all(self, out: list[bytes], status: Status) -> None:
        """Close what is open; only the last thing in an answer can have been cut off."""
        self._close_thought(out)
        self._close_message(out, status)
        calls, self._calls, self._ended = list(self._calls.values()), {}, []
        for call in calls:
            is_whole = call is not calls[-1] or call.has_whole_arguments
            self._finish_call(out, call, Status.COMPLETED if is_whole else status)


def _read_logprobs(raw: Raw | None) -> list[Logprob]:
    """Read likelihoods as Chat has them; none where they cannot be read, as some servers write them otherwise."""
    if raw is None:
        return []
    try:
        return _decode_logprobs(raw)
    except (msgspec.DecodeError, RecursionError):
        return []


def write_answer(
    events: Sequence[Event],
    usage: Usage,
    cost_usd: str,
    *,
    model: str,
    id: str,  # noqa: A002 - the wire's name
    created_s: int,
    request: ResponsesRequest,
    completed_s: int | None = None,
) -> bytes:
    """Write a whole answer, of which the last event is its `End`; the arguments are those of `ResponsesWriter` and `tail`.

    Raises:
        ValueError: it has no end.
    """
    writer = ResponsesWriter(model, id, created_s, request)
    writer.write(events)
    end = next((event for event in reversed(events) if isinstance(event, End)), None)
    if end is None:
        raise ValueError("an answer without an end is none")
    writer.tail(end, usage, cost_usd, completed_s)
    return writer.response or b""
