"""Each benchmark at tiny size: what it counts and compares, never how fast it is."""

import json
from importlib import import_module
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from benchmarks import (
    associate,
    audit,
    engine,
    leaks,
    limits,
    memory,
    pixels,
    query,
    receive,
    rounds,
    simulation,
    simulation_real,
    sizes,
    soak,
    study,
    whole,
)
from benchmarks.kept import read
from tests.data.peers import require_peer


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(rounds, "RESULTS", tmp_path)
    return tmp_path


def test_limits_of_the_machine_are_all_measured(results: Path) -> None:
    limits.main(["--rounds", "1", "--mebibytes", "1"])
    kept = json.loads((results / "limits.json").read_text())
    assert len(kept["figures"]) == 10
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


def test_every_receiver_keeps_what_it_was_sent(results: Path) -> None:
    require_peer("storescp")
    names = "ours;ours, durable;storescp, tuned;pynetdicom"
    options = ["--rounds", "1", "--objects", "4", "--side", "300"]
    receive.main([*options, "--associations", "1,2", "--only", names])
    kept = json.loads((results / "receive.json").read_text())
    # four figures of four receivers at two counts, and the rate of writing alone
    assert len(kept["figures"]) == 4 * 4 * 2 + 1
    assert [target["what"] for target in kept["targets"]] == [
        "rate, ours over storescp, tuned, associations: 1",
        "rate, ours, durable over written and synced, associations: 1",
        "rate, ours over pynetdicom, associations: 1",
    ]


