"""The normal frontal chest, drawn from formulas.

Frame: the model's centre crop. One unit is the image's shorter side, the origin
is the crop's upper left corner, x grows to the image's right (the patient's
left), y downwards. The long side of an image reaches below 0 and above 1.
Intensities are in [0, 1], 1 = dense (white).
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

Field: TypeAlias = npt.NDArray[np.floating]
"""(rows, columns) float32, or an array that broadcasts to it."""

LUNG_LEVEL = 0.20
SOFT_TISSUE_LEVEL = 0.58
HEART_LEVEL = 0.72
ABDOMEN_LEVEL = 0.74


class Side(IntEnum):
    """A side of the patient; the value is its direction along x in the image."""

    RIGHT = -1
    LEFT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """Pixel centres of an image in the crop frame: x (1, columns), y (rows, 1)."""

    x: Field
    y: Field

    @property
    def shape(self) -> tuple[int, int]:
        """Return (rows, columns)."""
        return self.y.shape[0], self.x.shape[1]

    @property
    def pixel(self) -> float:
        """Return the side of one pixel."""
        return 1.0 / min(self.shape)


def plane(rows: int, columns: int) -> Plane:
    """Return the pixel centres of a whole image whose crop is central."""
    side = min(rows, columns)
    left, top = (columns - side) // 2, (rows - side) // 2
    x = (np.arange(columns, dtype=np.float32) + 0.5 - left) / side
    y = (np.arange(rows, dtype=np.float32) + 0.5 - top) / side
    return Plane(x=x[None, :].astype(np.float32), y=y[:, None].astype(np.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Anatomy:
    """One patient in one position. Lengths in crop units; `tilt` is a shear."""

    midline: float
    apex: float
    dome: tuple[float, float]
    lung_half: float
    mediastinum_half: float
    heart_half: float
    heart_height: float
    heart_shift: float
    tilt: float
    rib_spacing: float
    rib_phase: float
    rib_strength: float
    clavicle: float
    body_half: float


def draw_anatomy(rng: np.random.Generator) -> Anatomy:
    """Draw a patient: habitus and heart vary, the heart stays of normal size."""
    lung_half = rng.uniform(0.31, 0.37)
    dome = rng.uniform(0.70, 0.78)
    return Anatomy(
        midline=0.5 + rng.uniform(-0.025, 0.025),
        apex=rng.uniform(0.08, 0.14),
        dome=(dome, dome + rng.uniform(0.01, 0.035)),
        lung_half=lung_half,
        mediastinum_half=rng.uniform(0.045, 0.06),
        heart_half=lung_half * rng.uniform(0.37, 0.44),
        heart_height=rng.uniform(0.12, 0.14),
        heart_shift=rng.uniform(0.035, 0.05),
        tilt=rng.uniform(-0.05, 0.05),
        rib_spacing=rng.uniform(0.075, 0.095),
        rib_phase=rng.uniform(0.0, 1.0),
        rib_strength=rng.uniform(0.03, 0.08),
        clavicle=rng.uniform(0.13, 0.17),
        body_half=rng.uniform(0.46, 0.54),
    )


def step(value: Field, width: float) -> Field:
    """Return 0 below 0 and 1 above it, with a smooth edge of `width`."""
    ramp = np.clip(value / width + 0.5, 0.0, 1.0)
    return np.asarray(ramp * ramp * (3.0 - 2.0 * ramp), dtype=np.float32)


def brightened(image: Field, share: Field, level: float) -> Field:
    """Bring what is darker than `level` towards it."""
    raised: Field = image + share * np.maximum(level - image, 0.0)
    return raised


def across(body: Anatomy, where: Plane) -> Field:
    """Return the signed distance from the (tilted) midline, to the right > 0."""
    return where.x - body.midline - body.tilt * (where.y - 0.5)


def lateral_edge(body: Anatomy, y: Field) -> Field:
    """Return the distance of the chest wall's inner edge from the midline."""
    depth = np.clip((y - body.apex) / 0.55, 0.0, 1.0)
    rise = (1.0 - (1.0 - depth) ** 2.6) ** 0.62
    inner = body.mediastinum_half + 0.02
    return np.asarray(inner + (body.lung_half - inner) * rise, dtype=np.float32)


def diaphragm(body: Anatomy, side: Side, distance: Field) -> Field:
    """Return y of the diaphragm at a distance from the midline."""
    top = body.dome[0] if side is Side.RIGHT else body.dome[1]
    return top + 0.085 * ((distance - 0.45 * body.lung_half) / 0.17) ** 2


def lung(body: Anatomy, side: Side, where: Plane, edge: float = 0.012) -> Field:
    """Return how much each point belongs to the aerated space of one side."""
    distance = across(body, where) * int(side)
    inside = step(lateral_edge(body, where.y) - distance, edge)
    inside = inside * step(distance - body.mediastinum_half, edge)
    inside = inside * step(diaphragm(body, side, distance) - where.y, edge)
    return inside * step(where.y - body.apex, edge)


