"""Speak Chat Completions as OpenAI does (api.md 3.1-3.5): a body in, a plan of bytes and pauses out."""

from collections.abc import Iterable, Iterator

import msgspec

from runapi.upstream.sandbox.answers import compose, letters
from runapi.upstream.sandbox.chat_request import ChatRequest, read_request
from runapi.upstream.sandbox.context import Limits, check_body, messages_too_long
from runapi.upstream.sandbox.logprobs import check_amount, token_logprobs
from runapi.upstream.sandbox.plans import (
    Event,
    Plan,
    Send,
    accept,
    obey_status,
    refusing,
    send_stream,
    send_whole,
    side_by_side,
)
from runapi.upstream.sandbox.turns import Answer, ToolCall, ToolKind
from runapi.upstream.sandbox.usage import chat_usage

_DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


@refusing("messages")
def plan(body: bytes, request_id: str, created: int, limits: Limits) -> Plan:
    """Plan the reply to `body`; the completion's id is derived from `request_id`."""
    if (most := check_body(body, limits)) is not None:
        raise messages_too_long(most, None)
    request = read_request(body)
    most = limits.get(request.model, request.turn.input_tokens)
    if request.turn.input_tokens > most:
        raise messages_too_long(most, request.turn.input_tokens)
    obey_status(request.turn.directives)
    answers = compose(request.turn)
    check_amount(answers, request.top_logprobs)
    events = _stream if request.stream else _whole
    return accept(
        events(request, answers, _envelope(request, request_id, created)),
        request_id,
        is_stream=request.stream,
    )


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


# ---- one JSON object -------------------------------------------------------------------------------------


def _whole(request: ChatRequest, answers: tuple[Answer, ...], envelope: _Envelope) -> Iterator[Event]:
    reply = {
        "id": envelope.id,
        "object": "chat.completion",
        "created": envelope.created,
        "model": envelope.model,
        "choices": [_choice(request, answer, index) for index, answer in enumerate(answers)],
        "usage": chat_usage((request.turn,), answers),
        "service_tier": envelope.service_tier,
        "system_fingerprint": envelope.system_fingerprint,
    }
    return send_whole(request.turn.directives, _encode(reply))


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
    if request.top_logprobs is None:
        return None
    tokens = [token for piece in pieces for token in token_logprobs(piece, request.top_logprobs)]
    return {
        "content": None if answer.is_refusal else tokens,
        "refusal": tokens if answer.is_refusal else None,
    }


# ---- a stream --------------------------------------------------------------------------------------------


def _stream(request: ChatRequest, answers: tuple[Answer, ...], envelope: _Envelope) -> Iterator[Event]:
    chunks = _chunks(request, answers, _ChunkWriter(request, envelope))
    return send_stream(request.turn.directives, chunks, lambda: Send(_DONE))


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
    for index, answer in enumerate(answers):
        content = None if answer.calls or answer.is_refusal else ""
        yield writer.choice(index, {"role": "assistant", "content": content, "refusal": None})
    deltas = [_deltas(request, answer, index, writer) for index, answer in enumerate(answers)]
    yield from side_by_side(deltas, request.turn.directives.interval_s)
    for index, answer in enumerate(answers):
        yield writer.choice(index, {}, answer.finish)
    if request.include_usage:
        yield writer.usage(chat_usage((request.turn,), answers))


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
