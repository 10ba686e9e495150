"""Idempotency keys: which requests are the same one, and how a kept answer is sealed. No clock, no I/O.

A kept answer can be opened only by who sends the key again: the key itself is not stored, and seals what is.
"""

import hmac
import re
import zlib
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from runapi.core.keys import Mode, Principal

MOST_KEY_BYTES = 512
KEPT_US = 24 * 3600 * 1_000_000
MOST_ANSWER_BYTES = 4 * 1024 * 1024
_KEY = re.compile(rb"[ -~]{1,%d}" % MOST_KEY_BYTES)
_NONCE = bytes(12)  # each sealing key seals one answer only

Header = tuple[bytes, bytes]


class Place(msgspec.Struct, frozen=True):
    """Where a key counts: within one account and mode."""

    account_id: int
    mode: Mode
    key_digest: bytes


class Asked(msgspec.Struct, frozen=True):
    """A request under a key: the same place and body mean the same request."""

    place: Place
    body_digest: bytes


class Answer(msgspec.Struct, frozen=True, array_like=True):
    """A whole answer, as it was sent."""

    status: int
    headers: tuple[Header, ...]
    body: bytes


class KeptAnswer(msgspec.Struct, frozen=True):
    """A sealed answer; it is stored in the commit that settles its request."""

    request_id: str
    at_us: int
    sealed: bytes


def is_acceptable(key: bytes) -> bool:
    """Whether a header's value is 1 to 512 printable ASCII characters."""
    return _KEY.fullmatch(key) is not None


def identify(principal: Principal, key: bytes, path: str, body: bytes, pepper: bytes) -> Asked:
    """Say which request this is. Equal bodies at different URLs are different requests."""
    scope = f"idempotency key {principal.account_id} {principal.mode} ".encode()
    place = Place(principal.account_id, principal.mode, hmac.digest(pepper, scope + key, "sha256"))
    return Asked(place, sha256(path.encode() + b"\0" + body).digest())


def seal_answer(answer: Answer, request_id: str, key: bytes, pepper: bytes) -> bytes:
    """Pack and encrypt an answer so that only the same key opens it."""
    packed = zlib.compress(msgspec.msgpack.encode(answer), 1)  # a stream repeats itself: a tenth is left
    return _cipher(request_id, key, pepper).encrypt(_NONCE, packed, request_id.encode())


def open_answer(sealed: bytes, request_id: str, key: bytes, pepper: bytes) -> Answer | None:
    """Give back what was sealed under this key; None where it was changed or sealed under another."""
    try:
        packed = _cipher(request_id, key, pepper).decrypt(_NONCE, sealed, request_id.encode())
    except InvalidTag:
        return None
    return msgspec.msgpack.decode(zlib.decompress(packed), type=Answer)


def _cipher(request_id: str, key: bytes, pepper: bytes) -> AESGCM:
    return AESGCM(hmac.digest(pepper, b"idempotent answer " + request_id.encode() + b" " + key, "sha256"))
