"""The items of an answer that is written as Responses has it: each knows its JSON, and the events that tell of it.

An event is given as its type and its own fields; `answer_writer` numbers it.
"""

from collections.abc import Iterator, Sequence

import msgspec
from msgspec import Raw

from runapi.wire.neutral import CallBegin, CallKind
from runapi.wire.openai_responses.response_object import Status

Fields = dict[str, object]
ItemEvent = tuple[str, Fields]


class TopLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class Logprob(msgspec.Struct):
    """The log probability of one token, as Chat has it."""

    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = []


def in_delta(logprobs: Sequence[Logprob]) -> list[Fields]:
    """Log probabilities as the events have them."""
    return [
        {
            "token": one.token,
            "logprob": one.logprob,
            "top_logprobs": [{"token": top.token, "logprob": top.logprob} for top in one.top_logprobs],
        }
        for one in logprobs
    ]


def _in_part(logprobs: Sequence[Logprob]) -> list[Fields]:
    """... and as the finished text has them, with the bytes of each token."""
    return [
        {**_with_bytes(one), "top_logprobs": [_with_bytes(top) for top in one.top_logprobs]}
        for one in logprobs
    ]


def _with_bytes(one: Logprob | TopLogprob) -> Fields:
    token_bytes = list(one.token.encode()) if one.bytes is None else one.bytes
    return {"token": one.token, "logprob": one.logprob, "bytes": token_bytes}


class TextPart:
    """A text, or a refusal, inside a message."""

    __slots__ = ("annotations", "is_refusal", "length", "logprobs", "offset", "place", "texts")

    def __init__(self, place: Fields, offset: int, *, is_refusal: bool) -> None:
        self.place = place  # where it stands, as its events say it
        self.offset = offset  # characters of the answer in front of it
        self.is_refusal = is_refusal
        self.texts: list[str] = []
        self.length = 0
        self.annotations: list[Fields] = []
        self.logprobs: list[Logprob] = []

    def add(self, text: str) -> None:
        self.texts.append(text)
        self.length += len(text)

    def body(self) -> Fields:
        text = "".join(self.texts)
        if self.is_refusal:
            return {"type": "refusal", "refusal": text}
        return {
            "type": "output_text",
            "text": text,
            "annotations": list(self.annotations),
            "logprobs": _in_part(self.logprobs),
        }

    def opened(self) -> ItemEvent:
        return "response.content_part.added", {**self.place, "part": self.body()}

    def closed(self) -> Iterator[ItemEvent]:
        text = "".join(self.texts)
        if self.is_refusal:
            yield "response.refusal.done", {**self.place, "refusal": text}
        else:
            logprobs = in_delta(self.logprobs)
            yield "response.output_text.done", {**self.place, "text": text, "logprobs": logprobs}
        yield "response.content_part.done", {**self.place, "part": self.body()}


class Message:
    """What the assistant says."""

    def __init__(self, item_id: str, output_index: int) -> None:
        self._id = item_id
        self.output_index = output_index
        self.parts: list[TextPart] = []

    def body(self, status: Status) -> Fields:
        return {
            "id": self._id,
            "type": "message",
            "status": str(status),
            "role": "assistant",
            "content": [part.body() for part in self.parts],
        }

    def opened(self) -> Iterator[ItemEvent]:
        yield _added(self.output_index, self.body(Status.IN_PROGRESS))

    def open_part(self, offset: int, *, is_refusal: bool) -> TextPart:
        place: Fields = {
            "item_id": self._id,
            "output_index": self.output_index,
            "content_index": len(self.parts),
        }
        part = TextPart(place, offset, is_refusal=is_refusal)
        self.parts.append(part)
        return part

    def closed(self, status: Status) -> Iterator[ItemEvent]:
        """Close the last part, the others being closed, and the message."""
        if self.parts:
            yield from self.parts[-1].closed()
        yield _done(self.output_index, self.body(status))


class Thought:
    """An item of reasoning. Its summary is in one part, where it comes in pieces."""

    def __init__(self, item_id: str, output_index: int) -> None:
        self._id = item_id
        self.output_index = output_index
        self.encrypted: str | None = None
        self._summaries: list[str] = []
        self._texts: list[str] = []  # of the part that is open
        self.is_open = False

    @property
    def place(self) -> Fields:
        """Where the open part stands, or the next one will."""
        return {
            "item_id": self._id,
            "output_index": self.output_index,
            "summary_index": len(self._summaries),
        }

    def body(self) -> Fields:
        fields: Fields = {
            "id": self._id,
            "type": "reasoning",
            "summary": [{"type": "summary_text", "text": text} for text in self._summaries],
        }
        return fields if self.encrypted is None else {**fields, "encrypted_content": self.encrypted}

    def opened(self) -> Iterator[ItemEvent]:
        yield _added(self.output_index, self.body())

    def open_part(self) -> Iterator[ItemEvent]:
        self.is_open = True
        yield "response.reasoning_summary_part.added", {**self.place, "part": _summary_text("")}

    def add(self, text: str) -> None:
        self._texts.append(text)

    def close_part(self) -> Iterator[ItemEvent]:
        if self.is_open:
            place, text = self.place, "".join(self._texts)
            self._summaries.append(text)
            self._texts, self.is_open = [], False
            yield "response.reasoning_summary_text.done", {**place, "text": text}
            yield "response.reasoning_summary_part.done", {**place, "part": _summary_text(text)}

    def closed(self) -> Iterator[ItemEvent]:
        yield from self.close_part()
        yield _done(self.output_index, self.body())


class OpenCall:
    """A call of a tool."""

    def __init__(self, call: CallBegin, item_id: str, output_index: int) -> None:
        self._call = call
        self._id = item_id
        self.output_index = output_index
        self.texts: list[str] = []

    @property
    def is_custom(self) -> bool:
        return self._call.kind is CallKind.CUSTOM

    @property
    def place(self) -> Fields:
        """Where it stands, as its events say it."""
        return {"item_id": self._id, "output_index": self.output_index}

    @property
    def has_whole_arguments(self) -> bool:
        """Whether its arguments are surely not cut off: they are JSON. Of free text nobody can tell."""
        try:
            msgspec.json.decode("".join(self.texts), type=Raw)
        except (msgspec.DecodeError, RecursionError):
            return False
        return not self.is_custom

    def body(self, status: Status) -> Fields:
        arguments = "".join(self.texts)
        head: Fields = {"id": self._id, "type": "function_call", "status": str(status)}
        if self.is_custom:
            head["type"] = "custom_tool_call"
            return {**head, "call_id": self._call.id, "input": arguments, "name": self._call.name}
        return {**head, "arguments": arguments, "call_id": self._call.id, "name": self._call.name}

    def opened(self) -> Iterator[ItemEvent]:
        yield _added(self.output_index, self.body(Status.IN_PROGRESS))

    def closed(self, status: Status) -> Iterator[ItemEvent]:
        arguments = "".join(self.texts)
        if self.is_custom:
            yield "response.custom_tool_call_input.done", {**self.place, "input": arguments}
        else:
            fields = {**self.place, "name": self._call.name, "arguments": arguments}
            yield "response.function_call_arguments.done", fields
        yield _done(self.output_index, self.body(status))


def _added(output_index: int, item: Fields) -> ItemEvent:
    return "response.output_item.added", {"output_index": output_index, "item": item}


def _done(output_index: int, item: Fields) -> ItemEvent:
    return "response.output_item.done", {"output_index": output_index, "item": item}


def _summary_text(text: str) -> Fields:
    return {"type": "summary_text", "text": text}
