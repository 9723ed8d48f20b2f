"""Is the audit log what was signed? Compares records, tree and checkpoints; pure.

Two things are told apart. A record that is not what its own leaf says was edited by
somebody who left it at that. A tree that is not what a checkpoint says was made by
somebody who restamped what he had changed: then the first bad record lies after the
last checkpoint that agrees. What nobody signed yet is vouched for by nothing.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from gateway.audit.checkpoints import (
    Checkpoint,
    Continuation,
    Trust,
    parse_continuation,
)
from gateway.audit.merkle import Peaks, is_continued
from gateway.errors import UnreadableNote


class Kind(StrEnum):
    """What is wrong with a log."""

    CHANGED = "record-changed"
    """A record is not what its leaf says."""
    MISSING = "records-missing"
    """Numbers are missing at the start or in the middle."""
    REWRITTEN = "log-rewritten"
    """The tree is not the one that was signed: changed and restamped, or another's."""
    CUT = "log-cut"
    """More records were signed than there are: cut off, or an earlier copy."""
    HEAD = "head-differs"
    """The counter of the log and its last record differ."""
    FOREIGN = "other-log"
    """A checkpoint is of the log of another installation."""
    UNSIGNED = "not-signed"
    """A checkpoint that no trusted key has signed, or that cannot be read."""
    FORKED = "log-forked"
    """Two checkpoints of which neither continues the other."""
    UNPROVEN = "unproven"
    """There are records, and no checkpoint that vouches for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong; `record`: the first bad one, None: it is about none."""

    kind: Kind
    record: int | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found. `first` and `last`: the records that are there.

    `agreeing`: checkpoints that agree with the tree. `earlier`: checkpoints of records
    that were removed, of which only signature and order were checked. `signed`: the
    last record that a checkpoint vouches for.
    """

    first: int
    last: int
    signed: int
    agreeing: int
    earlier: int
    faults: tuple[Fault, ...]

    @property
    def intact(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """A text that was handed out as a checkpoint, and where it lies."""

    place: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A record as it is verified: its number, the leaf made anew and the one kept."""

    sequence: int
    made: bytes
    kept: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """What is verified. `removed`: peaks of the tree of the records before the first.

    head : how many records the log says that it has had.
    """

    log_id: str
    leaves: Iterable[Leaf]
    head: int
    removed: Peaks = field(default_factory=Peaks)


MOST_FAULTS = 50
"""Faults that are named; a log that was changed throughout is not listed record by
record."""


def verify(log: Log, handed: Sequence[Handed], trust: Trust) -> Verdict:
    """Compare a log with every checkpoint that is given."""
    return _Verification(log, trust).run(handed)


