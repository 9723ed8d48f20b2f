"""Which findings a phantom has now and had before."""

from dataclasses import dataclass, replace

import numpy as np

from model.phantom.anatomy import Anatomy, Plane, Side, heart
from model.phantom.findings import (
    SIDED,
    SIZED,
    SIZES,
    ZONED,
    Box,
    Change,
    Kind,
    Lesion,
    Size,
    Zone,
)
from model.phantom.lesions import box_of, centre, enlarged
from model.phantom.sentences import RESOLVED

_COUNTS = (1, 2, 3)
_COUNT_SHARES = (0.40, 0.35, 0.25)
_KIND_SHARES = {
    Kind.NODULE: 0.20,
    Kind.CONSOLIDATION: 0.16,
    Kind.ATELECTASIS: 0.10,
    Kind.EFFUSION: 0.17,
    Kind.PNEUMOTHORAX: 0.13,
    Kind.CARDIOMEGALY: 0.08,
    Kind.RETROCARDIAC_NODULE: 0.07,
    Kind.PACEMAKER: 0.09,
}
_ZONE_BAND = {
    Zone.UPPER: (0.17, 0.30),
    Zone.MID: (0.42, 0.58),
    Zone.LOWER: (0.70, 0.84),
}
"""Where a zone's findings are centred: shares of the way from apex to diaphragm."""
_TRIES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The findings now, how each has changed, and those of the prior image.

    `changes` pairs with `current`; all None without a prior. `resolved` are
    findings of the prior alone.
    """

    current: tuple[Lesion, ...]
    changes: tuple[Change | None, ...]
    prior: tuple[Lesion, ...] = ()
    resolved: tuple[Lesion, ...] = ()

    def without(self, kind: Kind) -> "Plan":
        """Return the plan without the findings of one kind."""
        kept = [pair for pair in self._pairs() if pair[0].kind is not kind]
        return Plan(
            current=tuple(lesion for lesion, _ in kept),
            changes=tuple(change for _, change in kept),
            prior=tuple(lesion for lesion in self.prior if lesion.kind is not kind),
            resolved=self.resolved,
        )

    def _pairs(self) -> list[tuple[Lesion, Change | None]]:
        return list(zip(self.current, self.changes, strict=True))


def draw_plan(
    rng: np.random.Generator, body: Anatomy, *, with_prior: bool, normal: bool
) -> Plan:
    """Draw findings that do not hide one another, and their history."""
    count = 0 if normal else int(rng.choice(_COUNTS, p=_COUNT_SHARES))
    lesions = _draw_lesions(rng, body, count)
    if not with_prior:
        return Plan(current=lesions, changes=(None,) * len(lesions))
    changes = tuple(_draw_change(rng, lesion) for lesion in lesions)
    known = [
        _before(lesion, change, rng)
        for lesion, change in zip(lesions, changes, strict=True)
        if change is not Change.NEW
    ]
    gone = _draw_resolved(rng, body, lesions)
    return Plan(
        current=lesions, changes=changes, prior=_sorted([*known, *gone]), resolved=gone
    )


def present_body(body: Anatomy, lesions: tuple[Lesion, ...]) -> Anatomy:
    """Return the patient as the findings leave him: the heart may be enlarged."""
    for lesion in lesions:
        if lesion.kind is Kind.CARDIOMEGALY:
            return enlarged(body, lesion.spread)
    return body


def _draw_lesions(
    rng: np.random.Generator, body: Anatomy, count: int
) -> tuple[Lesion, ...]:
    chosen: list[Lesion] = []
    for _ in range(_TRIES):
        if len(chosen) == count:
            break
        candidate = _draw_lesion(rng, body)
        if _fits(candidate, chosen, body):
            chosen.append(candidate)
    return _sorted(chosen)


def _draw_resolved(
    rng: np.random.Generator, body: Anatomy, present: tuple[Lesion, ...]
) -> tuple[Lesion, ...]:
    if rng.random() >= 0.4:
        return ()
    for _ in range(_TRIES):
        candidate = _draw_lesion(rng, body)
        if candidate.kind in RESOLVED and _fits(candidate, list(present), body):
            return (candidate,)
    return ()


def _draw_lesion(rng: np.random.Generator, body: Anatomy) -> Lesion:
    kinds = tuple(_KIND_SHARES)
    kind = kinds[int(rng.choice(len(kinds), p=tuple(_KIND_SHARES.values())))]
    zones = (Zone.MID, Zone.LOWER) if kind is Kind.ATELECTASIS else tuple(Zone)
    zone = zones[int(rng.integers(len(zones)))]
    depth = rng.uniform(*_ZONE_BAND[zone])
    y = body.apex + depth * (body.dome[0] - body.apex)
    lesion = Lesion(
        kind=kind,
        side=Side.RIGHT if rng.random() < 0.5 else Side.LEFT,
        zone=zone,
        size=SIZES[int(rng.integers(3))],
        at=(float(rng.uniform(0.35, 0.75)), float(y)),
        spread=float(rng.random()),
        shape=int(rng.integers(1 << 30)),
    )
    return _said(lesion)


def _said(lesion: Lesion) -> Lesion:
    """Drop what a kind's sentence does not say."""
    return replace(
        lesion,
        side=lesion.side if lesion.kind in SIDED else None,
        zone=lesion.zone if lesion.kind in ZONED else None,
        size=lesion.size if lesion.kind in SIZED else None,
    )


