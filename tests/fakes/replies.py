"""Scripts that answer as OpenAI's Chat Completions do: field for field, plain or streamed."""

from collections.abc import Iterator, Sequence

import msgspec

from fakes import steps
from fakes.received import Request
from fakes.steps import Script
from fakes.streamed import pieces_of

MODEL = "gpt-5.5-2026-04-23"
SNAPSHOTS = {
    "gpt-5.5": "gpt-5.5-2026-04-23",
    "gpt-5.4": "gpt-5.4-2026-03-05",
    "gpt-5.4-mini": "gpt-5.4-mini-2026-03-17",
    "gpt-5.4-nano": "gpt-5.4-nano-2026-03-17",
    "gpt-5.2": "gpt-5.2-2025-12-11",
}
CREATED = 1741569952
REPLY_ID = "chatcmpl-BPLk2m8TqZ0hRv3sXwYc1NfAeUd7J"
COOKIE_CANARY = "canary-cookie-of-the-upstream"
ORGANISATION_CANARY = "canary-organisation-of-the-upstream"
HEADERS = {
    "date": "Thu, 01 Jan 2026 00:00:00 GMT",
    "server": "cloudflare",
    "x-request-id": "req_0123456789abcdef0123456789abcdef",
    "openai-organization": ORGANISATION_CANARY,
    "openai-processing-ms": "412",
    "openai-version": "2020-10-01",
    "x-ratelimit-limit-requests": "500",
    "x-ratelimit-remaining-requests": "499",
    "x-ratelimit-reset-requests": "120ms",
    "set-cookie": f"__cf_bm={COOKIE_CANARY}; path=/; HttpOnly",
    "access-control-expose-headers": "X-Request-ID",
}
"""What OpenAI sends beside its body; none of it may reach a client of ours."""


def usage(
    prompt: int = 19, completion: int = 10, *, cached: int = 0, reasoning: int = 0
) -> dict[str, object]:
    """A usage object with all the keys that OpenAI gives."""
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


USAGE = usage()


class Call(msgspec.Struct, frozen=True):
    """One tool call of a reply; `arguments` is JSON text, right or wrong."""

    name: str
    arguments: str
    id: str = "call_7XzQm2Kp9LrTn4Wd"

    def on_the_wire(self) -> dict[str, object]:
        return {
            "id": self.id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }


def plain_reply(
    text: str | None = "Hello.",
    *,
    usage: dict[str, object] | None = USAGE,
    model: str = MODEL,
    finish_reason: str = "stop",
    calls: Sequence[Call] = (),
) -> Script:
    """A whole reply, indented by two; `usage=None` leaves the usage out."""
    message: dict[str, object] = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    if calls:
        message["tool_calls"] = [call.on_the_wire() for call in calls]
    reply: dict[str, object] = {
        "id": REPLY_ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": model,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish_reason}],
    }
    if usage is not None:
        reply["usage"] = usage
    reply |= {"service_tier": "default", "system_fingerprint": "fp_44709d6fcb"}
    return steps.json(reply, fields=HEADERS)


def tool_reply(
    name: str, arguments: str, *, model: str = MODEL, usage: dict[str, object] | None = USAGE
) -> Script:
    """A whole reply that calls one tool."""
    call = Call(name, arguments)
    return plain_reply(None, usage=usage, model=model, finish_reason="tool_calls", calls=[call])


def stream_reply(
    texts: Sequence[str] = ("Hel", "lo."),
    *,
    usage: dict[str, object] | None = USAGE,
    model: str = MODEL,
    finish_reason: str = "stop",
    include_usage: bool | None = None,
    between: Script = (),
) -> Script:
    """A streamed reply; `between` is played before each text.

    The usage chunk, and `"usage":null` on the others, come when the request asked for them, as with OpenAI;
    `include_usage` overrides the request.
    """
    deltas: list[dict[str, object]] = [{"role": "assistant", "content": "", "refusal": None}]
    deltas += [{"content": text} for text in texts]
    return _stream(
        deltas,
        finish_reason=finish_reason,
        usage=usage,
        model=model,
        include_usage=include_usage,
        between=between,
    )


