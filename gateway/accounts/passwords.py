"""Passwords: rules, and Argon2id hashes of them."""

import threading
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.errors import PasswordRefused

SHORTEST, LONGEST = 12, 256
"""Characters (NIST SP 800-63B 5.1.1.2 asks for eight and allows more)."""

_HASHER = PasswordHasher()
"""RFC 9106, second choice: 64 MiB, three passes, four lanes."""

_TURN = threading.BoundedSemaphore(2)
"""As many are computed at one time: each takes 64 MiB and four threads."""


def hash_password(password: str, name: str) -> str:
    """Return the hash of a new password of `name`; raises PasswordRefused.

    It takes its time: never within a transaction, in which all who write wait.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise PasswordRefused(f"a password has {SHORTEST} to {LONGEST} characters")
    if password.casefold() == name.casefold() or len(set(password)) < 5:
        raise PasswordRefused("this password is too easily guessed")
    with _TURN:
        return _HASHER.hash(password)


def is_password(password: str, hashed: str | None) -> bool:
    """Whether it is the password; as slow where there is none to compare with."""
    try:
        with _TURN:
            _HASHER.verify(hashed or _of_nobody(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return hashed is not None and len(password) <= LONGEST


def fresh_hash(password: str, hashed: str | None) -> str | None:
    """Return a hash by the costs of today; None where that is what there is."""
    if hashed is None or not _HASHER.check_needs_rehash(hashed):
        return None
    with _TURN:
        return _HASHER.hash(password)


@cache
def _of_nobody() -> str:
    return _HASHER.hash("the password of nobody")
