"""Each benchmark at tiny size: what it counts and compares, never how fast it is."""

import json
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks import associate, limits, memory, pixels, receive, rounds, study
from tests.data.peers import require_peer


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    return tmp_path


def test_limits_of_the_machine_are_all_measured(results: Path) -> None:
    limits.main(["--rounds", "1", "--mebibytes", "1"])
    kept = json.loads((results / "limits.json").read_text())
    assert len(kept["figures"]) == 7
    assert all(figure["median"] > 0 for figure in kept["figures"])


def test_our_pictures_are_those_of_pydicom(results: Path) -> None:
    pixels.main(["--rounds", "1", "--rows", "300", "--columns", "250"])
    kept = json.loads((results / "pixels.json").read_text())
    assert {figure["unit"] for figure in kept["figures"]} == {"ms"}


def test_a_difference_from_pydicom_is_no_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pixels.film(tmp_path / "film", 60, 50, ExplicitVRLittleEndian)
    picture, small = pixels.ours(path)
    monkeypatch.setattr(pixels, "ours", lambda _path: (picture // 2, small))
    with pytest.raises(RuntimeError, match="differ"):
        pixels.check_equal(path)


def test_every_receiver_keeps_what_it_was_sent(tmp_path: Path) -> None:
    require_peer("storescp")
    out = tmp_path / "runs.json"
    names = "ours;ours, durable;storescp, tuned;pynetdicom"
    options = ["--rounds", "1", "--objects", "4", "--side", "300"]
    receive.main(
        [*options, "--associations", "1,2", "--only", names, "--json", str(out)]
    )
    runs = json.loads(out.read_text())
    assert len(runs) == 8
    assert {run["arrived"] for run in runs} == {4}


def test_a_study_ends_stored_and_its_time_line_is_kept(results: Path) -> None:
    study.main(["--studies", "2", "--side", "400", "--delay", "0.01"])
    kept = json.loads((results / "study.json").read_text())
    assert len(kept["targets"]) == 2
    assert {len(figure["values"]) for figure in kept["figures"]} == {2}


def test_a_long_instance_and_films_arrive_while_memory_is_watched(
    results: Path,
) -> None:
    memory.main(["--associations", "2", "--side", "300", "--megabytes", "3"])
    idle, *above = json.loads((results / "memory.json").read_text())["figures"]
    assert idle["median"] > 0
    assert len(above) == 2


def test_associations_are_opened_and_released_everywhere(results: Path) -> None:
    require_peer("storescp")
    associate.main(["--rounds", "1", "--times", "2"])
    kept = json.loads((results / "associate.json").read_text())
    assert [figure["name"] for figure in kept["figures"]] == list(associate.NAMES)