def stream_tool_reply(
    name: str,
    arguments: str,
    *,
    pieces: int = 3,
    usage: dict[str, object] | None = USAGE,
    model: str = MODEL,
    include_usage: bool | None = None,
) -> Script:
    """A streamed reply that calls one tool, its arguments cut into `pieces`."""
    opening = {"index": 0, **Call(name, "").on_the_wire()}
    deltas: list[dict[str, object]] = [
        {"role": "assistant", "content": None, "tool_calls": [opening], "refusal": None}
    ]
    deltas += [
        {"tool_calls": [{"index": 0, "function": {"arguments": part}}]}
        for part in pieces_of(arguments, pieces)
    ]
    return _stream(deltas, finish_reason="tool_calls", usage=usage, model=model, include_usage=include_usage)


def _stream(
    deltas: Sequence[dict[str, object]],
    *,
    finish_reason: str,
    usage: dict[str, object] | None,
    model: str,
    include_usage: bool | None,
    between: Script = (),
) -> Script:
    def write(request: Request) -> Script:
        asked = _asks_for_usage(request) if include_usage is None else include_usage
        padded = _padding_wanted(request)
        closing: list[dict[str, object]] = []
        if asked and usage is not None:
            closing = [chunk(None, model=model, usage=usage, padded=padded)]
        opening, *content = [chunk(delta, model=model, asked=asked, padded=padded) for delta in deltas]
        finish = chunk({}, model=model, finish_reason=finish_reason, asked=asked, padded=padded)
        return [
            steps.headers(200, steps.EVENT_STREAM | HEADERS),
            steps.sse([opening]),
            [[*between, *steps.sse([item])] for item in content],
            steps.sse([finish, *closing]),
            steps.done(),
        ]

    return [steps.answer(write)]


def chunk(
    delta: dict[str, object] | None,
    *,
    model: str = MODEL,
    finish_reason: str | None = None,
    usage: dict[str, object] | None = None,
    asked: bool = False,
    padded: bool = True,
) -> dict[str, object]:
    """One chunk of a stream; `delta=None` makes the usage chunk, whose choices are empty."""
    choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}]
    made: dict[str, object] = {
        "id": REPLY_ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": model,
        "service_tier": "default",
        "system_fingerprint": "fp_44709d6fcb",
        "choices": [] if delta is None else choices,
    }
    if asked or usage is not None:
        made["usage"] = usage
    if padded:
        made["obfuscation"] = "Xq3vB9"
    return made


def error(
    status: int,
    message: str = "The server had an error while processing your request.",
    *,
    type: str = "server_error",  # noqa: A002 - the wire's name
    code: str | None = None,
    param: str | None = None,
    retry_after: int | str | None = None,
) -> Script:
    """An error in OpenAI's shape, all four keys."""
    fields = HEADERS if retry_after is None else HEADERS | {"retry-after": str(retry_after)}
    body = {"error": {"message": message, "type": type, "param": param, "code": code}}
    return steps.json(body, status, fields)


def polite_answer(request: Request) -> Script:
    """Answer any well-formed request with "Hello.", streamed or whole as it asks."""
    if request.method == "GET":
        return steps.json({"object": "list", "data": list(_models())}, fields=HEADERS)
    body = request.asked
    model = SNAPSHOTS.get(str(body.get("model")), MODEL)
    return stream_reply(model=model) if body.get("stream") else plain_reply(model=model)


def _models() -> Iterator[dict[str, object]]:
    for name in SNAPSHOTS:
        yield {"id": name, "object": "model", "created": CREATED, "owned_by": "system"}


def _asks_for_usage(request: Request) -> bool:
    options = _stream_options(request)
    return bool(options.get("include_usage"))


def _padding_wanted(request: Request) -> bool:
    return bool(_stream_options(request).get("include_obfuscation", True))


def _stream_options(request: Request) -> dict[str, object]:
    options = request.asked.get("stream_options")
    return options if isinstance(options, dict) else {}
