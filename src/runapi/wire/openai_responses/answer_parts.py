"""The parts of a Responses answer that are read: its events, items and the response itself. All else is skipped."""

from collections.abc import Container

import msgspec
from msgspec import Raw

from runapi.wire.half_characters import decode_mending
from runapi.wire.neutral import EndReason, Failure, Reasoning
from runapi.wire.openai_chat.request import NULL


class StreamEvent(msgspec.Struct, gc=False):
    """One event of a stream; of these fields, each type has its own."""

    type: str = ""
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    logprobs: Raw = NULL
    annotation: Raw = NULL
    item: Raw = NULL
    response: Raw = NULL
    error: Raw = NULL
    code: str | int | None = None
    message: str | None = None


class Part(msgspec.Struct, gc=False):
    """A part of a message, or of a reasoning item's summary."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    annotations: list[Raw] | None = None
    logprobs: Raw = NULL


class Item(msgspec.Struct, gc=False):
    """An item of a known type; of another one, only its type is read."""

    type: str
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    content: list[Part] | None = None
    summary: list[Part] | None = None
    encrypted_content: str | None = None

    def reasoning(self) -> Reasoning:
        """The item as the neutral form says it, if it is one of reasoning."""
        return Reasoning(
            self.id, self.encrypted_content, tuple(part.text or "" for part in self.summary or ())
        )


class ResponseError(msgspec.Struct):
    code: str | int | None = None
    message: str | None = None

    def failure(self) -> Failure:
        """The same in the neutral form."""
        code = None if self.code is None else str(self.code)
        return Failure(code, self.message) if self.message else Failure(code)


_REASONS = {"content_filter": EndReason.CONTENT_FILTER}  # every other reason: the answer was cut at a limit


class Incomplete(msgspec.Struct):
    """Why an answer ended before the model was through."""

    reason: str | None = None


def end_reason(details: Incomplete | None) -> EndReason:
    """Give the reason in the neutral form."""
    return _REASONS.get((details.reason if details is not None else None) or "", EndReason.LENGTH)


class UpstreamResponse(msgspec.Struct):
    """The response itself, as the first and the last events and a whole answer hold it."""

    created_at: float | None = None
    status: str | None = None
    service_tier: str | None = None
    incomplete_details: Incomplete | None = None
    error: ResponseError | str | None = None
    output: list[Raw] | None = None
    usage: Raw = NULL

    def failure(self) -> Failure:
        """What went wrong, as far as it says so."""
        error = self.error
        return (error if isinstance(error, ResponseError) else ResponseError(message=error)).failure()


class _Type(msgspec.Struct):
    type: str = ""


class _Citation(msgspec.Struct):
    type: str
    start_index: int
    end_index: int
    url: str
    title: str = ""


class _TopLogprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None


class _Logprob(msgspec.Struct):
    token: str
    logprob: float
    bytes: list[int] | None = None
    top_logprobs: list[_TopLogprob] = []


ITEM_TYPES = frozenset(("message", "function_call", "custom_tool_call", "reasoning"))

_decode_event = msgspec.json.Decoder(StreamEvent).decode
_decode_type = msgspec.json.Decoder(_Type).decode
_decode_item = msgspec.json.Decoder(Item).decode
_decode_response = msgspec.json.Decoder(UpstreamResponse).decode
_decode_citation = msgspec.json.Decoder(_Citation).decode
_decode_logprobs = msgspec.json.Decoder(list[_Logprob]).decode


def read_event(data: bytes, known: Container[str]) -> StreamEvent:
    """Read one event; of one whose type is not among the `known`, only the type need be right.

    Raises:
        ValueError: it is no JSON object, or a known event with a field of another type.
    """
    if not data.isascii():
        data.decode()  # the parts that are skipped must be UTF-8 as well
    try:
        return decode_mending(_decode_event, data)
    except msgspec.ValidationError:
        kind = _decode_type(data).type
        if kind in known:
            raise
        return StreamEvent(kind)


def read_item(raw: Raw) -> Item:
    """Read an item; of an unknown type, only that.

    Raises:
        ValueError: it is none.
    """
    return decode_mending(_decode_known_item, bytes(raw))


def _decode_known_item(raw: bytes) -> Item:
    kind = _decode_type(raw).type
    return _decode_item(raw) if kind in ITEM_TYPES else Item(kind)


def read_response(raw: bytes | Raw) -> UpstreamResponse:
    """Read the response.

    Raises:
        ValueError: it is none.
    """
    return decode_mending(_decode_response, bytes(raw))


def read_error(raw: Raw) -> ResponseError:
    """Read an error object, or a text in its place.

    Raises:
        ValueError: it is neither.
    """
    error = msgspec.json.decode(raw, type=ResponseError | str)
    return error if isinstance(error, ResponseError) else ResponseError(message=error)


def as_chat_annotation(raw: Raw, offset: int) -> Raw | None:
    """Write a citation as Chat does; None where it is of a kind that Chat does not have.

    Args:
        raw: the annotation.
        offset: the characters of the answer that stand in front of the part which it counts from.
    """
    try:
        citation = _decode_citation(raw)
    except msgspec.DecodeError:
        return None
    if citation.type != "url_citation":
        return None
    inner = {
        "start_index": citation.start_index + offset,
        "end_index": citation.end_index + offset,
        "url": citation.url,
        "title": citation.title,
    }
    return Raw(msgspec.json.encode({"type": "url_citation", "url_citation": inner}))


def as_chat_logprobs(raw: Raw) -> Raw | None:
    """Write log probabilities as Chat does, every key there; None where there are none that can be read."""
    try:
        logprobs = _decode_logprobs(raw)
    except msgspec.DecodeError:
        return None
    return Raw(msgspec.json.encode(logprobs)) if logprobs else None
