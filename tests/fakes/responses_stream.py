"""What a stream of POST /v1/responses must be, beyond the shape of each event: order, numbers, and one same story."""

import json
from collections.abc import Iterable

from fakes import specification

ENDS = ("response.completed", "response.incomplete", "response.failed")
_BEGINNING = ["response.created", "response.in_progress"]


def read_events(data: bytes) -> list[dict]:
    """Read the events of a stream, each of which stands in one block with its name; comments are passed over."""
    blocks = [block for block in data.split(b"\n\n") if block and not block.startswith(b":")]
    return [read_event(block) for block in blocks]


def read_event(block: bytes) -> dict:
    name, text = block.rstrip(b"\n").split(b"\n")
    assert name.startswith(b"event: "), block
    assert text.startswith(b"data: "), block
    event = json.loads(text.removeprefix(b"data: "))
    assert event["type"] == name.removeprefix(b"event: ").decode()
    return event


def check_stream(events: Iterable[dict]) -> dict:
    """Check a stream that ends as it should, and give the response that it ends with."""
    *told, end = events
    assert [event["type"] for event in told[:2]] == _BEGINNING
    assert end["type"] in ENDS
    assert [event["sequence_number"] for event in [*told, end]] == list(range(len(told) + 1))
    assert end["type"] == f"response.{end['response']['status']}"
    opened = told[0]["response"]
    assert (opened["status"], opened["output"]) == ("in_progress", [])
    assert opened["id"] == end["response"]["id"]
    story = _Story()
    for event in [*told, end]:
        specification.check_response_event(event)
        story.hear(event)
    assert story.items == end["response"]["output"]
    assert story.open is None or end["type"] == "response.failed"
    return end["response"]


class _Story:
    """Follows the items: each is opened, told in deltas, told again as a whole, and closed."""

    def __init__(self) -> None:
        self.items: list[dict] = []
        self.open: dict | None = None
        self.parts: list[dict] = []
        self.heard = ""
        self.annotations: list[dict] = []

    def hear(self, event: dict) -> None:
        if "output_index" in event:
            assert event["output_index"] == len(self.items)
        if "item_id" in event:
            assert self.open is not None, f"{event['type']} outside of an item"
            assert event["item_id"] == self.open["id"]
        match event["type"].removeprefix("response."):
            case "created":
                assert event["sequence_number"] == 0
            case "output_item.added":
                self._open(event["item"])
            case "output_item.done":
                self._close(event["item"])
            case part if "_part." in part:
                self._hear_part(event["part"], is_done=part.endswith(".done"))
            case "output_text.annotation.added":
                self.annotations.append(event["annotation"])
            case delta if delta.endswith(".delta"):
                assert event["delta"], "an empty delta says nothing"
                self.heard += event["delta"]
            case ended if ended.endswith(".done"):
                assert _text_of(event) == self.heard

    def _hear_part(self, part: dict, *, is_done: bool) -> None:
        if is_done:
            assert _text_of(part) == self.heard
            assert part.get("annotations", []) == self.annotations
            self.parts.append(part)
        else:
            assert _text_of(part) == ""
            self.heard, self.annotations = "", []

    def _open(self, item: dict) -> None:
        assert self.open is None, "two items are open"
        self.open, self.parts, self.heard = item, [], ""
        assert item.get("status", "in_progress") == "in_progress"
        assert not any(item.get(key) for key in ("content", "summary", "arguments", "input"))

    def _close(self, item: dict) -> None:
        assert self.open is not None, "an item is closed that was never opened"
        assert (item["id"], item["type"]) == (self.open["id"], self.open["type"])
        if item["type"] in ("message", "reasoning"):
            assert item.get("content", item.get("summary")) == self.parts
        elif item["type"] in ("function_call", "custom_tool_call"):
            assert _text_of(item) == self.heard
            assert (item["call_id"], item["name"]) == (self.open["call_id"], self.open["name"])
        self.items.append(item)
        self.open = None


def _text_of(told: dict) -> str:
    (key,) = {"text", "refusal", "arguments", "input"} & told.keys()
    return told[key]