class _Verification:
    """One run over a log."""

    def __init__(self, log: Log, trust: Trust) -> None:
        self._log, self._trust = log, trust
        self._faults: list[Fault] = []
        self._agreed = log.removed.size
        self._tree = log.removed
        self._first = log.removed.size + 1
        self._last = log.removed.size
        self._is_whole = True
        self._agreeing = 0

    def run(self, handed: Sequence[Handed]) -> Verdict:
        steps = list(self._believed(handed))
        points = _by_size(step.checkpoint for step in steps)
        self._check_start(points)
        self._walk(points)
        self._check_end(points)
        self._check_order(steps)
        return Verdict(
            first=self._first,
            last=self._last,
            signed=self._agreed if self._agreeing else 0,
            agreeing=self._agreeing,
            earlier=sum(size < self._log.removed.size for size in points),
            faults=tuple(self._faults[:MOST_FAULTS]),
        )

    def _believed(self, handed: Sequence[Handed]) -> Iterator[Continuation]:
        """Yield what is of this log and signed, once each; name the rest."""
        seen: set[str] = set()
        for each in handed:
            if each.text in seen:
                continue
            seen.add(each.text)
            try:
                step = parse_continuation(each.text)
            except UnreadableNote as error:
                self._find(Kind.UNSIGNED, None, f"{each.place}: {error}")
                continue
            point = step.checkpoint
            if point.log_id != self._log.log_id:
                detail = f"{each.place}: of the log {point.log_id}"
                self._find(Kind.FOREIGN, None, detail)
            elif not self._trust.has_signed(point):
                detail = f"{each.place}: {point.size} records, no trusted signature"
                self._find(Kind.UNSIGNED, None, detail)
            else:
                yield step

    def _check_start(self, points: dict[int, list[Checkpoint]]) -> None:
        """Demand that the gateway itself removed what is gone at the start."""
        removed = self._log.removed
        allowed = max((p.first for each in points.values() for p in each), default=1)
        if removed.size + 1 > allowed:
            detail = f"records {allowed} to {removed.size}: nobody signed their removal"
            self._find(Kind.MISSING, allowed, detail)
        if removed.size:
            self._compare(points.get(removed.size, []))
            if removed.size not in points:
                detail = f"no checkpoint of the {removed.size} records before the first"
                self._find(Kind.REWRITTEN, self._first, detail)

    def _walk(self, points: dict[int, list[Checkpoint]]) -> None:
        pending: list[bytes] = []
        for leaf in self._log.leaves:
            if leaf.sequence != self._last + 1:
                self._miss(leaf.sequence)
            self._last = leaf.sequence
            if leaf.kept != leaf.made:
                detail = f"record {leaf.sequence} is not what its leaf says"
                self._find(Kind.CHANGED, leaf.sequence, detail)
            pending.append(leaf.kept or leaf.made)
            if self._is_whole and leaf.sequence in points:
                self._tree = self._tree.extended(pending)
                pending = []
                self._compare(points[leaf.sequence])

    def _miss(self, found: int) -> None:
        """Note a gap; beyond it no tree can be made."""
        expected = self._last + 1
        self._is_whole = False
        detail = f"records {expected} to {found - 1}"
        self._find(Kind.MISSING, expected, detail)

    def _compare(self, points: Sequence[Checkpoint]) -> None:
        """Compare the tree as it has grown with the checkpoints of its size."""
        root = self._tree.root()
        wrong = [point for point in points if point.root != root]
        self._agreeing += len(points) - len(wrong)
        if not wrong:
            self._agreed = max([self._agreed, *(point.size for point in points)])
        elif not self._has(Kind.REWRITTEN):
            point = wrong[0]
            detail = (
                f"a record from {self._agreed + 1} to {point.size} is not the one "
                f"that was signed at {point.at:%Y-%m-%d %H:%M:%S} UTC"
            )
            self._find(Kind.REWRITTEN, self._agreed + 1, detail)

    def _check_end(self, points: dict[int, list[Checkpoint]]) -> None:
        most = max(points, default=0)
        if most > self._last:
            point = points[most][0]
            detail = (
                f"records {self._last + 1} to {most}, signed by "
                f"{point.at:%Y-%m-%d %H:%M:%S} UTC, are not there: cut off, or the "
                "ledger is an earlier copy"
            )
            self._find(Kind.CUT, self._last + 1, detail)
        if self._log.head != self._last:
            detail = (
                f"the log counts {self._log.head} records, the last is {self._last}"
            )
            record = min(self._log.head, self._last) + 1
            self._find(Kind.HEAD, record, detail)
        if self._last and not points:
            self._find(Kind.UNPROVEN, None, "no checkpoint vouches for any record")

    def _check_order(self, steps: Sequence[Continuation]) -> None:
        """Each checkpoint must continue the one that it says it continues."""
        points = _by_size(step.checkpoint for step in steps)
        for step in steps:
            point, before = step.checkpoint, points.get(step.old_size, [])
            if before and not any(
                is_continued(old.size, point.size, old.root, point.root, step.proof)
                for old in before
            ):
                detail = f"{point.size} records do not continue {step.old_size}"
                self._find(Kind.FORKED, step.old_size + 1, detail)

    def _has(self, kind: Kind) -> bool:
        return any(fault.kind is kind for fault in self._faults)

    def _find(self, kind: Kind, record: int | None, detail: str) -> None:
        self._faults.append(Fault(kind=kind, record=record, detail=detail))


def _by_size(points: Iterable[Checkpoint]) -> dict[int, list[Checkpoint]]:
    """Return the distinct checkpoints of each size."""
    found: dict[int, list[Checkpoint]] = {}
    for point in points:
        same = found.setdefault(point.size, [])
        if all(point.root != each.root for each in same):
            same.append(point)
    return found
