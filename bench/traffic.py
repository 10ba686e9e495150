"""What goes over the wire: the requests of an OpenAI SDK, and the replies of the fake upstream."""

import json
from functools import cache
from typing import Any, NamedTuple

from bench.forms import Form

MODEL = "gpt-5.4-mini"
SNAPSHOT = "gpt-5.4-mini-2026-03-17"

_SENTENCE = (
    'The customer asked (again) for "line 7" of the invoice\u2014please compare it with last month\u2019s, '
    "then say in two sentences what changed and why.\n"
)
_HEAD = (
    "POST {path} HTTP/1.1\r\n"
    "Host: {host}:{port}\r\n"
    "Accept-Encoding: gzip, deflate\r\n"
    "Connection: keep-alive\r\n"
    "Accept: application/json\r\n"
    "Content-Type: application/json\r\n"
    "User-Agent: AsyncOpenAI/Python 3.54.0\r\n"
    "X-Stainless-Lang: python\r\n"
    "X-Stainless-Package-Version: 3.54.0\r\n"
    "X-Stainless-OS: Linux\r\n"
    "X-Stainless-Arch: x64\r\n"
    "X-Stainless-Runtime: CPython\r\n"
    "X-Stainless-Runtime-Version: 3.11.2\r\n"
    "X-Stainless-Async: async:asyncio\r\n"
    "x-stainless-retry-count: 0\r\n"
    "x-stainless-read-timeout: 600\r\n"
    "Authorization: Bearer {key}\r\n"
    "Content-Length: {length}\r\n"
    "\r\n"
)


