"""Change one field of a JSON text and leave every other byte as it is.

A quote inside a JSON string is always escaped, so the bytes of a key with its quotes and value cannot stand inside a
text that somebody wrote: they can be found without parsing.
"""

import re

import msgspec
from msgspec import Raw

_USAGE_NULL = re.compile(rb',\s*"usage"\s*:\s*null|"usage"\s*:\s*null\s*,\s*')
_USAGE_KEY = re.compile(rb'(?:,\s*)?"usage"\s*:\s*$')
_LONGEST_KEY = 200  # bytes, with the white space around it
_AFTER_VALUE = (b",", b"}", b" ", b"\n", b"\r", b"\t")
_COMMA = ord(",")
_ROLE = re.compile(rb',\s*"role"\s*:\s*"assistant"|"role"\s*:\s*"assistant"\s*(?:,\s*)?')
_COST = b'"cost"'


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
    """Take out the usage, with one comma, or put null in its place."""
    place = _find_usage(text, raw_usage)
    if place is None:
        return text
    start, at = place
    end = at + len(raw_usage)
    if leave_null:
        return b"%bnull%b" % (text[:at], text[end:])
    behind = text[end:]
    if text[start] != _COMMA:
        behind = behind.lstrip().removeprefix(b",")
    return text[:start] + behind


def with_usage_value(text: bytes, raw_usage: bytes, new_usage: bytes) -> bytes:
    """Put a new usage in the place of the one that is written as `raw_usage`."""
    key = text.rfind(b'"usage":')  # a short one, so it is found twice as fast as the value would be
    at = key + len(b'"usage":')
    at += text[at : at + 1] == b" "
    if key < 0 or not text.startswith(raw_usage, at):
        place = _find_usage(text, raw_usage)
        if place is None:
            return text
        at = place[1]
    return b"%b%b%b" % (text[:at], new_usage, text[at + len(raw_usage) :])


def _find_usage(text: bytes, raw_usage: bytes) -> tuple[int, int] | None:
    """Find the last `"usage": raw_usage`: where it begins, with the comma before it, and where its value does."""
    at = len(text)
    while (at := text.rfind(raw_usage, 0, at)) >= 0:
        key = _USAGE_KEY.search(text, max(0, at - _LONGEST_KEY), at)
        if key is not None and text[at + len(raw_usage) : at + len(raw_usage) + 1] in _AFTER_VALUE:
            return key.start(), at
    return None


def with_usage(text: bytes, raw_usage: bytes) -> bytes:
    """Add `usage` as the last field of an object that has none."""
    return b'%b,"usage":%b}' % (text.rstrip()[:-1].rstrip(), raw_usage)


def with_cost(raw_usage: bytes, cost_usd: str) -> bytes:
    """Add `cost`, a JSON number in USD, as the last field of a usage object; one of the upstream's makes way."""
    if _COST in raw_usage:
        fields = msgspec.json.decode(raw_usage, type=dict[str, Raw])
        fields.pop("cost", None)
        raw_usage = msgspec.json.encode(fields)
    others = raw_usage.rstrip()[:-1].rstrip()
    return b'%b%b"cost":%b}' % (others, b"" if others.endswith(b"{") else b",", cost_usd.encode())
