"""API keys: `runapi_live_` or `runapi_test_`, 30 random base62 characters, 6 of CRC-32.

The checksum lets a mistyped or made-up key be refused without a look-up, and lets scanners find leaked ones.
"""

import hmac
import zlib
from enum import StrEnum

import msgspec

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
RANDOM_CHARACTERS = 30
CHECK_CHARACTERS = 6
PREFIX_CHARACTERS = len("runapi_live_")
VISIBLE_CHARACTERS = PREFIX_CHARACTERS + 4
KEY_CHARACTERS = PREFIX_CHARACTERS + RANDOM_CHARACTERS + CHECK_CHARACTERS
FAIR_BYTES = 248  # four alphabets: the byte values from which every character is equally likely
SHORTEST_QUOTED = 13  # a shorter credential would be shown almost whole
PATTERN = r"runapi_(live|test)_[0-9A-Za-z]{36}"
"""For secret scanners; `is_well_formed` checks the last six characters as well."""


class Mode(StrEnum):
    """Live keys reach paid upstreams; test keys reach the sandbox and spend play money."""

    LIVE = "live"
    TEST = "test"


class DisconnectPolicy(StrEnum):
    """What happens to a running upstream call when the client goes away."""

    DRAIN = "drain"  # read on, within limits, to the usage report, and bill the real count
    CANCEL = "cancel"  # close the upstream at once and bill what had arrived, as an estimate


class ParameterPolicy(StrEnum):
    """What happens to a parameter that the model refuses."""

    DROP = "drop"  # leave it out and name it in x-runapi-dropped
    STRICT = "strict"  # answer 400 and name it


class Principal(msgspec.Struct, frozen=True):
    """Who is calling: one key of one account, with its policies."""

    key_id: int
    account_id: int
    mode: Mode
    prefix: str
    on_disconnect: DisconnectPolicy = DisconnectPolicy.DRAIN
    on_refused_parameter: ParameterPolicy = ParameterPolicy.DROP


def make_key(mode: Mode, random_bytes: bytes) -> str:
    """Make a key from 30 or more random bytes; each byte gives one character.

    Bytes of 248 and more are skipped so that every character is equally likely: pass 64 to be sure.
    """
    characters = [ALPHABET[byte % 62] for byte in random_bytes if byte < FAIR_BYTES][:RANDOM_CHARACTERS]
    if len(characters) < RANDOM_CHARACTERS:
        raise ValueError("too few random bytes")
    body = f"runapi_{mode}_" + "".join(characters)
    return body + checksum(body)


def checksum(body: str) -> str:
    """The CRC-32 of `body` as six base62 characters."""
    number = zlib.crc32(body.encode("ascii"))
    digits = []
    for _ in range(CHECK_CHARACTERS):
        number, digit = divmod(number, 62)
        digits.append(ALPHABET[digit])
    return "".join(reversed(digits))


def is_well_formed(key: str) -> bool:
    """Whether `key` has the form and the right checksum. Says nothing of whether it exists."""
    if (
        len(key) != KEY_CHARACTERS
        or not key.startswith(("runapi_live_", "runapi_test_"))
        or not key.isascii()
        or not key[PREFIX_CHARACTERS:].isalnum()
    ):
        return False
    return key[-CHECK_CHARACTERS:] == checksum(key[:-CHECK_CHARACTERS])


def digest(key: str, pepper: bytes) -> bytes:
    """The 32 bytes under which a key is stored and looked up: HMAC-SHA-256 with this installation's pepper."""
    return hmac.digest(pepper, key.encode("utf-8", "surrogatepass"), "sha256")


def visible_prefix(key: str) -> str:
    """The part of a key that may be shown: its mode and four characters."""
    return key[:VISIBLE_CHARACTERS]


def redacted(key: str) -> str:
    """A refused credential as an error message may quote it, in OpenAI's form: sk-ab***yz."""
    shown = "".join(character for character in key[:64] if character.isascii() and character.isprintable())
    return f"{shown[:5]}***{shown[-2:]}" if len(shown) >= SHORTEST_QUOTED else "***"
