"""The tree of the audit log, by published values and by its definition."""

from collections.abc import Sequence
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit import merkle
from gateway.audit.merkle import Nodes, Peaks

# The test vectors of Certificate Transparency (google/certificate-transparency,
# cpp/merkletree/merkle_tree_test.cc; the same in transparency-dev/merkle): eight
# entries, the root of the first n of them, two proofs of inclusion (leaf, size) and
# one of consistency.
ENTRIES = [
    bytes.fromhex(each)
    for each in (
        *("", "00", "10", "2021", "3031", "40414243", "5051525354555657"),
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    bytes.fromhex(each)
    for each in (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    )
]
INCLUDED = {
    (0, 8): (
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ),
    (5, 8): (
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}
CONTINUED = {
    (6, 8): (
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ),
}

LEAVES = [merkle.hash_leaf(each) for each in ENTRIES]

sizes = st.integers(min_value=1, max_value=70)


def hex_of(hashes: Sequence[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in hashes)


def leaves_of(size: int) -> list[bytes]:
    return [merkle.hash_leaf(str(number).encode()) for number in range(size)]


def defined(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 9162 2.1.1, word for word, over leaf hashes."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + defined(leaves[:k]) + defined(leaves[k:])).digest()


def defined_path(m: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 9162 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*defined_path(m, leaves[:k]), defined(leaves[k:])]
    return [*defined_path(m - k, leaves[k:]), defined(leaves[:k])]


def defined_subproof(m: int, leaves: Sequence[bytes], *, whole: bool) -> list[bytes]:
    """SUBPROOF of RFC 9162 2.1.4.1."""
    if m == len(leaves):
        return [] if whole else [defined(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*defined_subproof(m, leaves[:k], whole=whole), defined(leaves[k:])]
    return [*defined_subproof(m - k, leaves[k:], whole=False), defined(leaves[:k])]


@pytest.mark.parametrize("size", range(9))
def test_the_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert Peaks().extended(LEAVES[:size]).root() == ROOTS[size]


@pytest.mark.parametrize(("index", "size"), INCLUDED)
def test_the_proofs_of_inclusion_are_those_of_certificate_transparency(
    index: int, size: int
) -> None:
    nodes = Nodes(Peaks(), LEAVES[:size])
    made = merkle.proof(merkle.inclusion_path(index, size), nodes.root)
    assert hex_of(made) == INCLUDED[index, size]
    assert merkle.is_included(LEAVES[index], index, size, made, ROOTS[size])


@pytest.mark.parametrize(("old", "size"), CONTINUED)
def test_the_proof_of_consistency_is_that_of_certificate_transparency(
    old: int, size: int
) -> None:
    nodes = Nodes(Peaks(), LEAVES[:size])
    made = merkle.proof(merkle.consistency_path(old, size), nodes.root)
    assert hex_of(made) == CONTINUED[old, size]
    assert merkle.is_continued(old, size, ROOTS[old], ROOTS[size], made)


@given(sizes, st.data())
def test_each_leaf_is_proven_as_the_standard_defines_it(
    size: int, data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    made = merkle.proof(merkle.inclusion_path(index, size), Nodes(Peaks(), leaves).root)
    assert list(made) == defined_path(index, leaves)
    root = Peaks().extended(leaves).root()
    assert root == defined(leaves)
    assert merkle.is_included(leaves[index], index, size, made, root)


@given(sizes, st.data())
def test_each_earlier_tree_is_proven_as_the_standard_defines_it(
    size: int, data: st.DataObject
) -> None:
    old = data.draw(st.integers(1, size))
    leaves = leaves_of(size)
    made = merkle.proof(merkle.consistency_path(old, size), Nodes(Peaks(), leaves).root)
    assert list(made) == defined_subproof(old, leaves, whole=True)
    roots = defined(leaves[:old]), defined(leaves)
    assert merkle.is_continued(old, size, *roots, made)


@given(sizes, st.data())
def test_a_tree_whose_first_leaves_are_gone_proves_the_rest(
    size: int, data: st.DataObject
) -> None:
    gone = data.draw(st.integers(0, size - 1))
    index = data.draw(st.integers(gone, size - 1))
    old = data.draw(st.integers(max(gone, 1), size))
    leaves = leaves_of(size)
    nodes = Nodes(Peaks().extended(leaves[:gone]), leaves[gone:])
    assert nodes.size == size
    included = merkle.proof(merkle.inclusion_path(index, size), nodes.root)
    continued = merkle.proof(merkle.consistency_path(old, size), nodes.root)
    assert list(included) == defined_path(index, leaves)
    assert list(continued) == defined_subproof(old, leaves, whole=True)


@given(st.lists(st.integers(0, 9), max_size=9))
def test_it_does_not_matter_in_what_portions_a_tree_grew(portions: list[int]) -> None:
    leaves, peaks = leaves_of(sum(portions)), Peaks()
    for count in portions:
        peaks = peaks.extended(leaves[peaks.size : peaks.size + count])
    assert peaks == Peaks().extended(leaves)
    assert peaks.root() == defined(leaves)
    assert [defined(leaves[a:b]) for a, b in peaks.ranges()] == list(peaks.hashes)


@given(sizes, st.data())
def test_a_changed_proof_proves_nothing(size: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, size - 1))
    leaves = leaves_of(size)
    root = defined(leaves)
    path = defined_path(index, leaves)
    assert not merkle.is_included(leaves[index], index, size, [*path, root], root)
    assert not merkle.is_included(leaves[index], size, size, path, root)
    assert not merkle.is_included(sha256(b"other").digest(), index, size, path, root)
    if path:
        at = data.draw(st.integers(0, len(path) - 1))
        wrong = [*path[:at], sha256(path[at]).digest(), *path[at + 1 :]]
        assert not merkle.is_included(leaves[index], index, size, wrong, root)
        assert not merkle.is_included(leaves[index], index, size, path[:-1], root)


@given(sizes, st.data())
def test_another_tree_is_no_continuation(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    leaves = leaves_of(size)
    path, root = defined_subproof(old, leaves, whole=True), defined(leaves)
    before = defined(leaves[:old])
    other = sha256(b"other").digest()
    assert not merkle.is_continued(old, size, other, root, path)
    assert not merkle.is_continued(old, size, before, other, path)
    assert not merkle.is_continued(old, size, before, root, [*path, other])
    assert not merkle.is_continued(0, size, before, root, path)
    assert not merkle.is_continued(size + 1, size, before, root, path)
    if path:
        assert not merkle.is_continued(old, size, before, root, path[:-1])


def test_a_leaf_is_no_node() -> None:
    left, right = leaves_of(2)
    assert merkle.hash_leaf(left + right) != merkle.hash_node(left, right)


def test_what_is_gone_is_not_made_up() -> None:
    leaves = leaves_of(8)
    nodes = Nodes(Peaks().extended(leaves[:4]), leaves[4:])
    with pytest.raises(ValueError, match="gone"):
        nodes.root(0, 2)


@pytest.mark.parametrize("call", [(3, 3), (-1, 3), (0, 0)])
def test_there_is_no_proof_of_a_leaf_that_is_not_there(call: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        merkle.inclusion_path(*call)


@pytest.mark.parametrize("call", [(0, 3), (4, 3)])
def test_there_is_no_proof_of_no_continuation(call: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="no continuation"):
        merkle.consistency_path(*call)


def test_peaks_fit_their_size() -> None:
    with pytest.raises(ValueError, match="fit no tree"):
        Peaks(3, (ROOTS[1],))
