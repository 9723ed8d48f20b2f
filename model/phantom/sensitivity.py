"""Whether the report follows what it is given beside the current frontal image.

The same studies are asked about again with a part of the inputs exchanged or taken
away; everything else, texts included, stays as it was. What is true of the study
does not change by that, so a model that looks at its context loses, and one that
guesses does not.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import TypeAlias

from model.engine import ReportEngine
from model.phantom.asking import SEED_STRIDE, grounded_report, held_out_seeds
from model.phantom.findings import Kind
from model.phantom.generator import PhantomOptions, PhantomStudy, make_phantom
from model.phantom.scoring import Score, score
from model.phantom.sentences import read
from model.phantom.text import inputs_of, true_phrases
from model.report import GroundedPhrase, GroundedReport, ReportInputs

_GLANCE = PhantomOptions(short_side=64, with_lateral=True)
"""What is planted does not depend on the size: small phantoms are looked through."""


class Prior(StrEnum):
    """Which prior a study is given."""

    RIGHT = "right"
    """The study's own image and report."""
    SWAPPED = "swapped"
    """Image and report of one other phantom: they belong together, not here."""
    FOREIGN = "foreign"
    """The image of one other phantom and the report of a third."""
    MISSING = "missing"
    """None at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorAnswer:
    """What was said with one choice of prior.

    `compares`: some sentence has a word of change.
    """

    score: Score
    compares: bool


PriorAnswers: TypeAlias = Mapping[Prior, PriorAnswer]
"""One study, asked about with each choice of prior."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewAnswer:
    """Whether a finding of the lateral alone was spoken of, with it and without."""

    with_lateral: bool
    without_lateral: bool


def compare_priors(
    engine: ReportEngine, studies: Iterable[PhantomStudy], limit: int
) -> list[PriorAnswers]:
    """Ask about up to `limit` studies that have changes, with each `Prior`."""
    chosen = islice(_with_others(studies), limit)
    return [_compare(engine, study, others) for study, others in chosen]


def compare_views(engine: ReportEngine, seed: int, limit: int) -> list[ViewAnswer]:
    """Ask about `limit` held-out studies with a finding of the lateral alone."""
    answers = []
    for study in islice(_lateral_studies(seed), limit):
        inputs = inputs_of(study)
        alone = replace(inputs, current_lateral=None)
        answers.append(
            ViewAnswer(
                with_lateral=speaks_of_lateral(grounded_report(engine, inputs)),
                without_lateral=speaks_of_lateral(grounded_report(engine, alone)),
            )
        )
    return answers


def speaks_of_lateral(report: GroundedReport) -> bool:
    """Return whether a finding that only the lateral shows is reported."""
    said = (read(phrase.text) for phrase in report.phrases)
    return any(one is not None and one.kind is Kind.RETROCARDIAC_NODULE for one in said)


def given_prior(
    study: PhantomStudy, others: Sequence[PhantomStudy], prior: Prior
) -> ReportInputs:
    """Return the study's inputs with that prior; `others` are two with a prior."""
    inputs = inputs_of(study)
    if prior is Prior.RIGHT:
        return inputs
    if prior is Prior.MISSING:
        return replace(inputs, prior_frontal=None, prior_report=None)
    donor = inputs_of(others[0])
    told = others[0] if prior is Prior.SWAPPED else others[1]
    return replace(
        inputs, prior_frontal=donor.prior_frontal, prior_report=told.prior_report
    )


def _with_others(
    studies: Iterable[PhantomStudy],
) -> Iterator[tuple[PhantomStudy, Sequence[PhantomStudy]]]:
    """Yield studies that have changes, each with the two priors' owners before it."""
    others: deque[PhantomStudy] = deque(maxlen=2)
    for study in studies:
        if study.prior_frontal is None:
            continue
        changed = any(finding.change is not None for finding in study.findings)
        if changed and len(others) == others.maxlen:
            yield study, tuple(others)
        others.append(study)


def _compare(
    engine: ReportEngine, study: PhantomStudy, others: Sequence[PhantomStudy]
) -> PriorAnswers:
    truth = true_phrases(study)
    answers = {}
    for prior in Prior:
        report = grounded_report(engine, given_prior(study, others, prior))
        answers[prior] = PriorAnswer(
            score=score(truth, report.phrases), compares=_compares(report.phrases)
        )
    return answers


def _compares(phrases: Iterable[GroundedPhrase]) -> bool:
    said = (read(phrase.text) for phrase in phrases)
    return any(one is not None and one.change is not None for one in said)


def _lateral_studies(seed: int) -> Iterator[PhantomStudy]:
    """Yield held-out studies, all with a lateral, in which only it shows a finding."""
    for number in held_out_seeds(seed, SEED_STRIDE):
        planted = {one.kind for one in make_phantom(number, _GLANCE).findings}
        if Kind.RETROCARDIAC_NODULE in planted:
            yield make_phantom(number, PhantomOptions(with_lateral=True))
