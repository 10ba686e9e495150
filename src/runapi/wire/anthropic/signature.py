"""Reasoning on its way through a client: what it must give back unread, so that the model can go on thinking.

A client of Messages carries it as the `signature` of a thinking block, or the `data` of a redacted one; the clients of
other dialects carry a Claude model's own signature as `Reasoning.encrypted`. Both forms say their version and whose
they are; what has another form, or is longer than MOST_BYTES, is somebody else's and is left out.
"""

import re
from hashlib import sha256
from urllib.parse import quote, unquote

from runapi.wire.neutral import Reasoning

MOST_BYTES = 256 * 1024
"""The longest form of either kind: a thought beyond it is not carried, and the model thinks afresh."""

OURS = "runapi1:"
_CLAUDES = "claude1:"
_THINKING, _REDACTED = "t", "r"
_OPAQUE = re.compile(r"[\x21-\x7e]*", re.ASCII)


def sign(item: Reasoning) -> str:
    """Write a model's encrypted reasoning, with who can read it, as the signature of a thinking block."""
    names = ":".join(quote(name or "", safe="", errors="replace") for name in (item.origin, item.id))
    signature = f"{OURS}{names}:{item.encrypted or ''}"
    fits = len(signature) <= MOST_BYTES and _OPAQUE.fullmatch(signature)
    return signature if fits else f"{OURS}::"


def read_signature(signature: str, thinking: str) -> Reasoning | None:
    """Read what `sign` wrote; None where it is another's, or carries nothing.

    Args:
        signature: as the client gave it back.
        thinking: the text of its block.
    """
    if not signature.startswith(OURS) or len(signature) > MOST_BYTES or not _OPAQUE.fullmatch(signature):
        return None
    origin, _, rest = signature.removeprefix(OURS).partition(":")
    item_id, _, encrypted = rest.partition(":")
    if not encrypted:
        return None
    return Reasoning(
        unquote(item_id) or None, encrypted, (thinking,) if thinking else (), unquote(origin) or None
    )


def seal_thinking(signature: str, thinking: str) -> Reasoning:
    """Make an item of a Claude model's thinking block; without a signature there is nothing to come back."""
    sealed = f"{_CLAUDES}{_THINKING}:{_mark(thinking)}:{signature}" if signature else None
    return Reasoning(None, _within_bounds(sealed), (thinking,) if thinking else ())


def seal_redacted(data: str) -> Reasoning:
    """Make an item of a Claude model's redacted thinking."""
    return Reasoning(None, _within_bounds(f"{_CLAUDES}{_REDACTED}:{data}"))


def is_claudes(encrypted: str) -> bool:
    """Whether only a Claude model can read it: no other upstream may be given it."""
    return encrypted.startswith(_CLAUDES)


def open_seal(item: Reasoning) -> dict[str, str] | None:
    """Write the block that a Claude model sent; None where the item is another's, or its text was changed since."""
    if item.encrypted is None or not is_claudes(item.encrypted):
        return None
    kind, _, value = item.encrypted.removeprefix(_CLAUDES).partition(":")
    if kind == _REDACTED:
        return {"type": "redacted_thinking", "data": value}
    mark, _, signature = value.partition(":")
    thinking = "".join(item.summaries)
    if kind != _THINKING or mark != _mark(thinking):
        return None
    return {"type": "thinking", "thinking": thinking, "signature": signature}


def _mark(thinking: str) -> str:
    """What tells whether a text is still the one that was signed."""
    return sha256(thinking.encode(errors="replace")).hexdigest()[:16]


def _within_bounds(sealed: str | None) -> str | None:
    return sealed if sealed is not None and len(sealed) <= MOST_BYTES else None
