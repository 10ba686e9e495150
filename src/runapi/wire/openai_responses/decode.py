"""Decode one part of a Responses request closely, and say where in the request a fault is."""

from typing import TypeVar

import msgspec
from msgspec import Raw

from runapi.core import problems
from runapi.wire.openai_responses.refusals import problem_of

T = TypeVar("T")


def decode_part(raw: Raw, kind: type[T], param: str) -> T:
    """Decode what stands at `param`.

    Raises:
        Problem: 400, naming the place of the fault.
    """
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as fault:
        raise problem_of(str(fault), param) from None
    except (msgspec.DecodeError, RecursionError):
        raise problems.bad_json() from None
