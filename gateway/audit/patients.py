"""Patients of the audit: known by a pseudonym, named only under a key of their own.

Every patient has a data key, which is kept wrapped by the master key. Who destroys
it makes the patient unreadable in every record, and changes none of them.
"""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass, field
from hashlib import sha256
from hmac import digest

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.audit.message import Patient
from gateway.errors import WrongKey

KEY_BYTES = 32
_WORDS = "words"
_NONCE_BYTES = 12
"""What NIST SP 800-38D recommends for GCM; random, for a key has few messages."""


@dataclass(frozen=True, slots=True)
class MasterKey:
    """What pseudonyms and the keys of patients depend on; lives outside the ledger."""

    secret: bytes = field(repr=False)
    _of_pseudonyms: bytes = field(init=False, repr=False)
    _of_keys: AESGCM = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Derive a key for each purpose; raises WrongKey for one of another length."""
        if len(self.secret) != KEY_BYTES:
            raise WrongKey(f"a patient key has {KEY_BYTES} bytes")
        object.__setattr__(self, "_of_pseudonyms", self._derive(b"pseudonyms"))
        object.__setattr__(self, "_of_keys", AESGCM(self._derive(b"keys")))

    @property
    def fingerprint(self) -> str:
        """What tells this key from another and gives nothing of it away."""
        return self._derive(b"fingerprint").hex()[:32]

    def pseudonym(self, patient: Patient) -> str:
        """Return what stands for issuer and Patient ID: 64 hexadecimal digits."""
        issuer = (patient.issuer or "").encode("utf-8", "surrogatepass")
        patient_id = patient.patient_id.encode("utf-8", "surrogatepass")
        text = len(issuer).to_bytes(4) + issuer + patient_id
        return digest(self._of_pseudonyms, text, sha256).hex()

    def wrap(self, key: bytes, pseudonym: str) -> str:
        """Return the data key of a patient as it may be kept."""
        return _encrypted(self._of_keys, key, pseudonym)

    def unwrap(self, wrapped: str, pseudonym: str) -> bytes:
        """Return the data key again; raises WrongKey."""
        return _decrypted(self._of_keys, wrapped, pseudonym)

    def _derive(self, purpose: bytes) -> bytes:
        info = b"maira-gateway audit " + purpose
        kdf = HKDF(algorithm=SHA256(), length=KEY_BYTES, salt=None, info=info)
        return kdf.derive(self.secret)


@dataclass(frozen=True, slots=True)
class DataKey:
    """The key of one patient."""

    secret: bytes = field(repr=False)

    def seal(self, words: bytes) -> str:
        """Return what only this key makes readable again."""
        return _encrypted(AESGCM(self.secret), words, _WORDS)

    def unseal(self, sealed: str) -> bytes:
        """Return the words again; raises WrongKey."""
        return _decrypted(AESGCM(self.secret), sealed, _WORDS)


def new_key() -> bytes:
    """Return a key of chance."""
    return os.urandom(KEY_BYTES)


def _encrypted(key: AESGCM, plain: bytes, about: str) -> str:
    nonce = os.urandom(_NONCE_BYTES)
    sealed = nonce + key.encrypt(nonce, plain, about.encode())
    return urlsafe_b64encode(sealed).decode("ascii")


def _decrypted(key: AESGCM, text: str, about: str) -> bytes:
    try:
        sealed = urlsafe_b64decode(text)
        nonce, rest = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        return key.decrypt(nonce, rest, about.encode())
    except (ValueError, InvalidTag):
        raise WrongKey("sealed under another key, or damaged") from None
