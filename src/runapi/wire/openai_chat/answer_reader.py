"""What an upstream that speaks Chat answers, streamed or whole, as events of the neutral form.

Calls do not overlap in what is given here: each ends before the next begins, counted from 0 in that order.
"""

import msgspec
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
    Event,
    ReasoningDelta,
    RefusalDelta,
    TextDelta,
)
from runapi.wire.openai_chat.answer_parts import (
    Answer,
    Called,
    Choice,
    Said,
    ToolCall,
    end_reason,
    failure_of,
    read_answer_parts,
    usage_of,
)
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.sse import EventSplitter
from runapi.wire.stream_reader import StreamReader


class _Overlap(ValueError):  # noqa: N818 - a word for what was seen
    """A call goes on that had ended: nobody can say any more where its arguments belong."""


class _OpenCall(msgspec.Struct):
    """The newest call: begun for the reader of the events once its name is known."""

    index: int
    wire_index: int | None  # the upstream's
    id: str
    kind: CallKind
    name: str = ""
    held: list[str] = []  # arguments that came before the name
    has_begun: bool = False


class _AnswerFolder:
    """Folds chunks, or a whole message, into events."""

    def __init__(self) -> None:
        self.out: list[Event] = []
        self._begun = False
        self._answer_id = ""
        self._call: _OpenCall | None = None
        self._ended_calls: set[int | None] = set()
        self._calls = 0
        self.finish_reason: str | None = None
        self._usage: Usage | None = None
        self._raw_usage: Raw | None = None
        self._service_tier: str | None = None

    def take(self, answer: Answer) -> None:
        """Take in a chunk, or a whole reply.

        Raises:
            ValueError: it contradicts what came before it.
        """
        self._service_tier = answer.service_tier or self._service_tier
        if not self._begun:
            self._begun = True
            self._answer_id = (answer.id or "").removeprefix("chatcmpl-")
            self.out.append(Begin(answer.created_s, answer.service_tier))
        usage, raw_usage = usage_of(answer.usage)
        if usage is not None:  # the last report holds, reports are never summed (reliability F-34)
            self._usage, self._raw_usage = usage, raw_usage
        for choice in answer.choices or ():
            if choice.index == 0:  # no other was asked for
                self._take_choice(choice)

    def _take_choice(self, choice: Choice) -> None:
        said = choice.delta or choice.message
        if said is not None:
            self._take_said(said, None if choice.logprobs is None else choice.logprobs.given)
        if choice.finish_reason:
            self.finish_reason = choice.finish_reason

    def _take_said(self, said: Said, logprobs: Raw | None) -> None:
        if said.thought:
            self.out.append(ReasoningDelta(said.thought))
        if said.text or logprobs is not None:
            self.out.append(TextDelta(said.text, logprobs))
        if said.refusal:
            self.out.append(RefusalDelta(said.refusal))
        if said.annotations:
            self.out += [Annotation(raw) for raw in said.annotations]
        for call in said.tool_calls or ():
            self._take_call(call)
        if said.function_call is not None:
            self._take_call(ToolCall(index=0, function=said.function_call))

    # ---- calls -------------------------------------------------------------------------------------------

    def _take_call(self, piece: ToolCall) -> None:
        call = self._call
        if call is None or self._is_another(piece, call):
            call = self._open_call(piece)
        self._add_to(call, piece.called)

    @staticmethod
    def _is_another(piece: ToolCall, call: _OpenCall) -> bool:
        """Whether a piece is of another call than the newest; some servers count none of them, or all as the first."""
        if piece.index is not None and piece.index != call.wire_index:
            return True
        return bool(piece.id) and piece.id != call.id and bool(piece.called.name)

    def _open_call(self, piece: ToolCall) -> _OpenCall:
        if not piece.called.name and not piece.id and piece.index in self._ended_calls:
            raise _Overlap
        self.end_call()
        call_id = piece.id or f"call_{self._answer_id}_{self._calls}"
        self._call = call = _OpenCall(self._calls, piece.index, call_id, piece.kind)
        self._calls += 1
        return call

    def _add_to(self, call: _OpenCall, called: Called) -> None:
        written = called.arguments or called.input or ""
        if call.has_begun:
            if written:
                self.out.append(CallDelta(call.index, written))
            return
        call.name += called.name or ""
        call.held.append(written)
        if call.name:
            call.has_begun = True
            self.out.append(CallBegin(call.index, call.id, call.name, call.kind))
            if held := "".join(call.held):
                self.out.append(CallDelta(call.index, held))

    def end_call(self) -> None:
        """End the newest call.

        Raises:
            ValueError: it has no name.
        """
        call, self._call = self._call, None
        if call is not None:
            if not call.has_begun:
                raise _Overlap
            self._ended_calls.add(call.wire_index)
            self.out.append(CallEnd(call.index))

    def end(self, finish_reason: str) -> None:
        """Say that the answer is over.

        Raises:
            ValueError: its last call has no name.
        """
        self.end_call()
        reason = end_reason(finish_reason, has_calls=self._calls > 0)
        self.out.append(End(reason, self._usage, self._raw_usage, self._service_tier))


class ChatReader(StreamReader[_AnswerFolder]):
    """Reads one upstream's stream; a finish_reason must come."""

    def __init__(self) -> None:
        super().__init__(EventSplitter(), _AnswerFolder())

    def _take_event(self, data: bytes) -> None:
        chunk = read_answer_parts(data)
        if chunk.error != NULL:
            self.fault = StreamFault.ERROR
            self._folder.out.append(failure_of(chunk.error))
        else:
            self._folder.take(chunk)

    def _end(self) -> None:
        if self._folder.finish_reason is None:
            self.fault = StreamFault.TRUNCATED
            return
        self._folder.end(self._folder.finish_reason)
        self.ended = True


def read_answer(body: bytes) -> list[Event]:
    """Read a whole answer, as the events that a stream of it would give.

    Raises:
        BadReplyError: it is no Chat Completions object; FailedAnswerError where it says itself that it failed.
    """
    folder = _AnswerFolder()
    try:
        answer = read_answer_parts(body)
        _check_answer(answer)
        folder.take(answer)
        folder.end(folder.finish_reason or "stop")
    except BadReplyError:
        raise
    except (ValueError, RecursionError):
        raise BadReplyError from None
    return folder.out


def _check_answer(answer: Answer) -> None:
    if answer.error != NULL:
        raise FailedAnswerError(failure_of(answer.error))
    if not answer.choices or answer.choices[0].message is None:
        raise BadReplyError
