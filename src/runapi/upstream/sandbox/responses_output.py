"""Say an answer in the items of a Responses reply: a thought, a message, calls."""

from collections.abc import Iterable

import msgspec

from runapi.upstream.sandbox.answers import letters
from runapi.upstream.sandbox.logprobs import token_logprobs
from runapi.upstream.sandbox.responses_request import ResponsesRequest
from runapi.upstream.sandbox.sealed_reasoning import seal
from runapi.upstream.sandbox.turns import Answer, Finish, ToolCall, ToolKind

Object = dict[str, object]


class Thought(msgspec.Struct, frozen=True):
    """A reasoning item. `pieces` are its summary, as a stream would send it; none if no summary was asked for."""

    id: str
    pieces: tuple[str, ...]
    encrypted: str | None

    def opened(self) -> Object:
        return self._write([])

    def done(self) -> Object:
        return self._write([{"type": "summary_text", "text": "".join(self.pieces)}] if self.pieces else [])

    def _write(self, summary: list[Object]) -> Object:
        item: Object = {"id": self.id, "type": "reasoning", "summary": summary}
        if self.encrypted is not None:
            item["encrypted_content"] = self.encrypted
        return item


class Message(msgspec.Struct, frozen=True):
    """A message: text, or a refusal."""

    id: str
    pieces: tuple[str, ...]
    is_refusal: bool
    is_whole: bool
    top_logprobs: int | None

    def opened(self) -> Object:
        return self._write([], "in_progress")

    def done(self) -> Object:
        return self._write([self.part(self.pieces)], _status(is_whole=self.is_whole))

    def part(self, pieces: tuple[str, ...]) -> Object:
        """The content as far as these pieces go."""
        text = "".join(pieces)
        if self.is_refusal:
            return {"type": "refusal", "refusal": text}
        return {"type": "output_text", "annotations": [], "logprobs": self.logprobs(pieces), "text": text}

    def logprobs(self, pieces: Iterable[str]) -> list[Object]:
        if self.top_logprobs is None:
            return []
        return [token for piece in pieces for token in token_logprobs(piece, self.top_logprobs)]

    def _write(self, content: list[Object], status: str) -> Object:
        return {
            "id": self.id,
            "type": "message",
            "status": status,
            "content": content,
            "role": "assistant",
        }


class Call(msgspec.Struct, frozen=True):
    """A call of a function or of a custom tool."""

    id: str
    call: ToolCall
    is_whole: bool

    @property
    def key(self) -> str:
        return "arguments" if self.call.kind is ToolKind.FUNCTION else "input"

    def opened(self) -> Object:
        return self._write("", "in_progress")

    def done(self) -> Object:
        return self._write(self.call.arguments, _status(is_whole=self.is_whole))

    def _write(self, said: str, status: str) -> Object:
        kind = "function_call" if self.call.kind is ToolKind.FUNCTION else "custom_tool_call"
        return {
            "id": self.id,
            "type": kind,
            "status": status,
            self.key: said,
            "call_id": self.call.id,
            "name": self.call.name,
        }


Item = Thought | Message | Call


def items_of(request: ResponsesRequest, answer: Answer, request_id: str) -> list[Item]:
    """Give the items of an answer, in their order; their ids are derived from the request's."""
    seed = request.turn.seed + request_id.encode()
    is_whole = answer.finish is not Finish.LENGTH
    items: list[Item] = []
    if answer.reasoning_tokens:
        items.append(_thought(request, answer, "rs_" + letters(seed, "thought", 32)))
    for at, call in enumerate(answer.calls):
        prefix = "fc_" if call.kind is ToolKind.FUNCTION else "ctc_"
        is_last = at == len(answer.calls) - 1
        items.append(Call(prefix + letters(seed, f"call {at}", 32), call, is_whole or not is_last))
    if answer.pieces or (is_whole and not answer.calls):
        items.append(
            Message(
                "msg_" + letters(seed, "message", 32),
                answer.pieces,
                answer.is_refusal,
                is_whole,
                request.top_logprobs,
            )
        )
    return items


def _thought(request: ResponsesRequest, answer: Answer, item_id: str) -> Thought:
    pieces: tuple[str, ...] = ()
    if request.has_summary:
        pieces = (
            "**Thinking",
            " in the sandbox**\n\n",
            f"I thought for {answer.reasoning_tokens}",
            " tokens.",
        )
    encrypted = seal(answer.reasoning_tokens, request.turn.seed) if request.has_seal else None
    return Thought(item_id, pieces, encrypted)


def _status(*, is_whole: bool) -> str:
    return "completed" if is_whole else "incomplete"
