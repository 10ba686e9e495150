"""The `usage` object of a Messages answer, read into disjoint counts and written from them."""

import msgspec
from msgspec import Raw

from runapi.core.usage import Usage
from runapi.wire.meter import Count

_NULL = Raw(b"null")
_MOST_BYTES = 16 * 1024
_TIERS = {"standard": "default", "priority": "priority", "batch": "default"}  # theirs to OpenAI's words


class _OutputDetails(msgspec.Struct):
    thinking_tokens: Count | None = None


class _MessagesUsage(msgspec.Struct):
    input_tokens: Count
    output_tokens: Count
    cache_creation_input_tokens: Count | None = None
    cache_read_input_tokens: Count | None = None
    output_tokens_details: _OutputDetails | None = None


class _Tier(msgspec.Struct):
    service_tier: str | None = None


_decode = msgspec.json.Decoder(_MessagesUsage).decode
_decode_tier = msgspec.json.Decoder(_Tier).decode
_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


def read_anthropic_usage(raw: bytes | Raw) -> Usage | None:
    """Read a `usage` object into disjoint counts; None where it is not to be believed.

    Cached tokens, read and written, stand beside `input_tokens` and not inside it, unlike OpenAI's (api.md 5.1).
    """
    try:
        usage = _decode(raw)
    except msgspec.DecodeError:
        return None
    details = usage.output_tokens_details or _OutputDetails()
    return Usage(
        input=usage.input_tokens,
        cached=usage.cache_read_input_tokens or 0,
        cache_write=usage.cache_creation_input_tokens or 0,
        output=usage.output_tokens,
        reasoning=min(details.thinking_tokens or 0, usage.output_tokens),
    )


def write_anthropic_usage(usage: Usage, service_tier: str | None = None) -> bytes:
    """Write counts as the `usage` object of a message, with every key and without a cost."""
    tier = "priority" if service_tier == "priority" else "standard"
    return msgspec.json.encode(
        {
            "input_tokens": usage.input,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cached,
            "cache_creation": None,
            "output_tokens": usage.output,
            "output_tokens_details": {"thinking_tokens": usage.reasoning},
            "server_tool_use": None,
            "service_tier": tier,
            "inference_geo": None,
        }
    )


def write_delta_usage(usage: Usage) -> bytes:
    """Write counts as the `usage` object of a `message_delta` event, without a cost."""
    return msgspec.json.encode(
        {
            "input_tokens": usage.input,
            "cache_creation_input_tokens": usage.cache_write,
            "cache_read_input_tokens": usage.cached,
            "output_tokens": usage.output,
            "output_tokens_details": {"thinking_tokens": usage.reasoning},
            "server_tool_use": None,
        }
    )


def merge_usage(before: bytes, after: bytes) -> bytes:
    """Lay a later report over an earlier one: its counts are those of the whole message, not more of them.

    A value that it leaves out, or gives as null, keeps. A report that is no object changes nothing.

    Raises:
        ValueError: they have grown past all that a report can say.
    """
    earlier, later = _read_fields(before), _read_fields(after)
    if earlier is None or later is None:
        return after if earlier is None else before
    merged = msgspec.json.encode(earlier | {name: value for name, value in later.items() if value != _NULL})
    if len(merged) > _MOST_BYTES:
        raise ValueError("a report without end")
    return merged


def _read_fields(raw: bytes) -> dict[str, Raw] | None:
    try:
        return _decode_fields(raw)
    except msgspec.DecodeError:
        return None


def read_tier(raw: bytes | Raw) -> str | None:
    """The service tier of a `usage` object, in the words that prices and other dialects use."""
    try:
        tier = _decode_tier(raw).service_tier
    except msgspec.DecodeError:
        return None
    return None if tier is None else _TIERS.get(tier, tier)
