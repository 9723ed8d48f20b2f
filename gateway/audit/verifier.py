#!/usr/bin/env python3
"""Verify an export of the audit log of a maira-gateway, anywhere.

    python verifier.py --key KEY [--checkpoints FOLDER] BUNDLE...

KEY is the public key that `maira-gateway audit key` prints (or a file that holds it),
written down when the log began and kept away from the gateway. FOLDER is where the
gateway hands its checkpoints to. Needs Python 3.11 and the package `cryptography`, and
nothing of the gateway: it does on purpose not share a line with it.

Ends with 0 when everything is as it was signed, with 1 when something is not, with 2
for wrong use. What it checks is in docs/audit.md of the gateway, "Tamper evidence".
"""

import argparse
import base64
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):  # noqa: N818 - says what it is
    """Something is not as it was signed; the text says what."""


@dataclass
class Key:
    """A public key, and the sizes of the log that it may sign."""

    text: str
    since: int = 0
    until: int | None = None
    name: str = field(init=False)
    identity: bytes = field(init=False)
    key: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Take the text apart: name, 4 bytes of a hash, kind and key."""
        try:
            self.name, identity, encoded = self.text.split("+", 2)
            self.identity, data = bytes.fromhex(identity), base64.b64decode(encoded)
        except ValueError as error:
            raise Wrong(f"no public key: {self.text[:80]!r}") from error
        hashed = sha256(self.name.encode() + b"\n" + data).digest()
        if data[:1] != b"\x01" or len(data) != 33 or hashed[:4] != self.identity:
            raise Wrong(f"no Ed25519 key: {self.text[:80]!r}")
        self.key = data[1:]

    def signed(self, note: str) -> bool:
        """Whether the note bears a true signature of this key; a false one raises."""
        text, _, signatures = note.rpartition("\n\n")
        for line in signatures.splitlines():
            dash, _, rest = line.partition(" ")
            name, _, encoded = rest.partition(" ")
            blob = base64.b64decode(encoded)
            if (dash, name, blob[:4]) != ("\N{EM DASH}", self.name, self.identity):
                continue
            public = Ed25519PublicKey.from_public_bytes(self.key)
            try:
                public.verify(blob[4:], (text + "\n").encode())
            except InvalidSignature as error:
                raise Wrong("a false signature") from error
            return True
        return False


@dataclass
class Point:
    """A checkpoint: what the gateway signed of its log at one moment."""

    place: str
    body: str
    name: str = ""
    size: int = 0
    root: bytes = b""
    first: int = 1
    old: int = 0
    proof: list[bytes] = field(default_factory=list)
    note: str = ""
    when: str = ""

    def __post_init__(self) -> None:
        """Read the proof, and the note behind it."""
        try:
            head, _, self.note = self.body.partition("\n\n")
            word, *hashes = head.split("\n")
            self.old = int(word.removeprefix("old "))
            self.proof = [base64.b64decode(each) for each in hashes]
            name, size, root, *rest = self.note.partition("\n\n")[0].split("\n")
            said = dict(line.partition(" ")[::2] for line in rest)
            self.name, self.size = name, int(size)
            self.root, self.first = base64.b64decode(root), int(said.get("first", "1"))
            self.when = said["time"]
        except (ValueError, KeyError) as error:
            raise Wrong(f"{self.place}: no checkpoint") from error


def leaf(entry: bytes) -> bytes:
    """Return the hash of an entry (RFC 9162 2.1.1)."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """Return the hash of a node."""
    return sha256(b"\x01" + left + right).digest()


def _climb(fn: int, sn: int, path: list[bytes]) -> Iterator[tuple[bytes, bool]]:
    """Climb from a node to the root, as RFC 9162 2.1.3.2 and 2.1.4.2 both do."""
    for step in path:
        if sn == 0:
            raise Wrong("a proof that is too long")
        is_left = bool(fn & 1) or fn == sn
        yield step, is_left
        while is_left and not fn & 1 and fn:
            fn, sn = fn >> 1, sn >> 1
        fn, sn = fn >> 1, sn >> 1
    if sn:
        raise Wrong("a proof that is too short")


def included(entry: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """Return the root that a proof of inclusion leads to (RFC 9162 2.1.3.2)."""
    if not 0 <= index < size:
        raise Wrong("a record that the log does not have")
    found = entry
    for step, is_left in _climb(index, size - 1, path):
        found = node(step, found) if is_left else node(found, step)
    return found


def continued(old: Point, new: Point) -> bool:
    """Whether the proof of `new` shows that it begins with `old` (2.1.4.2)."""
    if old.size == new.size:
        return not new.proof and old.root == new.root
    is_whole = old.size & (old.size - 1) == 0
    path = [old.root, *new.proof] if is_whole else new.proof
    if not 0 < old.size < new.size or not path:
        return False
    fn, sn = old.size - 1, new.size - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    before = after = path[0]
    for step, is_left in _climb(fn, sn, path[1:]):
        if is_left:
            before, after = node(step, before), node(step, after)
        else:
            after = node(after, step)
    return (before, after) == (old.root, new.root)


class Tree:
    """The tree of a full bundle, grown record by record."""

    def __init__(self, size: int, peaks: list[bytes]) -> None:
        """Begin with the tree of the records that were removed."""
        if size.bit_count() != len(peaks):
            raise Wrong("the tree of the removed records has another size")
        self.size, self.peaks = size, peaks

    def add(self, entry: bytes) -> None:
        """Append a leaf."""
        found, rest = entry, self.size
        while rest & 1:
            found, rest = node(self.peaks.pop(), found), rest >> 1
        self.peaks.append(found)
        self.size += 1

    def root(self) -> bytes:
        """Return the root as it is now."""
        found = self.peaks[-1] if self.peaks else sha256(b"").digest()
        for peak in reversed(self.peaks[:-1]):
            found = node(peak, found)
        return found


class Log:
    """What is known of a log before a bundle is opened: keys and checkpoints."""

    def __init__(self, key: str, bodies: list[tuple[str, str]]) -> None:
        """Trust one key; `bodies` are places and texts of checkpoints."""
        self.keys = [Key(key.strip())]
        self.bodies = bodies
        self.beside: dict[str, list[tuple[str, str]]] = {}
        for place, body in bodies:
            self.beside.setdefault(Path(place).name[:12], []).append((place, body))

    def trust(self, changes: list[str]) -> None:
        """Trust each key that a trusted one named its successor."""
        for note in changes:
            head, size, *rest = note.partition("\n\n")[0].split("\n")
            said = dict(line.partition(" ")[::2] for line in rest)
            last = self.keys[-1]
            if said.get("old") != last.text or any(
                k.text == said["new"] for k in self.keys
            ):
                continue
            new = Key(said["new"], since=int(size))
            if head != f"{last.name}/key" or not (
                last.signed(note) and new.signed(note)
            ):
                raise Wrong("a change of keys that not both keys have signed")
            last.until = new.since
            self.keys.append(new)

    def demand_signed(self, point: Point) -> None:
        """Raise Wrong unless a key that was in use has signed a checkpoint."""
        if point.name != self.keys[0].name:
            raise Wrong(f"{point.place}: of another log, {point.name[:80]!r}")
        in_use = [
            key
            for key in self.keys
            if key.since <= point.size
            and (key.until is None or point.size <= key.until)
        ]
        if not any(key.signed(point.note) for key in in_use):
            raise Wrong(f"{point.place}: not signed by a trusted key")

    def points(self) -> dict[int, list[Point]]:
        """Return the checkpoints by size, each signed and continuing the one before."""
        found: dict[int, list[Point]] = {}
        for place, body in self.bodies:
            if self._is_torn(place, body):
                continue
            point = Point(place, body)
            self.demand_signed(point)
            found.setdefault(point.size, []).append(point)
        for point in (each for same in found.values() for each in same):
            before = found.get(point.old, [])
            if before and not any(continued(old, point) for old in before):
                raise Wrong(f"{point.place}: does not continue that of {point.old}")
        return found

    def _is_torn(self, place: str, body: str) -> bool:
        """Whether a crash cut a file short whose whole text lies beside it."""
        size = Path(place).name[:12]
        return any(
            len(body) < len(other) and other.startswith(body)
            for where, other in self.beside.get(size, [])
            if where != place
        )


def verify_bundle(path: Path, log: Log) -> str:
    """Verify one bundle; return what it proves, raise Wrong for what is not so."""
    with path.open("rb") as file:
        head = _json(file.readline())
        if head.get("bundle") != 1:
            raise Wrong("not a bundle of this format")
        log.trust(head["keys"])
        point = Point("its checkpoint", head["checkpoint"])
        log.demand_signed(point)
    count = _manifest(path, log)
    points = log.points()
    points.setdefault(point.size, []).append(point)
    removed = Tree(
        head["removed"]["size"], [base64.b64decode(p) for p in head["removed"]["peaks"]]
    )
    records = _records(path)
    if head["kind"] == "full":
        found = _full(records, removed, point, points)
        what = f"all records from {removed.size - found + 1} on"
    else:
        found = _part(records, point)
        what = "a part of the log"
    if found != count:
        raise Wrong(f"{found} records, {count} were signed")
    if any(each.root != point.root for each in points[point.size]):
        raise Wrong(f"two checkpoints of {point.size} records differ")
    return f"{found} records, {what}, of {point.size} at {point.when}"


def _manifest(path: Path, log: Log) -> int:
    """Return how many records were signed, once all lines are as they were."""
    hashed, last = sha256(), b""
    with path.open("rb") as file:
        for line in file:
            hashed.update(last)
            last = line
    note = str(_json(last).get("manifest"))
    head, *rest = note.partition("\n\n")[0].split("\n")
    said = dict(line.partition(" ")[::2] for line in rest)
    # Whoever exports signs with the key of that day: the newest that is trusted.
    if head != f"{log.keys[0].name}/export" or not log.keys[-1].signed(note):
        raise Wrong("the end of the export is not signed: lines are missing or changed")
    if said.get("sha256") != base64.b64encode(hashed.digest()).decode():
        raise Wrong("a line of the export is not the one that was signed")
    return int(said["records"])


def _full(
    records: Iterator[tuple[int, bytes, list[bytes]]],
    tree: Tree,
    point: Point,
    points: dict[int, list[Point]],
) -> int:
    """Grow the tree record by record; return how many there are."""
    first = tree.size + 1
    if first > point.first and first > 1:
        raise Wrong(f"nobody signed that the records before {first} were removed")
    _compare(tree, points)
    for sequence, entry, _ in records:
        if sequence != tree.size + 1:
            raise Wrong(f"record {tree.size + 1} is missing")
        tree.add(entry)
        _compare(tree, points)
    if tree.size != point.size:
        raise Wrong(f"the export ends with record {tree.size} of {point.size}")
    return tree.size - first + 1


def _compare(tree: Tree, points: dict[int, list[Point]]) -> None:
    for point in points.get(tree.size, []):
        if tree.root() != point.root:
            raise Wrong(f"{point.place}: a record up to {tree.size} was changed")


def _part(records: Iterator[tuple[int, bytes, list[bytes]]], point: Point) -> int:
    """Check the proof of each record; return how many there are."""
    count = 0
    for sequence, entry, proof in records:
        if included(entry, sequence - 1, point.size, proof) != point.root:
            raise Wrong(f"record {sequence} is not the one in the log")
        count += 1
    return count


def _records(path: Path) -> Iterator[tuple[int, bytes, list[bytes]]]:
    """Yield number, leaf and proof of each record."""
    pending: tuple[int, bytes, list[bytes]] | None = None
    with path.open("rb") as file:
        next(file)
        for line in file:
            value = _json(line)
            if "proof" in value and pending:
                pending[2].extend(base64.b64decode(each) for each in value["proof"])
                continue
            if pending:
                yield pending
            pending = None
            if "sequence" in value:
                pending = (int(value["sequence"]), leaf(line.rstrip(b"\n")), [])
    if pending:
        yield pending


def _json(line: bytes) -> dict:  # type: ignore[type-arg]
    try:
        value = json.loads(line)
    except ValueError as error:
        raise Wrong("a line that is no JSON") from error
    if not isinstance(value, dict):
        raise Wrong("a line that is no record")
    return value


def main(words: list[str]) -> int:
    """Verify what the command line names; return the exit code."""
    asked = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    asked.add_argument("--key", required=True, help="the public key, or its file")
    asked.add_argument("--checkpoints", type=Path, action="append", default=[])
    asked.add_argument("bundles", type=Path, nargs="+")
    given = asked.parse_args(words)
    key = Path(given.key).read_text("utf-8") if Path(given.key).is_file() else given.key
    files = [p for folder in given.checkpoints for p in folder.rglob("*.checkpoint")]
    bodies = [(str(p), p.read_text("utf-8", "replace")) for p in sorted(files)]
    good = [_told(path, key, bodies) for path in given.bundles]
    return 0 if all(good) else 1


def _told(path: Path, key: str, bodies: list[tuple[str, str]]) -> bool:
    try:
        said = verify_bundle(path, Log(key, bodies))
    except (Wrong, OSError, ValueError, KeyError, TypeError) as error:
        sys.stdout.write(f"NOT AS SIGNED  {path}: {error}\n")
        return False
    sys.stdout.write(f"as signed  {path}: {said}\n")
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
