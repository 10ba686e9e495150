"""What all connections of a server have in common."""

from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

import msgspec

from runapi.flows.deadlines import Deadlines
from runapi.web.call import Call
from runapi.web.response_head import ResponseHeads

if TYPE_CHECKING:
    from runapi.web.connection import Connection


class Manner(msgspec.Struct, frozen=True):
    """Who answers, and how long a client may take."""

    serve: Callable[[Call], Coroutine[Any, Any, None]]
    deadlines: Deadlines
    heads: ResponseHeads
    open: set["Connection"]
    header_timeout_s: float  # for a whole head, and until the next one
    stall_timeout_s: float  # for a client that does not read the end of its response
