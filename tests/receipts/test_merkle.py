"""The tree: its root is RFC 6962's, and a path proves exactly the leaf and place that it was made for."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runapi.core.merkle import EMPTY_ROOT, inclusion_path, leaf_hash, root, root_of_path

trees = st.lists(st.binary(max_size=8), min_size=1, max_size=40).map(
    lambda texts: [leaf_hash(b"%d " % place + text) for place, text in enumerate(texts)]
)

# The published test vectors of RFC 6962's tree.
INPUTS = [
    bytes.fromhex(text)
    for text in (
        *("", "00", "10", "2021", "3031", "40414243"),
        *("5051525354555657", "606162636465666768696a6b6c6d6e6f"),
    )
]
ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("count", ROOTS)
def test_root_is_that_of_the_rfc(count: int):
    assert root([leaf_hash(text) for text in INPUTS[:count]]).hex() == ROOTS[count]


def test_root_of_nothing_is_the_hash_of_nothing():
    assert root([]) == EMPTY_ROOT == sha256(b"").digest()


def recursive(leaves: list[bytes]) -> bytes:
    """The definition of RFC 6962, word by word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + recursive(leaves[:split]) + recursive(leaves[split:])).digest()


@given(trees)
def test_root_is_the_recursive_definition(leaves: list[bytes]):
    assert root(leaves) == recursive(leaves)


@given(trees)
def test_every_leaf_has_a_path_to_the_root(leaves: list[bytes]):
    for index, leaf in enumerate(leaves):
        path = inclusion_path(leaves, index)
        assert root_of_path(leaf, index, len(leaves), path) == root(leaves)


@given(trees, st.data())
def test_a_path_proves_no_other_leaf_place_size_or_order(leaves: list[bytes], data: st.DataObject):
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, top = inclusion_path(leaves, index), root(leaves)
    other = data.draw(st.integers(-1, len(leaves)))
    if other != index:
        assert root_of_path(leaves[index], other, len(leaves), path) != top
    assert root_of_path(leaf_hash(b"another"), index, len(leaves), path) != top
    assert root_of_path(leaves[index], index, len(leaves), [*path, top]) is None
    if path:
        assert root_of_path(leaves[index], index, len(leaves), path[:-1]) is None


def test_there_is_no_path_for_a_leaf_that_is_not_there():
    for index in (-1, 2):
        with pytest.raises(IndexError):
            inclusion_path([leaf_hash(b"a"), leaf_hash(b"b")], index)


def test_an_inner_node_is_no_leaf():
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != root([left, right])
