"""What the fake upstream streams on /v1/responses: as long as its Chat chunks, in the events of that protocol."""

from functools import cache
from typing import Any

from bench.traffic import (
    CREATED,
    PADDING,
    SNAPSHOT,
    WORDS,
    StreamScript,
    dump,
    framed,
    stream_head,
    text_of,
)

_ID = "resp_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b"
_ITEM = "msg_68af4030592c81938ec0a5fbab4a3e9f05438e46b5f69a3b"
_PLACE = {"item_id": _ITEM, "output_index": 0, "content_index": 0}
_USAGE = {
    "input_tokens": 512,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 50,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 562,
}


@cache
def responses_stream(chunks: int) -> StreamScript:
    """The events before the text, one for each word of it, and those that tell it again and end."""
    part = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    item = {"id": _ITEM, "type": "message", "status": "in_progress", "content": [], "role": "assistant"}
    told = text_of(chunks)
    whole = part | {"text": told}
    done = item | {"status": "completed", "content": [whole]}
    opened = _response("in_progress", [], None)
    opening = (
        _event("response.created", response=opened),
        _event("response.in_progress", response=opened),
        _event("response.output_item.added", output_index=0, item=item),
        _event("response.content_part.added", **_PLACE, part=part),
    )
    closing = (
        _event("response.output_text.done", **_PLACE, text=told, logprobs=[]),
        _event("response.content_part.done", **_PLACE, part=whole),
        _event("response.output_item.done", output_index=0, item=done),
        _event("response.completed", response=_response("completed", [done], _USAGE)),
    )
    contents = (
        _event(
            "response.output_text.delta",
            **_PLACE,
            delta=word,
            logprobs=[],
            obfuscation=PADDING[: 14 - len(word)] or "x",
        )
        for word in WORDS
    )
    return StreamScript(stream_head() + b"".join(opening), tuple(contents), b"".join(closing) + b"0\r\n\r\n")


def _event(kind: str, **fields: Any) -> bytes:
    data = dump({"type": kind, "sequence_number": 7, **fields})
    return framed(b"event: %b\ndata: %b\n\n" % (kind.encode(), data))


def _response(status: str, output: list[dict[str, Any]], usage: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": _ID,
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "model": SNAPSHOT,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": "low", "summary": None},
        "service_tier": "default",
        "store": False,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
    }
