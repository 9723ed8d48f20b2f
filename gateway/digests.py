"""Digests of data sets as they were received: `blake3:` and 64 hexadecimal digits.

A digest is made while the bytes come in and stands between a sender and its answer.
BLAKE3 is about twice as fast as SHA-256 with the processor's help for it
(`python -m benchmarks.limits`), and needs no such help. Those of earlier gateways begin
with `sha256:`.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import BinaryIO, Protocol

from blake3 import blake3


class Digest(Protocol):
    """A digest in the making."""

    def update(self, data: bytes | memoryview, /) -> object:
        """Take the next bytes."""
        ...

    def hexdigest(self) -> str:
        """Return the digest of what was taken."""
        ...


_KINDS: Mapping[str, Callable[[], Digest]] = {
    "blake3": blake3,
    "sha256": hashlib.sha256,
}
_KIND = "blake3"

_PIECE_BYTES = 1 << 20


def begin(like: str | None = None) -> Digest:
    """Begin a digest of the kind that `like` is of; None: of the present kind.

    Raises ValueError for a kind that is not known here.
    """
    kind = _KIND if like is None else like.partition(":")[0]
    if kind not in _KINDS:
        raise ValueError(f"digests of the kind {kind!r} are not known")
    return _KINDS[kind]()


def told(digest: Digest, like: str | None = None) -> str:
    """Return a digest as it is kept; `like` as given to `begin`."""
    kind = _KIND if like is None else like.partition(":")[0]
    return f"{kind}:{digest.hexdigest()}"


def of_rest(file: BinaryIO, like: str) -> str:
    """Return the digest of what is left of a file, in the kind of `like`."""
    digest = begin(like)
    while piece := file.read(_PIECE_BYTES):
        digest.update(piece)
    return told(digest, like)
