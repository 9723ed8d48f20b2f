"""Pair the reports of two sources, split and score them."""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

from gateway.evaluation.errors import BadSource
from gateway.evaluation.self_test import SelfTest
from gateway.evaluation.sources import Absent, GivenReport, Reports
from model.radfact.arithmetic import f1_scores, score_study
from model.radfact.bootstrap import (
    BOOTSTRAP_SAMPLES,
    DEFAULT_SEED,
    Spread,
    bootstrap,
    mean_measures,
)
from model.radfact.errors import JudgeFailure
from model.radfact.judge import Judge
from model.radfact.values import Measures, Report, Sentence, StudyScore

Step = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Both reports of one study."""

    study_id: str
    generated: GivenReport
    reference: GivenReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """Studies with both reports, and the others with the reason, by side."""

    pairs: tuple[Pair, ...]
    without_reference: tuple[Absent, ...]
    without_generated: tuple[Absent, ...]
    has_boxes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """How studies are scored; the same seed draws the same samples."""

    bootstrap_samples: int = BOOTSTRAP_SAMPLES
    seed: int = DEFAULT_SEED
    workers: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """All figures of a run. `unscored` are pairs whose text was not split.

    `f1` is that of the means; `spreads` is empty without bootstrap samples.
    """

    pairing: Pairing
    scores: tuple[StudyScore, ...]
    unscored: tuple[Absent, ...]
    means: Measures
    f1: Mapping[str, float]
    spreads: Mapping[str, Spread]
    options: RunOptions
    self_test: SelfTest | None = None

    @property
    def failed_calls(self) -> int:
        """Questions that the judge did not answer: not entailed by default."""
        return sum(score.failed_calls for score in self.scores)


def pair_reports(
    generated: Reports, references: Reports, matches: Mapping[str, str] | None = None
) -> Pairing:
    """Join both sides by study; `matches` names the reference of a study.

    Boxes count where both sources can hold them; else they are left out of both,
    for no reference says where a finding is. Raises BadSource for a match that
    names an unknown study, and where no study has both reports.
    """
    named = _named(generated, references, matches)
    has_boxes = generated.frame is not None and references.frame is not None
    if has_boxes and generated.frame is not references.frame:
        raise BadSource("the boxes of both sides are not in the same frame")
    pairs = tuple(
        _pair(study, report, references.reports[named[study]], has_boxes=has_boxes)
        for study, report in generated.reports.items()
        if named.get(study) in references.reports
    )
    if not pairs:
        raise BadSource(
            f"no study has both reports: {len(generated.reports)} generated in "
            f"{generated.place}, {len(references.reports)} references in "
            f"{references.place}; `--match` names which belong together"
        )
    return _pairing(generated, references, named, pairs, has_boxes=has_boxes)


def evaluate_pairs(
    pairing: Pairing, judge: Judge, options: RunOptions, step: Step | None = None
) -> Evaluation:
    """Score every pair. Raises JudgeUnavailable where the judge answers nobody."""
    results: list[StudyScore | Absent] = []
    with ThreadPoolExecutor(max_workers=options.workers) as pool:
        try:
            for result in pool.map(lambda pair: _score(pair, judge), pairing.pairs):
                results.append(result)
                if step is not None:
                    step(f"{len(results)} of {len(pairing.pairs)} studies")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    scores = tuple(each for each in results if isinstance(each, StudyScore))
    measures = [score.measures for score in scores]
    means = mean_measures(measures)
    return Evaluation(
        pairing=pairing,
        scores=scores,
        unscored=tuple(each for each in results if isinstance(each, Absent)),
        means=means,
        f1=f1_scores(means),
        spreads=bootstrap(measures, options.bootstrap_samples, options.seed),
        options=options,
    )


def _named(
    generated: Reports, references: Reports, matches: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the reference of each study; by default of the same name."""
    if matches is None:
        return {study: study for study in generated.reports}
    known = {*generated.reports, *(each.study_id for each in generated.absent)}
    there = {*references.reports, *(each.study_id for each in references.absent)}
    for study, reference in matches.items():
        if study not in known:
            raise BadSource(f"a match names {study!r}, unknown in {generated.place}")
        if reference not in there:
            raise BadSource(
                f"a match names {reference!r}, unknown in {references.place}"
            )
    return dict(matches)


def _pair(
    study: str, generated: GivenReport, reference: GivenReport, *, has_boxes: bool
) -> Pair:
    if not has_boxes:
        generated, reference = _unlocated(generated), _unlocated(reference)
    return Pair(study_id=study, generated=generated, reference=reference)


def _unlocated(report: GivenReport) -> GivenReport:
    if report.sentences is None:
        return report
    sentences = tuple(Sentence(text=each.text) for each in report.sentences)
    return replace(report, sentences=sentences)


def _pairing(
    generated: Reports,
    references: Reports,
    named: Mapping[str, str],
    pairs: tuple[Pair, ...],
    *,
    has_boxes: bool,
) -> Pairing:
    reasons = {each.study_id: each.reason for each in references.absent}
    without_reference = [
        Absent(
            study_id=study,
            reason=reasons.get(named.get(study, study), "no reference report"),
        )
        for study in generated.reports
        if named.get(study) not in references.reports
    ]
    used = {named[pair.study_id] for pair in pairs}
    generated_reasons = {
        named.get(each.study_id, each.study_id): each for each in generated.absent
    }
    without_generated = [
        Absent(study_id=reference, reason="no generated report")
        for reference in references.reports
        if reference not in used and reference not in generated_reasons
    ]
    return Pairing(
        pairs=pairs,
        without_reference=tuple(without_reference),
        without_generated=(*generated.absent, *without_generated),
        has_boxes=has_boxes,
    )


def _score(pair: Pair, judge: Judge) -> StudyScore | Absent:
    try:
        generated = _sentences(pair.generated, judge)
        reference = _sentences(pair.reference, judge)
    except JudgeFailure as failure:
        reason = f"a report was not split into sentences: {failure}"
        return Absent(study_id=pair.study_id, reason=reason)
    return score_study(pair.study_id, generated, reference, judge)


def _sentences(report: GivenReport, judge: Judge) -> Report:
    if report.sentences is not None:
        return report.sentences
    text = (report.text or "").strip()
    return tuple(Sentence(text=each) for each in judge.split(text)) if text else ()
