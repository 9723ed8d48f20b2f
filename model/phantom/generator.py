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
    marker,
    normal_chest,
    plane,
    texture,
)
from model.phantom.findings import Box, Change, Kind, Lesion, Size, Zone, plant
from model.phantom.lateral import lateral_chest, plant_lateral
from model.phantom.plan import Plan, draw_plan, present_body, visible_box
from model.phantom.sentences import Sections, draw_sections, negatives, sentence

PhantomImage: TypeAlias = npt.NDArray[np.uint16]
"""(rows, columns) uint16, 0 .. 4095 (12 bits stored), 0 = black, upright."""

GREY_LEVELS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomOptions:
    """What to draw. None leaves a choice to the seed.

    `short_side` is in pixels; `aspect` is rows / columns (a chest film is
    portrait: above 1). `with_change` set to a change gives the first finding
    that change, and a prior with it.
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
    the sentences on what is normal. `prior_report` belongs to `prior_frontal`:
    both are None together.
    """

    seed: int
    current_frontal: PhantomImage
    current_lateral: PhantomImage | None
    prior_frontal: PhantomImage | None
    findings: tuple[PlantedFinding, ...]
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
    with_lateral = _choose(rng, options.with_lateral, 0.5)
    with_prior = _choose(rng, options.with_prior, 0.5)
    normal = _choose(rng, options.normal, 0.15)
    aspect = _aspect(rng, options.aspect)
    body = draw_anatomy(rng)
    plan = draw_plan(rng, body, with_prior=with_prior, normal=normal)
    if not with_lateral:
        plan = plan.without(Kind.RETROCARDIAC_NODULE)
    sections = draw_sections(rng, with_lateral=with_lateral, with_prior=with_prior)
    films = rng.spawn(3)
    rows, columns = _size(options.short_side, aspect)
    where = plane(rows, columns)
    frontal_body = present_body(body, plan.current)
    return PhantomStudy(
        seed=seed,
        current_frontal=_frontal(films[0], frontal_body, plan.current, where),
        current_lateral=_lateral(films[1], frontal_body, plan.current, where)
        if with_lateral
        else None,
        prior_frontal=_prior(films[2], body, plan, where) if with_prior else None,
        findings=_truth(plan, frontal_body, (rows, columns)),
        normal=negatives(plan.current),
        prior_report=_prior_report(plan) if with_prior else None,
        **_texts(sections),
    )


def _choose(rng: np.random.Generator, wanted: bool | None, share: float) -> bool:
    drawn = bool(rng.random() < share)
    return drawn if wanted is None else wanted


def _aspect(rng: np.random.Generator, wanted: float | None) -> float:
    drawn = float(rng.choice([1.0, 1.19, 1.219, 1.25, 0.82]))
    return drawn if wanted is None else wanted


def _size(short_side: int, aspect: float) -> tuple[int, int]:
    if aspect >= 1.0:
        return round(short_side * aspect), short_side
    return short_side, round(short_side / aspect)


def _frontal(
    rng: np.random.Generator, body: Anatomy, lesions: tuple[Lesion, ...], where: Plane
) -> PhantomImage:
    image = normal_chest(body, where)
    for lesion in lesions:
        image = plant(image, lesion, body, where)
    return _expose(rng, image, where)


def _lateral(
    rng: np.random.Generator, body: Anatomy, lesions: tuple[Lesion, ...], where: Plane
) -> PhantomImage:
    image = lateral_chest(body, where)
    for lesion in lesions:
        image = plant_lateral(image, lesion, body, where)
    return _expose(rng, image, where)


def _prior(
    rng: np.random.Generator, body: Anatomy, plan: Plan, where: Plane
) -> PhantomImage:
    moved = replace(
        present_body(body, plan.prior),
        midline=body.midline + rng.uniform(-0.012, 0.012),
        tilt=body.tilt + rng.uniform(-0.02, 0.02),
    )
    return _frontal(rng, moved, plan.prior, where)


def _expose(rng: np.random.Generator, image: Field, where: Plane) -> PhantomImage:
    """Turn densities into stored values: scatter, marker, exposure, collimation."""
    amount, gamma, white = rng.uniform((0.005, 0.8, 0.8), (0.02, 1.3, 1.0))
    image = image + np.float32(amount) * texture(rng, where)
    image = np.maximum(image, _markers(rng, where))
    image = np.clip(image, 0.0, 1.0) ** np.float32(gamma) * np.float32(white)
    image = image * _collimation(rng, where)
    # The grain is that of 840 pixels; fewer pixels average it, as binning would.
    grain = rng.uniform(0.004, 0.02) * min(where.shape) / 840.0
    image = image + np.float32(grain) * rng.standard_normal(where.shape, np.float32)
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
    plan: Plan, body: Anatomy, shape: tuple[int, int]
) -> tuple[PlantedFinding, ...]:
    stated = zip(
        (*plan.current, *plan.resolved),
        (*plan.changes, *(Change.RESOLVED for _ in plan.resolved)),
        strict=True,
    )
    return tuple(
        PlantedFinding(
            kind=lesion.kind,
            side=lesion.side,
            zone=lesion.zone,
            size=lesion.size,
            change=change,
            box=None
            if change is Change.RESOLVED
            else _to_pixels(visible_box(lesion, body), shape),
            sentence=sentence(lesion, change),
        )
        for lesion, change in stated
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


def _texts(sections: Sections) -> dict[str, str | None]:
    return {
        "indication": sections.indication,
        "technique": sections.technique,
        "comparison": sections.comparison,
    }
