"""The Merkle tree of RFC 9162 2.1 (the same as that of RFC 6962); pure.

Leaves are numbered from 0; a range is given by its first leaf and the one after its
last. The tree is only ever appended to, and what that needs is in `Peaks`: one hash
for each power of two in its size.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise

HASH_BYTES = 32

Range = tuple[int, int]
Roots = Callable[[int, int], bytes]
"""Returns the root of the leaves of a range."""


def hash_leaf(entry: bytes) -> bytes:
    """Return the hash of one entry; the prefix tells it from that of a node."""
    return sha256(b"\x00" + entry).digest()


def hash_node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node, from those of its children."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Peaks:
    """The roots of the full subtrees that a tree consists of, the largest first.

    All that is needed to append, and to know the root of the whole.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def __post_init__(self) -> None:
        if self.size < 0 or self.size.bit_count() != len(self.hashes):
            raise ValueError(f"{len(self.hashes)} peaks fit no tree of {self.size}")

    def extended(self, leaves: Iterable[bytes]) -> "Peaks":
        """Return the peaks after appending these leaf hashes."""
        size, hashes = self.size, list(self.hashes)
        for leaf in leaves:
            node, rest = leaf, size
            while rest & 1:
                node = hash_node(hashes.pop(), node)
                rest >>= 1
            hashes.append(node)
            size += 1
        return Peaks(size, tuple(hashes))

    def root(self) -> bytes:
        """Return the root of the tree."""
        if not self.hashes:
            return sha256(b"").digest()
        node = self.hashes[-1]
        for left in reversed(self.hashes[:-1]):
            node = hash_node(left, node)
        return node

    def ranges(self) -> list[Range]:
        """Return what each peak is the root of."""
        sizes = [
            1 << bit for bit in range(self.size.bit_length()) if self.size >> bit & 1
        ]
        ends = [0]
        for size in reversed(sizes):
            ends.append(ends[-1] + size)
        return list(pairwise(ends))


def split(size: int) -> int:
    """Return the largest power of two below `size`, which is 2 or more."""
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_path(index: int, size: int) -> list[Range]:
    """Return the ranges whose roots prove a leaf, from the leaf up (2.1.3.1)."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[Range] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_path(old: int, size: int) -> list[Range]:
    """Return the ranges whose roots prove that a tree continues another (2.1.4.1)."""
    if not 0 < old <= size:
        raise ValueError(f"a tree of {size} is no continuation of one of {old}")
    path: list[Range] = []
    start, end = 0, size
    while old < end:
        middle = start + split(end - start)
        if old <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    # The old tree itself needs no proof: its root is known.
    return [*([(start, end)] if start else []), *path[::-1]]


def proof(path: Iterable[Range], roots: Roots) -> tuple[bytes, ...]:
    """Return the hashes of a path."""
    return tuple(roots(start, end) for start, end in path)


def is_included(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes
) -> bool:
    """Whether the proof shows that the leaf has this place (2.1.3.2)."""
    if not 0 <= index < size:
        return False
    ranges = inclusion_path(index, size)
    if len(ranges) != len(path):
        return False
    found = leaf
    for (start, _), step in zip(ranges, path, strict=True):
        found = hash_node(found, step) if start > index else hash_node(step, found)
    return found == root


def is_continued(
    old: int, size: int, old_root: bytes, root: bytes, path: Sequence[bytes]
) -> bool:
    """Whether the proof shows that the tree begins with the old one (2.1.4.2)."""
    if not 0 < old <= size:
        return False
    ranges = consistency_path(old, size)
    if len(ranges) != len(path):
        return False
    steps = list(zip(ranges, path, strict=True))
    if not ranges or ranges[0][0] >= old:  # the old tree is a subtree of the new one
        steps = [((0, old), old_root), *steps]
    before = after = steps[0][1]
    for (start, _), step in steps[1:]:
        if start >= old:
            after = hash_node(after, step)
        else:
            before, after = hash_node(step, before), hash_node(step, after)
    return before == old_root and after == root


class Nodes:
    """The roots of any range of a tree whose first leaves may be gone.

    peaks : of the tree of the leaves that are gone; leaves : hashes of the rest.
    Ranges are those of the paths above. Holds 64 bytes a leaf.
    """

    def __init__(self, peaks: Peaks, leaves: Iterable[bytes]) -> None:
        self._first = peaks.size
        self._gone = dict(zip(peaks.ranges(), peaks.hashes, strict=True))
        self._levels = [bytearray().join(leaves)]
        self.size = self._first + len(self._levels[0]) // HASH_BYTES
        while len(self._levels[-1]) > HASH_BYTES:
            self._levels.append(self._above(len(self._levels)))

    def root(self, start: int, end: int) -> bytes:
        """Return the root; raises ValueError where it needs leaves that are gone."""
        if (start, end) in self._gone:
            return self._gone[start, end]
        if start >= self._first and (kept := self._kept(start, end)):
            return kept
        if end - start <= 1:
            raise ValueError(f"leaves {start} to {end} are gone")
        middle = start + split(end - start)
        return hash_node(self.root(start, middle), self.root(middle, end))

    def _above(self, level: int) -> bytearray:
        """Return the nodes of a level whose leaves are all here."""
        below, first = self._levels[level - 1], self._offset(level)
        skipped = 2 * first - self._offset(level - 1)
        made = bytearray()
        for at in range(HASH_BYTES * skipped, len(below) - HASH_BYTES, 2 * HASH_BYTES):
            made += sha256(b"\x01" + below[at : at + 2 * HASH_BYTES]).digest()
        return made

    def _offset(self, level: int) -> int:
        """Return the number of the first node of a level whose leaves are here."""
        return -(-self._first >> level) if level else self._first

    def _kept(self, start: int, end: int) -> bytes | None:
        width = end - start
        level = width.bit_length() - 1
        if width != 1 << level or level >= len(self._levels):
            return None
        at = HASH_BYTES * ((start >> level) - self._offset(level))
        found = bytes(self._levels[level][at : at + HASH_BYTES])
        return found if len(found) == HASH_BYTES else None
