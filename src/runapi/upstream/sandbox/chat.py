"""Speak Chat Completions as OpenAI does (api.md 3.1-3.5): a body in, a plan of bytes and pauses out."""

import itertools
from collections.abc import Iterable, Iterator

import msgspec

from runapi.core.problems import Problem, invalid_value
from runapi.upstream.sandbox.answers import compose, letters
from runapi.upstream.sandbox.chat_request import ChatRequest, read_request
from runapi.upstream.sandbox.directives import DirectiveFault
from runapi.upstream.sandbox.plans import Cut, Event, Pause, Plan, Send, directed_problem, refuse
from runapi.upstream.sandbox.turns import Answer, ToolCall, ToolKind
from runapi.wire.tokens import split_text

_MOST_LOGPROBS = 50_000
_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_DONE = b"data: [DONE]\n\n"
_OTHER_TOKENS = (
    " the",
    " a",
    " and",
    " of",
    " to",
    " in",
    " is",
    " it",
    " that",
    " for",
    " on",
    " as",
    " with",
)
_MORE_TOKENS = (" by", " at", " an", " be", " this", " from", " or")

_encode = msgspec.json.encode


def plan(body: bytes, request_id: str, created: int) -> Plan:
    """Plan the reply to `body`: the same for the same arguments, and for every body there is one.

    Args:
        body: what came, JSON or not.
        request_id: for the header; the completion's id is derived from it.
        created: Unix seconds to put into the reply.
    """
    try:
        request = read_request(body)
        directives = request.turn.directives
        if directives.status is not None:
            return refuse(directed_problem(directives.status), request_id, directives.delay_s)
        answers = compose(request.turn)
        _check_logprobs(request, answers)
    except DirectiveFault as fault:
        return refuse(invalid_value("messages", str(fault)), request_id)
    except Problem as problem:
        return refuse(problem, request_id)
    events = _stream if request.stream else _whole
    return Plan(
        200,
        {"content-type": _EVENTS if request.stream else _JSON, "x-request-id": request_id},
        events(request, answers, _envelope(request, request_id, created)),
    )


def _check_logprobs(request: ChatRequest, answers: tuple[Answer, ...]) -> None:
    each = 0 if request.top_logprobs is None else request.top_logprobs + 1
    if each * sum(answer.output_tokens - answer.reasoning_tokens for answer in answers) > _MOST_LOGPROBS:
        raise invalid_value("logprobs", f"the sandbox writes at most {_MOST_LOGPROBS} of them a request.")


class _Envelope(msgspec.Struct, frozen=True):
    """What every object of one reply carries."""

    id: str
    created: int
    model: str
    service_tier: str
    system_fingerprint: str


def _envelope(request: ChatRequest, request_id: str, created: int) -> _Envelope:
    return _Envelope(
        "chatcmpl-" + letters(request.turn.seed, request_id, 29),
        created,
        request.model,
        request.service_tier,
        "fp_" + letters(request.model.encode()[:64], "fingerprint", 10).lower(),
    )


