"""How each finding looks on the frontal phantom, and the box that holds it."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, assert_never

import numpy as np

from model.phantom.anatomy import (
    ABDOMEN_LEVEL,
    HEART_LEVEL,
    Anatomy,
    Field,
    Plane,
    Side,
    across,
    brightened,
    diaphragm,
    heart,
    lateral_edge,
    lung,
    plane,
    step,
)
from model.phantom.findings import Box, Kind, Lesion

CONSOLIDATED_LEVEL = 0.60

TRUTH_GRID = plane(200, 200)
"""Boxes are read off the fields here, so they do not depend on the image's size."""

_Extent: TypeAlias = Callable[[Lesion, Anatomy, Plane], Field]


def extent(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    """Return how much each point belongs to the finding, in [0, 1].

    Zero everywhere for a finding that the frontal view does not show.
    """
    return _EXTENTS[lesion.kind](lesion, body, where)


def centre(lesion: Lesion, body: Anatomy) -> tuple[float, float]:
    """Return where a lesion sits in the crop frame."""
    side = int(lesion.side or Side.LEFT)
    y = lesion.at[1]
    wall = float(lateral_edge(body, np.array(y, np.float32)))
    inner = body.mediastinum_half
    distance = inner + lesion.at[0] * (wall - inner)
    return body.midline + body.tilt * (y - 0.5) + side * distance, y


def _nodule(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    x, y = centre(lesion, body)
    radius = 0.022 + 0.042 * lesion.scale
    distance = np.sqrt((where.x - x) ** 2 + ((where.y - y) * 1.05) ** 2)
    return step(radius - distance, 0.014)


def _consolidation(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    x, y = centre(lesion, body)
    reach = 0.045 + 0.065 * lesion.scale
    rng = np.random.default_rng(lesion.shape)
    total = np.zeros(where.shape, np.float32)
    for dx, dy in (rng.uniform(-0.7, 0.7, (6, 2)) * reach).tolist():
        squared = (where.x - x - dx) ** 2 + (where.y - y - dy) ** 2
        total += np.exp(-squared / np.float32(0.5 * reach) ** 2)
    return step(total - 0.8, 1.1) * lung(body, lesion.side or Side.LEFT, where)


def _atelectasis(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    x, y = centre(lesion, body)
    half = 0.065 + 0.04 * lesion.spread
    slope = 0.35 * (1 if lesion.shape % 2 else -1)
    off = np.abs(where.y - y - slope * (where.x - x))
    return step(0.017 - off, 0.012) * step(half - np.abs(where.x - x), 0.012)


def _effusion(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    return lung(body, lesion.side or Side.LEFT, where) * _fluid(lesion, body, where)


def _fluid(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    """Return what lies below the fluid's surface, within one side of the chest."""
    side = lesion.side or Side.LEFT
    distance = across(body, where) * int(side)
    floor = diaphragm(body, side, np.array(0.45 * body.lung_half, np.float32))
    level = float(floor) + 0.035 - 0.22 * lesion.scale
    reach = np.clip(distance / body.lung_half, 0.0, 1.1)
    surface = level + 0.055 * (1.0 - reach**3)
    inside = step(lateral_edge(body, where.y) - distance, 0.012)
    inside = inside * step(distance - body.mediastinum_half, 0.012)
    return inside * step(where.y - surface, 0.014)


def _pneumothorax(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    side = lesion.side or Side.LEFT
    gap = 0.030 + 0.075 * lesion.scale
    distance = across(body, where) * int(side)
    fade = np.clip(1.0 - (where.y - body.apex) / 0.42, 0.0, 1.0)
    wall = lateral_edge(body, where.y - gap * 1.1) - gap * 0.7 * fade
    kept = step(wall - distance, 0.010) * step(where.y - body.apex - gap, 0.010)
    high = step(np.asarray(fade - 0.05, dtype=np.float32), 0.1)
    return lung(body, side, where) * (1.0 - kept) * high


def _pacemaker(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    x, y = _pocket(lesion, body)
    across_, down = np.abs(where.x - x) - 0.022, np.abs(where.y - y) - 0.014
    corner = np.hypot(np.maximum(across_, 0.0), np.maximum(down, 0.0))
    return step(np.asarray(0.024 - corner, dtype=np.float32), 0.010)


def _pocket(lesion: Lesion, body: Anatomy) -> tuple[float, float]:
    side = int(lesion.side or Side.LEFT)
    reach = body.lung_half * (0.62 + 0.2 * lesion.spread)
    return body.midline + side * reach, body.clavicle + 0.07 + 0.04 * lesion.at[0]


def _unseen(_lesion: Lesion, _body: Anatomy, where: Plane) -> Field:
    return np.zeros(where.shape, np.float32)


def _silhouette(_lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    return heart(body, where)


_EXTENTS: Mapping[Kind, _Extent] = {
    Kind.NODULE: _nodule,
    Kind.CONSOLIDATION: _consolidation,
    Kind.ATELECTASIS: _atelectasis,
    Kind.EFFUSION: _effusion,
    Kind.PNEUMOTHORAX: _pneumothorax,
    Kind.CARDIOMEGALY: _silhouette,
    Kind.RETROCARDIAC_NODULE: _unseen,
    Kind.PACEMAKER: _pacemaker,
}


def box_of(lesion: Lesion, body: Anatomy) -> Box | None:
    """Return the finding's box in the crop, clipped to it; None where unseen."""
    seen = extent(lesion, body, TRUTH_GRID) > 0.5
    rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
    if rows.size == 0:
        return None
    side = float(TRUTH_GRID.shape[0])
    return (
        float(columns[0]) / side,
        float(rows[0]) / side,
        float(columns[-1] + 1) / side,
        float(rows[-1] + 1) / side,
    )


def plant(image: Field, lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    """Return the image with the finding in it."""
    seen = extent(lesion, body, where)
    match lesion.kind:
        case Kind.NODULE | Kind.ATELECTASIS:
            return brightened(image, 0.9 * seen, HEART_LEVEL)
        case Kind.CONSOLIDATION:
            return brightened(image, 0.8 * seen, CONSOLIDATED_LEVEL)
        case Kind.EFFUSION:
            # Down to below the diaphragm: no line of air is left above it.
            return brightened(image, _fluid(lesion, body, where), ABDOMEN_LEVEL)
        case Kind.PNEUMOTHORAX:
            edge = 4.0 * seen * (1.0 - seen)
            return image + seen * 0.9 * (0.06 - image) + 0.10 * edge
        case Kind.PACEMAKER:
            lead = 0.5 * _lead(lesion, body, where)
            return brightened(image, np.maximum(seen, lead), 1.0)
        case Kind.CARDIOMEGALY | Kind.RETROCARDIAC_NODULE:
            return image
        case _ as never:
            assert_never(never)


def _lead(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    x, y = _pocket(lesion, body)
    end_x, end_y = body.midline + 0.05, body.dome[1] - 0.05
    share = np.clip((where.y - y) / (end_y - y), 0.0, 1.0)
    curve = x + (body.midline - 0.02 - x) * np.minimum(1.0, 3.0 * share)
    curve = curve + (end_x - body.midline + 0.02) * share**2
    line = step(0.006 - np.abs(where.x - curve) * 0.6, 0.008)
    return line * step(where.y - y, 0.01) * step(end_y - where.y, 0.01)


def enlarged(body: Anatomy, amount: float) -> Anatomy:
    """Return the patient with an enlarged heart, `amount` in [0, 1]."""
    half = body.lung_half * (0.58 + 0.10 * amount)
    height = body.heart_height * 1.25
    return replace(body, heart_half=half, heart_height=height)
