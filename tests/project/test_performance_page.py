"""docs/performance.md and docs/sizing.md are what the kept figures say."""

import json
from pathlib import Path

import pytest

from benchmarks import rounds
from benchmarks.page import DOCS, PAGES, Page, plot_path
from benchmarks.plots import PLOTS, digest, draw
from benchmarks.rounds import RESULTS
from benchmarks.tables import NOT_MEASURED


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_the_rendering_of_the_results(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text("utf-8")
    assert page == Page(name=name).text(), "run `python -m benchmarks.page`"


@pytest.mark.parametrize("name", PLOTS)
def test_each_plot_shows_the_results(name: str) -> None:
    kept = Page().plots()[name]
    drawn = plot_path(name).read_text("utf-8")
    assert digest(kept) in drawn, "run `python -m benchmarks.page`"


@pytest.mark.parametrize("path", sorted(RESULTS.glob("*.json")), ids=lambda p: p.stem)
def test_each_result_is_on_the_page(path: Path, tmp_path: Path) -> None:
    body = json.loads(path.read_text("utf-8"))
    for figure in body["figures"]:
        figure["values"] = [777_777.0 for _ in figure["values"]]
    for target in body["targets"]:
        target["reached"] = 777_777.0
    (tmp_path / path.name).write_text(json.dumps(body), "utf-8")
    texts = [Page(name=name, results=tmp_path).text() for name in PAGES]
    assert "777,777" in "".join(texts)


def test_a_plot_changes_with_its_figures(tmp_path: Path) -> None:
    kept = Page().plots()["pixels"]
    figures = dict(list(kept.figures.items())[:2])
    other = type(kept)(
        command=kept.command, when="", note="", figures=figures, targets=()
    )
    assert digest(kept) != digest(other)
    draw("pixels", other, tmp_path / "plot.svg")
    assert digest(other) in (tmp_path / "plot.svg").read_text("utf-8")


def test_a_benchmark_that_was_not_run_is_said_to_be_not_measured(
    tmp_path: Path,
) -> None:
    for name in PAGES:
        text = Page(name=name, results=tmp_path).text()
        assert NOT_MEASURED in text
        assert "{{" not in text


def test_a_command_is_kept_without_the_folder_of_a_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    words = ["soak.py", "--folder", str(tmp_path), "--studies", "5"]
    monkeypatch.setattr("sys.argv", words)
    kept = json.loads(rounds.keep("soak", []).read_text("utf-8"))
    assert kept["command"] == "python -m benchmarks.soak --studies 5"
