"""Pictures that show no chest, drawn: documents, noise, test patterns, limbs, bellies.

Shapes only: what a classifier must not take for a chest, not what a limb looks like.
"""

import string
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.film_samples import Sample, Shades, clouds, grey
from dicom_io.inputs.film import Shown
from model.report import GreyImage

_LETTERS = list(string.ascii_lowercase + "    ")


def negatives(count: int, seed: int) -> Iterator[Sample]:
    """Yield `count` pictures without a chest, the kinds in turn, in any pose."""
    rng = np.random.default_rng((seed, 2))
    kinds = tuple(_DRAWN.items())
    for index in range(count):
        kind, draw = kinds[index % len(kinds)]
        rows, columns = rng.integers(150, 260, 2)
        yield Sample(
            image=_as_sent(draw(rng, int(rows), int(columns)), rng),
            kind=kind,
            shown=Shown.NO_CHEST,
        )


def _as_sent(drawn: Shades, rng: np.random.Generator) -> GreyImage:
    shades = (drawn - drawn.min()) / max(float(np.ptp(drawn)), 1e-6)
    if rng.random() < 0.5:
        shades = shades * rng.uniform(0.5, 1.0) + rng.uniform(0.0, 0.2)
    if rng.random() < 0.5:
        shades = shades + rng.uniform(0, 0.05) * rng.standard_normal(shades.shape)
    shades = np.rot90(np.clip(shades, 0.0, 1.0), int(rng.integers(4)))
    return grey(1.0 - shades if rng.random() < 0.3 else shades)


def _frame(rows: int, columns: int) -> tuple[Shades, Shades]:
    """Return y (rows, 1) and x (1, columns), 0 to 1."""
    y = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None]
    return y, np.linspace(0.0, 1.0, columns, dtype=np.float32)[None, :]


def _within(distance: Shades, edge: float) -> Shades:
    """Return 1 inside (positive), 0 outside, with a soft edge."""
    return np.asarray(np.clip(distance / edge, 0.0, 1.0), dtype=np.float32)


