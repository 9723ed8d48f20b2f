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
    DEADLINE = "deadline"
    """The time for the request ended the text before the model did."""
    REPETITION = "repetition"
    """The model repeated itself without end and was stopped."""
    REPEATED_SENTENCE = "repeated-sentence"
    """One sentence stands twice."""
    OVER_LONG = "over-long"
    """More text than reports have."""
    VIEW_DISPUTED = "view-disputed"
    """The header names the frontal both PA and AP."""
    CHANGE_WITHOUT_PRIOR = "change-without-prior"
    """A word of change, and the model was given no prior image."""
    SIDE_MISMATCH = "side-mismatch"
    """The sentence names one side of the patient, its box lies on the other."""
    BOX_OVER_WHOLE_IMAGE = "box-over-whole-image"
    """A box over more than nine tenths of what the model saw: it locates nothing."""
    PLACEHOLDER = "placeholder"
    """A mark of de-identification, as in the training texts, was written out."""
    COPIED_PRIOR = "copied-prior"
    """Findings of the prior report stand here word for word."""
    DEVICE_CHANGED = "device-changed"
    """Memory ran out on the device of the settings; another one computed it."""


UNFINISHED = frozenset({FlagKind.CUT_OFF, FlagKind.DEADLINE, FlagKind.REPETITION})
"""Flags of a text that was stopped: what follows is not known."""


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
class Question:
    """One task on one study: what one prompt is written from.

    `phrase` is set for phrase grounding alone.
    """

    inputs: ReportInputs
    task: Task
    phrase: str | None = None

    def __post_init__(self) -> None:
        """Refuse a phrase without its task and the task without its phrase."""
        if (self.phrase is not None) != (self.task is Task.PHRASE_GROUNDING):
            raise ValueError("a phrase belongs to phrase grounding, and only there")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """One study and all that is asked about it.

    `tasks` holds findings or grounded findings, each at most once; `phrases` the
    sentences to locate. `deadline_seconds` bounds the time from the call to the
    last answer; None: no bound. What it cuts off is flagged, never dropped.
    """

    inputs: ReportInputs
    tasks: tuple[Task, ...] = ()
    phrases: tuple[str, ...] = ()
    deadline_seconds: float | None = None

    def __post_init__(self) -> None:
        """Refuse a request that asks nothing, one thing twice, or in no time."""
        if not self.tasks and not self.phrases:
            raise ValueError("a request asks for at least one task or phrase")
        if len({*self.tasks}) < len(self.tasks) or Task.PHRASE_GROUNDING in self.tasks:
            raise ValueError("each task once; phrases are asked for by their text")
        if self.deadline_seconds is not None and self.deadline_seconds <= 0:
            raise ValueError(f"a deadline of {self.deadline_seconds} s has passed")

    @property
    def questions(self) -> tuple[Question, ...]:
        """What is asked, one question an answer: the tasks, then the phrases."""
        return (
            *(Question(inputs=self.inputs, task=task) for task in self.tasks),
            *(
                Question(inputs=self.inputs, task=Task.PHRASE_GROUNDING, phrase=phrase)
                for phrase in self.phrases
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One part of the work for an answer: how many tokens it took, how long.

    Work that several answers share (images, a common prefix) is counted with the
    first of them.
    """

    name: str
    tokens: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a report came about; kept with it and summarised in the SR.

    Digests are lowercase hexadecimal SHA-256. `image_digests` pairs an input's
    name with the digest of its bytes (rows, columns, then pixels in C order).
    `crop_side` is the side, in pixels, of the square that the model reads: the
    shorter edge is resized to it and the centre kept. `settings` names what else
    decided the answer (attention code, format of the weights, adapter, fast paths);
    `phases` are the parts of `seconds`. `settings_digest` is the engine's own; empty
    in reports that an earlier version kept.
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
    settings: tuple[tuple[str, str], ...] = ()
    phases: tuple[Phase, ...] = ()
    settings_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedReport:
    """What the model said to one question.

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
