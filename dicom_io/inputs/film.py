"""What the decoded picture says of itself; pure on arrays."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dicom_io.inputs.film_classifier import (
    Network,
    Poses,
    classify,
    load_network,
    undone,
)
from dicom_io.inputs.film_features import Thumbnail, make_thumbnail, thinned
from dicom_io.inputs.film_fields import is_drawn, is_featureless, lung_contrast
from dicom_io.pictures.display import count_values
from model.report import GreyImage

LOW_CONTRAST_LEVELS = 16
"""Of 256. The films at hand span 103 levels or more between the same percentiles."""
SMALLEST_SIDE = 64
"""Pixels; a smaller picture is not read."""

_CERTAIN = 0.98
_ODD = 0.995
"""For a picture that would be turned or inverted."""
_MIRRORED = 0.9995
"""Fluid on the right may pass for a heart there, and mirrored films are rare."""
_MIRRORED_CONTRAST = 0.25
"""Both fields must be clear for the heart to be looked for."""
_CERTAINLY_NOT = 0.9
_LEAST_CONTRAST = 0.0
"""Of the lung fields, in shares of the film's range."""
_ODD_CONTRAST = 0.05
_TWO_FIELDS = 0.35
"""Contrast above which two lung fields are seen, so that no lateral is."""


class PictureFault(StrEnum):
    """What makes a picture doubtful or useless."""

    CONSTANT = "constant"
    """All pixels are equal: nothing was exposed, or nothing decoded."""
    LOW_CONTRAST = "low-contrast"
    """Nearly all pixels are nearly equal; a few outliers took the range."""


class Shown(StrEnum):
    """What a picture shows, by its pixels alone."""

    FRONTAL = "frontal"
    LATERAL = "lateral"
    NO_CHEST = "no-chest"
    UNSURE = "unsure"
    """The pixels do not say; never evidence against a header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmReading:
    """What the pixels of one film say.

    likelihood : of `shown`, 0 to 1.
    quarter_turns : clockwise turns by 90 degrees that would make it upright.
    is_mirrored : the heart lies on the picture's left, where the patient's right is
    expected.
    is_inverted : bones are dark, so the photometric interpretation is doubtful.
    """

    shown: Shown
    likelihood: float
    quarter_turns: int = 0
    is_mirrored: bool = False
    is_inverted: bool = False


UNREAD = FilmReading(shown=Shown.UNSURE, likelihood=0.0)


def read_film(image: GreyImage) -> FilmReading:
    """Return what a picture shows; (rows, columns) uint8, 0 = black.

    A view is named only where it, its turn and its polarity are nearly certain and
    the anatomy is there to be seen; else the reading is `UNSURE`. A picture that is
    faulty, or smaller than 64 pixels on a side, is not read.
    """
    return read_with(load_network(), image)


def read_with(network: Network, image: GreyImage) -> FilmReading:
    """Return what a picture shows by another network; see `read_film`."""
    if min(image.shape) < SMALLEST_SIDE:
        return UNREAD
    small = thinned(image)
    if find_fault(small) is not None:
        return UNREAD
    thumbnail = make_thumbnail(small)
    posterior = classify(network, thumbnail)
    if posterior.other >= _CERTAINLY_NOT and _is_plain(small, thumbnail):
        return FilmReading(shown=Shown.NO_CHEST, likelihood=posterior.other)
    if posterior.frontal.sum() >= posterior.lateral.sum():
        return _read_frontal(posterior.frontal, thumbnail)
    return _read_lateral(posterior.lateral, thumbnail)


def _read_frontal(likely: Poses, thumbnail: Thumbnail) -> FilmReading:
    inverted, turns = _lie(likely)
    unmirrored, mirrored = likely[inverted, :, turns]
    pose = (inverted, int(mirrored > unmirrored), turns)
    odd = bool(inverted or turns)
    sure = unmirrored + mirrored >= (_ODD if odd else _CERTAIN)
    contrast = lung_contrast(undone(thumbnail, pose))
    if not sure or contrast < _contrast_due(odd=odd):
        return UNREAD
    return FilmReading(
        shown=Shown.FRONTAL,
        likelihood=float(unmirrored + mirrored),
        quarter_turns=turns,
        is_mirrored=bool(mirrored >= _MIRRORED and contrast >= _MIRRORED_CONTRAST),
        is_inverted=bool(inverted),
    )


def _read_lateral(likely: Poses, thumbnail: Thumbnail) -> FilmReading:
    inverted, turns = _lie(likely)
    share = float(likely[inverted, :, turns].sum())
    upright = undone(thumbnail, (inverted, 0, turns))
    if share < _CERTAIN or lung_contrast(upright) > _TWO_FIELDS:
        return UNREAD
    return FilmReading(
        shown=Shown.LATERAL,
        likelihood=share,
        quarter_turns=turns,
        is_inverted=bool(inverted),
    )


def _lie(likely: Poses) -> tuple[int, int]:
    """Return the likeliest polarity and clockwise turns, mirrored or not."""
    inverted, turns = np.unravel_index(likely.sum(axis=1).argmax(), (2, 4))
    return int(inverted), int(turns)


def _contrast_due(*, odd: bool) -> float:
    return _ODD_CONTRAST if odd else _LEAST_CONTRAST


def _is_plain(image: GreyImage, thumbnail: Thumbnail) -> bool:
    """Tell whether a picture is noise, a ramp or drawn in two levels."""
    return is_featureless(thumbnail) or is_drawn(image)


def find_fault(image: GreyImage) -> PictureFault | None:
    """Return the fault of a picture, None for a usable one.

    Contrast is what lies between the 1st and the 99th percentile of the levels.
    """
    if image.size == 0 or image.min() == image.max():
        return PictureFault.CONSTANT
    low, high = _percentiles(image, (1, 99))
    return PictureFault.LOW_CONTRAST if high - low < LOW_CONTRAST_LEVELS else None


def _percentiles(image: GreyImage, wanted: Sequence[float]) -> list[float]:
    """Return percentiles of the levels, as `numpy.percentile` does by sorting."""
    rank_after = np.cumsum(count_values(image))
    places = np.array(wanted) / 100 * (image.size - 1)
    below = np.searchsorted(rank_after, np.floor(places), side="right")
    above = np.searchsorted(rank_after, np.ceil(places), side="right")
    percentiles: list[float] = (below + (above - below) * (places % 1)).tolist()
    return percentiles
