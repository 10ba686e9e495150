"""Read what an upstream says that a request consumed, and believe only what can be true."""

from typing import Annotated

import msgspec

from runapi.core.usage import MOST_TOKENS, Usage

Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class InputDetails(msgspec.Struct):
    """What OpenAI counts inside the input."""

    cached_tokens: Count | None = None
    cache_write_tokens: Count | None = None


class OutputDetails(msgspec.Struct):
    """What OpenAI counts inside the output."""

    reasoning_tokens: Count | None = None


class _ChatUsage(msgspec.Struct):
    prompt_tokens: Count
    completion_tokens: Count
    prompt_tokens_details: InputDetails | None = None
    completion_tokens_details: OutputDetails | None = None


_decode = msgspec.json.Decoder(_ChatUsage).decode


def read_chat_usage(raw: bytes | msgspec.Raw) -> Usage | None:
    """Read a Chat `usage` object into disjoint counts; None where it is not to be believed."""
    try:
        usage = _decode(raw)
    except msgspec.DecodeError:
        return None
    return disjoint(
        usage.prompt_tokens,
        usage.completion_tokens,
        usage.prompt_tokens_details,
        usage.completion_tokens_details,
    )


def disjoint(all_input: int, output: int, inner: InputDetails | None, outer: OutputDetails | None) -> Usage:
    """Take apart what OpenAI counts inside one another: cached tokens in the input, reasoning in the output.

    A part larger than its whole is cut down to it: the whole is what is priced (api.md 3.2, 4.1).
    """
    inner, outer = inner or InputDetails(), outer or OutputDetails()
    cached = min(inner.cached_tokens or 0, all_input)
    cache_write = min(inner.cache_write_tokens or 0, all_input - cached)
    return Usage(
        input=all_input - cached - cache_write,
        cached=cached,
        cache_write=cache_write,
        output=output,
        reasoning=min(outer.reasoning_tokens or 0, output),
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
