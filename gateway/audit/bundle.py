"""A signed bundle: records of the audit, and the proof that they are in the log; pure.

One JSON value a line. The first says which log and which checkpoint; then come the
records, each as its canonical bytes, so the line itself is what the tree hashes; the
last is a signed note over all lines before it, so none can be left out. In a `full`
bundle the records make the tree; in a `part` each is followed by the proof of its
inclusion. `gateway/audit/verifier.py` checks it anywhere.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256

from gateway.audit.checkpoints import Continuation, KeyChange
from gateway.audit.merkle import Peaks
from gateway.audit.notes import Signer, base64, sign

FORMAT = 1
ABOUT_LIMIT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What stands around the records.

    about : what was asked for, names no patient. is_full : all records that are kept;
    removed : the tree of the records before them.
    """

    checkpoint: Continuation
    about: str
    is_full: bool
    keys: Sequence[KeyChange] = ()
    removed: Peaks = field(default_factory=Peaks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A record's canonical bytes, and its proof where the bundle is a part."""

    line: bytes
    proof: tuple[bytes, ...] = ()


def lines_of(
    contents: Contents, records: Iterable[Proven], signer: Signer, at: datetime
) -> Iterator[str]:
    """Yield the lines of a bundle, each with its end."""
    hashed, count = sha256(), 0
    for line, is_record in _unsigned(contents, records):
        count += is_record
        hashed.update(line.encode())
        yield line
    text = _manifest(signer.name, count, hashed.digest(), contents.about, at)
    yield _line({"manifest": sign(text, signer)})


def _unsigned(
    contents: Contents, records: Iterable[Proven]
) -> Iterator[tuple[str, bool]]:
    """Yield each line, and whether it is a record."""
    yield (
        _line(
            {
                "bundle": FORMAT,
                "kind": "full" if contents.is_full else "part",
                "checkpoint": contents.checkpoint.text(),
                "keys": [change.note for change in contents.keys],
                "removed": {
                    "size": contents.removed.size,
                    "peaks": list(map(base64, contents.removed.hashes)),
                },
            }
        ),
        False,
    )
    for record in records:
        yield record.line.decode("ascii") + "\n", True
        if not contents.is_full:
            yield _line({"proof": list(map(base64, record.proof))}), False


def _manifest(name: str, count: int, digest: bytes, about: str, at: datetime) -> str:
    moment = at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    lines = [
        f"{name}/export",
        f"records {count}",
        f"sha256 {base64(digest)}",
        f"about {json.dumps(about[:ABOUT_LIMIT])}",
        f"time {moment}Z",
    ]
    return "\n".join(lines) + "\n"


def _line(value: object) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
