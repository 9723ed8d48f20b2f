"""Rendered phantoms, kept as arrays while a training runs.

A shard is two files: the model's crops of every image, and one line of JSON a
study with what is known about it. Seeds begin at `TRAINING_SEEDS`, far above
those of any evaluation, so no training phantom is ever used as a test.
"""

import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from model.maira2.processing import Preprocessing, crop_square, stretch
from model.phantom.findings import SIDED, Kind
from model.phantom.generator import (
    PhantomImage,
    PhantomOptions,
    PhantomStudy,
    PlantedFinding,
    make_phantom,
)
from model.phantom.text import display, to_crop, true_phrases
from model.report import GroundedPhrase, NormalizedBox

TRAINING_SEEDS = 1 << 40
SHARD_STUDIES = 1000
IMAGE_SIDE = 112
RENDERED_SIDE = 224
"""Shorter side at which training phantoms are drawn; the crop halves it."""

PREPROCESSING = Preprocessing(
    side=IMAGE_SIDE, rescale_factor=1.0 / 255.0, mean=0.5307, std=0.2583
)

Crops: TypeAlias = npt.NDArray[np.uint8]
"""(studies, 3, side, side) uint8: current frontal, current lateral, prior frontal;
zeros where the study has no such image."""
Slot: TypeAlias = tuple[Kind, int]
"""A kind of finding on a side of the patient: -1 right, 1 left, 0 neither."""

SLOTS: tuple[Slot, ...] = tuple(
    (kind, side) for kind in Kind for side in ((-1, 1) if kind in SIDED else (0,))
)

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """What is known of a training study; boxes in the crop, None as in the study.

    `slots` and `prior_slots` say what each frontal image shows, and where; a
    finding of the lateral alone has no box.
    """

    has_lateral: bool
    has_prior: bool
    indication: str | None
    technique: str | None
    comparison: str | None
    prior_report: str | None
    phrases: tuple[GroundedPhrase, ...]
    slots: dict[int, NormalizedBox | None]
    prior_slots: dict[int, NormalizedBox | None]


def build_shard(folder: Path, number: int, size: int = SHARD_STUDIES) -> None:
    """Render a shard of `size` studies unless it is there already."""
    images_path, examples_path = _paths(folder, number)
    if examples_path.exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    first = TRAINING_SEEDS + number * size
    crops = np.zeros((size, 3, IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    lines = []
    for index in range(size):
        study = make_phantom(first + index, PhantomOptions(short_side=RENDERED_SIDE))
        crops[index] = study_crops(study)
        lines.append(json.dumps(_to_json(study)))
    np.save(images_path, crops)
    examples_path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    _LOG.info("shard %d is rendered", number)


def read_shard(folder: Path, number: int) -> tuple[Crops, list[Example]]:
    """Read a rendered shard; the crops stay on disk until they are used."""
    images_path, examples_path = _paths(folder, number)
    crops: Crops = np.load(images_path, mmap_mode="r")
    lines = examples_path.read_text(encoding="utf-8").splitlines()
    return crops, [_from_json(json.loads(line)) for line in lines]


class Studies:
    """All training studies: crops on disk, examples in memory."""

    def __init__(self, folder: Path, studies: int) -> None:
        self._crops: list[Crops] = []
        self.examples: list[Example] = []
        self._size = min(SHARD_STUDIES, studies)
        for number in range(studies // self._size):
            build_shard(folder, number, self._size)
            crops, examples = read_shard(folder, number)
            self._crops.append(crops)
            self.examples.extend(examples)

    def crop(self, study: int, place: int) -> Crops:
        """Return one image as the model sees it: (side, side) uint8."""
        crop: Crops = self._crops[study // self._size][study % self._size, place]
        return crop


def study_crops(study: PhantomStudy) -> Crops:
    """Return the model's crops of a study: (3, side, side) uint8."""
    images = (study.current_frontal, study.current_lateral, study.prior_frontal)
    return np.stack([_crop(image) for image in images])


def _crop(image: PhantomImage | None) -> Crops:
    if image is None:
        return np.zeros((IMAGE_SIDE, IMAGE_SIDE), np.uint8)
    return crop_square(stretch(display(image)), PREPROCESSING)


def _paths(folder: Path, number: int) -> tuple[Path, Path]:
    return folder / f"shard-{number:04d}.npy", folder / f"shard-{number:04d}.jsonl"


def _slots(
    findings: tuple[PlantedFinding, ...], image: PhantomImage | None
) -> Iterator[tuple[int, NormalizedBox | None]]:
    """Yield the slot and box of each finding that is present."""
    for finding in findings:
        if image is None or finding.change == "resolved":
            continue
        rows, columns = image.shape
        box = None if finding.box is None else to_crop(finding.box, rows, columns)
        yield SLOTS.index((finding.kind, int(finding.side or 0))), box


def _to_json(study: PhantomStudy) -> dict[str, object]:
    return {
        "has_lateral": study.current_lateral is not None,
        "has_prior": study.prior_frontal is not None,
        "indication": study.indication,
        "technique": study.technique,
        "comparison": study.comparison,
        "prior_report": study.prior_report,
        "phrases": [
            [phrase.text, [_numbers(box) for box in phrase.boxes]]
            for phrase in true_phrases(study)
        ],
        "slots": [
            [slot, None if box is None else _numbers(box)]
            for slot, box in _slots(study.findings, study.current_frontal)
        ],
        "prior_slots": [
            [slot, None if box is None else _numbers(box)]
            for slot, box in _slots(study.prior_findings, study.prior_frontal)
        ],
    }


def _numbers(box: NormalizedBox) -> list[float]:
    return [round(v, 5) for v in (box.x_min, box.y_min, box.x_max, box.y_max)]


def _from_json(values: dict[str, Any]) -> Example:
    return Example(
        has_lateral=values["has_lateral"],
        has_prior=values["has_prior"],
        indication=values["indication"],
        technique=values["technique"],
        comparison=values["comparison"],
        prior_report=values["prior_report"],
        phrases=tuple(
            GroundedPhrase(text=text, boxes=tuple(map(_box, boxes)))
            for text, boxes in values["phrases"]
        ),
        slots=_read_slots(values["slots"]),
        prior_slots=_read_slots(values["prior_slots"]),
    )


def _read_slots(
    pairs: list[tuple[int, list[float] | None]],
) -> dict[int, NormalizedBox | None]:
    return {slot: None if box is None else _box(box) for slot, box in pairs}


def _box(numbers: list[float]) -> NormalizedBox:
    x_min, y_min, x_max, y_max = numbers
    return NormalizedBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
