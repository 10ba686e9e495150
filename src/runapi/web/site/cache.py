"""Rendered pages, kept compressed: each is made once for as long as what it says is true."""

import gzip
import hashlib
import zlib
from collections import OrderedDict

import msgspec

MOST_BYTES = 24 * 1024 * 1024
_LEVEL = 6


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, whole, with its ETag. The body is kept compressed, for that is how nearly everybody takes it."""

    content_type: bytes
    packed: bytes
    etag: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    status: int = 200
    vary: bytes = b"Accept, Accept-Encoding, Accept-Language"

    @property
    def body(self) -> bytes:
        return zlib.decompress(self.packed, 31)


def pack(
    body: bytes, content_type: str, *, headers: tuple[tuple[bytes, bytes], ...] = (), status: int = 200
) -> Answer:
    """Compress a body and name it by its content: the name is weak, for it stands for both encodings."""
    return Answer(
        content_type=content_type.encode(),
        packed=gzip.compress(body, _LEVEL, mtime=0),
        etag=b'W/"' + hashlib.blake2b(body, digest_size=12).hexdigest().encode() + b'"',
        headers=headers,
        status=status,
    )


class Kept(msgspec.Struct, frozen=True):
    """An answer, and what must not have changed for it to be true."""

    answer: Answer
    version: tuple[object, ...]
    live: int | None = None  # the number of the state of the models that it shows, if it shows one


class Cache:
    """Answers by what was asked, those that were asked for lately; in all at most MOST_BYTES."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._kept: OrderedDict[tuple[object, ...], Kept] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[object, ...], version: tuple[object, ...]) -> Kept | None:
        """The answer, if it was made of this version."""
        kept = self._kept.get(key)
        if kept is None or kept.version != version:
            return None
        self._kept.move_to_end(key)
        return kept

    def put(self, key: tuple[object, ...], kept: Kept) -> None:
        """Keep an answer in the place of the one before, and forget what was not asked for longest."""
        self._forget(key)
        self._kept[key] = kept
        self._bytes += len(kept.answer.packed)
        while self._bytes > self._most_bytes and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))

    def _forget(self, key: tuple[object, ...]) -> None:
        before = self._kept.pop(key, None)
        if before is not None:
            self._bytes -= len(before.answer.packed)
