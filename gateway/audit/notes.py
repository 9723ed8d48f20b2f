"""Signed notes: a text, and who signed it by Ed25519 (c2sp.org/signed-note); pure.

The same format, and the same text forms of keys, as in Go's checksum database and the
witnesses of transparency logs, so their tools read what this gateway signs.
"""

import binascii
import re
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from gateway.errors import UnreadableNote

_ED25519 = b"\x01"
_SECRET = "PRIVATE+KEY+"  # noqa: S105 - how such a key's text begins
_SIGNATURE = re.compile(r"\N{EM DASH} ([^\s+]+) ([A-Za-z0-9+/=]+)")
_NOTE_LIMIT = 1_000_000
"""Characters of a note, at most (as in Go's implementation)."""


def base64(data: bytes) -> str:
    """Return standard base64, padded."""
    return b64encode(data).decode("ascii")


def unbase64(text: str) -> bytes:
    """Return the bytes; raises UnreadableNote where the text is not their base64."""
    try:
        data = b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnreadableNote("not base64") from error
    if base64(data) != text:
        raise UnreadableNote("not the base64 of its bytes")
    return data


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may have signed: `name` has no space and no plus, `key` is 32 bytes."""

    name: str
    key: bytes

    @property
    def key_id(self) -> bytes:
        """The 4 bytes by which a signature names its key."""
        hashed = self.name.encode() + b"\n" + _ED25519 + self.key
        return sha256(hashed).digest()[:4]

    def __str__(self) -> str:
        """Return the key as text: name, ID and key."""
        return f"{self.name}+{self.key_id.hex()}+{base64(_ED25519 + self.key)}"

    def has_signed(self, text: str, signature: bytes) -> bool:
        """Whether `signature`, 64 bytes, is this key's of the text."""
        try:
            key = Ed25519PublicKey.from_public_bytes(self.key)
            key.verify(signature, text.encode())
        except (InvalidSignature, ValueError):  # ValueError: no point of the curve
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key. Its text is a secret, and never part of `repr`."""

    name: str
    seed: bytes = field(repr=False)

    @classmethod
    def made(cls, name: str) -> "Signer":
        """Return a new key from the system's source of randomness."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @property
    def public(self) -> PublicKey:
        """What others need to check its signatures."""
        own = Ed25519PrivateKey.from_private_bytes(self.seed).public_key()
        return PublicKey(self.name, own.public_bytes_raw())

    def secret_text(self) -> str:
        """Return the private key as text, for a file of mode 0600."""
        key_id = self.public.key_id.hex()
        return f"{_SECRET}{self.name}+{key_id}+{base64(_ED25519 + self.seed)}"

    def signature(self, text: str) -> str:
        """Return the line that signs a text."""
        own = Ed25519PrivateKey.from_private_bytes(self.seed)
        signed = base64(self.public.key_id + own.sign(text.encode()))
        return f"\N{EM DASH} {self.name} {signed}\n"


def parse_public_key(text: str) -> PublicKey:
    """Read the text of a public key; raises UnreadableNote."""
    name, key = _parse_key(text.strip())
    public = PublicKey(name, key)
    if str(public) != text.strip():
        raise UnreadableNote("a public key whose ID is not its own: copy it anew")
    return public


def parse_signer(text: str) -> Signer:
    """Read the text of a private key; raises UnreadableNote, without the text."""
    if not text.startswith(_SECRET):
        raise UnreadableNote("not a private key of a note")
    signer = Signer(*_parse_key(text.strip().removeprefix(_SECRET)))
    if signer.secret_text() != text.strip():
        raise UnreadableNote("a private key whose ID is not its own: restore it")
    return signer


def _parse_key(text: str) -> tuple[str, bytes]:
    name, _, rest = text.partition("+")
    _, _, encoded = rest.partition("+")
    data = unbase64(encoded)
    if not name or re.search(r"\s", name) or data[:1] != _ED25519 or len(data) != 33:
        raise UnreadableNote("not the text of an Ed25519 key, as `audit key` prints it")
    return name, data[1:]


def sign(text: str, *signers: Signer) -> str:
    """Return the text, which ends with a line end, with a signature of each."""
    return text + "\n" + "".join(signer.signature(text) for signer in signers)


def text_of(note: str) -> str:
    """Return a note's text, whoever signed it; raises UnreadableNote."""
    return _parsed(note)[0]


def signers_of(note: str, keys: Sequence[PublicKey]) -> list[PublicKey]:
    """Return which of `keys` have signed a note; none is an answer too.

    Raises UnreadableNote where it is no note, or bears a false signature of a key.
    """
    text, signatures = _parsed(note)
    found = []
    for key in keys:
        own = [
            s[4:] for name, s in signatures if (name, s[:4]) == (key.name, key.key_id)
        ]
        if not all(key.has_signed(text, signature) for signature in own):
            raise UnreadableNote(f"a false signature of {key.name}")
        if own:
            found.append(key)
    return found


def _parsed(note: str) -> tuple[str, list[tuple[str, bytes]]]:
    """Return the text and each signature: its name, and key ID with signature."""
    text, blank, lines = note.rpartition("\n\n")
    is_whole = blank and lines.endswith("\n") and len(note) <= _NOTE_LIMIT
    if not is_whole or any(ord(c) < 32 and c != "\n" for c in note):
        raise UnreadableNote("not a signed note")
    signatures = []
    for line in lines.removesuffix("\n").split("\n"):
        match = _SIGNATURE.fullmatch(line)
        if match is None:
            raise UnreadableNote("not a signature of a note")
        signatures.append((match[1], unbase64(match[2])))
    return text + "\n", signatures
