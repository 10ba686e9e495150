"""The `usage` object of a Responses answer, read into disjoint counts and written from them."""

import msgspec
from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.meter import Count, InputDetails, OutputDetails, disjoint


class _ResponsesUsage(msgspec.Struct):
    input_tokens: Count
    output_tokens: Count
    input_tokens_details: InputDetails | None = None
    output_tokens_details: OutputDetails | None = None


_decode = msgspec.json.Decoder(_ResponsesUsage).decode


def read_responses_usage(raw: bytes | Raw) -> Usage | None:
    """Read a `usage` object into disjoint counts; None where it is not to be believed."""
    try:
        usage = _decode(raw)
    except msgspec.DecodeError:
        return None
    return disjoint(
        usage.input_tokens, usage.output_tokens, usage.input_tokens_details, usage.output_tokens_details
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
