"""Speak legacy Completions as OpenAI does: a body in, a plan of bytes and pauses out."""

from collections.abc import Iterator

import msgspec

from runapi.core.problems import invalid_value
from runapi.upstream.sandbox.answers import MOST_CHARACTERS, compose, letters
from runapi.upstream.sandbox.completions_request import CompletionsRequest, read_request
from runapi.upstream.sandbox.context import Limits, check_body, prompt_too_long
from runapi.upstream.sandbox.directives import Directives
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
from runapi.upstream.sandbox.turns import Answer, Finish
from runapi.upstream.sandbox.usage import chat_usage

Object = dict[str, object]

_ID_CHARACTERS = 24
_DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.encode


@refusing("prompt")
def plan(body: bytes, request_id: str, created: int, limits: Limits) -> Plan:
    """Plan the reply to `body`; the completion's id is derived from `request_id`."""
    if (most := check_body(body, limits)) is not None:
        raise prompt_too_long(most, None)
    request = read_request(body)
    longest = max(turn.input_tokens for turn in request.turns)
    if longest > limits.get(request.model, longest):
        raise prompt_too_long(limits[request.model], longest)
    directives = _directives(request)
    obey_status(directives)
    answers = tuple(answer for turn in request.turns for answer in compose(turn))
    _check_amount(request, answers)
    reply = _Reply(request, answers, request_id, created)
    if request.stream:
        events = send_stream(directives, reply.chunks(directives.interval_s), lambda: Send(_DONE))
        return accept(events, request_id, is_stream=True)
    return accept(send_whole(directives, _encode(reply.whole())), request_id)


def _directives(request: CompletionsRequest) -> Directives:
    """Those that steer the reply as a whole: of the first prompt that fails, or of the first."""
    failing = [turn.directives for turn in request.turns if turn.directives.status is not None]
    return failing[0] if failing else request.turns[0].directives


def _check_amount(request: CompletionsRequest, answers: tuple[Answer, ...]) -> None:
    check_amount(answers, request.logprobs)
    each = len(answers) // len(request.turns)
    echoed = sum(map(len, request.prompts)) * each if request.echo else 0
    if sum(len(answer.text) for answer in answers) + echoed > MOST_CHARACTERS:
        raise invalid_value("prompt", f"the sandbox writes at most {MOST_CHARACTERS} characters a request.")


class _Choice(msgspec.Struct, frozen=True):
    index: int
    prompt: str  # that is given back before the answer
    answer: Answer


class _Reply:
    def __init__(
        self, request: CompletionsRequest, answers: tuple[Answer, ...], request_id: str, created: int
    ) -> None:
        self._request = request
        self._answers = answers
        self._choices = _choices(request, answers)
        self._head: Object = {
            "id": "cmpl-" + letters(request.turns[0].seed, request_id, _ID_CHARACTERS),
            "object": "text_completion",
            "created": created,
            "model": request.model,
        }

    def whole(self) -> Object:
        choices = [self._choice(choice) for choice in self._choices]
        return {**self._head, "choices": choices, "usage": chat_usage(self._request.turns, self._answers)}

    def chunks(self, interval_s: float) -> Iterator[Event]:
        """Write everything but the end marker; several answers run side by side."""
        yield from side_by_side(map(self._pieces, self._choices), interval_s)
        for choice in self._choices:
            yield self._chunk(choice.index, "", finish=_finish(choice.answer))
        if self._request.include_usage:
            yield _send(
                {**self._head, "choices": [], "usage": chat_usage(self._request.turns, self._answers)}
            )

    def _pieces(self, choice: _Choice) -> Iterator[Send]:
        if choice.prompt:
            yield self._chunk(choice.index, choice.prompt)
        offset = len(choice.prompt)
        for piece in choice.answer.pieces:
            yield self._chunk(choice.index, piece, logprobs=self._logprobs((piece,), offset))
            offset += len(piece)

    def _chunk(
        self, index: int, text: str, *, finish: str | None = None, logprobs: Object | None = None
    ) -> Send:
        choice = {"text": text, "index": index, "logprobs": logprobs, "finish_reason": finish}
        usage = {"usage": None} if self._request.include_usage else {}
        return _send({**self._head, "choices": [choice], **usage})

    def _choice(self, choice: _Choice) -> Object:
        return {
            "text": choice.prompt + choice.answer.text,
            "index": choice.index,
            "logprobs": self._logprobs(choice.answer.pieces, len(choice.prompt)),
            "finish_reason": _finish(choice.answer),
        }

    def _logprobs(self, pieces: tuple[str, ...], offset: int) -> Object | None:
        """Log probabilities in the form of this API: lists side by side, and where in the text each token stands."""
        top = self._request.logprobs
        if top is None:
            return None
        offsets, tokens, chosen, tops = [], [], [], []
        for piece in pieces:
            at = offset
            for found in token_logprobs(piece, top):
                token = str(found["token"])
                offsets.append(min(at, offset + len(piece)))
                tokens.append(token)
                chosen.append(found["logprob"])
                listed = found["top_logprobs"]
                tops.append(
                    {one["token"]: one["logprob"] for one in listed} if isinstance(listed, list) else {}
                )
                at += len(token)
            offset += len(piece)
        return {"text_offset": offsets, "token_logprobs": chosen, "tokens": tokens, "top_logprobs": tops}


def _choices(request: CompletionsRequest, answers: tuple[Answer, ...]) -> list[_Choice]:
    made = len(answers) // len(request.turns)
    return [
        _Choice(at * request.shown + one, prompt if request.echo else "", answers[at * made + one])
        for at, prompt in enumerate(request.prompts)
        for one in range(request.shown)
    ]


def _finish(answer: Answer) -> str:
    return "length" if answer.finish is Finish.LENGTH else "stop"


def _send(chunk: Object) -> Send:
    return Send(b"data: " + _encode(chunk) + b"\n\n")
