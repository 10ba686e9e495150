"""Read what an upstream says that a request consumed, and believe only what can be true."""

from typing import Annotated

import msgspec

from runapi.core.usage import MOST_TOKENS, Usage

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class _InputDetails(msgspec.Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _ChatUsage(msgspec.Struct):
    prompt_tokens: _Count
    completion_tokens: _Count
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None


_decode = msgspec.json.Decoder(_ChatUsage).decode


def read_chat_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """Read a Chat `usage` object into disjoint counts; None where it is not to be believed.

    OpenAI counts cached tokens inside `prompt_tokens` and reasoning inside `completion_tokens` (api.md 3.2). A part
    larger than its whole is cut down to it: the whole is what is priced.
    """
    try:
        usage = _decode(raw)
    except msgspec.DecodeError:
        return None
    inner, outer = (
        usage.prompt_tokens_details or _InputDetails(),
        usage.completion_tokens_details or _OutputDetails(),
    )
    cached = min(inner.cached_tokens or 0, usage.prompt_tokens)
    cache_write = min(inner.cache_write_tokens or 0, usage.prompt_tokens - cached)
    return Usage(
        input=usage.prompt_tokens - cached - cache_write,
        cached=cached,
        cache_write=cache_write,
        output=usage.completion_tokens,
        reasoning=min(outer.reasoning_tokens or 0, usage.completion_tokens),
    )


def write_chat_usage(usage: Usage) -> bytes:
    """Write counts of our own as a Chat `usage` object, which reads back as the same counts."""
    input_details = {"cached_tokens": usage.cached, "audio_tokens": 0}
    if usage.cache_write:
        input_details["cache_write_tokens"] = usage.cache_write
    return msgspec.json.encode(
        {
            "prompt_tokens": usage.all_input,
            "completion_tokens": usage.output,
            "total_tokens": usage.total,
            "prompt_tokens_details": input_details,
            "completion_tokens_details": {
                "reasoning_tokens": usage.reasoning,
                "audio_tokens": 0,
                "accepted_prediction_tokens": 0,
                "rejected_prediction_tokens": 0,
            },
        }
    )
