"""What the decoded picture says of itself; pure on arrays."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from model.report import GreyImage

LOW_CONTRAST_LEVELS = 16
"""Of 256. The films at hand span 103 levels or more between the same percentiles."""


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
    NO_CHEST = "no chest film"
    UNSURE = "unsure"
    """None of the three is likely enough to be said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmReading:
    """What the pixels of one upright-made picture say.

    `likelihood` is that of `shown` in [0, 1], of the likeliest where it is UNSURE.
    `quarter_turns`: clockwise turns that would bring the picture upright, 0 for an
    upright one, None where the pixels do not tell. `mirrored`: left and right are
    exchanged; None where they do not tell.
    """

    shown: Shown
    likelihood: float
    quarter_turns: int | None = None
    mirrored: bool | None = None


def find_fault(image: GreyImage) -> PictureFault | None:
    """Return the fault of a picture, None for a usable one.

    Contrast is what lies between the 1st and the 99th percentile of the levels.
    """
    if image.size == 0 or image.min() == image.max():
        return PictureFault.CONSTANT
    low, high = np.percentile(image, (1, 99))
    return PictureFault.LOW_CONTRAST if high - low < LOW_CONTRAST_LEVELS else None
