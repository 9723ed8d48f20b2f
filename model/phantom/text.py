"""A phantom study as questions to a report engine, and their true answers."""

import numpy as np

from model.grounding import write_findings
from model.phantom.findings import Box
from model.phantom.generator import PhantomImage, PhantomStudy, PlantedFinding
from model.report import (
    GreyImage,
    GroundedPhrase,
    NormalizedBox,
    Question,
    ReportInputs,
    Task,
)

_BITS_DROPPED = 4


def display(image: PhantomImage) -> GreyImage:
    """Show 12 stored bits as 8: (rows, columns) uint8."""
    return (image >> _BITS_DROPPED).astype(np.uint8)


def inputs_of(study: PhantomStudy) -> ReportInputs:
    """Return the study under the names of the model's inputs."""
    return ReportInputs(
        current_frontal=display(study.current_frontal),
        current_lateral=_shown(study.current_lateral),
        prior_frontal=_shown(study.prior_frontal),
        prior_report=study.prior_report,
        indication=study.indication,
        technique=study.technique,
        comparison=study.comparison,
    )


def question_of(study: PhantomStudy, task: Task, phrase: str | None = None) -> Question:
    """Return one task on the study."""
    return Question(inputs=inputs_of(study), task=task, phrase=phrase)


def to_crop(box: Box, rows: int, columns: int) -> NormalizedBox:
    """Map a box in image pixels to the model's centre crop, clipped to it."""
    side = min(rows, columns)
    left, top = (columns - side) // 2, (rows - side) // 2
    x_min, x_max = ((value - left) / side for value in box[::2])
    y_min, y_max = ((value - top) / side for value in box[1::2])
    return NormalizedBox(
        x_min=_share(x_min),
        y_min=_share(y_min),
        x_max=_share(x_max),
        y_max=_share(y_max),
    )


def true_phrases(study: PhantomStudy) -> tuple[GroundedPhrase, ...]:
    """Return the study's true report as sentences with their boxes."""
    rows, columns = study.current_frontal.shape
    return (
        *(_phrase(finding, rows, columns) for finding in study.findings),
        *(GroundedPhrase(text=text) for text in study.normal),
    )


def grounded_answer(phrases: tuple[GroundedPhrase, ...]) -> str:
    """Return the model's text for grounded findings, or for one phrase."""
    return write_findings(phrases)


def plain_answer(phrases: tuple[GroundedPhrase, ...]) -> str:
    """Return the model's text for plain findings."""
    return " ".join(phrase.text for phrase in phrases)


def _phrase(finding: PlantedFinding, rows: int, columns: int) -> GroundedPhrase:
    boxes = () if finding.box is None else (to_crop(finding.box, rows, columns),)
    return GroundedPhrase(text=finding.sentence, boxes=boxes)


def _shown(image: PhantomImage | None) -> GreyImage | None:
    return None if image is None else display(image)


def _share(value: float) -> float:
    return min(max(value, 0.0), 1.0)
