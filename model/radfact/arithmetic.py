"""The six measures of RadFact (arXiv 2406.04449, section 4 and appendix).

Precision asks of the generated (candidate) sentences whether the reference
supports them, recall the other way round. *Logical* counts entailed sentences
among all; *spatial* counts sentences that are entailed and whose boxes are
supported among all with boxes; *grounding* the same among the entailed with boxes.
"""

from collections.abc import Sequence
from math import isnan, nan

import numpy as np
import numpy.typing as npt

from model.radfact.errors import JudgeFailure
from model.radfact.judge import Judge
from model.radfact.values import (
    F1_NAMES,
    NOT_ENTAILED,
    SIX_MEASURES,
    JudgedSentence,
    Measures,
    Rectangle,
    Report,
    Sentence,
    Spatial,
    StudyScore,
    Verdict,
)

RASTER = 224
"""Pixels along each side of the raster on which boxes are compared."""
LEAST_COVERED = 0.5
"""A share of covered pixels above this, never equal to it, supports boxes."""

Mask = npt.NDArray[np.bool_]
"""(RASTER, RASTER) bool: rows down, columns to the right."""


def score_study(
    study_id: str, candidate: Report, reference: Report, judge: Judge
) -> StudyScore:
    """Judge each sentence of either report by the other, and count.

    A question that the judge fails counts as not entailed and is marked. Raises
    JudgeUnavailable.
    """
    generated = judge_report(candidate, reference, judge)
    expected = judge_report(reference, candidate, judge)
    return StudyScore(
        study_id=study_id,
        candidate=generated,
        reference=expected,
        measures=measure(generated, expected),
    )


def judge_report(
    report: Report, other: Report, judge: Judge
) -> tuple[JudgedSentence, ...]:
    """Return each sentence of `report` with what `other` says about it."""
    texts = tuple(each.text for each in other)
    return tuple(
        _judged(sentence, _ask(judge, sentence.text, texts), other)
        for sentence in report
    )


def measure(
    candidate: Sequence[JudgedSentence], reference: Sequence[JudgedSentence]
) -> Measures:
    """Return the measures of one study."""
    logical_precision, spatial_precision, grounding_precision = _shares(candidate)
    logical_recall, spatial_recall, grounding_recall = _shares(reference)
    return Measures(
        logical_precision=logical_precision,
        logical_recall=logical_recall,
        spatial_precision=spatial_precision,
        spatial_recall=spatial_recall,
        grounding_precision=grounding_precision,
        grounding_recall=grounding_recall,
        num_candidate_phrases=len(candidate),
        num_reference_phrases=len(reference),
        num_candidate_phrases_with_boxes=len(_boxed(candidate)),
        num_reference_phrases_with_boxes=len(_boxed(reference)),
    )


def covered_share(boxes: Sequence[Rectangle], evidence: Sequence[Rectangle]) -> float:
    """Return which share of the pixels of `boxes` lies in the union of `evidence`.

    NaN where `boxes` hold no pixel of the raster.
    """
    mask = raster(boxes)
    area = int(mask.sum())
    return int((mask & raster(evidence)).sum()) / area if area else nan


def raster(boxes: Sequence[Rectangle]) -> Mask:
    """Draw the union of boxes; coordinates are truncated to whole pixels.

    The pixel of a maximum is outside, so a box thinner than a pixel may be gone.
    """
    mask: Mask = np.zeros((RASTER, RASTER), np.bool_)
    for box in boxes:
        rows = slice(int(box.y_min * RASTER), int(box.y_max * RASTER))
        columns = slice(int(box.x_min * RASTER), int(box.x_max * RASTER))
        mask[rows, columns] = True
    return mask


def f1(precision: float, recall: float) -> float:
    """Return the harmonic mean: 0 of two zeros, NaN where either is NaN."""
    total = precision + recall
    if isnan(total):
        return nan
    return 2.0 * precision * recall / total if total else 0.0


def f1_scores(measures: Measures) -> dict[str, float]:
    """Return the three F1 of precision and recall; of means for a data set."""
    six = (getattr(measures, name) for name in SIX_MEASURES)
    return {
        name: f1(precision, recall)
        for name, precision, recall in zip(F1_NAMES, six, six, strict=True)
    }


def _ask(judge: Judge, sentence: str, report: tuple[str, ...]) -> Verdict:
    if not report:  # nothing follows from an empty report: nobody need be asked
        return NOT_ENTAILED
    try:
        return judge.entails(sentence, report)
    except JudgeFailure as failure:
        return Verdict(entailed=False, failure=str(failure))


def _judged(sentence: Sentence, verdict: Verdict, other: Report) -> JudgedSentence:
    return JudgedSentence(
        sentence=sentence,
        verdict=verdict,
        spatial=_spatial(sentence, verdict, other),
    )


def _spatial(sentence: Sentence, verdict: Verdict, other: Report) -> Spatial:
    if not sentence.boxes:
        return Spatial.NO_BOXES
    evidence = [box for place in verdict.evidence for box in other[place].boxes]
    supported = covered_share(sentence.boxes, evidence) > LEAST_COVERED
    if verdict.entailed and supported:
        return Spatial.ENTAILED
    return Spatial.NOT_ENTAILED


def _boxed(judged: Sequence[JudgedSentence]) -> list[JudgedSentence]:
    return [each for each in judged if each.spatial is not Spatial.NO_BOXES]


def _shares(judged: Sequence[JudgedSentence]) -> tuple[float, float, float]:
    """Return the logical, spatial and grounding share of one direction."""
    boxed = _boxed(judged)
    located = sum(each.spatial is Spatial.ENTAILED for each in boxed)
    return (
        _share(sum(each.verdict.entailed for each in judged), len(judged)),
        _share(located, len(boxed)),
        _share(located, sum(each.verdict.entailed for each in boxed)),
    )


def _share(part: int, whole: int) -> float:
    return part / whole if whole else nan
