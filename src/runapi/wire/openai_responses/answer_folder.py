"""What the events and items of a Responses answer say, folded into events of the neutral form."""

from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.neutral import (
    Annotation,
    Begin,
    CallBegin,
    CallDelta,
    CallEnd,
    CallKind,
    End,
    EndReason,
    Event,
    ReasoningDelta,
    ReasoningEnd,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_responses.answer_parts import (
    Item,
    Part,
    StreamEvent,
    UpstreamResponse,
    as_chat_annotation,
    as_chat_logprobs,
    end_reason,
    read_item,
)
from runapi.wire.openai_responses.usage import read_responses_usage

_CALL_KINDS = {"function_call": CallKind.FUNCTION, "custom_tool_call": CallKind.CUSTOM}


class _TextPart:
    """A part of a message: what of it was passed on."""

    __slots__ = ("annotations", "offset", "sent")

    def __init__(self, offset: int) -> None:
        self.offset = offset  # characters of the answer in front of it
        self.sent = 0
        self.annotations = 0


class _OpenCall:
    """A call: what of its arguments was passed on."""

    __slots__ = ("ended", "index", "sent")

    def __init__(self, index: int) -> None:
        self.index = index
        self.sent = 0
        self.ended = False


class AnswerFolder:
    """Takes in events of a stream, or items, and keeps in `out` what they say that was not said before."""

    def __init__(self) -> None:
        self.out: list[Event] = []
        self._begun = False
        self._parts: dict[tuple[int, int], _TextPart] = {}
        self._part_key: tuple[int, int] | None = None
        self._part = _TextPart(0)  # the one of `_part_key`
        self._refused: dict[tuple[int, int], int] = {}
        self._calls: dict[int, _OpenCall] = {}
        self._text_length = 0
        self._summary_key: tuple[int, int] | None = None
        self._summarised: set[int] = set()
        self._reasoned: set[int] = set()  # items of reasoning that have ended

    @property
    def is_empty(self) -> bool:
        """Whether nothing was passed on that a client can read."""
        return not (self._text_length or self._calls or self._refused)

    def begin(self, response: UpstreamResponse | None) -> None:
        if not self._begun:
            self._begun = True
            created_s = int(response.created_at or 0) if response is not None else 0
            self.out.append(Begin(created_s, response.service_tier if response is not None else None))

    # ---- text and refusals -------------------------------------------------------------------------------

    def add_text(self, event: StreamEvent) -> None:
        if event.delta:
            part = self._text_part(event.output_index, event.content_index)
            part.sent += len(event.delta)
            self._text_length += len(event.delta)
            logprobs = None if len(event.logprobs) <= len(b"null") else as_chat_logprobs(event.logprobs)
            self.out.append(TextDelta(event.delta, logprobs))

    def end_text(self, event: StreamEvent) -> None:
        self._add_rest(event.output_index, event.content_index, event.text or "", event.logprobs)

    def _add_rest(self, output_index: int, content_index: int, text: str, logprobs: Raw) -> None:
        part = self._text_part(output_index, content_index)
        rest = text[part.sent :]
        if rest:
            known = as_chat_logprobs(logprobs) if part.sent == 0 else None
            part.sent += len(rest)
            self._text_length += len(rest)
            self.out.append(TextDelta(rest, known))

    def _text_part(self, output_index: int, content_index: int) -> _TextPart:
        key = (output_index, content_index)
        if key != self._part_key:
            self._part_key = key
            self._part = self._parts.setdefault(key, _TextPart(self._text_length))
        return self._part

    def add_annotation(self, event: StreamEvent) -> None:
        self._annotate(self._text_part(event.output_index, event.content_index), event.annotation)

    def _annotate(self, part: _TextPart, raw: Raw) -> None:
        part.annotations += 1
        annotation = as_chat_annotation(raw, part.offset)
        if annotation is not None:
            self.out.append(Annotation(annotation))

    def add_refusal(self, event: StreamEvent) -> None:
        if event.delta:
            key = (event.output_index, event.content_index)
            self._refused[key] = self._refused.get(key, 0) + len(event.delta)
            self.out.append(RefusalDelta(event.delta))

    def end_refusal(self, event: StreamEvent) -> None:
        self._add_rest_of_refusal(event.output_index, event.content_index, event.refusal or "")

    def _add_rest_of_refusal(self, output_index: int, content_index: int, refusal: str) -> None:
        rest = refusal[self._refused.get((output_index, content_index), 0) :]
        if rest:
            self._refused[output_index, content_index] = len(refusal)
            self.out.append(RefusalDelta(rest))

    # ---- reasoning ---------------------------------------------------------------------------------------

    def add_summary(self, event: StreamEvent) -> None:
        """Pass on a piece of a summary, or of the reasoning itself where an open model shows it."""
        if event.delta:
            index = event.summary_index or event.content_index
            self._add_summary(event.output_index, index, event.delta)

    def _add_summary(self, output_index: int, index: int, text: str) -> None:
        key = (output_index, index)
        if self._summary_key not in (None, key):
            text = f"\n\n{text}"  # parts of a summary are paragraphs
        self._summary_key = key
        self._summarised.add(output_index)
        self.out.append(ReasoningDelta(text))

    # ---- calls -------------------------------------------------------------------------------------------

    def add_arguments(self, event: StreamEvent) -> None:
        call = self._calls.get(event.output_index)
        if call is None:  # its name is not known yet: its item will repeat all
            return
        if event.delta and not call.ended:
            call.sent += len(event.delta)
            self.out.append(CallDelta(call.index, event.delta))

    def end_arguments(self, event: StreamEvent) -> None:
        call = self._calls.get(event.output_index)
        if call is not None:
            self._add_rest_of_arguments(call, event.arguments or event.input or "")

    def _add_rest_of_arguments(self, call: _OpenCall, arguments: str) -> None:
        rest = arguments[call.sent :]
        if rest and not call.ended:
            call.sent += len(rest)
            self.out.append(CallDelta(call.index, rest))

    def _call(self, output_index: int, item: Item) -> _OpenCall:
        call = self._calls.get(output_index)
        if call is None:
            self._calls[output_index] = call = _OpenCall(len(self._calls))
            call_id = item.call_id or item.id or f"call_{call.index}"
            self.out.append(CallBegin(call.index, call_id, item.name or "", _CALL_KINDS[item.type]))
        return call

    # ---- items -------------------------------------------------------------------------------------------

    def open_item(self, event: StreamEvent) -> None:
        item = read_item(event.item)
        if item.type in _CALL_KINDS:
            self._call(event.output_index, item)

    def close_item(self, event: StreamEvent) -> None:
        self.take_item(event.output_index, read_item(event.item))

    def take_item(self, output_index: int, item: Item) -> None:
        """Take in a whole item: all of it that was not passed on before."""
        match item.type:
            case "message":
                for index, part in enumerate(item.content or ()):
                    self._take_part(output_index, index, part)
            case "function_call" | "custom_tool_call":
                call = self._call(output_index, item)
                self._add_rest_of_arguments(call, item.arguments or item.input or "")
                self._end_call(call)
            case "reasoning" if output_index not in self._reasoned:
                self._reasoned.add(output_index)
                if output_index not in self._summarised:
                    for index, part in enumerate(item.summary or ()):
                        if part.text:
                            self._add_summary(output_index, index, part.text)
                self.out.append(ReasoningEnd(item.reasoning()))

    def _take_part(self, output_index: int, content_index: int, part: Part) -> None:
        self._add_rest_of_refusal(output_index, content_index, part.refusal or "")
        if part.type == "output_text":
            self._add_rest(output_index, content_index, part.text or "", part.logprobs)
            known = self._text_part(output_index, content_index)
            for raw in (part.annotations or ())[known.annotations :]:
                self._annotate(known, raw)

    def _end_call(self, call: _OpenCall) -> None:
        if not call.ended:
            call.ended = True
            self.out.append(CallEnd(call.index))

    # ---- the end -----------------------------------------------------------------------------------------

    def end(self, response: UpstreamResponse, *, is_whole: bool) -> None:
        """Say that the answer is over: cut at a limit, if it is not whole."""
        if self.is_empty:
            for index, raw in enumerate(response.output or ()):
                self.take_item(index, read_item(raw))
        for call in self._calls.values():
            self._end_call(call)
        usage, raw_usage = _read_usage(response.usage)
        self.out.append(
            End(self._reason(response, is_whole=is_whole), usage, raw_usage, response.service_tier)
        )

    def _reason(self, response: UpstreamResponse, *, is_whole: bool) -> EndReason:
        if not is_whole:
            return end_reason(response.incomplete_details)
        return EndReason.CALLS if self._calls else EndReason.STOP


def _read_usage(raw: Raw) -> tuple[Usage | None, Raw | None]:
    usage = None if raw == NULL else read_responses_usage(raw)
    return usage, None if raw == NULL else raw
