"""Change members of a JSON object and leave every other byte of it as it is."""

import re
from collections.abc import Mapping

import msgspec
from msgspec import Raw

_KEY = re.compile(rb'\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_BETWEEN = re.compile(rb"\s*,?")

Span = tuple[int, int]


def replace_members(text: bytes, changes: Mapping[str, bytes]) -> bytes:
    """Put new values in the place of members; those that are missing are added behind the others.

    Args:
        text: a JSON object.
        changes: the new values, as JSON.

    Raises:
        ValueError: it is no JSON object.
    """
    if not changes:
        return text
    fields = msgspec.json.decode(text, type=dict[str, Raw])
    spans = _find(text, fields)
    if spans is None or not spans.keys() >= changes.keys():
        return msgspec.json.encode(fields | {name: Raw(value) for name, value in changes.items()})
    pieces: list[bytes] = []
    at = 0
    for start, end, name in sorted((*spans[name], name) for name in changes):
        pieces += (text[at:start], changes[name])
        at = end
    return b"".join((*pieces, text[at:]))


def _find(text: bytes, fields: Mapping[str, Raw]) -> dict[str, Span] | None:
    """Find where each value stands; None where a key stands twice."""
    spans: dict[str, Span] = {}
    at = text.index(b"{") + 1
    for name, raw in fields.items():
        key = _KEY.match(text, at)
        value = bytes(raw)
        if key is None or not text.startswith(value, key.end()) or msgspec.json.decode(key[1]) != name:
            return None
        spans[name] = key.end(), key.end() + len(value)
        between = _BETWEEN.match(text, key.end() + len(value))
        at = between.end() if between is not None else at
    return spans if text[at:].strip() == b"}" else None
