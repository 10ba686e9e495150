"""Chat chunks as OpenAI writes them, made by hand for the pure tests."""

import json

HEAD = {
    "id": "chatcmpl-up",
    "object": "chat.completion.chunk",
    "created": 1741569952,
    "model": "gpt-5.5-2026-04-23",
}
USAGE = {
    "prompt_tokens": 19,
    "completion_tokens": 10,
    "total_tokens": 29,
    "prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0},
    "completion_tokens_details": {
        "reasoning_tokens": 3,
        "audio_tokens": 0,
        "accepted_prediction_tokens": 0,
        "rejected_prediction_tokens": 0,
    },
}


def chunk(delta=None, finish=None, index=0, usage=None, *, spaced=False, head=HEAD, **more):
    choices = [] if delta is None else [{"index": index, "delta": delta, "finish_reason": finish}]
    body = head | {"service_tier": "default", "choices": choices, "usage": usage} | more
    return json.dumps(body, ensure_ascii=False, separators=None if spaced else (",", ":")).encode()


def sse(*payloads, done=True):
    events = [b"data: " + payload + b"\n\n" for payload in payloads]
    return b"".join(events) + (b"data: [DONE]\n\n" if done else b"")


def whole(*, spaced=False, texts=("Hel", "lo.")):
    return sse(
        chunk({"role": "assistant", "content": "", "refusal": None}, spaced=spaced),
        *[chunk({"content": text}, spaced=spaced) for text in texts],
        chunk({}, "stop", spaced=spaced),
        chunk(usage=USAGE, spaced=spaced),
    )


def payloads(data):
    """The events that a client reads; the end marker stays as it is."""
    assert data.endswith(b"\n\n")
    events = data.decode().split("\n\n")[:-1]
    assert all(event.startswith("data: ") for event in events)
    return [event[6:] if event[6:] == "[DONE]" else json.loads(event[6:]) for event in events]
