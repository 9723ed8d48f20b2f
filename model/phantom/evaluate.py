"""Figures on held-out phantoms: ``python -m model.phantom.evaluate --seed S --n N``.

The last line of the output is one JSON object. The phantoms are drawn at full size
and go through the engine as any study would.
"""

import argparse
import json
import logging
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from model.engine import ReportEngine
from model.engines.local import LocalEngine
from model.options import PHANTOM_CHECKPOINT, EngineOptions
from model.phantom.findings import Kind
from model.phantom.generator import PhantomStudy, make_phantom
from model.phantom.scoring import Score, overlap, score, summarise
from model.phantom.sentences import read
from model.phantom.text import inputs_of, true_phrases
from model.report import GroundedPhrase, GroundedReport, ReportRequest, Task

SEED_LIMIT = 1 << 16
_SEED_STRIDE = 1 << 20
_LOG = logging.getLogger(__name__)


def held_out(seed: int, count: int) -> Iterator[PhantomStudy]:
    """Yield phantoms that no training has seen (`dataset.TRAINING_SEEDS`).

    Raises `ValueError` where the seeds would not stay apart.
    """
    if not (0 <= seed < SEED_LIMIT and 0 <= count <= _SEED_STRIDE):
        raise ValueError(f"seed must be in 0..{SEED_LIMIT - 1}, n up to {_SEED_STRIDE}")
    first = seed * _SEED_STRIDE
    return map(make_phantom, range(first, first + count))


def evaluate(engine: ReportEngine, seed: int, count: int) -> dict[str, float | None]:
    """Ask for a grounded report of each phantom and for one of its phrases."""
    scores: list[Score] = []
    phrase_overlaps: list[float] = []
    lateral_only: list[bool] = []
    seconds = 0.0
    for study in held_out(seed, count):
        truth = true_phrases(study)
        report = grounded_report(engine, study)
        scores.append(score(truth, report.phrases))
        seconds += report.provenance.seconds
        phrase_overlaps.extend(_phrase_overlap(engine, study, truth))
        lateral_only.extend(_lateral_only(truth, report.phrases))
        _LOG.info("%d of %d", len(scores), count)
    return {
        **asdict(summarise(scores)),
        "phrase_iou": _mean(phrase_overlaps),
        "lateral_only_recall": _mean(lateral_only),
        "seconds_per_report": seconds / count if count else None,
        "n": count,
    }


def grounded_report(engine: ReportEngine, study: PhantomStudy) -> GroundedReport:
    """Ask the engine for the grounded report of a study."""
    request = ReportRequest(inputs=inputs_of(study), tasks=(Task.GROUNDED_FINDINGS,))
    return engine.generate([request])[0][0]


def _phrase_overlap(
    engine: ReportEngine, study: PhantomStudy, truth: tuple[GroundedPhrase, ...]
) -> Iterator[float]:
    """Yield the overlap for the study's first boxed sentence; 0 without an answer."""
    wanted = next((phrase for phrase in truth if phrase.boxes), None)
    if wanted is None:
        return
    request = ReportRequest(inputs=inputs_of(study), phrases=(wanted.text,))
    ((answer,),) = engine.generate([request])
    boxes = [box for phrase in answer.phrases for box in phrase.boxes]
    yield overlap(wanted.boxes[0], boxes[0]) if boxes else 0.0


def _lateral_only(
    truth: tuple[GroundedPhrase, ...], answer: tuple[GroundedPhrase, ...]
) -> Iterator[bool]:
    """Yield whether a finding that only the lateral shows was reported."""
    if _speaks_of_lateral(truth):
        yield _speaks_of_lateral(answer)


def _speaks_of_lateral(phrases: tuple[GroundedPhrase, ...]) -> bool:
    said = (read(phrase.text) for phrase in phrases)
    return any(one is not None and one.kind is Kind.RETROCARDIAC_NODULE for one in said)


def _mean(values: list[float] | list[bool]) -> float | None:
    return sum(values) / len(values) if values else None


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
    figures = evaluate(engine, given.seed, given.n)
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
