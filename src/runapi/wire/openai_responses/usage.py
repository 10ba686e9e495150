"""The `usage` object of a Responses answer, read into disjoint counts and written from them."""

from typing import Annotated

import msgspec
from msgspec import Raw

from runapi.core.usage import MOST_TOKENS, Usage

_Count = Annotated[int, msgspec.Meta(ge=0, le=MOST_TOKENS)]


class _InputDetails(msgspec.Struct):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None


class _OutputDetails(msgspec.Struct):
    reasoning_tokens: _Count | None = None


class _ResponsesUsage(msgspec.Struct):
    input_tokens: _Count
    output_tokens: _Count
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None


_decode = msgspec.json.Decoder(_ResponsesUsage).decode


def read_responses_usage(raw: bytes | Raw) -> Usage | None:
    """Read a `usage` object into disjoint counts; None where it is not to be believed.

    Cached tokens are counted inside `input_tokens`, reasoning inside `output_tokens` (api.md 4.1). A part larger than
    its whole is cut down to it: the whole is what is priced.
    """
    try:
        usage = _decode(raw)
    except msgspec.DecodeError:
        return None
    inner = usage.input_tokens_details or _InputDetails()
    outer = usage.output_tokens_details or _OutputDetails()
    cached = min(inner.cached_tokens or 0, usage.input_tokens)
    cache_write = min(inner.cache_write_tokens or 0, usage.input_tokens - cached)
    return Usage(
        input=usage.input_tokens - cached - cache_write,
        cached=cached,
        cache_write=cache_write,
        output=usage.output_tokens,
        reasoning=min(outer.reasoning_tokens or 0, usage.output_tokens),
    )


def write_responses_usage(usage: Usage) -> bytes:
    """Write counts as a `usage` object, without a cost."""
    return msgspec.json.encode(
        {
            "input_tokens": usage.all_input,
            "input_tokens_details": {
                "cached_tokens": usage.cached,
                "cache_write_tokens": usage.cache_write,
            },
            "output_tokens": usage.output,
            "output_tokens_details": {"reasoning_tokens": usage.reasoning},
            "total_tokens": usage.total,
        }
    )