def _noise(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    if rng.random() < 0.5:
        return rng.random((rows, columns), np.float32)
    return rng.standard_normal((rows, columns), np.float32)


def _page(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    picture = Image.new("L", (columns, rows), 255)
    draw, size = ImageDraw.Draw(picture), float(rng.uniform(7, 16))
    font = ImageFont.load_default(size=size)
    for y in np.arange(rng.uniform(5, 30), rows - 10, size * 1.4):
        length = int(rng.uniform(0.2, 1.0) * columns / size * 2)
        line = "".join(rng.choice(_LETTERS, length)) if rng.random() < 0.85 else ""
        ink = int(rng.integers(0, 120))
        draw.text((rng.uniform(4, 20), y), line, fill=ink, font=font)
    return np.asarray(picture, np.float32)


def _fingers(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    count, shades = int(rng.integers(1, 6)), np.zeros((rows, columns), np.float32)
    for index in range(count):
        centre = (index + 0.5) / count + rng.normal(0, 0.03)
        width = rng.uniform(0.2, 0.42) / count
        off = np.abs(x - centre - rng.normal(0, 0.15) * (y - 0.5))
        bone = _within(width * rng.uniform(0.35, 0.6) - off, 0.02)
        joints = 0.8 + 0.2 * np.cos(y * rng.uniform(5, 25))
        shades = np.maximum(shades, 0.45 * _within(width - off, 0.03))
        shades = np.maximum(shades, bone * joints * rng.uniform(0.7, 1.0))
    palm = _within(y - rng.uniform(0.5, 0.7), 0.1) * (np.abs(x - 0.5) < 0.4)
    return np.maximum(shades, 0.6 * palm) if count > 2 else shades


def _shaft(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    centre, width = rng.uniform(0.35, 0.65), rng.uniform(0.12, 0.4)
    limb = _within(width * (1 - 0.3 * y) - np.abs(x - centre), 0.02)
    shades = float(rng.random() < 0.3) * (1 - limb) + 0.5 * limb
    for off in (0.0,) if rng.random() < 0.5 else (-0.08, 0.07):
        shades = shades + 0.35 * limb * _within(0.04 - np.abs(x - centre - off), 0.01)
    return np.asarray(shades, dtype=np.float32)


def _belly(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    spine = _within(0.05 - np.abs(x - 0.5 - rng.normal(0, 0.02)), 0.02)
    shades = 0.55 + 0.1 * _within(0.46 - np.abs(x - 0.5), 0.05)
    shades = shades + 0.2 * spine * (0.8 + 0.2 * np.cos(y * 60))
    for _ in range(rng.integers(3, 14)):
        at, size = rng.uniform((0.15, 0.05), (0.85, 0.9)), rng.uniform(0.02, 0.1, 2)
        gas = np.exp(-(((x - at[0]) / size[0]) ** 2) - ((y - at[1]) / size[1]) ** 2)
        shades = shades - rng.uniform(0.1, 0.35) * gas
    return np.asarray(shades + 0.2 * _within(y - 0.7, 0.1) * (np.abs(x - 0.5) > 0.15))


def _pelvis(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    shades = 0.3 + 0.3 * _within(0.48 - np.abs(x - 0.5), 0.05)
    for side in (-1, 1):
        across = (x - 0.5 - side * rng.uniform(0.18, 0.26)) / rng.uniform(0.1, 0.18)
        down = (y - rng.uniform(0.35, 0.6)) / rng.uniform(0.12, 0.22)
        ring = np.exp(-(((np.hypot(across, down) - 1) / 0.25) ** 2))
        shades = np.asarray(shades + 0.35 * ring)
    return np.asarray(shades + 0.25 * _within(0.05 - np.abs(x - 0.5), 0.02) * (y < 0.4))


def _skull(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    size = rng.uniform((0.25, 0.25), (0.45, 0.48))
    from_centre = np.hypot((x - 0.5) / size[0], (y - 0.5) / size[1])
    shades = 0.6 * _within(1 - from_centre, 0.05)
    shades = shades + 0.5 * np.exp(-(((from_centre - 0.95) / 0.06) ** 2))
    inside = 0.1 * (from_centre < 1) * clouds(rng, (rows, columns), 9)
    return np.asarray(shades + inside)


def _ramp(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    across, down, bend = rng.standard_normal(3)
    return np.asarray(across * x + down * y + 0.2 * bend * (x - 0.5) ** 2)


def _pattern(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    pitch = rng.uniform(10, 60)
    bars, lines = np.sin(x * pitch) > 0, np.sin(y * pitch) > 0
    rings = np.sin(np.hypot(x - 0.5, y - 0.5) * pitch) > 0
    drawn = (bars & (y >= 0), bars ^ lines, rings, _patches(rng, y, x))
    return np.asarray(drawn[rng.integers(4)], dtype=np.float32)


def _patches(rng: np.random.Generator, y: Shades, x: Shades) -> Shades:
    shades = np.full((y.size, x.size), 0.5, np.float32)
    for _ in range(12):
        (top, left), (height, width) = rng.uniform(0, 0.8, 2), rng.uniform(0.05, 0.3, 2)
        inside = (y > top) & (y < top + height) & (x > left) & (x < left + width)
        shades[inside] = rng.random()
    return shades


def _cloud(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    fall = rng.uniform(0.3, 1.0)
    parts = [clouds(rng, (rows, columns), c) / c**fall for c in (3, 5, 9, 17, 33)]
    return np.asarray(np.sum(parts, axis=0, dtype=np.float32))


def _blot(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    """Return a cloud and its mirror image: as symmetrical as a chest, but none."""
    shades = _cloud(rng, rows, columns)
    shades = shades + shades[:, ::-1]
    if rng.random() < 0.5:
        return shades
    _, x = _frame(rows, columns)
    column = np.percentile(shades, 90) * np.exp(-(((x - 0.5) / 0.08) ** 2))
    return np.asarray(np.maximum(shades, column))


def _ellipses(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    y, x = _frame(rows, columns)
    shades = np.full((rows, columns), rng.random() * 0.3, np.float32)
    for _ in range(rng.integers(1, 10)):
        at, size = rng.random(2), rng.uniform(0.03, 0.4, 2)
        inside = np.hypot((x - at[0]) / size[0], (y - at[1]) / size[1]) < 1
        shades[inside] += rng.normal(0, 0.4)
    return shades


def _holes(rng: np.random.Generator, rows: int, columns: int) -> Shades:
    """Return two dark discs side by side, too small for lungs."""
    y, x = _frame(rows, columns)
    shades = 0.6 + 0.05 * clouds(rng, (rows, columns), 9)
    radius, height = rng.uniform(0.05, 0.12), rng.uniform(0.2, 0.8)
    for side in (-1, 1):
        off = np.hypot(x - 0.5 - side * rng.uniform(0.1, 0.3), y - height)
        shades[off < radius] = 0.2
    return shades


_DRAWN: dict[str, Callable[[np.random.Generator, int, int], Shades]] = {
    "noise": _noise,
    "text page": _page,
    "ramp": _ramp,
    "test pattern": _pattern,
    "fingers": _fingers,
    "long bone": _shaft,
    "abdomen": _belly,
    "pelvis": _pelvis,
    "skull": _skull,
    "clouds": _cloud,
    "mirrored clouds": _blot,
    "ellipses": _ellipses,
    "two holes": _holes,
}
