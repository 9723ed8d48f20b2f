"""A film reduced to a thumbnail, and the thumbnail to features; pure, numpy alone.

The features follow the picture: those of the turned, mirrored or inverted picture
are computed from the turned, mirrored or inverted thumbnail, which is exact.
"""

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from model.report import GreyImage

Thumbnail: TypeAlias = npt.NDArray[np.float32]
"""(SIDE, SIDE), -0.5 to 0.5 from the 1st to the 99th percentile of the levels."""
Features: TypeAlias = npt.NDArray[np.float32]
"""(pictures, FEATURES)."""

SIDE = 48
CELL = 8
DIRECTIONS = 8
COARSE = 12
FEATURES = (SIDE // CELL) ** 2 * DIRECTIONS + COARSE**2

_WORKING_SIDE = 384
"""Shorter side in pixels to which a film is subsampled before it is averaged."""
_FLAT_LEVELS = 12.0
"""Between the 5th and 95th percentile of a row or column without anything in it."""
_LARGEST_MARGIN = 0.3
_FLAT_GRADIENT = 0.02


def make_thumbnail(image: GreyImage) -> Thumbnail:
    """Return the picture without its empty margins, averaged to SIDE x SIDE.

    image : (rows, columns) uint8, both at least SIDE. The aspect is not kept.
    """
    small = _without_margins(thinned(image))
    averaged = _averaged(_averaged(small.astype(np.float32)).T).T
    low, high = np.percentile(averaged, (1, 99))
    stretched = (averaged - low) / max(float(high - low), 1.0)
    return np.asarray(np.clip(stretched, 0.0, 1.0) - 0.5, dtype=np.float32)


def thinned(image: GreyImage) -> GreyImage:
    """Return every n-th row and column, so that a large film is read in little time."""
    step = max(1, min(image.shape) // _WORKING_SIDE)
    return image[::step, ::step]


def _without_margins(image: GreyImage) -> GreyImage:
    rows, columns = _extent(image), _extent(image.T)
    return image[rows, columns]


def _extent(image: GreyImage) -> slice:
    """Return the rows between the empty ones at both ends."""
    low, high = np.percentile(image, (5, 95), axis=1)
    full = np.flatnonzero(high - low > _FLAT_LEVELS)
    if not full.size:
        return slice(0, len(image))
    most = int(len(image) * _LARGEST_MARGIN)
    return slice(min(int(full[0]), most), max(int(full[-1]) + 1, len(image) - most))


def _averaged(values: Thumbnail) -> Thumbnail:
    """Return SIDE rows, each the mean of its share of the rows.

    Where there are fewer rows than that, some come twice.
    """
    edges = np.linspace(0, len(values), SIDE + 1).astype(np.intp)
    sums = np.add.reduceat(values, edges[:-1], axis=0)
    rows = np.maximum(np.diff(edges), 1)
    return np.asarray(sums / rows[:, None], dtype=np.float32)


def describe(thumbnails: Thumbnail) -> Features:
    """Return the features of (pictures, SIDE, SIDE)."""
    coarse = _ranked(_pooled(thumbnails, SIDE // COARSE))
    flat = coarse.reshape(len(thumbnails), -1)
    return np.concatenate([_edges(thumbnails), flat], axis=1, dtype=np.float32)


def _edges(thumbnails: Thumbnail) -> Features:
    """Return the strength of the edges by direction in each cell, made comparable."""
    down, right = np.gradient(thumbnails, axis=(1, 2))
    strength = np.hypot(down, right)
    turn = np.arctan2(down, right) * (DIRECTIONS / (2.0 * np.pi))
    votes = [
        _pooled(strength * np.maximum(0.0, 1.0 - _apart(turn, bin_)), CELL)
        for bin_ in range(DIRECTIONS)
    ]
    cells = np.stack(votes, axis=-1)
    around = _smoothed(cells.sum(axis=-1))[..., None]
    return np.asarray(
        np.sqrt(cells / (around + _FLAT_GRADIENT)).reshape(len(thumbnails), -1),
        dtype=np.float32,
    )


def _apart(turn: Thumbnail, direction: int) -> Thumbnail:
    half = DIRECTIONS / 2
    return np.asarray(np.abs((turn - direction + half) % DIRECTIONS - half))


def _pooled(values: Thumbnail, size: int) -> Thumbnail:
    pictures, rows, columns = values.shape
    blocks = values.reshape(pictures, rows // size, size, columns // size, size)
    return np.asarray(blocks.mean(axis=(2, 4)))


def _smoothed(values: Thumbnail) -> Thumbnail:
    """Return the mean of each 3 x 3 neighbourhood."""
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.asarray(windows.mean(axis=(-1, -2)))


def _ranked(values: Thumbnail) -> Thumbnail:
    """Return each value's rank in its picture, -0.5 to 0.5: exposure cancels."""
    flat = values.reshape(len(values), -1)
    ranks = flat.argsort(axis=1).argsort(axis=1) / (flat.shape[1] - 1) - 0.5
    return np.asarray(ranks.reshape(values.shape), dtype=np.float32)
