"""`evaluate` from the command line, to its files and its exit codes."""

import json
from pathlib import Path

import pytest

from gateway.cli.evaluate_sources import FrameChoice, LayoutChoice
from gateway.evaluation.readers import Layout
from gateway.evaluation.self_test import KNOWN_ANSWERS
from gateway.evaluation.sources import BoxFrame
from tests.data.commands import call
from tests.data.judges import Reply, completion, question, serving, words_judge
from tests.data.person_reports import sr
from tests.data.stages import STUDY_UID, bench_at

STATEMENTS = {(k.statement, k.report): k.evidence for k in KNOWN_ANSWERS}


@pytest.fixture
def words(tmp_path: Path) -> list[str | Path]:
    """Two studies of which one has both reports."""
    generated, references = tmp_path / "g.csv", tmp_path / "r.csv"
    generated.write_text("study_id,text\na,No effusion. Clear.\nb,Clear.\n")
    references.write_text("study_id,text\na,No effusion.\nc,Clear.\n")
    return [
        *("--generated", generated, "--references", references),
        *("--out", tmp_path / "out", "--samples", "20"),
    ]


def knowing(request: dict[str, object], before: int) -> Reply:
    """Know the answers of the self-test, and equal words beyond."""
    asked = question(request)
    report = asked.get("report")
    if not isinstance(report, dict):
        return words_judge(request, before)
    known = STATEMENTS.get((str(asked["statement"]), tuple(report.values())))
    if known is None:
        return words_judge(request, before)
    evidence = [place + 1 for place in known]
    return completion({"entailed": True, "evidence": evidence})


def test_two_tables_are_compared_word_by_word(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str | Path],
) -> None:
    code, out, _ = call(monkeypatch, capsys, "evaluate", *words, "--judge", "exact")
    assert code == 0
    assert "1 generated reports without a reference, 1 studies without" in out
    scores = json.loads((tmp_path / "out" / "radfact_scores.json").read_text())
    assert (scores["logical_precision"], scores["logical_recall"]) == (0.5, 1.0)
    page = (tmp_path / "out" / "radfact.html").read_text()
    assert "--judge exact" in page
    assert "No effusion" not in page


def test_json_holds_the_figures_and_the_files(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str | Path],
) -> None:
    more = ("--judge", "exact", "--json", "--no-page")
    code, out, _ = call(monkeypatch, capsys, "evaluate", *words, *more)
    printed = json.loads(out)
    assert (code, printed["scores"]["num_samples"]) == (0, 1)
    assert len(printed["files"]) == 3


def test_a_fit_endpoint_is_tested_asked_and_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str | Path],
) -> None:
    with serving(knowing) as endpoint:
        asked = ("--endpoint", endpoint.url, "--model", "m")
        code, _, err = call(monkeypatch, capsys, "evaluate", *words, *asked)
        assert (code, err) == (0, "")
        before = len(endpoint.requests)
        assert call(monkeypatch, capsys, "evaluate", *words, *asked)[0] == 0
        assert len(endpoint.requests) == before
    record = json.loads((tmp_path / "out" / "radfact_evaluation.json").read_text())
    assert record["about"]["judge"] == f"m at {endpoint.url}"
    assert record["self_test"]["wrong"] == []
    assert len(record["about"]["prompts"]) == 64
    assert record["scores"]["logical_recall"] == 1.0


def test_an_unfit_endpoint_is_refused_unless_told(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str | Path],
) -> None:
    with serving(words_judge) as endpoint:
        asked = ("--endpoint", endpoint.url, "--model", "m")
        code, _, err = call(monkeypatch, capsys, "evaluate", *words, *asked)
        assert code == 1
        assert "known answers wrong" in err
        assert not (tmp_path / "out" / "radfact_scores.json").exists()
        anyway = "--accept-unfit-judge"
        assert call(monkeypatch, capsys, "evaluate", *words, *asked, anyway)[0] == 0
    assert "known answers wrong" in (tmp_path / "out" / "radfact.html").read_text()


@pytest.mark.parametrize(
    "wrong",
    [
        ((), 2, "name --endpoint and --model"),
        (("--endpoint", "http://judge.example/v1", "--model", "m"), 1, "unencrypted"),
        (("--judge", "exact", "--match", "none.csv"), 1, "none.csv cannot be read"),
        (("--judge", "exact", "--layout", "padchest-gr"), 1, "line 1"),
        (("--judge", "exact", "--references", "archive"), 2, "archive.peer"),
        (("--judge", "exact", "--generated", "ledger"), 1, "no ledger"),
    ],
)
def test_wrong_use_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str | Path],
    wrong: tuple[tuple[str, ...], int, str],
) -> None:
    more, code, said = wrong
    found = call(monkeypatch, capsys, "evaluate", *words, *more)
    assert (found[0], found[1]) == (code, "")
    assert said in found[2]
    assert len(found[2].splitlines()) == 1


def test_reports_received_here_are_matched_with_studies_of_other_names(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str | Path],
) -> None:
    with bench_at(tmp_path / "site") as bench:
        bench.send(bench.film())
        bench.send(sr(tmp_path / "sr.dcm", text="Clear."))
    settings, match = tmp_path / "site.toml", tmp_path / "match.csv"
    settings.write_text(f"[storage]\nfolder = '{tmp_path / 'site/data'}'\n")
    match.write_text(f"study_id,reference_id\nb,{STUDY_UID}\n")
    more = ("--references", "received", "--match", match, "--judge", "exact")
    command = ("--config", settings, "evaluate", *words, *more, "--json")
    code, out, err = call(monkeypatch, capsys, *command)
    assert (code, err) == (0, "")
    assert json.loads(out)["scores"]["logical_precision"] == 1.0


def test_the_choices_are_those_of_the_readers() -> None:
    assert [*LayoutChoice] == [*Layout]
    assert [*FrameChoice] == [*BoxFrame]
