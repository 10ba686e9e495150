"""Change one field of a JSON text and leave every other byte as it is.

A quote inside a JSON string is always escaped, so the bytes of a key with its quotes and value cannot stand inside a
text that somebody wrote: they can be found without parsing.
"""

import re

import msgspec

_USAGE_NULL = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*')
_USAGE_KEY = re.compile(rb'(,?)\s*"usage"\s*:\s*$')
_ROLE = re.compile(rb'"role"\s*:\s*"assistant"\s*,?\s*')


def as_written(text: bytes, key: bytes, value: object) -> bytes:
    """Find `"key": value` with the white space it is written with; b"" where it does not stand."""
    json_value = msgspec.json.encode(value)
    for written in (b'"%b":%b' % (key, json_value), b'"%b": %b' % (key, json_value)):
        if written in text:
            return written
    match = re.search(rb'"%b"\s*:\s*%b' % (key, re.escape(json_value)), text)
    return match.group() if match else b""


def null_usage_as_written(text: bytes) -> bytes:
    """Find `"usage": null` with the comma that goes with it; b"" where it does not stand."""
    match = _USAGE_NULL.search(text)
    return match.group() if match else b""


def without_role(text: bytes) -> bytes:
    """Take out the role of the first delta."""
    return _ROLE.sub(b"", text, count=1)


def without_usage(text: bytes, raw_usage: bytes, *, leave_null: bool) -> bytes:
    """Take out the usage object, or put null in its place."""
    at = text.rfind(raw_usage)
    before, behind = text[:at], text[at + len(raw_usage) :]
    key = _USAGE_KEY.search(before)
    if leave_null or key is None or not key[1]:
        return b"%bnull%b" % (before, behind)
    return before[: key.start()] + behind


def with_value(text: bytes, old_value: bytes, new_value: bytes) -> bytes:
    """Put a new value in the place of the last one that is written as `old_value`."""
    at = text.rfind(old_value)
    return text[:at] + new_value + text[at + len(old_value) :]


def with_usage(text: bytes, raw_usage: bytes) -> bytes:
    """Add `usage` as the last field of an object that has none."""
    return b'%b,"usage":%b}' % (text.rstrip()[:-1].rstrip(), raw_usage)


def with_cost(raw_usage: bytes, cost_usd: str) -> bytes:
    """Add `cost`, a JSON number in USD, as the last field of a usage object that is not empty."""
    return b'%b,"cost":%b}' % (raw_usage.rstrip()[:-1].rstrip(), cost_usd.encode())
