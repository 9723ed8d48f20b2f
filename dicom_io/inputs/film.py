"""What the decoded picture says of itself; pure on arrays."""

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


def find_fault(image: GreyImage) -> PictureFault | None:
    """Return the fault of a picture, None for a usable one.

    Contrast is what lies between the 1st and the 99th percentile of the levels.
    """
    if image.size == 0 or image.min() == image.max():
        return PictureFault.CONSTANT
    low, high = np.percentile(image, (1, 99))
    return PictureFault.LOW_CONTRAST if high - low < LOW_CONTRAST_LEVELS else None
