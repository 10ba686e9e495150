"""An answer of /v1/responses that is kept, so that its client can ask for it again and go on from it. No clock, no I/O.

What was asked is kept whole, with everything that was said before: a conversation that goes on stays whole when its
older answers are deleted, dropped or forgotten.
"""

import re
import zlib

import msgspec

from runapi.core.keys import Mode

MOST_BYTES = 16 * 1024 * 1024
"""Of an answer and what was asked, as JSON; what is larger is not kept."""

_ID = re.compile(r"[!-~]{1,256}")
_ROW_BYTES, _ITEM_BYTES = 300, 200  # about what a row takes beside its texts, and the row of one item's id
_LEVEL = 1  # 6 takes three times as long, for a tenth less


class StoredResponse(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An answer as its client got it, and the items that were asked; written in the commit that settles its request.

    The client's id is the key, within its account and mode: an upstream's id may come twice, to two customers.
    """

    account_id: int
    mode: Mode
    id: str
    at_us: int
    upstream: str | None  # which made it: no other one can read the reasoning in it
    item_ids: tuple[str, ...]  # of the answer, each by which it can be referred to
    body: bytes  # the response object, JSON in zlib
    items: bytes  # the input, a JSON array in zlib

    @property
    def size_bytes(self) -> int:
        """About what it takes to keep it."""
        return _ROW_BYTES + _ITEM_BYTES * len(self.item_ids) + len(self.body) + len(self.items)


def can_be_kept(name: str) -> bool:
    """Whether an id is 1 to 256 printable ASCII characters, without spaces: others are no id of anybody's."""
    return _ID.fullmatch(name) is not None


def pack(json: bytes) -> bytes:
    """Make it small; a large one takes milliseconds."""
    return zlib.compress(json, _LEVEL)


def unpack(packed: bytes) -> bytes:
    """Give back what was packed."""
    return zlib.decompress(packed)
