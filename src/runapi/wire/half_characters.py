"""Mend JSON that holds half a character, which JSON allows and nobody can write as UTF-8."""

import json
from collections.abc import Callable
from typing import TypeVar

import msgspec

from runapi.core.problems import Problem

T = TypeVar("T")


def decode_mending(decode: Callable[[bytes], T], data: bytes) -> T:
    """Decode JSON, with half characters mended if it holds any.

    Raises:
        ValueError, RecursionError: it is no JSON, or not of the right types.
    """
    try:
        return decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return decode(without_half_characters(data))


def read_mended(read: Callable[[bytes], T], body: bytes) -> tuple[T, bytes]:
    """Read a request's body, mended first if need be; give with what was read the bytes that stand for it.

    Args:
        read: refuses what it cannot read with `invalid_json`.
        body: as the client sent it.

    Raises:
        Problem: as `read` does.
    """
    try:
        return read(body), body
    except Problem as problem:
        if problem.code != "invalid_json":
            raise
        try:
            mended = without_half_characters(body)
        except (ValueError, RecursionError):
            raise problem from None
        return read(mended), mended


def without_half_characters(raw: bytes) -> bytes:
    r"""Put U+FFFD in the place of each half of a pair such as `\ud83d`, which JSON allows and UTF-8 does not.

    JavaScript cuts strings so: an agent that shortens a tool's output may send one half of an emoji.

    Raises:
        ValueError: it is no JSON.
    """
    text = json.dumps(json.loads(raw, parse_constant=_refuse), ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
