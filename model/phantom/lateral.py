"""The same patient from the left side: anterior is on the image's left."""

from typing import assert_never

import numpy as np

from model.phantom.anatomy import (
    ABDOMEN_LEVEL,
    HEART_LEVEL,
    LUNG_LEVEL,
    SOFT_TISSUE_LEVEL,
    Anatomy,
    Field,
    Plane,
    brightened,
    step,
)
from model.phantom.findings import Kind, Lesion

_FRONT, _BACK = 0.18, 0.80


def lateral_chest(body: Anatomy, where: Plane) -> Field:
    """Draw the normal chest from the side."""
    front, back = _walls(body, where)
    torso = step(where.x - front + 0.08, 0.02) * step(back + 0.14 - where.x, 0.02)
    image = 0.03 + torso * (SOFT_TISSUE_LEVEL - 0.03)
    air = _air(body, where)
    image = image + air * (LUNG_LEVEL - image)
    image = image + _vertebrae(where, back)
    below = step(where.y - _floor(body, where), 0.02) * torso
    image = image + below * (ABDOMEN_LEVEL - image)
    image = image + _ellipse(where, *_heart(body)) * (HEART_LEVEL - image) * 0.9
    return np.asarray(image, dtype=np.float32)


def plant_lateral(image: Field, lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    """Return the lateral image with the finding in it, where it shows one."""
    match lesion.kind:
        case Kind.NODULE | Kind.CONSOLIDATION | Kind.RETROCARDIAC_NODULE:
            return brightened(image, _mass(lesion, body, where), HEART_LEVEL + 0.10)
        case Kind.EFFUSION:
            return brightened(image, _fluid(lesion, body, where), ABDOMEN_LEVEL)
        case Kind.PACEMAKER:
            generator = _ellipse(where, _FRONT - 0.01, 0.26, 0.018, 0.05)
            return brightened(image, generator, 1.0)
        case Kind.ATELECTASIS | Kind.PNEUMOTHORAX | Kind.CARDIOMEGALY:
            return image
        case _ as never:
            assert_never(never)


def _fluid(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    _, back = _walls(body, where)
    depth = where.y + 0.5 * (where.x - back) - body.dome[1] + 0.12 * lesion.scale
    return step(depth, 0.02) * _air(body, where)


def _walls(body: Anatomy, where: Plane) -> tuple[Field, Field]:
    down = np.clip((where.y - body.apex) / 0.45, 0.0, 1.0)
    front = _FRONT + 0.16 * (1.0 - down) ** 1.5
    back = _BACK - 0.09 * (1.0 - down) ** 2
    return front.astype(np.float32), back.astype(np.float32)


def _floor(body: Anatomy, where: Plane) -> Field:
    reach = (where.x - 0.40) / 0.40
    return np.asarray(body.dome[0] - 0.02 + 0.16 * reach**2, dtype=np.float32)


def _air(body: Anatomy, where: Plane) -> Field:
    front, back = _walls(body, where)
    inside = step(where.x - front, 0.02) * step(back - where.x, 0.02)
    return (
        inside
        * step(where.y - body.apex, 0.03)
        * step(_floor(body, where) - where.y, 0.02)
    )


def _vertebrae(where: Plane, back: Field) -> Field:
    column = step(0.045 - np.abs(where.x - back + 0.01), 0.02)
    discs = 0.7 + 0.3 * np.cos(2.0 * np.pi * where.y / 0.075)
    return np.asarray(0.16 * column * discs, dtype=np.float32)


def _heart(body: Anatomy) -> tuple[float, float, float, float]:
    half = 0.85 * body.heart_half
    return _FRONT + 0.03 + half, body.dome[0] - 0.10, half, 1.05 * body.heart_height


def _mass(lesion: Lesion, body: Anatomy, where: Plane) -> Field:
    radius = 0.022 + 0.042 * lesion.scale
    if lesion.kind is Kind.CONSOLIDATION:
        radius = 0.045 + 0.05 * lesion.scale
    if lesion.kind is Kind.RETROCARDIAC_NODULE:
        return _ellipse(where, 0.66, body.dome[0] - 0.04, radius, radius)
    return _ellipse(where, 0.34 + 0.16 * lesion.spread, lesion.at[1], radius, radius)


def _ellipse(where: Plane, x: float, y: float, half: float, height: float) -> Field:
    inside = 1.0 - ((where.x - x) / half) ** 2 - ((where.y - y) / height) ** 2
    return step(np.asarray(inside, dtype=np.float32), 0.5)
