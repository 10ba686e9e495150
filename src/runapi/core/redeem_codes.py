"""Redeem codes: RC- and six groups of four characters that are hard to mistake; the last group is a checksum."""

import hmac
import zlib

import msgspec

from runapi.core.keys import Mode

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's: no I, L, O, U
PREFIX = "RC"
RANDOM_CHARACTERS = 20  # 100 bits
CHECK_CHARACTERS = 4
GROUP = 4
VISIBLE_CHARACTERS = 7  # RC-AB12
_READ_AS = str.maketrans("ILO", "110")


class RedeemCode(msgspec.Struct, frozen=True, kw_only=True):
    """One code, without its secret part."""

    id: int
    shown: str
    mode: Mode
    amount_nano: int
    sold: bool  # money was taken for it; otherwise it is a gift
    note: str
    created_us: int
    ends_us: int | None
    revoked_us: int | None
    redeemed_us: int | None
    redeemed_by: str | None  # the account's name


def make_code(random_bytes: bytes) -> str:
    """Make a code from 20 or more random bytes, five bits of each."""
    if len(random_bytes) < RANDOM_CHARACTERS:
        raise ValueError("too few random bytes")
    body = "".join(ALPHABET[byte % len(ALPHABET)] for byte in random_bytes[:RANDOM_CHARACTERS])
    text = body + _checksum(body)
    groups = [text[start : start + GROUP] for start in range(0, len(text), GROUP)]
    return "-".join([PREFIX, *groups])


def read_code(typed: str) -> str | None:
    """The code that somebody typed, in its one form, without hyphens; None where its checksum says that it is none.

    Lower case, missing hyphens and the letters I, L and O are understood.
    """
    plain = "".join(typed.split()).replace("-", "").upper().removeprefix(PREFIX).translate(_READ_AS)
    if len(plain) != RANDOM_CHARACTERS + CHECK_CHARACTERS or not set(plain) <= set(ALPHABET):
        return None
    body = plain[:RANDOM_CHARACTERS]
    return plain if plain[RANDOM_CHARACTERS:] == _checksum(body) else None


def digest_code(plain: str, pepper: bytes) -> bytes:
    """The 32 bytes under which a code that was read is stored and looked up."""
    return hmac.digest(pepper, b"redeem code " + plain.encode(), "sha256")


def _checksum(body: str) -> str:
    number = zlib.crc32(body.encode("ascii"))
    return "".join(ALPHABET[number >> (5 * place) & 31] for place in range(CHECK_CHARACTERS))
