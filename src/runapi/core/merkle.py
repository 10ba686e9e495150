"""A Merkle tree over hashes, as in RFC 6962: one hash that stands for many, and short proofs that one is among them.

Leaves and inner nodes are hashed with different first bytes, so that neither can be passed off as the other.
"""

from collections.abc import Sequence
from hashlib import sha256

HASH_BYTES = 32
EMPTY_ROOT = sha256(b"").digest()


def leaf_hash(data: bytes) -> bytes:
    """The leaf that stands for `data`."""
    return sha256(b"\x00" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """The hash over all leaves, in their order; linear in their number."""
    level = list(leaves)
    if not level:
        return EMPTY_ROOT
    while len(level) > 1:
        level = _next_level(level)
    return level[0]


def inclusion_path(leaves: Sequence[bytes], index: int) -> tuple[bytes, ...]:
    """The hashes beside the way from leaf `index` up to the root, lowest first.

    Raises:
        IndexError: there is no such leaf.
    """
    if not 0 <= index < len(leaves):
        raise IndexError(f"there is no leaf {index} among {len(leaves)}")
    level, path = list(leaves), []
    while len(level) > 1:
        beside = index ^ 1
        if beside < len(level):  # the last node of an odd level has none beside it, and rises as it is
            path.append(level[beside])
        level, index = _next_level(level), index // 2
    return tuple(path)


def root_of_path(leaf: bytes, index: int, count: int, path: Sequence[bytes]) -> bytes | None:
    """The root that `path` leads to from leaf `index` of `count`; None where it is too long or too short."""
    if not 0 <= index < count:
        return None
    node, last, rest = leaf, count - 1, iter(path)
    while last:
        if index ^ 1 <= last:
            beside = next(rest, None)
            if beside is None:
                return None
            node = _inner(beside, node) if index & 1 else _inner(node, beside)
        index, last = index // 2, last // 2
    return node if next(rest, None) is None else None


def _next_level(level: list[bytes]) -> list[bytes]:
    above = [_inner(level[left], level[left + 1]) for left in range(0, len(level) - 1, 2)]
    return [*above, level[-1]] if len(level) % 2 else above


def _inner(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()
