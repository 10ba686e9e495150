"""What the sandbox "thought", in a form that only it can read: a client keeps it and sends it back.

It hides nothing. The seal lets the sandbox tell its own text from anybody else's, as a real model's maker does.
"""

import base64
import hashlib

import msgspec

_PREFIX = "gAAAAA"  # so that it looks like OpenAI's, which some clients recognise by it
_DIGEST_BYTES = 16
_PERSON = b"sandbox thoughts"


class Thought(msgspec.Struct, frozen=True, array_like=True):
    """How many tokens were thought, and by which turn of a conversation."""

    tokens: int
    seed: str


def seal(tokens: int, seed: bytes) -> str:
    """Write a thought down: the same text for the same arguments."""
    data = msgspec.json.encode(Thought(tokens, seed.hex()))
    return _PREFIX + base64.urlsafe_b64encode(_digest(data) + data).decode()


def read_seal(text: str) -> Thought | None:
    """Read a thought back; None if the sandbox never wrote this."""
    if not text.startswith(_PREFIX):
        return None
    try:
        sealed = base64.b64decode(text[len(_PREFIX) :], altchars=b"-_", validate=True)
        data = sealed[_DIGEST_BYTES:]
        return msgspec.json.decode(data, type=Thought) if _digest(data) == sealed[:_DIGEST_BYTES] else None
    except (ValueError, msgspec.DecodeError):
        return None


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES, person=_PERSON).digest()
