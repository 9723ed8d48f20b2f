"""Passcodes of user identity negotiation: kept as scrypt hashes (RFC 7914).

The cost is that of RFC 7914's interactive use: 16 MiB and some 50 ms a try. Tries
are made one at a time, so that they cannot fill the memory.
"""

import hashlib
import hmac
import os
import re
from base64 import b64decode, b64encode
from threading import Lock

_COST, _BLOCK, _PARALLEL = 14, 8, 1
_SALT_BYTES, _KEY_BYTES = 16, 32
_FORM = re.compile(
    r"scrypt\$(1[0-7])\$(8)\$(1)\$([A-Za-z0-9+/]{22}==)\$([A-Za-z0-9+/]{43}=)"
)
_TRY = Lock()


def is_hash(text: str) -> bool:
    """Whether `text` is what `hash_passcode` returns."""
    return _FORM.fullmatch(text) is not None


def hash_passcode(passcode: bytes) -> str:
    """Return scrypt$cost$block$parallel$salt$key, with a new salt."""
    salt = os.urandom(_SALT_BYTES)
    key = _derive(passcode, salt, _COST, (_BLOCK, _PARALLEL))
    parts = (_COST, _BLOCK, _PARALLEL, _text(salt), _text(key))
    return "$".join(("scrypt", *map(str, parts)))


def fits(passcode: bytes, hashed: str) -> bool:
    """Whether `hashed` was made of `passcode`; it takes as long where it was not."""
    found = _FORM.fullmatch(hashed)
    if found is None:
        raise ValueError("not a hash of hash_passcode")
    cost, block, parallel, salt, key = found.groups()
    shape = (int(block), int(parallel))
    tried = _derive(passcode, b64decode(salt), int(cost), shape)
    return hmac.compare_digest(tried, b64decode(key))


def _derive(passcode: bytes, salt: bytes, cost: int, shape: tuple[int, int]) -> bytes:
    block, parallel = shape
    with _TRY:
        return hashlib.scrypt(
            passcode,
            salt=salt,
            n=1 << cost,
            r=block,
            p=parallel,
            maxmem=256 << 20,
            dklen=_KEY_BYTES,
        )


def _text(data: bytes) -> str:
    return b64encode(data).decode("ascii")