def heart(body: Anatomy, where: Plane, edge: float = 0.10) -> Field:
    """Return the heart's silhouette, an ellipse shifted to the patient's left."""
    centre = body.dome[1] - 0.55 * body.heart_height
    down = (where.y - centre) / body.heart_height
    off = (across(body, where) - body.heart_shift - 0.02 * down) / body.heart_half
    return step(1.0 - off**2 - down**2, 2.0 * edge)


def normal_chest(body: Anatomy, where: Plane) -> Field:
    """Draw soft tissue, lungs, skeleton and heart without any finding."""
    offset = across(body, where)
    image = _torso(body, where, offset)
    air = lung(body, Side.RIGHT, where) + lung(body, Side.LEFT, where)
    image = image + air * (LUNG_LEVEL - image)
    image = image + _ribs(body, where, offset) * (0.35 + 0.65 * air)
    image = image + _hila(body, where, offset)
    image = image + _clavicles(body, where, offset)
    silhouette = heart(body, where)
    image = image + silhouette * (HEART_LEVEL - image)
    return image + _spine(where, offset)


def _torso(body: Anatomy, where: Plane, offset: Field) -> Field:
    shoulder = body.body_half * np.clip(0.55 + (where.y + 0.12) * 2.4, 0.35, 1.0)
    inside = step(shoulder - np.abs(offset), 0.03)
    belly = step(where.y - body.dome[0], 0.15)
    level = SOFT_TISSUE_LEVEL + (ABDOMEN_LEVEL - SOFT_TISSUE_LEVEL) * belly
    return np.asarray(0.03 + inside * (level - 0.03), dtype=np.float32)


def _ribs(body: Anatomy, where: Plane, offset: Field) -> Field:
    reach = np.abs(offset) / body.lung_half
    along = where.y + 0.10 * reach - 0.16 * reach**2
    wave = np.cos(2.0 * np.pi * (along / body.rib_spacing + body.rib_phase))
    band = step(np.asarray(wave - 0.35, dtype=np.float32), 0.6)
    cage = step(1.08 - reach, 0.08) * step(body.dome[1] + 0.05 - where.y, 0.05)
    return band * cage * step(where.y - body.apex + 0.02, 0.04) * body.rib_strength


def _hila(body: Anatomy, where: Plane, offset: Field) -> Field:
    middle = 0.5 * (body.apex + body.dome[0])
    radial = ((np.abs(offset) - 0.075) / 0.035) ** 2 + ((where.y - middle) / 0.055) ** 2
    return np.asarray(0.13 * np.exp(-radial), dtype=np.float32)


def _clavicles(body: Anatomy, where: Plane, offset: Field) -> Field:
    reach = np.abs(offset)
    line = body.clavicle - 0.10 * reach - 0.22 * (reach - 0.17) ** 2
    band = step(0.013 - np.abs(where.y - line), 0.010)
    return 0.11 * band * step(reach - 0.05, 0.02) * step(0.33 - reach, 0.02)


def _spine(where: Plane, offset: Field) -> Field:
    column = step(0.033 - np.abs(offset), 0.014)
    discs = 0.75 + 0.25 * np.cos(2.0 * np.pi * where.y / 0.055)
    return np.asarray(0.09 * column * discs, dtype=np.float32)


def texture(rng: np.random.Generator, where: Plane) -> Field:
    """Return smooth noise, coarse and fine, the same at every resolution."""
    total = np.zeros(where.shape, np.float32)
    for rows in (30, 90):
        grain = rng.standard_normal((rows, rows * 5 // 6)).astype(np.float32)
        total += enlarged_field(grain, where.shape)
    return total


def enlarged_field(field: Field, shape: tuple[int, int]) -> Field:
    """Return a field resampled to (rows, columns), bicubic."""
    picture = Image.fromarray(np.ascontiguousarray(field, dtype=np.float32))
    rows, columns = shape
    resized = picture.resize((columns, rows), Image.Resampling.BICUBIC)
    return np.asarray(resized, dtype=np.float32)


def marker(side: Side, where: Plane, height: float, at: tuple[float, float]) -> Field:
    """Return the lead letter of a side, `at` = its centre, on a whole plane."""
    letter = _glyph("R" if side is Side.RIGHT else "L")
    pixels = max(3, round(height / where.pixel))
    small = np.asarray(letter.resize((pixels, pixels), Image.Resampling.BILINEAR))
    drawn = np.zeros(where.shape, np.float32)
    row = int(np.searchsorted(where.y[:, 0], at[1] - height / 2))
    column = int(np.searchsorted(where.x[0], at[0] - height / 2))
    room = drawn[row : row + pixels, column : column + pixels]
    room[...] = small[: room.shape[0], : room.shape[1]] / np.float32(255.0)
    return drawn


def _glyph(letter: str) -> Image.Image:
    picture = Image.new("L", (64, 64), 0)
    font = ImageFont.load_default(size=60)
    ImageDraw.Draw(picture).text((32, 32), letter, 255, font=font, anchor="mm")
    return picture
