"""What must be seen whatever a classifier says: lung fields, and plainness.

Air lets X-rays through: two lungs are dark fields on both sides of the bright
column of spine and heart, above the bright abdomen. These checks only withhold a
claim; they make none.
"""

import numpy as np
import numpy.typing as npt

from dicom_io.inputs.film_features import SIDE, Thumbnail
from model.report import GreyImage

_CHEST_ROWS = slice(8, 34)
_BASE_ROWS = slice(38, 47)
_AXES = range(17, 31)
"""Columns that the spine of a frontal may take."""
_REACH = (5, 15)
"""Columns from the axis at which the middle of a lung may lie."""
_LEVELS = 256
_SAMPLED = 65536
_NEAR = 6
"""Levels on either side that count as the same."""
_DRAWN = 0.93


def lung_contrast(thumbnail: Thumbnail) -> float:
    """Return by how much both lung fields are darker than what is around them.

    thumbnail : as it should lie. In shares of the film's range; the weaker side
    counts, against the column between the fields and the base below them.
    """
    chest = _smoothed(thumbnail[_CHEST_ROWS].mean(axis=0))
    base = thumbnail[_BASE_ROWS].mean(axis=0)
    return max(_contrast_about(axis, chest, base) for axis in _AXES)


def is_featureless(thumbnail: Thumbnail) -> bool:
    """Tell whether a thumbnail is noise or a ramp: nothing that has a shape."""
    return _neighbour_likeness(thumbnail) < 0.5 or _ramp_share(thumbnail) > 0.985


def _contrast_about(
    axis: int, chest: npt.NDArray[np.float32], base: npt.NDArray[np.float32]
) -> float:
    column = float(chest[axis - 1 : axis + 2].mean())
    near, far = _REACH
    sides = (range(axis - far + 1, axis - near + 1), range(axis + near, axis + far))
    fields = [min(side, key=chest.__getitem__) for side in sides]
    return min(
        min(column, float(base[field])) - float(chest[field]) for field in fields
    )


def _smoothed(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    padded = np.pad(values, 1, mode="edge")
    return np.asarray((padded[:-2] + padded[1:-1] + padded[2:]) / 3.0)


def _neighbour_likeness(thumbnail: Thumbnail) -> float:
    """Return the correlation of each value with the next in its row."""
    return float(np.corrcoef(thumbnail[:, :-1].ravel(), thumbnail[:, 1:].ravel())[0, 1])


def _ramp_share(thumbnail: Thumbnail) -> float:
    """Return the share of the variance that a plane explains."""
    along = np.linspace(-1.0, 1.0, SIDE)
    values = thumbnail - thumbnail.mean()
    slopes = (values.mean(axis=0) @ along, values.mean(axis=1) @ along)
    explained = sum(slope**2 for slope in slopes) / (along @ along)
    return float(explained / max(float((values**2).mean() * SIDE), 1e-9))


def is_drawn(image: GreyImage) -> bool:
    """Tell whether nearly all pixels take one of two levels: text, a mask, bars.

    image : (rows, columns) uint8. A film has shades, and its margins do not fill it.
    """
    sample = image.ravel()[:: max(1, image.size // _SAMPLED)]
    counts = np.bincount(sample, minlength=_LEVELS).astype(np.float64)
    around = np.convolve(counts, np.ones(2 * _NEAR + 1), mode="same")
    first = int(around.argmax())
    taken = around[first]
    around[max(0, first - 2 * _NEAR) : first + 2 * _NEAR + 1] = 0.0
    return bool(taken + around.max() > _DRAWN * sample.size)
