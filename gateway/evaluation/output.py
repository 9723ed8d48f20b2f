"""Results as files, under the names that RadFact's own tool uses.

`radfact_scores.json` holds its flat figures (and with the bootstrap `name/mean`,
`name/stderr`, `name/p2.5th` …), `radfact_per_study.csv` its table a study. With
text also its two input forms, to run it on the same reports: `radfact_findings.csv`
or, with boxes, `radfact_grounded.json`. What does not exist is null, or empty.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from io import StringIO
from math import isfinite
from pathlib import Path

from gateway.evaluation.run import Evaluation, Pair
from gateway.evaluation.sources import GivenReport, Part
from model.radfact.bootstrap import Spread
from model.radfact.values import MEASURE_NAMES, JudgedSentence, StudyScore

NOTICE = (
    "For research only. RadFact figures depend on the judge and on the references; "
    "they are no evidence that reports are safe for clinical use."
)

_SPREADS = {
    "mean": "mean",
    "stderr": "stderr",
    "low": "p2.5th",
    "lower": "p25th",
    "median": "median",
    "upper": "p75th",
    "high": "p97.5th",
}
"""Fields of `Spread` -> RadFact's names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """What has to be known to repeat a run; goes into every file about it.

    `models` names who generated the reports: (model name, SHA-256 of the weights).
    `prompts` is the SHA-256 of what the judge was asked; None: it reads no prompt.
    """

    command: str
    version: str
    at: datetime
    judge: str
    prompts: str | None
    generated: str
    references: str
    models: tuple[tuple[str, str], ...]
    with_text: bool


def write_results(folder: Path, run: Evaluation, about: About) -> tuple[Path, ...]:
    """Write every file; return their paths. Raises OSError where one cannot be."""
    folder.mkdir(parents=True, exist_ok=True)
    bodies = {
        "radfact_scores.json": _json(scores_of(run)),
        "radfact_per_study.csv": _table(run.scores),
        "radfact_evaluation.json": _json(_record(run, about)),
    }
    if about.with_text:
        bodies |= _inputs(run)
    for name, body in bodies.items():
        write_file(folder / name, body, private=about.with_text)
    return tuple(folder / name for name in bodies)


def write_file(path: Path, body: str, *, private: bool) -> None:
    """Write a file; what is private is for its owner alone, from the first byte on."""
    if private:
        path.touch(mode=0o600)
        path.chmod(0o600)
    # a name from a file system that is not UTF-8 must not cost the whole run
    path.write_text(body, "utf-8", errors="backslashreplace")


def scores_of(run: Evaluation) -> dict[str, float | None]:
    """Return RadFact's figures of the data set, one level deep."""
    judged = [
        each for score in run.scores for each in (*score.candidate, *score.reference)
    ]
    figures: dict[str, float] = {
        **dict(zip(MEASURE_NAMES, run.means.values(), strict=True)),
        **run.f1,
        "num_samples": len(run.scores),
        "num_llm_failures": run.failed_calls,
        "num_llm_success": len(judged) - run.failed_calls,
        "num_invalid_processed_samples": len(run.unscored),
    }
    for name, spread in run.spreads.items():
        figures |= {f"{name}/{stat}": value for stat, value in _stats(spread)}
    return {name: _number(value) for name, value in figures.items()}


def _stats(spread: Spread) -> Iterator[tuple[str, float]]:
    for field, name in _SPREADS.items():
        yield name, getattr(spread, field)


def _table(scores: Sequence[StudyScore]) -> str:
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("study_id", *MEASURE_NAMES, "num_llm_failures"))
    for score in scores:
        numbers = (_number(value) for value in score.measures.values())
        rows.writerow((score.study_id, *numbers, score.failed_calls))
    return text.getvalue()


def _record(run: Evaluation, about: About) -> dict[str, object]:
    """Return everything about the run; sentences only with text."""
    pairing = run.pairing
    return {
        "notice": NOTICE,
        "about": {**asdict(about), "at": about.at.isoformat()},
        "self_test": asdict(run.self_test) if run.self_test else None,
        "bootstrap": {
            "samples": run.options.bootstrap_samples,
            "seed": run.options.seed,
        },
        "boxes_compared": pairing.has_boxes,
        "without_reference": [asdict(each) for each in pairing.without_reference],
        "without_generated": [asdict(each) for each in pairing.without_generated],
        "unscored": [asdict(each) for each in run.unscored],
        "scores": scores_of(run),
        "studies": [_study(score, with_text=about.with_text) for score in run.scores],
    }


def _study(score: StudyScore, *, with_text: bool) -> dict[str, object]:
    """Return a study in the form of RadFact's results a sample."""
    return {
        "study_id": score.study_id,
        "candidate_phrases": [
            _phrase(each, score.reference, with_text=with_text)
            for each in score.candidate
        ],
        "reference_phrases": [
            _phrase(each, score.candidate, with_text=with_text)
            for each in score.reference
        ],
        "scores": {
            name: _number(value)
            for name, value in zip(MEASURE_NAMES, score.measures.values(), strict=True)
        },
    }


def _phrase(
    judged: JudgedSentence, other: Sequence[JudgedSentence], *, with_text: bool
) -> dict[str, object]:
    verdict = judged.verdict
    found: dict[str, object] = {
        "status": "entailment" if verdict.entailed else "not_entailment",
        "spatial_entailment_status": judged.spatial.value,
        "evidence_indices": list(verdict.evidence),
        "failure": verdict.failure,
        "boxes": [asdict(box) for box in judged.sentence.boxes] or None,
    }
    if with_text:
        evidence = [other[place].sentence.text for place in verdict.evidence]
        found |= {"text": judged.sentence.text, "evidence": evidence}
    return found


def _inputs(run: Evaluation) -> dict[str, str]:
    """Return the reports in the form that RadFact's own tool is given."""
    if run.pairing.has_boxes:
        return {"radfact_grounded.json": _json([_grounded(s) for s in run.scores])}
    text = StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("example_id", Part.GENERATED.value, Part.REFERENCE.value))
    rows.writerows(map(_narrative, run.pairing.pairs))
    return {"radfact_findings.csv": text.getvalue()}


def _narrative(pair: Pair) -> tuple[str, str, str]:
    return pair.study_id, _whole(pair.generated), _whole(pair.reference)


def _whole(report: GivenReport) -> str:
    if report.sentences is None:
        return report.text or ""
    return " ".join(sentence.text for sentence in report.sentences)


def _grounded(score: StudyScore) -> dict[str, object]:
    return {
        "example_id": score.study_id,
        Part.GENERATED.value: [_located(each) for each in score.candidate],
        Part.REFERENCE.value: [_located(each) for each in score.reference],
    }


def _located(judged: JudgedSentence) -> dict[str, object]:
    boxes = [asdict(box) for box in judged.sentence.boxes]
    return {"text": judged.sentence.text, "boxes": boxes or None}


def _number(value: float) -> float | None:
    return value if isfinite(value) else None


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
