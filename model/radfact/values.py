"""What RadFact compares and what it finds: plain, frozen values."""

from dataclasses import dataclass, fields
from enum import StrEnum
from math import nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A box as shares of the sides of a frame, in [0, 1], minimum first.

    Which frame is for the caller to keep: both reports of a study use the same.
    """

    x_min: float
    y_min: float
    x_max: float
    y_max: float

    def __post_init__(self) -> None:
        """Refuse what is no part of the frame."""
        across = 0.0 <= self.x_min <= self.x_max <= 1.0
        down = 0.0 <= self.y_min <= self.y_max <= 1.0
        if not (across and down):
            raise ValueError(f"{self} is no rectangle within [0, 1]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """One finding. `boxes` is empty where the sentence is not located."""

    text: str
    boxes: tuple[Rectangle, ...] = ()


Report = tuple[Sentence, ...]
"""A report as sentences of one finding each, in their order; empty: says nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether a sentence follows from a report.

    `evidence` holds the places (from 0) of the report's sentences that support it:
    at least one where it is entailed. `failure` says why the judge gave no usable
    answer, which counts as not entailed; None: it did.
    """

    entailed: bool
    evidence: tuple[int, ...] = ()
    failure: str | None = None

    def __post_init__(self) -> None:
        """Refuse an entailment that rests on nothing."""
        if self.entailed and not self.evidence:
            raise ValueError("an entailed sentence needs evidence")


NOT_ENTAILED = Verdict(entailed=False)


class Spatial(StrEnum):
    """Whether the boxes of a sentence are supported too (RadFact's words)."""

    NO_BOXES = "no_boxes"
    ENTAILED = "spatial_entailment"
    NOT_ENTAILED = "no_spatial_entailment"


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedSentence:
    """A sentence, what follows for it, and whether its boxes are supported."""

    sentence: Sentence
    verdict: Verdict
    spatial: Spatial


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measures of one study, or their means; NaN where there is none (0/0).

    The names are those of RadFact's own output.
    """

    logical_precision: float = nan
    logical_recall: float = nan
    spatial_precision: float = nan
    spatial_recall: float = nan
    grounding_precision: float = nan
    grounding_recall: float = nan
    num_candidate_phrases: float = nan
    num_reference_phrases: float = nan
    num_candidate_phrases_with_boxes: float = nan
    num_reference_phrases_with_boxes: float = nan

    def values(self) -> tuple[float, ...]:
        """Return the numbers in the order of `MEASURE_NAMES`."""
        return tuple(getattr(self, name) for name in MEASURE_NAMES)


MEASURE_NAMES: tuple[str, ...] = tuple(field.name for field in fields(Measures))
SIX_MEASURES = MEASURE_NAMES[:6]
F1_NAMES = ("logical_f1", "spatial_f1", "grounding_f1")


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyScore:
    """One study: each sentence of both reports as judged, and the measures."""

    study_id: str
    candidate: tuple[JudgedSentence, ...]
    reference: tuple[JudgedSentence, ...]
    measures: Measures

    @property
    def failed_calls(self) -> int:
        """How many questions about this study the judge did not answer."""
        judged = (*self.candidate, *self.reference)
        return sum(each.verdict.failure is not None for each in judged)