def _fits(candidate: Lesion, chosen: list[Lesion], body: Anatomy) -> bool:
    lesions = (*chosen, candidate)
    if len({(lesion.kind, lesion.side) for lesion in lesions}) < len(lesions):
        return False
    shown = present_body(body, lesions)
    if any(_behind_heart(lesion, shown) for lesion in lesions):
        return False
    box = box_of(candidate, shown)
    others = (box_of(lesion, shown) for lesion in chosen if _is_local(lesion))
    return not _is_local(candidate) or not any(_covers(box, other) for other in others)


def _is_local(lesion: Lesion) -> bool:
    return lesion.kind is not Kind.CARDIOMEGALY


def _behind_heart(lesion: Lesion, body: Anatomy) -> bool:
    if lesion.zone is None:
        return False
    x, y = (np.full((1, 1), value, np.float32) for value in centre(lesion, body))
    return bool(heart(body, Plane(x=x, y=y))[0, 0] > 0.05)


def _covers(one: Box | None, other: Box | None) -> bool:
    """Whether two boxes share over a fifth of the smaller one."""
    if one is None or other is None:
        return False
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    smaller = min((b[2] - b[0]) * (b[3] - b[1]) for b in (one, other))
    return width > 0 and height > 0 and width * height > 0.2 * smaller


def _draw_change(rng: np.random.Generator, lesion: Lesion) -> Change:
    options = [Change.NEW, Change.UNCHANGED]
    if lesion.size in (Size.MODERATE, Size.LARGE):
        options.append(Change.LARGER)
    if lesion.size in (Size.SMALL, Size.MODERATE):
        options.append(Change.SMALLER)
    return options[int(rng.integers(len(options)))]


def _before(lesion: Lesion, change: Change, rng: np.random.Generator) -> Lesion:
    if lesion.size is None:
        return lesion
    index = SIZES.index(lesion.size)
    if change is Change.LARGER:
        return lesion.resized(SIZES[int(rng.integers(index))])
    if change is Change.SMALLER:
        return lesion.resized(SIZES[int(rng.integers(index + 1, len(SIZES)))])
    return lesion


def _sorted(lesions: list[Lesion]) -> tuple[Lesion, ...]:
    kinds = list(Kind)
    return tuple(
        sorted(lesions, key=lambda one: (kinds.index(one.kind), int(one.side or 0)))
    )
