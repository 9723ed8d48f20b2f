"""How an answer about a phantom compares with what was planted. Pure.

A planted and an answered finding match where they are of one kind; of several
pairs the best overlapping goes first. Position is thus never part of the match,
and side and overlap are judged on all matched pairs.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from model.phantom.anatomy import Side
from model.phantom.findings import SIDED, Change, Kind
from model.phantom.sentences import Statement, read
from model.report import GroundedPhrase, NormalizedBox


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One planted finding and the answer to it. `change` None: no prior."""

    planted: Statement
    answered: Statement
    overlap: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One report against its truth.

    `planted` and `answered` count findings with a box, `matches` pairs them.
    `changes` holds for each planted finding with a prior, found or resolved,
    whether its word of change was given.
    """

    planted: int
    answered: int
    matches: tuple[Match, ...]
    changes: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Figures over reports; None where nothing was there to judge."""

    finding_f1: float | None
    precision: float | None
    recall: float | None
    mean_iou: float | None
    side_accuracy: float | None
    change_accuracy: float | None


def score(truth: Sequence[GroundedPhrase], answer: Sequence[GroundedPhrase]) -> Score:
    """Compare a report with the true one; boxes in the same frame."""
    planted, answered = list(_boxed(truth)), list(_boxed(answer))
    matches = tuple(_matches(planted, answered))
    return Score(
        planted=len(planted),
        answered=len(answered),
        matches=matches,
        changes=(*_changes(matches), *_resolved(truth, answer)),
    )


def summarise(scores: Iterable[Score]) -> Summary:
    """Pool reports: counts are added before shares are taken."""
    pooled = list(scores)
    matches = [match for one in pooled for match in one.matches]
    sided = [match for match in matches if match.planted.kind in SIDED]
    planted = sum(one.planted for one in pooled)
    answered = sum(one.answered for one in pooled)
    changes = [right for one in pooled for right in one.changes]
    return Summary(
        finding_f1=_share(2 * len(matches), planted + answered),
        precision=_share(len(matches), answered),
        recall=_share(len(matches), planted),
        mean_iou=_share(sum(match.overlap for match in matches), len(matches)),
        side_accuracy=_share(sum(map(_same_side, sided)), len(sided)),
        change_accuracy=_share(sum(changes), len(changes)),
    )


def overlap(one: NormalizedBox, other: NormalizedBox) -> float:
    """Return intersection over union; 0 for boxes that do not meet."""
    one, other = one.ordered(), other.ordered()
    width = min(one.x_max, other.x_max) - max(one.x_min, other.x_min)
    height = min(one.y_max, other.y_max) - max(one.y_min, other.y_min)
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (_area(one) + _area(other) - shared)


def _boxed(
    phrases: Iterable[GroundedPhrase],
) -> Iterable[tuple[Statement, NormalizedBox]]:
    for phrase in phrases:
        said = read(phrase.text)
        if said is not None and phrase.boxes:
            yield said, phrase.boxes[0]


def _matches(
    planted: list[tuple[Statement, NormalizedBox]],
    answered: list[tuple[Statement, NormalizedBox]],
) -> Iterable[Match]:
    """Yield pairs of one kind, the best overlapping first, each finding once."""
    pairs = [
        (overlap(truth_box, box), row, column)
        for row, (truth, truth_box) in enumerate(planted)
        for column, (said, box) in enumerate(answered)
        if truth.kind is said.kind
    ]
    rows: set[int] = set()
    columns: set[int] = set()
    for shared, row, column in sorted(pairs, key=lambda pair: -pair[0]):
        if row in rows or column in columns:
            continue
        rows.add(row)
        columns.add(column)
        yield Match(
            planted=planted[row][0], answered=answered[column][0], overlap=shared
        )


def _changes(matches: Iterable[Match]) -> Iterable[bool]:
    for match in matches:
        if match.planted.change is not None:
            yield match.planted.change is match.answered.change


def _resolved(
    truth: Iterable[GroundedPhrase], answer: Iterable[GroundedPhrase]
) -> Iterable[bool]:
    """Yield for each finding that is gone whether the answer says so."""
    said = {_gone(phrase) for phrase in answer}
    for phrase in truth:
        gone = _gone(phrase)
        if gone is not None:
            yield gone in said


def _gone(phrase: GroundedPhrase) -> tuple[Kind, Side | None] | None:
    said = read(phrase.text)
    if said is None or said.change is not Change.RESOLVED:
        return None
    return said.kind, said.side


def _same_side(match: Match) -> bool:
    return match.planted.side is match.answered.side


def _area(box: NormalizedBox) -> float:
    return (box.x_max - box.x_min) * (box.y_max - box.y_min)


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None
