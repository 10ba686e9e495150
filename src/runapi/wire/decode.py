"""Decode one part of a request closely, and say where in the request a fault is."""

from typing import TypeVar

import msgspec

from runapi.core import problems
from runapi.wire.refusals import problem_of

T = TypeVar("T")


def decode_part(raw: bytes, kind: type[T], param: str = "", words: tuple[str, ...] = ()) -> T:
    """Decode what stands at `param`, or the whole body.

    Args:
        raw: JSON.
        kind: what to decode it as.
        param: where it stands in the request.
        words: those that are allowed, should a word be the fault.

    Raises:
        Problem: 400, naming the place of the fault.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as fault:
        raise problem_of(str(fault), param, words) from None
    except (msgspec.DecodeError, RecursionError):
        raise problems.bad_json() from None
