"""Scripts that answer on the APIs that are never translated: embeddings, legacy completions, moderations."""

import base64
import struct
from collections.abc import Sequence

from fakes import steps
from fakes.received import Request
from fakes.replies import CREATED, HEADERS, usage
from fakes.steps import Script

COMPLETION_ID = "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7"
CATEGORIES = (
    "harassment",
    "harassment/threatening",
    "hate",
    "hate/threatening",
    "illicit",
    "illicit/violent",
    "self-harm",
    "self-harm/instructions",
    "self-harm/intent",
    "sexual",
    "sexual/minors",
    "violence",
    "violence/graphic",
)


def embeddings_reply(vectors: Sequence[Sequence[float]] = ((0.6, -0.8),), *, tokens: int = 5) -> Script:
    """Vectors, as numbers or in base64 as the request asks."""

    def write(request: Request) -> Script:
        body = request.asked
        is_packed = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": at, "embedding": _pack(vector) if is_packed else list(vector)}
            for at, vector in enumerate(vectors)
        ]
        used = {"prompt_tokens": tokens, "total_tokens": tokens}
        reply = {"object": "list", "data": data, "model": str(body.get("model")), "usage": used}
        return steps.json(reply, fields=HEADERS)

    return [steps.answer(write)]


def _pack(vector: Sequence[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def completion_reply(texts: Sequence[str] = ("Hel", "lo."), *, finish_reason: str = "stop") -> Script:
    """A legacy completion, streamed in these pieces or whole as the request asks."""

    def write(request: Request) -> Script:
        body = request.asked
        head = {
            "id": COMPLETION_ID,
            "object": "text_completion",
            "created": CREATED,
            "model": str(body.get("model")),
        }
        if not body.get("stream"):
            return steps.json({**head, "choices": [_choice("".join(texts), finish_reason)], "usage": usage()})
        asked = (body.get("stream_options") or {}).get("include_usage", False)
        more = {"usage": None} if asked else {}
        chunks = [{**head, "choices": [_choice(text)], **more} for text in texts]
        chunks.append({**head, "choices": [_choice("", finish_reason)], **more})
        if asked:
            chunks.append({**head, "choices": [], "usage": usage()})
        return [steps.headers(200, steps.EVENT_STREAM | HEADERS), steps.sse(chunks), steps.done()]

    return [steps.answer(write)]


def _choice(text: str, finish_reason: str | None = None) -> dict[str, object]:
    return {"text": text, "index": 0, "logprobs": None, "finish_reason": finish_reason}


def moderation_reply(*, flagged: bool = False) -> Script:
    """One judgement, the same for every category."""
    judged = {
        "flagged": flagged,
        "categories": dict.fromkeys(CATEGORIES, flagged),
        "category_scores": dict.fromkeys(CATEGORIES, 0.98 if flagged else 0.0001),
        "category_applied_input_types": {name: ["text"] for name in CATEGORIES},
    }
    reply = {
        "id": "modr-970d409ef3bef3b70c73d8232df86e7d",
        "model": "omni-moderation-latest",
        "results": [judged],
    }
    return steps.json(reply, fields=HEADERS)
