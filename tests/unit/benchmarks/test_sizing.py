"""What the sites need, from times that are given."""

from dataclasses import replace

import pytest

from benchmarks import sizing
from benchmarks.engine_times import DEVICES, FRONTAL
from benchmarks.simulated_stages import WAY, Stages
from benchmarks.sizing import Demand, Measured, backfill, beside_the_model

FOUND = Measured(
    stages=Stages(seconds=dict.fromkeys(WAY, (0.05,)), processor=1.0),
    processor=0.4,
    film=15e6,
    results=20e3,
    ledger=25e3,
    writes=14.0,
)
HOSPITAL = Demand(per_hour=180.0, device=DEVICES["A100 80 GB"])


def test_a_load_beyond_one_gpu_takes_more_of_them() -> None:
    few, _ = HOSPITAL.fewest(FOUND, 300)
    many, run = replace(HOSPITAL, per_hour=7200.0).fewest(FOUND, 300)
    assert few == 1
    assert many > 2
    assert run.percentile(0.95) <= sizing.SOON


def test_a_load_that_no_number_of_gpus_carries_is_refused() -> None:
    slow = replace(HOSPITAL, slower=2000.0)
    with pytest.raises(ValueError, match="24 of A100"):
        slow.fewest(FOUND, 20)


def test_a_batch_is_what_is_set_or_what_the_memory_holds() -> None:
    assert replace(HOSPITAL, together=8).batch == 8
    assert replace(HOSPITAL, together=8, device=DEVICES["A10G"]).batch == 3
    assert replace(HOSPITAL, together=8, reading=FRONTAL).batch == 8


def test_gateways_bring_their_workers_and_cores() -> None:
    plan = HOSPITAL.plan(FOUND, gpus=2, gateways=3)
    assert plan.cores == 3 * sizing.CORES
    assert plan.engine.replicas == 2
    (reader,) = [step for step in plan.steps if step.asks]
    assert reader.workers == 2 * HOSPITAL.batch
    # 0.4 s of the processor, of which the stages that work have 0.25
    assert plan.beside == pytest.approx(0.15)


def test_a_site_stores_what_its_films_weigh() -> None:
    found = {figure.name: figure.median for figure in beside_the_model(FOUND)}
    # 180 x 8 studies a day x 14 days x 30.02 MB
    assert found["one hospital: disk for 14 days, GB"] == pytest.approx(605.2, abs=0.1)
    # 0.05 studies a second x 2 films x 15 MB x 8 bits
    assert found["one hospital: network in at peak, Mbit/s"] == pytest.approx(12.0)
    assert found["ten hospitals: cores of the gateway at peak"] == pytest.approx(0.2)


def test_a_back_fill_is_as_long_as_its_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "BACKFILL_GPUS", (1, 4))
    found = {figure.name: figure for figure in backfill(FOUND, 60)}
    days = found["back-fill, H100 SXM: GPU days"].median
    seconds = found["back-fill, H100 SXM: s a study"].median
    assert days == pytest.approx(5e6 * seconds / 0.85 / 86400)
    assert found["back-fill, H100 SXM: GPUs for 30 days"].median >= days / 30
    one, four = found["back-fill, gateways: 1"].values
    assert four <= 1.01 / 0.4  # a core of one gateway does no more
    assert one < four


def test_what_was_not_measured_is_asked_for(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sizing, "RESULTS", tmp_path)
    with pytest.raises(ValueError, match=r"first run .*benchmarks\.study"):
        sizing.measured()
