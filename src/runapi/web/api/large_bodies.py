"""Room for large request bodies: what an account sends is in memory before anybody knows whether it can pay."""

from collections.abc import Iterator
from contextlib import contextmanager

from runapi.core.body_room import MIB
from runapi.core.keys import Principal
from runapi.web.call import Call
from runapi.web.services import Services

_UNKNOWN_BYTES = 4 * MIB  # what a body in chunks is taken to have
_SMALL_DIGITS = 6  # of a length: less than a megabyte
_NO_LENGTH = b"unknown"


def is_small(call: Call) -> bool:
    """Whether nobody need look after a body of this length; asked of every request."""
    return len(call.headers.get(b"content-length", _NO_LENGTH)) <= _SMALL_DIGITS


@contextmanager
def room_for_body(services: Services, call: Call, principal: Principal) -> Iterator[None]:
    """Set room aside for the call's body, until it is not kept any more, or is paid for.

    Raises:
        Problem: 429, the account has too much in it already.
    """
    length = call.headers.get(b"content-length")
    size = _UNKNOWN_BYTES if length is None else min(int(length), services.most_body_bytes)
    bodies, account_id = services.front_desk.bodies, principal.account_id
    problem = bodies.take(account_id, size)
    if problem is not None:
        raise problem
    try:
        yield
    finally:
        bodies.give_back(account_id, size)
