"""The real films of MAIRA_DATA, patient by patient, and films made from them."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.film_samples import Sample, Shades, clouds, exposed, finished
from dicom_io.inputs.film import Shown
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.pixels import render_image
from model.report import GreyImage

FOLDER = Path(
    os.environ.get("MAIRA_DATA", Path(__file__).parents[2] / "shared" / "data")
)
"""Where the real films are; they are not part of the repository."""

_FRONTALS = ("dicom/mhh_*.dcm", "dicom/RG1_*.dcm", "dicom/cc0_*.dcm", "png/*.png")
_OTHERS = {
    "dicom/sim_lidc_pa.dcm": Shown.FRONTAL,
    "dicom/sim_lidc_lat.dcm": Shown.LATERAL,
    "odd/cr_cspine_ll_16px.dcm": Shown.NO_CHEST,
    "odd/dog_lateral_thorax_dx_mono1.dcm": Shown.NO_CHEST,
}
_WORKING_SIDE = 220


@dataclass(frozen=True, slots=True, kw_only=True)
class RealFilm:
    """A film as it should lie; `patient` is named by its file."""

    name: str
    patient: str
    image: GreyImage
    shown: Shown


def real_frontals() -> list[RealFilm]:
    """Return the frontals of patients, in both renderings where they are DICOM."""
    paths = [path for glob in _FRONTALS for path in sorted(FOLDER.glob(glob))]
    return [film for path in paths for film in _films(path, Shown.FRONTAL)]


def other_films() -> list[RealFilm]:
    """Return the simulated pair, a dog's thorax and a cervical spine of 16 pixels."""
    there = {name: shown for name, shown in _OTHERS.items() if (FOLDER / name).exists()}
    return [
        film for name, shown in there.items() for film in _films(FOLDER / name, shown)
    ]


def _films(path: Path, shown: Shown) -> Iterator[RealFilm]:
    first, second, *_ = path.stem.split("_")
    patient = first if first == "RG1" else f"{first}_{second}"
    if path.suffix == ".png":
        with Image.open(path) as picture:
            image = np.asarray(picture.convert("L"))
        yield RealFilm(name=path.name, patient=patient, image=image, shown=shown)
        return
    for rendering in Rendering:
        image = render_image(path, rendering, DecodeLimits())
        name = f"{path.name} {rendering.value}"
        yield RealFilm(name=name, patient=patient, image=image, shown=shown)


def varied(
    films: list[RealFilm], count: int, seed: int
) -> Iterator[tuple[str, Sample]]:
    """Yield `count` variations of each film with its patient; some lungs are white."""
    for index, film in enumerate(films):
        rng = np.random.default_rng((seed, 4, index))
        picture = Image.fromarray(film.image)
        small = picture.resize((_WORKING_SIDE, _WORKING_SIDE), Image.Resampling.BOX)
        shades: Shades = np.asarray(small, np.float32) / 255
        for _ in range(count):
            made = _whitened(shades, rng) if rng.random() < 0.4 else shades
            made = _pulled(made, rng) if rng.random() < 0.7 else made
            image = finished(exposed(made, rng), rng)
            yield (
                film.patient,
                Sample(image=image, kind="real frontal", shown=film.shown),
            )


def _whitened(shades: Shades, rng: np.random.Generator) -> Shades:
    """Return the film with a side, a base or a spot brought towards white."""
    rows, columns = shades.shape
    y = np.linspace(0.0, 1.0, rows)[:, None]
    x = np.linspace(0.0, 1.0, columns)[None, :]
    soft = rng.uniform(0.0125, 0.05)
    side = _edge((x - 0.5) * float(rng.choice((-1, 1))), soft)
    base = _edge(y - rng.uniform(0.45, 0.75), soft)
    spread, place = rng.uniform(0.1, 0.3, 2), rng.uniform(0.2, 0.8, 2)
    spot = np.exp(
        -(((x - place[0]) / spread[0]) ** 2) - ((y - place[1]) / spread[1]) ** 2
    )
    share = (side, side * base, base, spot)[int(rng.integers(4))]
    level = np.percentile(shades, rng.uniform(60.0, 92.0))
    raised = np.maximum(level - shades, 0.0) * share * rng.uniform(0.4, 1.0)
    return np.asarray(shades + raised)


def _edge(distance: Shades, soft: float) -> Shades:
    return np.asarray(1.0 / (1.0 + np.exp(-distance / soft)))


def _pulled(shades: Shades, rng: np.random.Generator) -> Shades:
    """Return the film stretched and pressed here and there, by some percent."""
    rows, columns = shades.shape
    y = np.arange(rows)[:, None] + 0.03 * rows * clouds(rng, shades.shape, 4)
    x = np.arange(columns)[None, :] + 0.03 * columns * clouds(rng, shades.shape, 4)
    row = np.clip(y, 0, rows - 1).astype(np.intp)
    column = np.clip(x, 0, columns - 1).astype(np.intp)
    return np.asarray(shades[row, column])
