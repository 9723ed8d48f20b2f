"""Unique identifiers that the same inputs always give again."""

import hashlib

_VERSION_8 = 8 << 76
_VERSION_MASK = 0xF << 76
_RFC_VARIANT = 0b10 << 62
_VARIANT_MASK = 0b11 << 62


def derive_uid(*parts: str) -> str:
    """Return the UID that belongs to `parts`, in this order.

    The UID is a version 8 UUID (RFC 9562 5.8) in decimal under the root 2.25
    (PS3.5 B.2), so it is valid and at most 44 characters long. Each part enters
    the SHA-256 after its own length: ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    number = int.from_bytes(digest.digest()[:16], "big")
    number = number & ~_VERSION_MASK | _VERSION_8
    number = number & ~_VARIANT_MASK | _RFC_VARIANT
    return f"2.25.{number}"