def test_a_receiver_that_lost_something_is_not_measured(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_peer("storescp")
    monkeypatch.setattr(receive, "send", lambda *_: (1.0, [1.0]))
    with pytest.raises(RuntimeError, match="kept 0 of 4 objects"):
        receive.main(["--rounds", "1", "--objects", "4", "--only", receive.TUNED])
    assert not list(results.iterdir())


def test_a_study_ends_stored_and_its_time_line_is_kept(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "QUIET", 0.3)
    monkeypatch.setattr(study, "WARM_UP", 0)
    study.main(["--studies", "2", "--side", "400", "--delay", "0.01"])
    kept = json.loads((results / "study.json").read_text())
    assert len(kept["targets"]) == 2
    *states, _ = kept["figures"][: len(kept["figures"]) // 2]
    assert {len(figure["values"]) for figure in states} == {2}
    spent = [figure for figure in kept["figures"] if "processor" in figure["name"]]
    assert [figure["median"] > 0 for figure in spent] == [True, True]


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


def test_the_same_priors_are_found_by_everybody(results: Path) -> None:
    require_peer("Orthanc")
    require_peer("findscu")
    query.main(["--rounds", "1", "--patients", "3", "--studies", "2"])
    kept = json.loads((results / "query.json").read_text())
    assert [figure["name"] for figure in kept["figures"]] == [
        query.OURS,
        query.ALONE,
        query.PYNETDICOM,
        query.FINDSCU,
    ]


def test_other_priors_are_no_measurement() -> None:
    with pytest.raises(RuntimeError, match="1 of 2 studies"):
        query.timed(lambda _: {"1.2": 2}, ["P"], {"1.2": 2, "1.3": 1})


def test_what_a_soak_sends_arrives_once(results: Path) -> None:
    few = ["--studies", "10", "--in-flight", "6", "--minutes", "3"]
    soak.main([*few, "--quiet-seconds", "2"])
    kept = json.loads((results / "soak.json").read_text())
    found = {figure["name"]: figure["values"] for figure in kept["figures"]}
    assert found["studies"] == [16]
    assert found["images"] == [32]
    assert found["results"][0] >= 16
    assert len(found["throughput"]) == soak.PARTS


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"1": 1}, "1 are lost, 0 came again, and 0"),
        ({"1": 1, "2": 2}, "0 are lost, 1 came again, and 0"),
        ({"1": 1, "2": 1, "3": 1}, "0 are lost, 0 came again, and 1"),
    ],
)
def test_a_result_that_is_lost_comes_again_or_is_unknown_ends_a_soak(
    counts: dict[str, int], said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        soak.compare(["1", "2"], counts)


def test_a_slope_is_that_of_the_second_half() -> None:
    # 100, 0, then 10 and 12 MB at 2,000 and 3,000 studies: 2 MB for 1,000 studies
    samples = [
        soak.Sample(done=1000 * n, at=n, megabytes=mb, descriptors=1, threads=1)
        for n, mb in enumerate([100.0, 0.0, 10.0, 12.0])
    ]
    assert soak.slope(samples) == pytest.approx(2.0)


def test_the_engine_says_what_the_library_says(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_layer = {"hidden_size": 64, "num_hidden_layers": 1}
    monkeypatch.setattr(engine, "SMALL", {**one_layer, "intermediate_size": 64})
    monkeypatch.setattr(engine, "SMALL_VISION", one_layer)
    assert engine.main(["--rounds", "1", "--new", "2", "--studies", "1"]) == 0
    kept = json.loads((results / "engine.json").read_text())
    assert kept["targets"][1]["reached"] == 0


def test_calls_of_an_engine_are_measured_beside_the_models_work(results: Path) -> None:
    """Of the local one here; behind Ray Serve in `test_ray_cluster`."""
    options = ["--rounds", "1", "--side", "300"]
    assert engine.main(["--engine", "local", *options]) == 0
    kept = json.loads((results / "engine_calls.json").read_text())
    assert [figure["name"] for figure in kept["figures"][:2]] == [
        "a call, local, phantom",
        "beside the model, local, phantom",
    ]
    assert all(figure["median"] > 0 for figure in kept["figures"])


def test_an_engine_of_another_name_is_not_compared() -> None:
    with pytest.raises(SystemExit):
        engine.main(["--engine", "local,other"])


def test_ids_of_the_engine_are_compared_and_kept(results: Path) -> None:
    row = engine.Row(name="a", peers=(3.0, 1.0, 2.0), own=(1.0,), same=False)
    rounds.keep("engine", row.figures(), engine.targets({"five_tasks": row}))
    kept = json.loads((results / "engine.json").read_text())
    assert [figure["median"] for figure in kept["figures"]] == [2, 1, 0]
    assert [target["met"] for target in kept["targets"]] == [True, False]


def test_connections_leave_neither_threads_nor_descriptors_nor_memory() -> None:
    counts = {"associations": 200, "probes": 200, "aborts": 100}
    for kind, looks in leaks.measure(counts).items():
        assert looks[-1].threads <= looks[0].threads, kind
        assert looks[-1].files <= looks[0].files, kind
        # 40 MiB a thousand: a window or a data set that stays with each would show.
        grown = leaks.slope([each.kilobytes for each in looks], counts[kind])
        assert grown < 40, kind


def test_the_slope_of_memory_is_in_megabytes_a_thousand() -> None:
    # 2 MiB more with each 500 connections: 4 MiB a thousand.
    assert leaks.slope([2048 * n for n in range(5)], 2000) == pytest.approx(4.0)
    assert leaks.slope([7000] * 5, 2000) == 0


def test_what_a_study_leaves_on_the_disk_is_counted(results: Path) -> None:
    taken = sizes.main(["--studies", "2", "--side", "300"])
    assert taken.instances > 300 * 300 * 2
    assert taken.results > 0
    assert taken.ledger > 0
    assert taken.audit_rows >= 5
    assert taken.writes >= taken.audit_rows
    assert len(json.loads((results / "sizes.json").read_text())["figures"]) == 5


def test_the_simulation_gets_the_arrivals_of_the_gateway(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation, "WARM_UP", 1)
    monkeypatch.setattr(simulation, "LOADS", {"half": 0.5})
    monkeypatch.setattr(simulation_real, "IDLE_SECONDS", 0.1)
    few = ["--studies", "2", "--one-by-one", "2", "--side", "192"]
    quick = ["--engine-seconds", "0.1", "--quiet-seconds", "0.2"]
    simulation.main(["--check", *few, *quick])
    kept = json.loads((results / "simulation.json").read_text())
    assert len(kept["targets"]) == 3
    values = {figure["name"]: figure["values"] for figure in kept["figures"]}
    assert len(values["one by one: encoded"]) == 2
    assert len(values["half: median, s, measured"]) == 1
    assert len(values["half: median, s, simulated"]) == simulation.REPEATS


def test_every_page_of_the_console_shows_what_it_is_asked_for(results: Path) -> None:
    audit.main(["--studies", "1200", "--records", "4000", "--rounds", "1"])
    assert not (results / "audit.json").exists()  # of a million alone
    kept = json.loads((results / "audit_short.json").read_text())
    assert {figure["unit"] for figure in kept["figures"]} == {"ms"}
    names = [figure["name"] for figure in kept["figures"]]
    assert names == [look.name for look in audit.looks(1200, 4000)]
    assert len(kept["targets"]) == len(names)


def test_a_benchmark_that_fails_is_named_and_the_others_are_run(
    results: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(whole, "PARTS", {"missing": (), "rounds": ()})
    assert whole.main() == 1
    said = capfd.readouterr()
    assert "== rounds: " in said.out
    assert "failed: missing" in said.err
    assert not (results / "whole.json").exists()


def test_the_time_of_every_benchmark_is_kept(
    results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole, "PARTS", {"rounds": (), "kept": ()})
    assert whole.main(["rounds"]) == 0
    assert not (results / "whole.json").exists()
    assert whole.main() == 0
    kept = read(results, "whole")
    assert kept is not None
    assert list(kept.figures) == ["rounds", "kept"]
    assert kept.targets[0].is_met


def test_every_part_of_the_whole_is_a_benchmark() -> None:
    for name in whole.PARTS:
        assert hasattr(import_module(f"benchmarks.{name}"), "main")
