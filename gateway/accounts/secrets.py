"""Secrets that are shown once and kept as digests: sessions, links and tokens."""

import hashlib
import hmac
import secrets

_BYTES = 32
"""256 bits: nobody guesses one, so a plain digest is enough to keep it by."""


def new_secret() -> str:
    """Return a new secret, as it stands in a cookie, a link or a header."""
    return secrets.token_urlsafe(_BYTES)


def digest_of(secret: str) -> str:
    """Return what the ledger keeps instead of the secret, 64 characters."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()


def form_token(secret: str) -> str:
    """Return what the forms of a browser carry, made from the secret in its cookie.

    A page of another site cannot read the cookie, so it cannot make this.
    """
    key = secret.encode("utf-8", "surrogateescape")
    return hmac.new(key, b"form", hashlib.sha256).hexdigest()


def is_same(one: str, other: str) -> bool:
    """Compare in a time that does not tell where they differ."""
    return hmac.compare_digest(
        one.encode("utf-8", "surrogateescape"),
        other.encode("utf-8", "surrogateescape"),
    )
