"""What Anthropic's SDKs type a message, its events and its errors as; a key they do not know is a fault.

Written from the types of the TypeScript SDK 0.125.0. One addition is known and wanted: `usage.cost`.
"""

from typing import Literal

import msgspec


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
    type: Literal[
        "invalid_request_error",
        "authentication_error",
        "billing_error",
        "permission_error",
        "not_found_error",
        "request_too_large",
        "rate_limit_error",
        "timeout_error",
        "overloaded_error",
        "api_error",
    ]
    message: str


class Error(Strict, tag_field="type", tag="error"):
    error: ErrorObject
    request_id: str | None


Event = MessageStart | BlockStart | BlockDelta | BlockStop | MessageDelta | MessageStop | Ping | Error

_DELTAS = {
    TextBlock: (TextDelta,),
    ThinkingBlock: (ThinkingDelta, SignatureDelta),
    ToolUseBlock: (InputDelta,),
}


def read_message(body):
    return msgspec.json.decode(body, type=Message)


def read_error(body):
    return msgspec.json.decode(body, type=Error)


def read_events(data):
    """The events of a stream of ours: each has its name, its type, one line of data and nothing else."""
    assert data.endswith(b"\n\n") or not data
    events = []
    for text in data.split(b"\n\n")[:-1]:
        name, body = text.split(b"\n")
        assert body.startswith(b"data: ")
        event = msgspec.json.decode(body[6:], type=Event)
        assert name == b"event: " + event.__struct_config__.tag.encode()
        events.append(event)
    return events


def accumulate(events):
    """The message that a client has at the end of a stream; a fault in the order of its events is an error here."""
    events = [event for event in events if not isinstance(event, Ping)]
    start, *middle, end, stop = events
    assert isinstance(start, MessageStart)
    assert isinstance(end, MessageDelta)
    assert isinstance(stop, MessageStop)
    message = start.message
    assert (message.content, message.stop_reason) == ([], None)
    gather(middle, message.content)
    for name in ("stop_reason", "stop_sequence", "stop_details"):
        setattr(message, name, getattr(end.delta, name))
    for name in (
        "input_tokens",
        "cache_creation_input_tokens",
        "cache_read_input_tokens",
        "output_tokens",
        "cost",
    ):
        setattr(message.usage, name, getattr(end.usage, name))
    message.usage.output_tokens_details = end.usage.output_tokens_details
    return message


def gather(events, content):
    """Put the events of blocks together: one block after the other, each begun, filled and ended."""
    is_open, arguments = False, ""
    for event in events:
        if isinstance(event, BlockStart):
            assert not is_open
            assert event.index == len(content)
            is_open, arguments = True, ""
            content.append(event.content_block)
            continue
        block = content[-1]
        assert is_open
        assert event.index == len(content) - 1
        if isinstance(event, BlockStop):
            is_open = False
            if isinstance(block, ToolUseBlock):
                block.input = msgspec.json.decode(arguments or "{}")
            continue
        assert isinstance(event, BlockDelta)
        assert isinstance(event.delta, _DELTAS[type(block)])
        match event.delta:
            case TextDelta():
                block.text += event.delta.text
            case ThinkingDelta():
                block.thinking += event.delta.thinking
            case SignatureDelta():
                assert block.signature == ""
                block.signature = event.delta.signature
            case InputDelta():
                arguments += event.delta.partial_json
    assert not is_open