def _usage(request: ChatRequest, answers: Iterable[Answer]) -> dict[str, object]:
    turn, answers = request.turn, tuple(answers)
    output = sum(answer.output_tokens for answer in answers)
    return {
        "prompt_tokens": turn.input_tokens,
        "completion_tokens": output,
        "total_tokens": turn.input_tokens + output,
        "prompt_tokens_details": {
            "cached_tokens": min(turn.directives.cached, turn.input_tokens),
            "audio_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": sum(answer.reasoning_tokens for answer in answers),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


# ---- one JSON object -------------------------------------------------------------------------------------


def _whole(request: ChatRequest, answers: tuple[Answer, ...], envelope: _Envelope) -> Iterator[Event]:
    directives = request.turn.directives
    reply = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [_choice(request, answer, index) for index, answer in enumerate(answers)],
        "usage": _usage(request, answers),
        "service_tier": envelope.service_tier,
        "system_fingerprint": envelope.system_fingerprint,
    }
    pause = directives.delay_s + directives.interval_s * (directives.chunks or 0)
    if pause:
        yield Pause(pause)
    data = _encode(reply)
    if directives.cut_after is None:
        yield Send(data)
    else:
        yield Send(data[: len(data) // 2])
        yield Cut()


def _choice(request: ChatRequest, answer: Answer, index: int) -> dict[str, object]:
    said = None if answer.calls else answer.text
    message: dict[str, object] = {
        "role": "assistant",
        "content": None if answer.is_refusal else said,
        "refusal": said if answer.is_refusal else None,
        "annotations": [],
    }
    if answer.calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": call.kind,
                call.kind: {"name": call.name, _input_key(call): call.arguments},
            }
            for call in answer.calls
        ]
    return {
        "index": index,
        "message": message,
        "logprobs": _logprobs(request, answer, answer.pieces),
        "finish_reason": answer.finish,
    }


def _input_key(call: ToolCall) -> str:
    return "arguments" if call.kind is ToolKind.FUNCTION else "input"


def _logprobs(request: ChatRequest, answer: Answer, pieces: Iterable[str]) -> dict[str, object] | None:
    """Plausible log probabilities: falling from the chosen token on, the same for the same token."""
    if request.top_logprobs is None:
        return None
    tokens = [_token_logprobs(token, request.top_logprobs) for piece in pieces for token in split_text(piece)]
    return {
        "content": None if answer.is_refusal else tokens,
        "refusal": tokens if answer.is_refusal else None,
    }


def _token_logprobs(token: bytes, top: int) -> dict[str, object]:
    first = -(sum(token) % 40 + 1) / 100
    others = [other.encode() for other in _OTHER_TOKENS + _MORE_TOKENS if other.encode() != token]
    alternatives = [
        _one_logprob(other, first - rank - 1) for rank, other in enumerate(others[: max(0, top - 1)])
    ]
    chosen = _one_logprob(token, first)
    return {**chosen, "top_logprobs": [chosen, *alternatives][:top]}


def _one_logprob(token: bytes, logprob: float) -> dict[str, object]:
    return {"token": token.decode("utf-8", "backslashreplace"), "logprob": logprob, "bytes": list(token)}


# ---- a stream --------------------------------------------------------------------------------------------


def _stream(request: ChatRequest, answers: tuple[Answer, ...], envelope: _Envelope) -> Iterator[Event]:
    """Give the events, cut where a directive asks for it: at the latest before the end marker."""
    directives = request.turn.directives
    if directives.delay_s:
        yield Pause(directives.delay_s)
    sent = 0
    for event in _chunks(request, answers, _ChunkWriter(request, envelope)):
        if isinstance(event, Send):
            if sent == directives.cut_after:
                break
            sent += 1
        yield event
    if directives.cut_after is None:
        yield Send(_DONE)
    else:
        yield Cut()


class _ChunkWriter:
    """Writes the chunks of one stream; what they share is encoded once."""

    def __init__(self, request: ChatRequest, envelope: _Envelope) -> None:
        head = {
            "id": envelope.id,
            "object": "chat.completion.chunk",
            "created": envelope.created,
            "model": envelope.model,
            "service_tier": envelope.service_tier,
            "system_fingerprint": envelope.system_fingerprint,
        }
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if request.include_usage else b"]}\n\n"

    def choice(self, index: int, delta: object, finish: str | None = None, logprobs: object = None) -> Send:
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return Send(self._head + _encode(choice) + self._tail)

    def usage(self, usage: object) -> Send:
        return Send(self._head + b'],"usage":' + _encode(usage) + b"}\n\n")


def _chunks(request: ChatRequest, answers: tuple[Answer, ...], writer: _ChunkWriter) -> Iterator[Event]:
    """Write everything but the end marker; several answers run side by side, as they do at OpenAI."""
    interval_s = request.turn.directives.interval_s
    for index, answer in enumerate(answers):
        content = None if answer.calls or answer.is_refusal else ""
        yield writer.choice(index, {"role": "assistant", "content": content, "refusal": None})
    deltas = [_deltas(request, answer, index, writer) for index, answer in enumerate(answers)]
    is_first = True
    for row in itertools.zip_longest(*deltas):
        if interval_s and not is_first:
            yield Pause(interval_s)
        is_first = False
        yield from (chunk for chunk in row if chunk is not None)
    for index, answer in enumerate(answers):
        yield writer.choice(index, {}, answer.finish)
    if request.include_usage:
        yield writer.usage(_usage(request, answers))


def _deltas(request: ChatRequest, answer: Answer, index: int, writer: _ChunkWriter) -> Iterator[Send]:
    key = "refusal" if answer.is_refusal else "content"
    for piece in answer.pieces:
        yield writer.choice(index, {key: piece}, logprobs=_logprobs(request, answer, (piece,)))
    for at, call in enumerate(answer.calls):
        name = _input_key(call)
        opened = {"index": at, "id": call.id, "type": call.kind, call.kind: {"name": call.name, name: ""}}
        yield writer.choice(index, {"tool_calls": [opened]})
        for piece in call.pieces:
            yield writer.choice(index, {"tool_calls": [{"index": at, call.kind: {name: piece}}]})
