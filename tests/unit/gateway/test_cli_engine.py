"""`engine deploy|status|remove` where something is missing."""

import sys
from pathlib import Path

import pytest

from benchmarks.rounds import free_port
from config.load import Table
from model.engines import rayserve
from tests.data.commands import call
from tests.data.ray_nodes import load_ray
from tests.data.sites import toml_of
from tests.data.tiny_maira2 import write_tiny


def site_file(folder: Path, **tables: Table) -> Path:
    path = folder / "site.toml"
    path.write_text(toml_of(folder / "data", {**tables}), "utf-8")
    return path


@pytest.fixture
def without_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    for name in ("deploying", "replica"):  # as if nobody had loaded them
        monkeypatch.delattr(rayserve, name, raising=False)
        monkeypatch.delitem(sys.modules, f"{rayserve.__name__}.{name}", raising=False)


@pytest.mark.usefixtures("without_ray")
@pytest.mark.parametrize("verb", ["deploy", "status", "remove"])
def test_without_ray_each_verb_says_what_to_install(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    verb: str,
) -> None:
    words = ("--config", site_file(tmp_path), "engine", verb)
    code, out, err = call(monkeypatch, capsys, *words)
    assert (code, out) == (1, "")
    assert "pip install 'maira-gateway[ray]'" in err


def test_a_checkpoint_that_is_not_there_is_told_before_any_cluster_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = site_file(tmp_path, engine={"checkpoint": str(tmp_path / "nowhere")})
    code, _, err = call(monkeypatch, capsys, "--config", path, "engine", "deploy")
    assert code == 1
    assert "config.json is missing in" in err


def test_films_are_not_deployed_before_the_licence_is_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    films = write_tiny(tmp_path / "model", domain=None)
    path = site_file(tmp_path, engine={"checkpoint": str(films)})
    code, _, err = call(monkeypatch, capsys, "--config", path, "engine", "deploy")
    assert code == 1
    assert "acknowledged_by" in err


@pytest.mark.peers
def test_without_a_cluster_it_is_said_where_none_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    load_ray()
    address = f"127.0.0.1:{free_port()}"
    path = site_file(tmp_path, ray={"cluster": address})
    code, _, err = call(monkeypatch, capsys, "--config", path, "engine", "status")
    assert code == 1
    assert f"no Ray cluster at '{address}'" in err
