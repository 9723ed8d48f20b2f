"""Unique identifiers: their grammar, and those that the same inputs always give."""

import hashlib
import re

_GRAMMAR = re.compile(r"[0-9]+(\.[0-9]+)*", re.ASCII)
_LENGTH = 64

_VERSION_8 = 8 << 76
_VERSION_MASK = 0xF << 76
_RFC_VARIANT = 0b10 << 62
_VARIANT_MASK = 0b11 << 62


def is_uid(text: str) -> bool:
    """Tell whether `text` is a UID that we take.

    PS3.5 9.1 also forbids a leading zero in a component. Devices write them all
    the same, and a film is not refused for one: only digits and dots get through.
    """
    return len(text) <= _LENGTH and _GRAMMAR.fullmatch(text) is not None


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
