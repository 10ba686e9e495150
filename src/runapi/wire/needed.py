"""A part of a request that must be there."""

from typing import TypeVar

from runapi.core import problems

T = TypeVar("T")


def needed(value: T | None, place: str, name: str) -> T:
    """Give the value of a field at `place` in the request.

    Raises:
        Problem: 400, it is missing.
    """
    if value is None:
        raise problems.missing_parameter(f"{place}.{name}")
    return value