def _text(size: int) -> str:
    return (_SENTENCE * (size // len(_SENTENCE) + 1))[: max(size, 1)]


def _tool(index: int) -> dict[str, Any]:
    return {
        "type": "function",
        "function": {
            "name": f"tool_{index}",
            "description": _text(300),
            "parameters": {
                "type": "object",
                "properties": {
                    "command": {"type": "string", "description": "What to run."},
                    "timeout_s": {"type": "integer", "minimum": 1, "maximum": 600},
                    "env": {"type": "object", "additionalProperties": {"type": "string"}},
                },
                "required": ["command"],
            },
        },
    }


def _messages(size: int) -> list[dict[str, Any]]:
    """A short chat for a small body; for a large one the long history of an agent."""
    if size < 10_000:
        return [
            {"role": "system", "content": _text(size // 2)},
            {"role": "user", "content": _text(size // 2)},
        ]
    turns: list[dict[str, Any]] = [{"role": "system", "content": _text(size // 3)}]
    rest = size - size // 3
    step = 1_500
    turns += [
        {"role": "user" if number % 2 == 0 else "assistant", "content": _text(step)}
        for number in range(rest // step)
    ]
    turns.append({"role": "user", "content": _text(rest % step)})
    return turns


def request_body(size: int, *, chunks: int = 0, interval_ms: int = 0, form: Form = Form.CHAT) -> bytes:
    """A request of about `size` bytes; a stream if `chunks` is not 0.

    The first message tells the fake upstream how many chunks to send and how far apart: text goes upstream as it is.
    """
    plan = [{"role": "user", "content": f"chunks={chunks},interval_ms={interval_ms}"}] if chunks else []
    body = _messages_body() if form is Form.MESSAGES else _chat_body(size, form, stream=chunks > 0)
    body["messages"] = plan
    room = size - len(dump(body))
    encoded = dump(body)
    for _ in range(3):  # quotes, dashes and line ends take more bytes than they have letters
        body["messages"] = plan + _messages(room)
        encoded = dump(body)
        room += size - len(encoded)
    return encoded


def _chat_body(size: int, form: Form, *, stream: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"messages": [], "model": MODEL, "max_completion_tokens": 1024}
    if size >= 10_000:
        body["tools"] = [_tool(index) for index in range(8)]
        body["tool_choice"] = "auto"
    if form is Form.BRIDGE:
        body |= {"tools": [_tool(0)], "reasoning_effort": "low"}
    if stream:
        body |= {"stream": True, "stream_options": {"include_usage": True}}
    return body


def _messages_body() -> dict[str, Any]:
    return {"messages": [], "model": MODEL, "max_tokens": 1024, "stream": True}


def request_bytes(host: str, port: int, key: str, body: bytes, path: str) -> bytes:
    """The whole request, with the headers of the OpenAI Python SDK."""
    return _HEAD.format(host=host, port=port, key=key, length=len(body), path=path).encode() + body


def dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


_REPLY_HEAD = (
    "HTTP/1.1 200 OK\r\n"
    "Date: Sun, 22 Nov 2026 12:00:00 GMT\r\n"
    "Content-Type: {kind}\r\n"
    "{framing}\r\n"
    "Connection: keep-alive\r\n"
    "access-control-expose-headers: X-Request-ID\r\n"
    "openai-organization: org-bench\r\n"
    "openai-processing-ms: 412\r\n"
    "openai-version: 2020-10-01\r\n"
    "x-ratelimit-limit-requests: 30000\r\n"
    "x-ratelimit-limit-tokens: 180000000\r\n"
    "x-ratelimit-remaining-requests: 29999\r\n"
    "x-ratelimit-remaining-tokens: 179999974\r\n"
    "x-ratelimit-reset-requests: 2ms\r\n"
    "x-ratelimit-reset-tokens: 0s\r\n"
    "x-request-id: req_8f3b1c6a2d4e4f5e9a7b6c5d4e3f2a1b\r\n"
    "strict-transport-security: max-age=31536000; includeSubDomains; preload\r\n"
    "x-content-type-options: nosniff\r\n"
    "Server: cloudflare\r\n"
    "\r\n"
)
_ID = "chatcmpl-CfQ2v8hWk3mZ0pTtqYxN5sLrB7dE1"
CREATED = 1795348800
_USAGE = {
    "prompt_tokens": 512,
    "completion_tokens": 50,
    "total_tokens": 562,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 0,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}
WORDS = (" the", " invoice", " rose", " by", " 4.2", "%,", " mostly", " because", ' "line', ' 7"')
PADDING = "k3Zq9VtB2xR7mN1pWc5J"


def plain_reply(body: bytes, kind: str = "application/json") -> bytes:
    """A whole reply with a length."""
    return _REPLY_HEAD.format(kind=kind, framing=f"Content-Length: {len(body)}").encode() + body


@cache
def completion_reply() -> bytes:
    """The fixed answer to a request that is no stream."""
    message: dict[str, Any] = {"role": "assistant", "content": _text(200), "refusal": None, "annotations": []}
    body = {
        "id": _ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": SNAPSHOT,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": _USAGE,
        "service_tier": "default",
        "system_fingerprint": None,
    }
    return plain_reply(json.dumps(body, indent=2, ensure_ascii=False).encode())


class StreamScript(NamedTuple):
    """What a stream sends: at once, in turn while it lasts, and at its end."""

    opening: bytes
    contents: tuple[bytes, ...]
    closing: bytes


def text_of(chunks: int) -> str:
    """The text of a whole stream."""
    return "".join(WORDS[left % len(WORDS)] for left in range(chunks - 1, -1, -1))


def framed(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


def stream_head() -> bytes:
    head = _REPLY_HEAD.format(kind="text/event-stream; charset=utf-8", framing="Transfer-Encoding: chunked")
    return head.encode()


def _framed(event: bytes) -> bytes:
    return framed(b"data: " + event + b"\n\n")


def _chunk(choices: list[dict[str, Any]], usage: dict[str, Any] | None, padding: str) -> bytes:
    body = {
        "id": _ID,
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": SNAPSHOT,
        "service_tier": "default",
        "system_fingerprint": None,
        "choices": choices,
        "usage": usage,
        "obfuscation": padding,
    }
    return _framed(dump(body))


def _choice(delta: dict[str, Any], finish: str | None = None) -> list[dict[str, Any]]:
    return [{"index": 0, "delta": delta, "finish_reason": finish}]


@cache
def chat_stream(_chunks: int) -> StreamScript:
    """The head and the role chunk; content chunks of about 270 bytes each; finish, usage, end marker and end."""
    role = {"role": "assistant", "content": "", "refusal": None}
    contents = (_chunk(_choice({"content": word}), None, PADDING[: 14 - len(word)] or "x") for word in WORDS)
    finish = _chunk(_choice({}, "stop"), None, PADDING[:4])
    closing = finish + _chunk([], _USAGE, PADDING[:2]) + _framed(b"[DONE]") + b"0\r\n\r\n"
    return StreamScript(stream_head() + _chunk(_choice(role), None, PADDING[:6]), tuple(contents), closing)
