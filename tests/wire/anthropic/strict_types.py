"""What Anthropic's SDKs type a message, its events and its errors as; a key they do not know is a fault.

Written from the types of the TypeScript SDK 0.125.0. One addition is known and wanted: `usage.cost`.
"""

from typing import Literal

import msgspec

from fakes import anthropic_stream
from fakes.anthropic_stream import ErrorType


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """An object with exactly these keys."""


class Caller(Strict):
    type: Literal["direct"]


class TextBlock(Strict, tag_field="type", tag="text"):
    text: str
    citations: None


class ThinkingBlock(Strict, tag_field="type", tag="thinking"):
    thinking: str
    signature: str


class ToolUseBlock(Strict, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: dict
    caller: Caller


Block = TextBlock | ThinkingBlock | ToolUseBlock


class OutputDetails(Strict):
    thinking_tokens: int


class Usage(Strict):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    cache_creation: None
    output_tokens: int
    output_tokens_details: OutputDetails
    server_tool_use: None
    service_tier: Literal["standard", "priority", "batch"]
    inference_geo: None
    cost: float | None = None


class DeltaUsage(Strict):
    input_tokens: int
    cache_creation_input_tokens: int
    cache_read_input_tokens: int
    output_tokens: int
    output_tokens_details: OutputDetails
    server_tool_use: None
    cost: float


StopReason = Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal"]


class StopDetails(Strict):
    type: Literal["refusal"]
    category: None
    explanation: None


class Message(Strict):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[Block]
    stop_reason: StopReason | None
    stop_sequence: str | None
    stop_details: StopDetails | None
    container: None
    usage: Usage


class TextDelta(Strict, tag_field="type", tag="text_delta"):
    text: str


class ThinkingDelta(Strict, tag_field="type", tag="thinking_delta"):
    thinking: str


class SignatureDelta(Strict, tag_field="type", tag="signature_delta"):
    signature: str


class InputDelta(Strict, tag_field="type", tag="input_json_delta"):
    partial_json: str


class MessageStart(Strict, tag_field="type", tag="message_start"):
    message: Message


class BlockStart(Strict, tag_field="type", tag="content_block_start"):
    index: int
    content_block: Block


class BlockDelta(Strict, tag_field="type", tag="content_block_delta"):
    index: int
    delta: TextDelta | ThinkingDelta | SignatureDelta | InputDelta


class BlockStop(Strict, tag_field="type", tag="content_block_stop"):
    index: int


class EndDelta(Strict):
    stop_reason: StopReason
    stop_sequence: str | None
    stop_details: StopDetails | None
    container: None


class MessageDelta(Strict, tag_field="type", tag="message_delta"):
    delta: EndDelta
    usage: DeltaUsage


class MessageStop(Strict, tag_field="type", tag="message_stop"):
    pass


class Ping(Strict, tag_field="type", tag="ping"):
    pass


class ErrorObject(Strict):
    type: ErrorType
    message: str


class Error(Strict, tag_field="type", tag="error"):
    error: ErrorObject
    request_id: str | None


Event = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop | Ping | Error


def read_message(body):
    return msgspec.json.decode(body, type=Message)


def read_error(body):
    return msgspec.json.decode(body, type=Error)


def read_events(data):
    """The events of a stream of ours."""
    return [msgspec.convert(event, Event) for event in anthropic_stream.read_events(data)]


def accumulate(events):
    """The message that a client has at the end of a stream."""
    return msgspec.convert(anthropic_stream.put_together(msgspec.to_builtins(events)), Message)
