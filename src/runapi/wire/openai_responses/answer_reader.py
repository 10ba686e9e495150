"""What an upstream that speaks Responses answers, streamed or whole, as events of the neutral form.

All items fold into one answer: its texts, its refusal, its calls counted from 0 in the order in which they begin.
Whatever deltas did not bring is taken from the events that repeat it whole, so that a server that leaves some out is
understood too. Events and items of unknown types are passed over, as the API asks (api.md 4.4).
"""

from collections.abc import Callable
from typing import ClassVar

from runapi.wire.neutral import Event, Failure
from runapi.wire.openai_chat.reply import BadReplyError, FailedAnswerError
from runapi.wire.openai_chat.request import NULL
from runapi.wire.openai_chat.stream import StreamFault
from runapi.wire.openai_responses.answer_folder import AnswerFolder
from runapi.wire.openai_responses.answer_parts import (
    ResponseError,
    StreamEvent,
    UpstreamResponse,
    read_error,
    read_event,
    read_response,
)
from runapi.wire.openai_responses.event_blocks import DataSplitter
from runapi.wire.stream_reader import StreamReader


class ResponsesReader(StreamReader[AnswerFolder]):
    """Reads one upstream's stream; an event that ends the answer must come."""

    def __init__(self) -> None:
        super().__init__(DataSplitter(), AnswerFolder())

    def _take_event(self, data: bytes) -> None:
        event = read_event(data, self._KNOWN)
        fold = self._FOLDS.get(event.type)
        if fold is not None:
            self._folder.begin(None)
            fold(self._folder, event)
        elif event.type in self._LIFECYCLE:
            self._LIFECYCLE[event.type](self, event)
        elif event.error != NULL:  # an error in the form of another dialect
            self._fail(read_response(data).failure())

    def _end(self) -> None:
        self.fault = StreamFault.TRUNCATED

    def _begin(self, event: StreamEvent) -> None:
        self._folder.begin(read_response(event.response))

    def _complete(self, event: StreamEvent) -> None:
        self._finish(event, is_whole=True)

    def _stop_short(self, event: StreamEvent) -> None:
        self._finish(event, is_whole=False)

    def _finish(self, event: StreamEvent, *, is_whole: bool) -> None:
        response = read_response(event.response)
        self._folder.begin(response)
        self._folder.end(response, is_whole=is_whole)
        self.ended = True

    def _fail_as_response(self, event: StreamEvent) -> None:
        self._fail(read_response(event.response).failure())

    def _fail_as_event(self, event: StreamEvent) -> None:
        nested = event.message is None and event.error != NULL
        self._fail(
            (read_error(event.error) if nested else ResponseError(event.code, event.message)).failure()
        )

    def _fail(self, failure: Failure) -> None:
        self._folder.out.append(failure)
        self.fault = StreamFault.ERROR

    _FOLDS: ClassVar[dict[str, Callable[[AnswerFolder, StreamEvent], None]]] = {
        "response.output_text.delta": AnswerFolder.add_text,
        "response.output_text.done": AnswerFolder.end_text,
        "response.output_text.annotation.added": AnswerFolder.add_annotation,
        "response.refusal.delta": AnswerFolder.add_refusal,
        "response.refusal.done": AnswerFolder.end_refusal,
        "response.function_call_arguments.delta": AnswerFolder.add_arguments,
        "response.function_call_arguments.done": AnswerFolder.end_arguments,
        "response.custom_tool_call_input.delta": AnswerFolder.add_arguments,
        "response.custom_tool_call_input.done": AnswerFolder.end_arguments,
        "response.reasoning_summary_text.delta": AnswerFolder.add_summary,
        "response.reasoning_text.delta": AnswerFolder.add_summary,
        "response.output_item.added": AnswerFolder.open_item,
        "response.output_item.done": AnswerFolder.close_item,
    }
    _LIFECYCLE: ClassVar[dict[str, Callable[["ResponsesReader", StreamEvent], None]]] = {
        "response.created": _begin,
        "response.in_progress": _begin,
        "response.completed": _complete,
        "response.incomplete": _stop_short,
        "response.failed": _fail_as_response,
        "response.cancelled": _fail_as_response,
        "error": _fail_as_event,
    }
    _KNOWN = frozenset((*_FOLDS, *_LIFECYCLE))


def read_answer(body: bytes) -> list[Event]:
    """Read a whole answer, as the events that a stream of it would give.

    Raises:
        BadReplyError: it is no finished response; FailedAnswerError where it says itself that it failed.
    """
    try:
        body.decode()  # the skipped parts must be UTF-8 as well
        response = read_response(body)
        _check(response)
        folder = AnswerFolder()
        folder.begin(response)
        folder.end(response, is_whole=response.status != "incomplete")
    except BadReplyError:
        raise
    except (ValueError, RecursionError):
        raise BadReplyError from None
    return folder.out


def _check(response: UpstreamResponse) -> None:
    if response.error is not None or response.status in ("failed", "cancelled"):
        raise FailedAnswerError(response.failure())
    if response.output is None or response.status not in (None, "completed", "incomplete"):
        raise BadReplyError
