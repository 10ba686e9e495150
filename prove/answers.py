"""What the fake upstream says on the endpoints beside Chat: a whole answer, or the events of a stream."""

import base64
import binascii
import json
import re
import struct
from collections.abc import Mapping, Sequence

from fakes import replies, responses_replies, steps, unbridged_replies
from fakes.received import Request
from fakes.responses_writer import Writer

RESPONSES, EMBEDDINGS, COMPLETIONS = "/responses", "/embeddings", "/completions"
MARK = "plan="
"""In front of a plan that travels in what is said, in hexadecimal: for requests of which no field comes so far."""

_MARKED = re.compile(rb"plan=((?:[0-9a-f]{2})+)")
_HOLE = "the usage goes here"
_OURS = {  # Chat's names in a usage report, and those of Responses
    '"prompt_tokens_details"': '"input_tokens_details"',
    '"prompt_tokens"': '"input_tokens"',
    '"completion_tokens_details"': '"output_tokens_details"',
    '"completion_tokens"': '"output_tokens"',
}


def endpoint_of(path: str) -> str | None:
    """The endpoint that is asked, if it is one of these."""
    ends = (end for end in (RESPONSES, EMBEDDINGS, COMPLETIONS) if path.endswith(end))
    found = next(ends, None)
    return None if path.endswith("/chat/completions") else found


def mark(plan: bytes) -> str:
    """Write a plan so that it stands in any text as it is."""
    return f"{MARK}{binascii.hexlify(plan).decode()}"


def plan_in(body: bytes) -> str:
    """Find the plan of a request: in its `metadata`, or in what is said.

    Raises:
        ValueError: it has none.
    """
    told = (json.loads(body).get("metadata") or {}).get("plan")
    if isinstance(told, str):
        return told
    marked = _MARKED.search(body)
    if marked is None:
        raise ValueError("a request came without its plan")
    return binascii.unhexlify(marked[1]).decode()


def whole_body(request: Request, texts: Sequence[str], usage: bytes | None, tier: str) -> bytes:
    """A whole answer."""
    endpoint = endpoint_of(request.path)
    if endpoint == RESPONSES:
        ended = Writer(request, _items(texts)).ended(None)
        return _filled(ended | {"service_tier": tier, "usage": _HOLE}, _as_responses(usage))
    if endpoint == EMBEDDINGS:
        packed = base64.b64encode(struct.pack("<2f", 0.6, -0.8)).decode()
        data = [{"object": "embedding", "index": 0, "embedding": packed}]
        return _filled({"object": "list", "data": data, "model": "their-name", "usage": _HOLE}, usage)
    choice = {"text": "".join(texts), "index": 0, "logprobs": None, "finish_reason": "stop"}
    return _filled(_completion(tier) | {"choices": [choice], "usage": _HOLE}, usage)


def events(request: Request, texts: Sequence[str], usage: bytes | None, tier: str) -> list[bytes]:
    """The events of a stream."""
    if endpoint_of(request.path) == RESPONSES:
        return _responses_events(request, texts, usage, tier)
    choices = [{"text": text, "index": 0, "logprobs": None, "finish_reason": None} for text in texts]
    choices.append({"text": "", "index": 0, "logprobs": None, "finish_reason": "stop"})
    chunks = [steps.event(_completion(tier) | {"choices": [choice]}) for choice in choices]
    if usage is not None:
        closing = _filled(_completion(tier) | {"choices": [], "usage": _HOLE}, usage)
        chunks.append(b"data: %b\n\n" % closing.replace(b"\n", b" "))
    return [*chunks, b"data: [DONE]\n\n"]


def _responses_events(request: Request, texts: Sequence[str], usage: bytes | None, tier: str) -> list[bytes]:
    writer = Writer(request, _items(texts))
    ended = writer.ended(None) | {"service_tier": tier, "usage": _HOLE}
    told = [*writer.events(), {"type": "response.completed", "response": ended}]
    numbered = [event | {"sequence_number": number} for number, event in enumerate(told)]
    *begun, end = numbered
    data = _filled(end, _as_responses(usage)).replace(b"\n", b" ")
    last = b"event: response.completed\ndata: %b\n\n" % data
    return [*map(responses_replies.event, begun), last]


def _items(texts: Sequence[str]) -> list[responses_replies.Said]:
    return [responses_replies.Said(tuple(texts))]


def _completion(tier: str) -> dict[str, object]:
    return {
        "id": unbridged_replies.COMPLETION_ID,
        "object": "text_completion",
        "created": replies.CREATED,
        "model": "their-name",
        "service_tier": tier,
    }


def _filled(body: Mapping[str, object], usage: bytes | None) -> bytes:
    return _fill(json.dumps(body).encode(), usage)


def _fill(written: bytes, usage: bytes | None) -> bytes:
    """Put a report in its place, however it is written."""
    return written.replace(json.dumps(_HOLE).encode(), b"null" if usage is None else usage)


def _as_responses(usage: bytes | None) -> bytes | None:
    """The same report, as Responses names its counts."""
    if usage is None:
        return None
    text = usage.decode()
    for theirs, ours in _OURS.items():
        text = text.replace(theirs, ours)
    return text.encode()
