"""Figures on held-out phantoms: ``python -m model.phantom.evaluate --seed S --n N``.

The last line of the output is one JSON object. The phantoms are drawn at full size
and go through the engine as any study would. Sensitivity to context is measured on
up to `CONTEXT_STUDIES` of them; each figure's number of studies stands beside it.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from model.engine import ReportEngine
from model.engines.local import LocalEngine
from model.options import PHANTOM_CHECKPOINT, EngineOptions
from model.phantom.asking import held_out
from model.phantom.generator import PhantomStudy
from model.phantom.intervals import Figures, Interval, bootstrap, wilson
from model.phantom.scoring import Score, overlap, score, summarise
from model.phantom.sensitivity import (
    Prior,
    PriorAnswers,
    ViewAnswer,
    compare_priors,
    compare_views,
)
from model.phantom.text import inputs_of, true_phrases
from model.report import ReportRequest, Task

CONTEXT_STUDIES = 100
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one study.

    `phrase_overlap` is that of the first boxed sentence, asked for as a phrase: 0
    without an answer, None where the study has no box.
    """

    score: Score
    phrase_overlap: float | None
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures by name, None where nothing was there to judge, and intervals."""

    figures: Figures
    intervals_95: dict[str, Interval]


def evaluate(engine: ReportEngine, seed: int, count: int) -> Evaluation:
    """Measure the engine on `count` phantoms and its use of their context."""
    answers = []
    for study in held_out(seed, count):
        answers.append(_answer(engine, study))
        _LOG.info("%d of %d", len(answers), count)
    limit = min(count, CONTEXT_STUDIES)
    priors = compare_priors(engine, held_out(seed, count), limit)
    _LOG.info("%d studies with other priors", len(priors))
    views = compare_views(engine, seed, limit)
    figures = {
        **_figures(answers),
        **_prior_figures(priors),
        **_view_figures(views),
        "seconds_per_report": _mean(one.seconds for one in answers),
        "n": count,
        "n_prior": len(priors),
        "n_lateral_only": len(views),
    }
    intervals = {
        **bootstrap(answers, _figures),
        **bootstrap(priors, _prior_figures),
        **_view_intervals(views),
    }
    return Evaluation(figures=figures, intervals_95=intervals)


def _answer(engine: ReportEngine, study: PhantomStudy) -> Answer:
    """Ask for a grounded report and, where there is a box, for one phrase."""
    truth = true_phrases(study)
    wanted = next((phrase for phrase in truth if phrase.boxes), None)
    request = ReportRequest(
        inputs=inputs_of(study),
        tasks=(Task.GROUNDED_FINDINGS,),
        phrases=() if wanted is None else (wanted.text,),
    )
    ((report, *located),) = engine.generate([request])
    shared = None
    if wanted is not None:
        boxes = [
            box for one in located for phrase in one.phrases for box in phrase.boxes
        ]
        shared = overlap(wanted.boxes[0], boxes[0]) if boxes else 0.0
    return Answer(
        score=score(truth, report.phrases),
        phrase_overlap=shared,
        seconds=report.provenance.seconds,
    )


def _figures(answers: Sequence[Answer]) -> Figures:
    overlaps = (one.phrase_overlap for one in answers)
    return {
        **asdict(summarise(one.score for one in answers)),
        "phrase_iou": _mean(one for one in overlaps if one is not None),
    }


def _prior_figures(answers: Sequence[PriorAnswers]) -> Figures:
    by_prior = {prior: [one[prior] for one in answers] for prior in Prior}
    accuracies = {
        f"change_accuracy_prior_{prior}": summarise(
            one.score for one in given
        ).change_accuracy
        for prior, given in by_prior.items()
    }
    missing = by_prior[Prior.MISSING]
    return {
        **accuracies,
        "compares_without_prior": _mean(one.compares for one in missing),
    }


def _view_figures(answers: Sequence[ViewAnswer]) -> Figures:
    return {
        "lateral_only_with": _mean(one.with_lateral for one in answers),
        "lateral_only_without": _mean(one.without_lateral for one in answers),
    }


def _view_intervals(answers: Sequence[ViewAnswer]) -> dict[str, Interval]:
    shares = {
        "lateral_only_with": wilson(
            sum(one.with_lateral for one in answers), len(answers)
        ),
        "lateral_only_without": wilson(
            sum(one.without_lateral for one in answers), len(answers)
        ),
    }
    return {name: share for name, share in shares.items() if share is not None}


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None


def main(arguments: list[str]) -> None:
    """Evaluate as the command line asks."""
    parser = argparse.ArgumentParser(prog="python -m model.phantom.evaluate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--n", type=int, default=200)
    parser.add_argument("--checkpoint", type=Path, default=PHANTOM_CHECKPOINT)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("model").setLevel(logging.INFO)
    engine = LocalEngine(EngineOptions(checkpoint=given.checkpoint, threads=1))
    found = evaluate(engine, given.seed, given.n)
    line = json.dumps({**found.figures, "intervals_95": found.intervals_95})
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
