"""The layout of a folder of golden answers, and how far an answer is from them.

`checkpoint/`, `images/NAME.png`, `cases/NAME/case.json` with `arrays.npz`, and the
three lists `decode_cases.json`, `adjust_box_cases.json`, `tokenizer_cases.json`.
Any subset but the checkpoint may be absent.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NotRequired, TypedDict, cast
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.errors import CheckpointError
from model.maira2.processing import luma
from model.report import GreyImage, Question, ReportInputs, Task

Float32Array = npt.NDArray[np.float32]

TOLERANCE = 1e-4
"""Largest absolute difference of features and logits."""


class GoldenInputs(TypedDict):
    """What the official processor was given; images by name."""

    kind: str
    current_frontal: str
    current_lateral: NotRequired[str]
    prior_frontal: NotRequired[str]
    prior_report: NotRequired[str]
    indication: NotRequired[str]
    technique: NotRequired[str]
    comparison: NotRequired[str]
    get_grounding: NotRequired[bool]
    assistant_text: NotRequired[str]
    phrase: NotRequired[str]


class GoldenPixels(TypedDict):
    """`pixel_values`: shape, and the digest of the little-endian float32 bytes."""

    shape: list[int]
    sha256_float32_le: str


class GoldenCase(TypedDict):
    """`case.json`: inputs and what came of them."""

    inputs: GoldenInputs
    prompt_text: str
    normalised_image_sha256_uint8: list[str]
    pixel_values: GoldenPixels
    greedy_ids: list[int]
    greedy_text_skip_special: str


class GoldenDecode(TypedDict):
    """One generated text and the official parser's result, or its error."""

    input: str
    kind: str
    result: NotRequired[str | list[tuple[str, list[list[float]] | None]]]


class GoldenBox(TypedDict):
    """One call of `adjust_box_for_original_image_size`."""

    box: list[float]
    width: int
    height: int
    result: list[float]


class GoldenString(TypedDict):
    """One text through the official tokenizer and back."""

    text: str
    ids: list[int]
    decode_skip_special: str
    decode_keep_special: str


class GoldenStrings(TypedDict):
    """`tokenizer_cases.json`."""

    strings: list[GoldenString]
    added_vocab: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How far one quantity is from its golden value, and how far it may be."""

    quantity: str
    found: float
    allowed: float = 0.0

    @property
    def exact(self) -> bool:
        """Tell whether the difference is allowed; NaN never is."""
        return self.found <= self.allowed


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseResult:
    """All differences of one golden case."""

    name: str
    differences: tuple[Difference, ...]

    @property
    def exact(self) -> bool:
        """Tell whether every difference is allowed."""
        return all(difference.exact for difference in self.differences)


def case_folders(folder: Path) -> tuple[Path, ...]:
    """List the folders of the cases that are present."""
    return tuple(sorted(path.parent for path in folder.glob("cases/*/case.json")))


def read_case(path: Path) -> GoldenCase:
    """Read `case.json` of one case."""
    return cast("GoldenCase", _read(path / "case.json"))


def read_decodes(folder: Path) -> list[GoldenDecode]:
    """Read the parser's cases; none where the file is absent."""
    path = folder / "decode_cases.json"
    return cast("list[GoldenDecode]", _read(path)) if path.is_file() else []


def read_boxes(folder: Path) -> list[GoldenBox]:
    """Read the cases of the box mapping; none where the file is absent."""
    path = folder / "adjust_box_cases.json"
    return cast("list[GoldenBox]", _read(path)) if path.is_file() else []


def read_strings(folder: Path) -> GoldenStrings:
    """Read the tokenizer's cases; none where the file is absent."""
    path = folder / "tokenizer_cases.json"
    if not path.is_file():
        return {"strings": [], "added_vocab": {}}
    return cast("GoldenStrings", _read(path))


def read_arrays(path: Path) -> dict[str, Float32Array]:
    """Read `arrays.npz` of one case."""
    file = path / "arrays.npz"
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return {name: np.asarray(arrays[name]) for name in arrays.files}
    except (OSError, ValueError, BadZipFile) as error:
        raise CheckpointError(f"{file} cannot be read: {error}") from error


def golden_question(folder: Path, inputs: GoldenInputs) -> Question:
    """Build the question of a case, its images read from `images/`."""
    return Question(
        inputs=ReportInputs(
            current_frontal=_image(folder, inputs["current_frontal"]),
            current_lateral=_optional_image(folder, inputs.get("current_lateral")),
            prior_frontal=_optional_image(folder, inputs.get("prior_frontal")),
            prior_report=inputs.get("prior_report"),
            indication=inputs.get("indication"),
            technique=inputs.get("technique"),
            comparison=inputs.get("comparison"),
        ),
        task=_task(inputs),
        phrase=inputs.get("phrase"),
    )


def mismatch(quantity: str, found: object, wanted: object) -> Difference:
    """Compare what is either equal or not: 0 or 1."""
    return Difference(quantity=quantity, found=float(found != wanted))


def count_mismatches(
    quantity: str, found: Sequence[int], wanted: Sequence[int]
) -> Difference:
    """Count the places where two sequences differ; a missing place counts."""
    pairs = zip(found, wanted, strict=False)
    unequal = sum(a != b for a, b in pairs) + abs(len(found) - len(wanted))
    return Difference(quantity=quantity, found=float(unequal))


def distance(quantity: str, found: Float32Array, wanted: Float32Array) -> Difference:
    """Take the largest absolute difference; another shape is infinitely far."""
    same = found.shape == wanted.shape
    largest = float(np.abs(found - wanted).max()) if same else float("inf")
    return Difference(quantity=quantity, found=largest, allowed=TOLERANCE)


def _read(path: Path) -> object:
    """Read any JSON value. Raises `CheckpointError` that names the file."""
    try:
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    return value


def _task(inputs: GoldenInputs) -> Task:
    if inputs["kind"] == "phrase":
        return Task.PHRASE_GROUNDING
    if inputs.get("get_grounding", False):
        return Task.GROUNDED_FINDINGS
    return Task.FINDINGS


def _image(folder: Path, name: str) -> GreyImage:
    path = folder / "images" / f"{name}.png"
    try:
        with Image.open(path) as picture:
            return luma(picture)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error}") from error


def _optional_image(folder: Path, name: str | None) -> GreyImage | None:
    return None if name is None else _image(folder, name)
