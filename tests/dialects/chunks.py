"""What a Chat client makes of the chunks of a stream."""

import json
from collections.abc import Mapping, Sequence
from typing import Any


def put_chunks_together(chunks: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make of chunks what a Chat client makes of them."""
    message: dict[str, Any] = {}
    calls: dict[int, dict[str, Any]] = {}
    found: dict[str, Any] = {"message": message, "finish_reason": None, "logprobs": []}
    answer = {"id": chunks[0]["id"], "model": chunks[0]["model"], "choices": [found], "usage": None}
    assert {(chunk["id"], chunk["created"], chunk["model"]) for chunk in chunks} == {
        (chunks[0]["id"], chunks[0]["created"], chunks[0]["model"])
    }
    for chunk in chunks:
        answer["usage"] = chunk.get("usage") or answer["usage"]
        for choice in chunk["choices"]:
            assert choice["index"] == 0
            assert found["finish_reason"] is None, "something comes behind the finish_reason"
            found["finish_reason"] = choice["finish_reason"]
            found["logprobs"] += (choice.get("logprobs") or {}).get("content") or []
            _add_delta(message, calls, choice["delta"])
    if calls:
        assert list(calls) == list(range(len(calls)))
        message["tool_calls"] = list(calls.values())
    return answer


def _add_delta(message: dict[str, Any], calls: dict[int, dict[str, Any]], delta: Mapping[str, Any]) -> None:
    for name, value in delta.items():
        if name == "tool_calls":
            for part in value:
                _add_call(calls, part)
        elif name in ("content", "refusal"):
            message[name] = message.get(name) if value is None else (message.get(name) or "") + value
        elif name == "annotations":
            message.setdefault(name, []).extend(value)
        else:
            assert name not in message, f"{name} comes twice"
            message[name] = value


def _add_call(calls: dict[int, dict[str, Any]], part: Mapping[str, Any]) -> None:
    call = calls.get(part["index"])
    if call is None:
        calls[part["index"]] = json.loads(json.dumps({key: part[key] for key in part if key != "index"}))
        return
    assert set(part) <= {"index", "function", "custom"}, "id and type come once"
    kind = "custom" if "custom" in part else "function"
    for name, text in part[kind].items():
        call[kind][name] += text
