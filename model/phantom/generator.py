"""A seed becomes a study: images, planted findings with their boxes, and texts.

Deterministic: the same seed and options give the same bytes. numpy and Pillow
only.
"""

from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from model.phantom.anatomy import (
    Anatomy,
    Field,
    Plane,
    Side,
    draw_anatomy,
    enlarged_field,
    marker,
    normal_chest,
    plane,
    texture,
)
from model.phantom.findings import Box, Change, Kind, Lesion, Size, Zone
from model.phantom.lateral import lateral_chest, plant_lateral
from model.phantom.lesions import box_of, plant
from model.phantom.plan import Plan, draw_plan, present_body
from model.phantom.sentences import draw_sections, negatives, sentence

PhantomImage: TypeAlias = npt.NDArray[np.uint16]
"""(rows, columns) uint16, 0 .. 4095 (12 bits stored), 0 = black, upright."""

GREY_LEVELS = 4096
DRAWN_SIDE = 480
"""Shorter side in pixels at which densities are drawn before enlargement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomOptions:
    """What to draw. None leaves a choice to the seed.

    `short_side` is in pixels; `aspect` is rows / columns (most chest films are
    portrait: above 1). `normal` asks for a study without, or with, findings.
    """

    short_side: int = 840
    aspect: float | None = None
    with_lateral: bool | None = None
    with_prior: bool | None = None
    normal: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlantedFinding:
    """One planted finding and the truth about it.

    `box` is x_min, y_min, x_max, y_max in pixels of the current frontal image,
    origin at the corner of the upper left pixel (column, row); None where that
    image does not show the finding. `change` is None without a prior.
    """

    kind: Kind
    side: Side | None
    zone: Zone | None
    size: Size | None
    change: Change | None
    box: Box | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomStudy:
    """A synthetic study and everything that is known about it.

    `findings` are those of the current study, resolved ones last; `normal` are
    the sentences on what is normal. `prior_findings` have their boxes in
    `prior_frontal`. `prior_report` belongs to `prior_frontal`:
    both are None together.
    """

    seed: int
    current_frontal: PhantomImage
    current_lateral: PhantomImage | None
    prior_frontal: PhantomImage | None
    findings: tuple[PlantedFinding, ...]
    prior_findings: tuple[PlantedFinding, ...]
    normal: tuple[str, ...]
    indication: str | None
    technique: str | None
    comparison: str | None
    prior_report: str | None

    @property
    def sentences(self) -> tuple[str, ...]:
        """Return the true report, a sentence an item."""
        return (*(finding.sentence for finding in self.findings), *self.normal)


DEFAULT_OPTIONS = PhantomOptions()


def make_phantom(seed: int, options: PhantomOptions = DEFAULT_OPTIONS) -> PhantomStudy:
    """Draw the study of a seed.

    The composition (patient, findings, texts) depends on the seed and the
    choices alone, never on the size of the images.
    """
    rng = np.random.default_rng(seed)
    with_lateral = _choose(rng, 0.5, wanted=options.with_lateral)
    with_prior = _choose(rng, 0.5, wanted=options.with_prior)
    normal = _choose(rng, 0.15, wanted=options.normal)
    shape = _shape(options.short_side, _aspect(rng, options.aspect))
    body = draw_anatomy(rng)
    plan = draw_plan(rng, body, with_prior=with_prior, normal=normal)
    if not with_lateral:
        plan = plan.without(Kind.RETROCARDIAC_NODULE)
    sections = draw_sections(rng, with_lateral=with_lateral, with_prior=with_prior)
    now = _Visit(
        body=present_body(body, plan.current), lesions=plan.current, shape=shape
    )
    before = _Visit(
        body=present_body(_moved(rng, body), plan.prior),
        lesions=plan.prior,
        shape=shape,
    )
    films = rng.spawn(3)
    return PhantomStudy(
        seed=seed,
        current_frontal=_frontal(films[0], now),
        current_lateral=_lateral(films[1], now) if with_lateral else None,
        prior_frontal=_frontal(films[2], before) if with_prior else None,
        findings=(*_truth(now, plan.changes), *_resolved(plan)),
        prior_findings=_truth(before, (None,) * len(plan.prior)),
        normal=negatives(plan.current),
        indication=sections.indication,
        technique=sections.technique,
        comparison=sections.comparison,
        prior_report=_prior_report(plan) if with_prior else None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Visit:
    """The patient at one examination and the (rows, columns) of its images."""

    body: Anatomy
    lesions: tuple[Lesion, ...]
    shape: tuple[int, int]

    def plane(self) -> Plane:
        """Return where the densities are drawn: coarser than a large image."""
        share = min(1.0, DRAWN_SIDE / min(self.shape))
        rows, columns = (round(side * share) for side in self.shape)
        return plane(rows, columns)


def _choose(rng: np.random.Generator, share: float, *, wanted: bool | None) -> bool:
    drawn = bool(rng.random() < share)
    return drawn if wanted is None else wanted


def _aspect(rng: np.random.Generator, wanted: float | None) -> float:
    drawn = float(rng.choice([1.0, 1.19, 1.219, 1.25, 0.82]))
    return drawn if wanted is None else wanted


def _shape(short_side: int, aspect: float) -> tuple[int, int]:
    if aspect >= 1.0:
        return round(short_side * aspect), short_side
    return short_side, round(short_side / aspect)


def _moved(rng: np.random.Generator, body: Anatomy) -> Anatomy:
    """Return the patient as positioned on another day."""
    midline, tilt = rng.uniform((-0.012, -0.02), (0.012, 0.02))
    return replace(
        body, midline=body.midline + float(midline), tilt=body.tilt + float(tilt)
    )


def _frontal(rng: np.random.Generator, visit: _Visit) -> PhantomImage:
    where = visit.plane()
    image = normal_chest(visit.body, where)
    for lesion in visit.lesions:
        image = plant(image, lesion, visit.body, where)
    return _expose(rng, image, where, visit.shape)


def _lateral(rng: np.random.Generator, visit: _Visit) -> PhantomImage:
    where = visit.plane()
    image = lateral_chest(visit.body, where)
    for lesion in visit.lesions:
        image = plant_lateral(image, lesion, visit.body, where)
    return _expose(rng, image, where, visit.shape)


def _expose(
    rng: np.random.Generator, image: Field, where: Plane, shape: tuple[int, int]
) -> PhantomImage:
    """Turn densities into stored values: scatter, marker, exposure, collimation."""
    amount, gamma, white = rng.uniform((0.005, 0.8, 0.8), (0.02, 1.3, 1.0))
    image = image + np.float32(amount) * texture(rng, where)
    image = np.maximum(image, _markers(rng, where))
    image = np.clip(image, 0.0, 1.0) ** np.float32(gamma) * np.float32(white)
    image = enlarged_field(image * _collimation(rng, where), shape)
    # The grain is that of 840 pixels; fewer pixels average it, as binning would.
    grain = rng.uniform(0.004, 0.02) * min(shape) / 840.0
    image = image + np.float32(grain) * rng.standard_normal(shape, np.float32)
    stored = np.clip(image, 0.0, 1.0) * np.float32(GREY_LEVELS - 1)
    return stored.astype(np.uint16)


def _markers(rng: np.random.Generator, where: Plane) -> Field:
    side = Side.RIGHT if rng.random() < 0.5 else Side.LEFT
    height, y, off = rng.uniform((0.04, 0.05, 0.40), (0.06, 0.10, 0.44))
    drawn = marker(side, where, float(height), (0.5 + int(side) * off, float(y)))
    return drawn * np.float32(0.95 if rng.random() < 0.8 else 0.0)


def _collimation(rng: np.random.Generator, where: Plane) -> Field:
    rows, columns = where.shape
    open_ = np.ones(where.shape, np.float32)
    top, bottom, left, right = rng.uniform(0.0, 0.025, 4) * (rng.random() < 0.6)
    open_[: round(top * rows)] = 0.0
    open_[rows - round(bottom * rows) :] = 0.0
    open_[:, : round(left * columns)] = 0.0
    open_[:, columns - round(right * columns) :] = 0.0
    return open_


def _truth(
    visit: _Visit, changes: tuple[Change | None, ...]
) -> tuple[PlantedFinding, ...]:
    return tuple(
        _finding(lesion, change, _to_pixels(box_of(lesion, visit.body), visit.shape))
        for lesion, change in zip(visit.lesions, changes, strict=True)
    )


def _resolved(plan: Plan) -> tuple[PlantedFinding, ...]:
    return tuple(_finding(lesion, Change.RESOLVED, None) for lesion in plan.resolved)


def _finding(lesion: Lesion, change: Change | None, box: Box | None) -> PlantedFinding:
    return PlantedFinding(
        kind=lesion.kind,
        side=lesion.side,
        zone=lesion.zone,
        size=lesion.size,
        change=change,
        box=box,
        sentence=sentence(lesion, change),
    )


def _to_pixels(box: Box | None, shape: tuple[int, int]) -> Box | None:
    if box is None:
        return None
    rows, columns = shape
    side = min(rows, columns)
    left, top = (columns - side) // 2, (rows - side) // 2
    return (
        box[0] * side + left,
        box[1] * side + top,
        box[2] * side + left,
        box[3] * side + top,
    )


def _prior_report(plan: Plan) -> str:
    stated = (sentence(lesion, None) for lesion in plan.prior)
    return " ".join((*stated, *negatives(plan.prior)))
