"""What a stream of POST /v1/messages must be, beyond the shape of each event: names, order, blocks one after the other."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

ErrorType = Literal[
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
"""All that Anthropic's SDKs know."""


def read_events(data: bytes) -> list[dict[str, Any]]:
    """Read the events of a stream: each has its name, its type, one line of data, and nothing else."""
    assert data.endswith(b"\n\n") or not data
    return [read_event(block) for block in data.split(b"\n\n")[:-1]]


def read_event(block: bytes) -> dict[str, Any]:
    name, text = block.split(b"\n")
    assert text.startswith(b"data: ")
    event: dict[str, Any] = json.loads(text.removeprefix(b"data: "))
    assert name == f"event: {event['type']}".encode()
    return event


def put_together(events: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The message that a client has at the end of a stream; a fault in the order of its events is an error here."""
    start, *middle, end, stop = [event for event in events if event["type"] != "ping"]
    assert (start["type"], end["type"], stop) == ("message_start", "message_delta", {"type": "message_stop"})
    message = json.loads(json.dumps(start["message"]))
    assert (message["content"], message["stop_reason"]) == ([], None)
    _gather(middle, message["content"])
    message |= end["delta"]
    message["usage"] |= end["usage"]
    return message


def _gather(events: Iterable[Mapping[str, Any]], content: list[dict[str, Any]]) -> None:
    """Put blocks together, one after the other: begun, filled and ended."""
    is_open, pieces = False, ""
    for event in events:
        match event["type"]:
            case "content_block_start":
                assert not is_open
                assert event["index"] == len(content)
                is_open, pieces = True, ""
                content.append(dict(event["content_block"]))
            case "content_block_delta":
                assert is_open
                assert event["index"] == len(content) - 1
                pieces += _fill(content[-1], event["delta"])
            case "content_block_stop":
                assert is_open
                assert event["index"] == len(content) - 1
                is_open = False
                if content[-1]["type"] == "tool_use":
                    content[-1]["input"] = json.loads(pieces or "{}")
            case other:
                raise AssertionError(f"{other} stands inside a message")
    assert not is_open


def _fill(block: dict[str, Any], delta: Mapping[str, Any]) -> str:
    """Add to a block; give what belongs to the JSON of its input."""
    match block["type"], delta["type"]:
        case "text", "text_delta":
            block["text"] += delta["text"]
        case "thinking", "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "thinking", "signature_delta":
            assert block["signature"] == ""
            block["signature"] = delta["signature"]
        case "tool_use", "input_json_delta":
            return str(delta["partial_json"])
        case kind, other:
            raise AssertionError(f"{other} in a block of type {kind}")
    return ""
