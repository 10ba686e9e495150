"""Speak the Responses API as OpenAI does (api.md 4.1-4.4): a body in, a plan of bytes and pauses out."""

from collections.abc import Iterator

import msgspec

from runapi.core.problems import Problem
from runapi.upstream.sandbox.answers import compose, letters
from runapi.upstream.sandbox.context import Limits, check_body, input_too_long
from runapi.upstream.sandbox.logprobs import check_amount
from runapi.upstream.sandbox.plans import (
    Event,
    Plan,
    Send,
    accept,
    obey_status,
    refusing,
    send_stream,
    send_whole,
)
from runapi.upstream.sandbox.responses_events import EventWriter
from runapi.upstream.sandbox.responses_output import Item, Object, items_of
from runapi.upstream.sandbox.responses_request import ResponsesRequest, count_input, read_request
from runapi.upstream.sandbox.turns import Answer, Finish

_ID_CHARACTERS = 32
_PARAMS = {"response_format": "text.format.schema", "n": "input", "logprobs": "include"}
"""What is called otherwise than in Chat, whose names `compose` uses."""

_encode = msgspec.json.encode


@refusing("input")
def plan(body: bytes, request_id: str, created: int, limits: Limits) -> Plan:
    """Plan the reply to `body`; the ids of the response and of its items are derived from `request_id`."""
    if check_body(body, limits) is not None:
        raise input_too_long()
    request = read_request(body)
    if request.turn.input_tokens > limits.get(request.model, request.turn.input_tokens):
        raise input_too_long()
    directives = request.turn.directives
    obey_status(directives)
    reply = _Reply(request, _compose(request), request_id, created)
    if request.stream:
        return accept(reply.stream(), request_id, is_stream=True)
    return accept(send_whole(directives, _encode(reply.ended())), request_id)


def _compose(request: ResponsesRequest) -> Answer:
    try:
        (answer,) = compose(request.turn)
        check_amount((answer,), request.top_logprobs)
    except Problem as problem:
        problem.param = _PARAMS.get(problem.param or "", problem.param)
        raise
    return answer


@refusing("input")
def plan_count(body: bytes, request_id: str, _created: int, _limits: Limits) -> Plan:
    """Plan the reply to a question for the number of input tokens; directives in it are counted, not followed."""
    data = _encode({"object": "response.input_tokens", "input_tokens": count_input(body)})
    return accept(iter((Send(data),)), request_id)


class _Reply:
    """One answer, as a whole or as a stream: both say the same."""

    def __init__(self, request: ResponsesRequest, answer: Answer, request_id: str, created: int) -> None:
        self._request = request
        self._answer = answer
        self._items = items_of(request, answer, request_id)
        self._id = "resp_" + letters(request.turn.seed, request_id, _ID_CHARACTERS)
        self._created = created

    def opened(self) -> Object:
        """The response while it is written."""
        return self._write("in_progress")

    def ended(self) -> Object:
        """The response with all that it says."""
        is_whole = self._answer.finish is not Finish.LENGTH
        return self._write("completed" if is_whole else "incomplete", self._items)

    def stream(self) -> Iterator[Event]:
        writer = EventWriter(self._request.turn.directives.interval_s)
        ended = self.ended()
        return send_stream(
            self._request.turn.directives,
            writer.write(self.opened(), self._items),
            lambda: writer.end(ended),
        )

    def _write(self, status: str, items: list[Item] | None = None) -> Object:
        is_ended = items is not None
        reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "completed_at": self._created if status == "completed" else None,
            "error": None,
            "incomplete_details": reason,
            "output": [item.done() for item in items or ()],
            "usage": self._usage() if is_ended else None,
            **self._request.echo,
        }

    def _usage(self) -> Object:
        turn, answer = self._request.turn, self._answer
        return {
            "input_tokens": turn.input_tokens,
            "input_tokens_details": {
                "cached_tokens": min(turn.directives.cached, turn.input_tokens),
                "cache_write_tokens": 0,
            },
            "output_tokens": answer.output_tokens,
            "output_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
            "total_tokens": turn.input_tokens + answer.output_tokens,
        }
