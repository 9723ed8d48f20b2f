"""Pictures with a known truth: phantoms, and how any picture may come out of a room."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from dicom_io.inputs.film import Shown
from model.phantom.generator import PhantomImage, PhantomOptions, make_phantom
from model.report import GreyImage

Shades: TypeAlias = npt.NDArray[np.floating]
"""(rows, columns), 0 = black, 1 = white."""

_PHANTOMS = PhantomOptions(short_side=240, with_lateral=True)
_MARKS = ("R", "L", "PORTABLE", "AP", "SUPINE 10:32")
_BRIGHTEST = 4095.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """A picture and the truth about it, in the terms of a reading."""

    image: GreyImage
    kind: str
    shown: Shown
    quarter_turns: int = 0
    is_mirrored: bool = False
    is_inverted: bool = False

    @property
    def oddity(self) -> str:
        """Return how the picture lies, in a word or two."""
        names = (
            (self.quarter_turns > 0, "turned"),
            (self.is_mirrored, "mirrored"),
            (self.is_inverted, "inverted"),
        )
        return " ".join(name for is_so, name in names if is_so) or "as it should"


def phantoms(count: int, first_seed: int) -> Iterator[Sample]:
    """Yield `count` phantom films as a room might send them, each view in turn."""
    for seed in range(first_seed, first_seed + (count + 1) // 2):
        rng = np.random.default_rng((seed, 1))
        study = make_phantom(seed, _PHANTOMS)
        yield Sample(
            image=finished(exposed(_shades(study.current_frontal), rng), rng),
            kind="phantom frontal",
            shown=Shown.FRONTAL,
        )
        if study.current_lateral is not None:
            yield Sample(
                image=finished(exposed(_shades(study.current_lateral), rng), rng),
                kind="phantom lateral",
                shown=Shown.LATERAL,
            )


def disturbed(sample: Sample, rng: np.random.Generator) -> Sample:
    """Return four of ten samples as they are, the others turned, mirrored, inverted.

    A lateral's mirror image is a lateral that faces the other way.
    """
    if rng.random() < 0.4:
        return sample
    turns, mirrored, inverted = rng.integers((4, 2, 2))
    return laid(
        sample,
        turns=int(turns) if rng.random() < 0.6 else 0,
        mirrored=bool(mirrored),
        inverted=bool(inverted) and rng.random() < 0.6,
    )


def laid(sample: Sample, *, turns: int, mirrored: bool, inverted: bool) -> Sample:
    """Return an ordinary sample so that `turns` clockwise turns make it upright."""
    image = sample.image[:, ::-1] if mirrored else sample.image
    image = np.rot90(image, turns)
    return replace(
        sample,
        image=np.ascontiguousarray(255 - image if inverted else image),
        quarter_turns=turns,
        is_mirrored=mirrored and sample.shown is Shown.FRONTAL,
        is_inverted=inverted,
    )


def exposed(values: Shades, rng: np.random.Generator) -> Shades:
    """Return values with another window, curve, grain and shading."""
    low = np.percentile(values, rng.uniform(0.0, 4.0))
    high = np.percentile(values, rng.uniform(93.0, 100.0))
    shades = (values - low) / max(float(high - low), 1e-6)
    if rng.random() < 0.5:
        shades = 1.0 / (
            1.0 + np.exp(rng.uniform(-7.0, -3.0) * (shades - rng.uniform(0.35, 0.65)))
        )
        shades = (shades - shades.min()) / max(float(np.ptp(shades)), 1e-6)
    shades = np.clip(shades, 0.0, 1.0) ** np.exp(rng.uniform(-0.6, 0.6))
    shades = shades + rng.uniform(0.0, 0.03) * rng.standard_normal(shades.shape)
    shades = shades + rng.uniform(0.0, 0.05) * clouds(rng, shades.shape, 4)
    return _clipped(shades)


def finished(shades: Shades, rng: np.random.Generator) -> GreyImage:
    """Return a picture: placed, shaded, marked, collimated, in 8 bits."""
    shades = _placed(shades, rng) if rng.random() < 0.8 else shades
    shades = _shaded(_sized(shades, rng), rng)
    shades = _marked(shades, rng) if rng.random() < 0.5 else shades
    shades = _collimated(shades, rng) if rng.random() < 0.4 else shades
    shades = shades * rng.uniform(0.5, 1.0) + rng.uniform(0.0, 0.15)
    shades = shades + rng.uniform(0.0, 0.02) * rng.standard_normal(shades.shape)
    return grey(_clipped(shades))


def clouds(rng: np.random.Generator, shape: tuple[int, ...], cells: int) -> Shades:
    """Return smooth noise of unit strength, `cells` spots along each side."""
    rows, columns = shape
    spots = Image.fromarray(rng.standard_normal((cells, cells)).astype(np.float32))
    return np.asarray(spots.resize((columns, rows), Image.Resampling.BICUBIC))


def grey(shades: Shades) -> GreyImage:
    """Return shades in 8 bits."""
    return np.asarray(shades * 255.0, dtype=np.uint8)


def _clipped(shades: Shades) -> Shades:
    return np.asarray(np.clip(shades, 0.0, 1.0), dtype=np.float32)


def _shades(stored: PhantomImage) -> Shades:
    return np.asarray(stored / _BRIGHTEST, dtype=np.float32)


def _placed(shades: Shades, rng: np.random.Generator) -> Shades:
    """Return the film sheared, turned by some degrees, and cut at the sides."""
    picture = Image.fromarray(grey(shades))
    width, height = picture.size
    shear = rng.uniform(-0.06, 0.06)
    left, top, right, bottom = rng.uniform(0.0, 0.09, 4)
    ground = int(np.percentile(shades, 1) * 255) if rng.random() < 0.5 else 0
    picture = picture.transform(
        picture.size,
        Image.Transform.AFFINE,
        (1.0, shear, -shear * height / 2, 0.0, 1.0, 0.0),
        Image.Resampling.BILINEAR,
        fillcolor=ground,
    )
    turned = picture.rotate(
        rng.normal(0.0, 4.0), Image.Resampling.BILINEAR, fillcolor=ground
    )
    field = (
        slice(int(top * height), int((1 - bottom) * height)),
        slice(int(left * width), int((1 - right) * width)),
    )
    return np.asarray(turned, np.float32)[field] / 255


def _sized(shades: Shades, rng: np.random.Generator) -> Shades:
    rows, columns = shades.shape
    share = 230.0 / max(rows, columns)
    width = max(96, int(columns * share * rng.uniform(0.8, 1.1)))
    height = max(96, int(rows * share * rng.uniform(0.85, 1.1)))
    picture = Image.fromarray(np.ascontiguousarray(shades, np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _shaded(shades: Shades, rng: np.random.Generator) -> Shades:
    """Return the film brighter towards one side, as a grid out of place makes it."""
    rows, columns = shades.shape
    across, down = rng.uniform(-0.15, 0.15, 2) * (rng.random(2) < 0.3)
    ramp = (
        across * np.linspace(-1, 1, columns) + down * np.linspace(-1, 1, rows)[:, None]
    )
    return _clipped(shades + ramp * (shades > 0.03))


def _marked(shades: Shades, rng: np.random.Generator) -> Shades:
    rows, columns = shades.shape
    picture = Image.fromarray(grey(shades))
    lowest = 0.9 if rng.random() < 0.3 else 0.15
    place = rng.uniform(0.02, 0.9) * columns, rng.uniform(0.02, lowest) * rows
    font = ImageFont.load_default(size=max(8.0, rng.uniform(0.04, 0.1) * rows))
    ImageDraw.Draw(picture).text(place, str(rng.choice(_MARKS)), fill=255, font=font)
    return np.asarray(picture, np.float32) / 255


def _collimated(shades: Shades, rng: np.random.Generator) -> Shades:
    """Return the film under shutters: mostly black, sometimes white."""
    rows, columns = shades.shape
    left, top, right, bottom = rng.uniform(0.0, 0.12, 4) * (rng.random(4) < 0.6)
    field = (
        slice(int(top * rows), rows - int(bottom * rows)),
        slice(int(left * columns), columns - int(right * columns)),
    )
    framed = np.full_like(shades, 0.0 if rng.random() < 0.8 else 1.0)
    framed[field] = shades[field]
    return framed
