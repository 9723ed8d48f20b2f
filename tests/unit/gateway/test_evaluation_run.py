"""Pairing, scoring, self-test, and what is written."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from math import isnan
from pathlib import Path

import pytest

from gateway.evaluation.errors import BadSource, JudgeUnfit, MissingLibrary
from gateway.evaluation.output import About, scores_of, write_results
from gateway.evaluation.page import render_page
from gateway.evaluation.plots import demand_matplotlib
from gateway.evaluation.run import (
    Evaluation,
    Pairing,
    RunOptions,
    evaluate_pairs,
    pair_reports,
)
from gateway.evaluation.self_test import (
    KNOWN_ANSWERS,
    demand_fit,
    run_self_test,
)
from gateway.evaluation.sources import (
    Absent,
    BoxFrame,
    GivenReport,
    Part,
    Reports,
    read_grounded,
    read_table,
)
from model.radfact.errors import JudgeFailure, JudgeUnavailable
from model.radfact.judge import ExactJudge
from model.radfact.values import NOT_ENTAILED, Rectangle, Sentence, Verdict

BOX = Rectangle(x_min=0.0, y_min=0.0, x_max=0.5, y_max=1.0)
NASTY = "<script>alert('é')</script> & \"heart\""
ABOUT = About(
    command="maira-gateway evaluate <x>",
    version="1",
    at=datetime(2026, 3, 4, tzinfo=UTC),
    judge="exact <b>",
    prompts=None,
    generated="here",
    references="there",
    models=(("phantom", "ab" * 32),),
    with_text=False,
)
QUICK = RunOptions(bootstrap_samples=20)


def texts(frame: BoxFrame | None = None, /, **reports: str) -> Reports:
    given = {study: GivenReport(text=text) for study, text in reports.items()}
    return Reports(place="p", reports=given, frame=frame)


def located(frame: BoxFrame = BoxFrame.CROP) -> Reports:
    report = GivenReport(sentences=(Sentence(text=NASTY, boxes=(BOX,)),))
    return Reports(place="p", reports={"1": report}, frame=frame)


def run_of(pairing: Pairing) -> Evaluation:
    return evaluate_pairs(pairing, ExactJudge(), QUICK)


def test_studies_without_partner_are_listed_on_either_side() -> None:
    generated = replace(
        texts(a="x", b="x"), absent=(Absent(study_id="d", reason="declined"),)
    )
    references = replace(
        texts(a="x", c="x", d="x"), absent=(Absent(study_id="b", reason="no text"),)
    )
    found = pair_reports(generated, references)
    assert [pair.study_id for pair in found.pairs] == ["a"]
    assert [(e.study_id, e.reason) for e in found.without_reference] == [
        ("b", "no text")
    ]
    assert [(e.study_id, e.reason) for e in found.without_generated] == [
        ("d", "declined"),
        ("c", "no generated report"),
    ]


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(BadSource, match="no study has both"):
        pair_reports(texts(a="x"), texts(b="x"))


def test_matches_join_studies_of_different_names() -> None:
    found = pair_reports(texts(a="x", b="y"), texts(s1="z"), {"a": "s1"})
    assert [pair.study_id for pair in found.pairs] == ["a"]
    assert [each.study_id for each in found.without_reference] == ["b"]
    assert found.without_generated == ()


@pytest.mark.parametrize("match", [{"z": "s1"}, {"a": "s9"}])
def test_a_match_that_names_an_unknown_study_is_refused(match: dict[str, str]) -> None:
    with pytest.raises(BadSource, match="unknown in"):
        pair_reports(texts(a="x"), texts(s1="z"), match)


def test_boxes_count_only_where_both_sides_can_hold_them() -> None:
    both = pair_reports(located(), located())
    one = pair_reports(located(), Reports(place="p", reports=located().reports))
    assert run_of(both).means.spatial_precision == 1.0
    assert isnan(run_of(one).means.spatial_precision)
    assert run_of(one).means.logical_precision == 1.0


def test_boxes_of_different_frames_are_not_compared() -> None:
    with pytest.raises(BadSource, match="same frame"):
        pair_reports(located(BoxFrame.CROP), located(BoxFrame.IMAGE))


def test_narrative_text_is_split_and_an_empty_one_says_nothing() -> None:
    pairing = pair_reports(texts(a="One. Two.", b=""), texts(a="One.", b="One."))
    run = run_of(pairing)
    first, second = run.scores
    assert (first.measures.logical_precision, first.measures.logical_recall) == (0.5, 1)
    assert isnan(second.measures.logical_precision)
    assert second.measures.logical_recall == 0.0
    assert run.means.logical_precision == 0.5
    assert run.means.logical_recall == 0.5


class Moody(ExactJudge):
    """Fails what it is told to fail."""

    def __init__(
        self, *, split: str = "", entails: str = "", dead: bool = False
    ) -> None:
        self.fails_split, self.fails_entails, self.dead = split, entails, dead

    def split(self, text: str) -> tuple[str, ...]:
        if text == self.fails_split:
            raise JudgeFailure("no form")
        return super().split(text)

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        if self.dead:
            raise JudgeUnavailable("nobody there")
        if sentence == self.fails_entails:
            raise JudgeFailure("no form")
        return super().entails(sentence, report)


def test_a_report_that_is_not_split_is_listed_as_not_scored() -> None:
    pairing = pair_reports(texts(a="X.", b="Y."), texts(a="X.", b="Z."))
    run = evaluate_pairs(pairing, Moody(split="Y."), QUICK)
    assert [each.study_id for each in run.unscored] == ["b"]
    assert [score.study_id for score in run.scores] == ["a"]
    assert scores_of(run)["num_invalid_processed_samples"] == 1


def test_failed_questions_are_counted_in_the_figures() -> None:
    pairing = pair_reports(texts(a="X. Y."), texts(a="X. Y."))
    figures = scores_of(evaluate_pairs(pairing, Moody(entails="Y."), QUICK))
    assert (figures["num_llm_failures"], figures["num_llm_success"]) == (2, 2)
    assert figures["logical_precision"] == 0.5


def test_a_dead_judge_ends_the_run() -> None:
    pairing = pair_reports(texts(a="X.", b="Y."), texts(a="X.", b="Y."))
    with pytest.raises(JudgeUnavailable):
        evaluate_pairs(pairing, Moody(dead=True), RunOptions(workers=2))


def test_several_workers_give_the_same_figures_and_tell_their_steps() -> None:
    reports = {f"s{n}": f"A{n % 3}. B. C{n}." for n in range(12)}
    others = {f"s{n}": f"A0. B. C{n}." for n in range(12)}
    pairing = pair_reports(texts(**reports), texts(**others))
    steps: list[str] = []
    options = replace(QUICK, workers=4)
    many = evaluate_pairs(pairing, ExactJudge(), options, steps.append)
    assert many.scores == run_of(pairing).scores
    assert steps[-1] == "12 of 12 studies"


def known(statement: str, report: Sequence[str]) -> Verdict:
    for each in KNOWN_ANSWERS:
        if each.statement == statement and each.report == report and each.evidence:
            return Verdict(entailed=True, evidence=each.evidence)
    return NOT_ENTAILED


class Knowing(ExactJudge):
    """Knows every answer but those about `weak`."""

    def __init__(self, *weak: str) -> None:
        self.weak = weak

    def entails(self, sentence: str, report: Sequence[str]) -> Verdict:
        if any(word in sentence for word in self.weak):
            raise JudgeFailure("no form")
        return known(sentence, report)


def test_a_judge_that_knows_the_answers_is_fit() -> None:
    result = run_self_test(Knowing())
    assert result.asked == len(KNOWN_ANSWERS) >= 12
    assert result.share_right == 1.0
    demand_fit(result)


def test_a_judge_that_fails_too_many_is_refused() -> None:
    result = run_self_test(Knowing("effusion"))
    assert 0 < len(result.wrong) < result.asked
    with pytest.raises(JudgeUnfit, match="--accept-unfit-judge"):
        demand_fit(result)


def test_who_refuses_a_judge_says_why_it_did_not_answer() -> None:
    result = run_self_test(Knowing(""))
    assert result.failure == "no form"
    with pytest.raises(JudgeUnfit, match="without an answer: no form"):
        demand_fit(result)


def test_the_known_answers_hold_both_kinds() -> None:
    entailed = [each for each in KNOWN_ANSWERS if each.evidence]
    assert 5 <= len(entailed) <= len(KNOWN_ANSWERS) - 5
    # Neither a judge that says yes to all nor one that says no passes.
    with pytest.raises(JudgeUnfit):
        demand_fit(run_self_test(ExactJudge()))


def results(tmp_path: Path, run: Evaluation, about: About) -> dict[str, str]:
    return {path.name: path.read_text() for path in write_results(tmp_path, run, about)}


def test_without_text_no_file_and_no_page_holds_a_sentence(tmp_path: Path) -> None:
    run = run_of(pair_reports(located(), located()))
    files = results(tmp_path, run, ABOUT)
    assert sorted(files) == [
        "radfact_evaluation.json",
        "radfact_per_study.csv",
        "radfact_scores.json",
    ]
    page = render_page(run, ABOUT)
    assert not any("alert" in text for text in (*files.values(), page))


def test_with_text_the_page_escapes_every_word(tmp_path: Path) -> None:
    run = run_of(pair_reports(located(), located()))
    about = replace(ABOUT, with_text=True)
    page = render_page(run, about)
    assert "&lt;script&gt;alert(&#x27;é&#x27;)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "evaluate &lt;x&gt;" in page
    assert "exact &lt;b&gt;" in page
    assert "which may concern patients" in page
    assert "alert" in results(tmp_path, run, about)["radfact_evaluation.json"]


def test_the_page_says_what_it_is_and_needs_nothing_from_elsewhere() -> None:
    page = render_page(run_of(pair_reports(located(), located())), ABOUT)
    assert "For research only" in page
    assert "default-src &#x27;none&#x27;" in page or "default-src 'none'" in page
    assert page.count("<svg") == 2
    assert "ab" * 32 in page
    assert "src=" not in page.replace("default-src", "")


def test_scores_have_radfacts_names_and_null_for_what_does_not_exist(
    tmp_path: Path,
) -> None:
    files = results(tmp_path, run_of(pair_reports(texts(a="X."), texts(a="X."))), ABOUT)
    scores = json.loads(files["radfact_scores.json"])
    assert scores["logical_precision"] == scores["logical_f1/median"] == 1.0
    assert scores["spatial_precision"] is scores["grounding_f1/p2.5th"] is None
    assert scores["num_samples"] == 1
    assert {"logical_recall/stderr", "logical_recall/p97.5th"} <= scores.keys()


def test_the_table_holds_a_row_a_study(tmp_path: Path) -> None:
    files = results(tmp_path, run_of(pair_reports(texts(a="X."), texts(a="X."))), ABOUT)
    (row,) = csv.DictReader(files["radfact_per_study.csv"].splitlines())
    assert (row["study_id"], row["logical_recall"]) == ("a", "1.0")
    assert row["spatial_recall"] == ""


def test_inputs_for_radfacts_own_tool_are_read_back_as_they_were(
    tmp_path: Path,
) -> None:
    about = replace(ABOUT, with_text=True)
    results(tmp_path, run_of(pair_reports(located(), located())), about)
    path = tmp_path / "radfact_grounded.json"
    again = read_grounded(path, Part.GENERATED, BoxFrame.CROP)
    assert again.reports == located().reports
    (entry,) = json.loads(path.read_text())
    assert entry.keys() == {"example_id", "prediction", "target"}
    plain = run_of(pair_reports(texts(a="X, y."), texts(a="Z.")))
    results(tmp_path, plain, about)
    table = read_table(tmp_path / "radfact_findings.csv", Part.REFERENCE)
    assert table.reports["a"].text == "Z."


def test_files_with_text_are_for_their_owner_alone(tmp_path: Path) -> None:
    run = run_of(pair_reports(located(), located()))
    write_results(tmp_path, run, ABOUT)
    paths = write_results(tmp_path, run, replace(ABOUT, with_text=True))
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


def test_a_missing_plot_library_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingLibrary, match="matplotlib"):
        demand_matplotlib()
