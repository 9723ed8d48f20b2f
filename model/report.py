"""What is asked of a report engine and what it answers: plain, frozen values.

The only module of `model` that `dicom_io` may import. No torch, no DICOM.
"""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

GreyImage = npt.NDArray[np.uint8]
"""A display-ready radiograph: (rows, columns) uint8, 0 = black, upright."""


class Task(StrEnum):
    """What the model is asked to do (MAIRA-2, arXiv 2406.04449, section 3)."""

    FINDINGS = "findings"
    """The findings section as plain text."""
    GROUNDED_FINDINGS = "grounded-findings"
    """One sentence a finding, with boxes where it can be located."""
    PHRASE_GROUNDING = "phrase-grounding"
    """Boxes for a sentence that the asker gives."""


class FlagKind(StrEnum):
    """What was wrong with a generated text; each names one cause."""

    CUT_OFF = "cut-off"
    """The token limit ended the text before the model did."""
    EMPTY = "empty"
    """The model wrote nothing."""
    STRAY_TEXT = "stray-text"
    """Text outside the finding tags; kept as a sentence without a box."""
    STRAY_TAG = "stray-tag"
    """A tag without its partner, or in a place where it has no meaning."""
    BOX_WITHOUT_FOUR_COORDINATES = "box-without-four-coordinates"
    COORDINATE_OUT_OF_RANGE = "coordinate-out-of-range"
    INVERTED_BOX = "inverted-box"
    """A maximum below its minimum; kept as generated, ordered when encoded."""
    BOX_WITHOUT_AREA = "box-without-area"
    NEUTRALISED_INPUT = "neutralised-input"
    """A control token of the model stood in a free-text input and was removed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """One thing a reader of the report should know; never a silent edit."""

    kind: FlagKind
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NormalizedBox:
    """A rectangle in the model's centre crop of the current frontal image.

    Each coordinate is a share of the crop's side in [0, 1], origin at the top
    left corner, x to the right. A model may write a maximum below its minimum
    (`FlagKind.INVERTED_BOX`); `ordered` gives the same rectangle with the
    minimum first.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        """Refuse coordinates outside [0, 1]."""
        for value in (self.x_min, self.y_min, self.x_max, self.y_max):
            if not 0.0 <= value <= 1.0:
                raise ValueError(f"box coordinate {value} is not in [0, 1]")

    def ordered(self) -> "NormalizedBox":
        """Return the same rectangle with each minimum at most its maximum."""
        return NormalizedBox(
            x_min=min(self.x_min, self.x_max),
            y_min=min(self.y_min, self.y_max),
            x_max=max(self.x_min, self.x_max),
            y_max=max(self.y_min, self.y_max),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedPhrase:
    """One finding: its sentence, verbatim, and where it is seen.

    `boxes` is empty where the model gave the sentence without a location.
    """

    text: str
    boxes: tuple[NormalizedBox, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportInputs:
    """The seven inputs of MAIRA-2 under the names of its processor.

    Images are `GreyImage`; texts are free text. None means that the input does
    not exist (the prompt then says so), never that it is empty.
    """

    current_frontal: GreyImage
    current_lateral: GreyImage | None = None
    prior_frontal: GreyImage | None = None
    prior_report: str | None = None
    indication: str | None = None
    technique: str | None = None
    comparison: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """One task on one study. `phrase` is set for phrase grounding alone."""

    inputs: ReportInputs
    task: Task
    phrase: str | None = None

    def __post_init__(self) -> None:
        """Refuse a phrase without its task and the task without its phrase."""
        if (self.phrase is not None) != (self.task is Task.PHRASE_GROUNDING):
            raise ValueError("a phrase belongs to phrase grounding, and only there")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a report came about; kept with it and summarised in the SR.

    Digests are lowercase hexadecimal SHA-256. `image_digests` pairs an input's
    name with the digest of its bytes (rows, columns, then pixels in C order).
    `crop_side` is the side, in pixels, of the square that the model reads: the
    shorter edge is resized to it and the centre kept.
    """

    engine: str
    model_name: str
    weights_digest: str
    adapter_version: str
    libraries: tuple[tuple[str, str], ...]
    device: str
    dtype: str
    crop_side: int
    max_new_tokens: int
    prompt_digest: str
    image_digests: tuple[tuple[str, str], ...]
    prompt_tokens: int
    new_tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedReport:
    """What the model said for one request.

    `text` is the generated text as decoded, tags included; `phrases` is the
    same text as findings, in the model's order. For plain findings it is one
    phrase without boxes.
    """

    task: Task
    text: str
    phrases: tuple[GroundedPhrase, ...]
    flags: tuple[Flag, ...]
    provenance: Provenance
    phrase: str | None = None
