"""Checkpoints of the audit log: what was signed of it, and when; pure.

The text is that of c2sp.org/tlog-checkpoint: the log, how many records it had, the
root of their tree, and lines of our own. What is handed out is the body of
c2sp.org/tlog-witness: the proof that the log of an earlier checkpoint goes on in this
one stands before it, so whoever keeps checkpoints alone can tell that nothing was
rewritten between them.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from gateway.audit.merkle import HASH_BYTES
from gateway.audit.notes import (
    PublicKey,
    Signer,
    base64,
    parse_public_key,
    sign,
    signers_of,
    text_of,
    unbase64,
)
from gateway.errors import UnreadableNote

ORIGIN = "maira-gateway/audit/"
_LOG_ID = re.compile(re.escape(ORIGIN) + r"([0-9a-f]{32})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


def log_name(log_id: str) -> str:
    """Return the name of a log and its keys: the first line of what they sign."""
    return f"{ORIGIN}{log_id}"


def log_of(name: str) -> str:
    """Return the ID of the log that a name is of; raises UnreadableNote."""
    match = _LOG_ID.fullmatch(name)
    if match is None:
        raise UnreadableNote("not the name of an audit log of a maira-gateway")
    return match[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What was signed of a log at one moment.

    log_id : 32 hexadecimal digits, made once for an installation. size : how many
    records it had. root : of the tree of their leaves. first : number of the first
    record that was still kept; those before it were removed after their retention.
    note : its text with the signatures.
    """

    log_id: str
    size: int
    root: bytes
    at: datetime
    first: int
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """A checkpoint, and the proof that the log of `old_size` records goes on in it.

    old_size : 0 where it is the first one, and nothing is to be proven.
    """

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: Checkpoint

    def text(self) -> str:
        """Return what is handed out."""
        lines = [f"old {self.old_size}", *map(base64, self.proof)]
        return "\n".join(lines) + "\n\n" + self.checkpoint.note


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyChange:
    """The statement that from `size` records on a new key signs for the log.

    Signed by the key before and by the new one.
    """

    log_id: str
    size: int
    old: PublicKey
    new: PublicKey
    at: datetime
    note: str


def sign_checkpoint(
    signer: Signer, size: int, root: bytes, at: datetime, *, first: int = 1
) -> Checkpoint:
    """Return the checkpoint of the log that the signer's name is of."""
    lines = [signer.name, str(size), base64(root), f"time {_said(at)}"]
    lines += [f"first {first}"] if first > 1 else []
    return parse_checkpoint(sign("\n".join(lines) + "\n", signer))


def parse_checkpoint(note: str) -> Checkpoint:
    """Read a checkpoint without looking at who signed it; raises UnreadableNote."""
    name, size, root, *more = text_of(note).removesuffix("\n").split("\n") + [""] * 3
    said = dict(line.partition(" ")[::2] for line in more if line)
    if len(hashed := unbase64(root)) != HASH_BYTES:
        raise UnreadableNote("a root that is no hash")
    return Checkpoint(
        log_id=log_of(name),
        size=_number(size),
        root=hashed,
        at=_moment(said.get("time", "")),
        first=_number(said.get("first", "1")),
        note=note,
    )


def parse_continuation(text: str) -> Continuation:
    """Read what was handed out; raises UnreadableNote."""
    head, _, note = text.partition("\n\n")
    old, *hashes = head.split("\n")
    word, _, size = old.partition(" ")
    if word != "old":
        raise UnreadableNote("not a checkpoint that this gateway handed out")
    checkpoint = parse_checkpoint(note)
    proof = tuple(unbase64(each) for each in hashes)
    if any(len(each) != HASH_BYTES for each in proof):
        raise UnreadableNote("a proof that is not made of hashes")
    return Continuation(old_size=_number(size), proof=proof, checkpoint=checkpoint)


def sign_key_change(old: Signer, new: Signer, size: int, at: datetime) -> KeyChange:
    """Return the statement by which a new key follows the old one."""
    said = [f"{old.name}/key", str(size), f"old {old.public}", f"new {new.public}"]
    text = "\n".join([*said, f"time {_said(at)}"]) + "\n"
    return parse_key_change(sign(text, old, new))


def parse_key_change(note: str) -> KeyChange:
    """Read a change of keys without looking at who signed it; raises UnreadableNote."""
    name, size, *more = text_of(note).removesuffix("\n").split("\n") + [""] * 2
    said = dict(line.partition(" ")[::2] for line in more if line)
    own, _, word = name.rpartition("/")
    if word != "key":
        raise UnreadableNote("not a change of keys")
    return KeyChange(
        log_id=log_of(own),
        size=_number(size),
        old=parse_public_key(said.get("old", "")),
        new=parse_public_key(said.get("new", "")),
        at=_moment(said.get("time", "")),
        note=note,
    )


@dataclass(frozen=True, slots=True)
class Trust:
    """The keys by which a log may be signed, each for a stretch of its sizes."""

    stretches: tuple[tuple[PublicKey, int, int | None], ...]
    """Key, smallest size, largest size (None: no end)."""

    @classmethod
    def following(cls, first: PublicKey, changes: Sequence[KeyChange]) -> "Trust":
        """Trust `first`, and each key that a trusted one named its successor.

        Raises UnreadableNote where a change that belongs to the chain is not signed
        by both keys.
        """
        stretches: list[tuple[PublicKey, int, int | None]] = [(first, 0, None)]
        for change in sorted(changes, key=lambda each: each.size):
            key, since, _ = stretches[-1]
            if change.old != key:
                continue
            both = [change.old, change.new]
            if signers_of(change.note, both) != both or change.size < since:
                raise UnreadableNote("a change of keys that not both keys have signed")
            stretches[-1] = (key, since, change.size)
            stretches.append((change.new, change.size, None))
        return cls(tuple(stretches))

    def has_signed(self, checkpoint: Checkpoint) -> bool:
        """Whether a key that was in use at its size has signed the checkpoint."""
        keys = [
            key
            for key, since, until in self.stretches
            if since <= checkpoint.size and (until is None or checkpoint.size <= until)
        ]
        own = [key for key in keys if key.name == log_name(checkpoint.log_id)]
        try:
            return bool(signers_of(checkpoint.note, own))
        except UnreadableNote:
            return False


def _said(moment: datetime) -> str:
    plain = moment.astimezone(UTC).replace(tzinfo=None)
    return plain.isoformat(timespec="milliseconds") + "Z"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UnreadableNote("a time that is none") from error
    if moment.tzinfo is None or _said(moment) != text:
        raise UnreadableNote("a time in another form than ours")
    return moment


def _number(text: str) -> int:
    if not _NUMBER.fullmatch(text):
        raise UnreadableNote("a number that is none")
    return int(text)
