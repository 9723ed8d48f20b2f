"""The composition root: what a start demands, writes down and brings together."""

import gc
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from pydicom import dcmread
from pynetdicom import build_context

from config.errors import InvalidSettings
from config.load import Table, merge
from config.settings import Settings
from dicom_io.errors import ListenerFailure
from dicom_io.scu.association import Proposal, associated
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.errors import NotReady, WrongKey
from gateway.ledger import AuditFilter, AuditRecord, Ledger
from gateway.lifecycle import State
from gateway.locking import hold_folder
from gateway.running.composition import open_site
from gateway.running.serve import Gateway
from gateway.running.starting import LAST_VERSION, reconcile
from gateway.spool import Shelf
from gateway.stages.lines import LINES, lines_of
from model.engines.process import ProcessEngine
from model.report import GroundedReport, ReportRequest
from model.version import VERSION
from tests.data.engine_child import child_command
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import add_study
from tests.data.sites import (
    MODALITY,
    Running,
    running_gateway,
    site_settings,
    wait_until,
)

ACKNOWLEDGED: Table = {
    "licence": {"acknowledged_by": "A. Reader", "acknowledged_on": "2026-01-02"}
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return site_settings(tmp_path / "data")


def run(settings: Settings) -> None:
    """Start and stop a gateway."""
    with Gateway(open_site(settings, CannedEngine())):
        pass


def crash(settings: Settings) -> None:
    """Start a gateway and end it without its own `__exit__`, as a kill does."""
    gateway = Gateway(open_site(settings, CannedEngine()))
    gateway.__enter__()
    assert gateway._listening is not None
    gateway._listening.close()
    gateway._web.close()
    gateway._ledger_question.close()
    gateway._rounds.stop()
    gateway.site.ledger.close()
    del gateway
    gc.collect()  # a kill gives the folder's lock back


def records(settings: Settings) -> list[AuditRecord]:
    ledger = Ledger.open(settings.ledger_url)
    try:
        with ledger.reading() as rows:
            return rows.audit(AuditFilter(limit=1000))
    finally:
        ledger.close()


def alerts(settings: Settings) -> list[str]:
    return [r.detail or "" for r in records(settings) if r.event_type is not None]


@pytest.mark.parametrize("lacking", ["acknowledged_by", "acknowledged_on"])
def test_an_acknowledgement_names_a_person_and_a_day(
    tmp_path: Path, lacking: str
) -> None:
    half = merge(ACKNOWLEDGED, {"licence": {lacking: ""}})
    with pytest.raises(InvalidSettings, match="acknowledged"):
        site_settings(tmp_path / "data", half)


def test_an_acknowledgement_is_audited_once(tmp_path: Path) -> None:
    settings = site_settings(tmp_path / "data", ACKNOWLEDGED)
    for _ in range(3):
        run(settings)
    told = [d for d in alerts(settings) if "acknowledged" in d]
    assert told == ["the research-only licence of the model was acknowledged"]


def test_another_acknowledgement_is_audited_again(tmp_path: Path) -> None:
    run(site_settings(tmp_path / "data", ACKNOWLEDGED))
    later: Table = {"licence": {"acknowledged_by": "B. Reader"}}
    settings = site_settings(tmp_path / "data", merge(ACKNOWLEDGED, later))
    run(settings)
    assert len([d for d in alerts(settings) if "was acknowledged" in d]) == 2


def test_without_an_acknowledgement_none_is_audited(settings: Settings) -> None:
    run(settings)
    assert not [d for d in alerts(settings) if "acknowledged" in d]


def test_start_and_stop_are_audited(settings: Settings) -> None:
    run(settings)
    assert [r.event_type for r in records(settings)] == [
        *("110120", "110124"),
        *("110125", "110121"),
    ]
    assert {r.outcome for r in records(settings)} == {0}


def test_a_stop_that_nobody_asked_for_is_audited_at_the_next_start(
    settings: Settings,
) -> None:
    crash(settings)
    run(settings)
    run(settings)
    starts = [r for r in records(settings) if r.event_type == "110120"]
    unclean = "the last stop was not clean"
    assert [r.detail for r in starts] == [None, unclean, None]
    assert [r.outcome for r in starts] == [0, 4, 0]


def test_what_the_last_run_left_is_audited_at_the_next_start(
    settings: Settings,
) -> None:
    site = open_site(settings, CannedEngine())
    site.spool.keep(Shelf.RESULTS, b"nobody knows me")
    site.spool.begin().write(b"cut off")
    with site.ledger.writing() as rows:
        add_study(rows, state=State.PARKED, now=site.clock())
        assert rows.claim([State.PARKED], site.clock(), "a dead worker", 3600.0)
    site.ledger.close()
    run(settings)
    (start,) = [r for r in records(settings) if r.event_type == "110120"]
    assert start.outcome == 4
    assert start.detail == (
        "1 files of the spool have no row; 1 unfinished files were removed; "
        "1 studies were at work"
    )
    ledger = Ledger.open(settings.ledger_url)
    with ledger.reading() as rows:
        assert rows.leased() == 0
    ledger.close()


def test_unfinished_files_are_removed_at_the_start(settings: Settings) -> None:
    site = open_site(settings, CannedEngine())
    site.spool.begin().write(b"cut off")
    assert len(parts(settings)) == 1
    reconcile(site)
    site.ledger.close()
    assert parts(settings) == []


def test_files_without_a_row_are_told_and_kept(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    site = open_site(settings, CannedEngine())
    name = site.spool.keep(Shelf.RESULTS, b"nobody knows me")
    reconcile(site)
    site.ledger.close()
    assert site.spool.path(name).is_file()
    assert "1 files of the spool have no row" in caplog.text


def parts(settings: Settings) -> list[Path]:
    return list((settings.storage.folder / "spool" / "incoming").iterdir())


SHORT_LEASE = 3.0


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Gateway]:
    """A gateway whose leases are short."""
    short: Table = {"work": {"lease_seconds": SHORT_LEASE}}
    settings = site_settings(tmp_path / "data", short)
    with Gateway(open_site(settings, CannedEngine())) as gateway:
        yield gateway


def test_a_lease_is_renewed_while_its_worker_lives(impatient: Gateway) -> None:
    site = impatient.site
    assert impatient._working is not None
    turns = impatient._working.turns
    with turns.owner(site.clock()) as owner:
        with site.ledger.writing() as rows:
            add_study(rows, state=State.PARKED, now=site.clock())
            first = rows.claim([State.PARKED], site.clock(), owner, SHORT_LEASE)
        assert first is not None

        def renewed() -> bool | None:
            with site.ledger.reading() as rows:
                now = rows.study_by_id(first.id)
            assert now.lease_owner == owner
            assert now.lease_until is not None
            assert first.lease_until is not None
            beyond = (now.lease_until - first.lease_until).total_seconds()
            return True if beyond > SHORT_LEASE else None  # it would have run out

        assert wait_until(renewed, 60, lambda: first)


def test_the_lease_of_a_worker_that_is_gone_runs_out(impatient: Gateway) -> None:
    site = impatient.site
    with site.ledger.writing() as rows:
        add_study(rows, state=State.PARKED, now=site.clock())
        first = rows.claim([State.PARKED], site.clock(), "somebody else", 0.5)
    assert first is not None

    def freed() -> bool | None:
        with site.ledger.reading() as rows:
            now = rows.study_by_id(first.id)
        return True if now.lease_owner is None else None

    assert wait_until(freed, 60, lambda: first)


def test_a_second_gateway_is_refused_and_leaves_the_firsts_files_alone(
    settings: Settings,
) -> None:
    with Gateway(open_site(settings, CannedEngine())) as gateway:
        part = gateway.site.spool.begin()
        part.write(b"on its way")
        second = Gateway(open_site(settings, CannedEngine()))
        with pytest.raises(NotReady, match="another gateway works in"):
            second.__enter__()
        assert len(parts(settings)) == 1
        part.discard()


def test_a_refused_start_is_no_unclean_stop(settings: Settings) -> None:
    with hold_folder(settings.storage.folder), pytest.raises(NotReady):
        run(settings)
    run(settings)
    starts = [r.detail for r in records(settings) if r.event_type == "110120"]
    assert starts == [None]


def test_a_start_that_cannot_bind_is_no_unclean_stop(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        listener: Table = {"listener": {"port": taken.getsockname()[1]}}
        with pytest.raises(ListenerFailure):
            run(site_settings(tmp_path / "data", listener))
    free = site_settings(tmp_path / "data")
    run(free)
    assert [r.detail for r in records(free) if r.event_type == "110120"] == [None]


def test_a_folder_is_free_again_once_its_gateway_has_stopped(
    settings: Settings,
) -> None:
    run(settings)
    with hold_folder(settings.storage.folder):
        pass
    run(settings)


def test_under_the_reserve_a_sender_hears_out_of_resources(tmp_path: Path) -> None:
    full: Table = {"storage": {"reserve_bytes": 1 << 60}}
    film = write_film(tmp_path / "film.dcm", film_dataset())
    settings = site_settings(tmp_path / "data", full)
    with running_gateway(settings, CannedEngine()) as gateway:
        (outcome,) = store_instances(MODALITY, gateway.remote, [film])
    assert outcome.status == Status.OUT_OF_RESOURCES


MARKS = {"intake-stopped", "intake-resumed"}


def test_a_reserve_that_is_passed_is_recorded_once_for_all_instances(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    film = write_film(tmp_path / "film.dcm", film_dataset())
    settings = site_settings(tmp_path / "data")
    with running_gateway(settings, CannedEngine()) as gateway:
        assert gateway.gateway._listening is not None
        disk = gateway.gateway._listening.reserves._disk
        disk._reserve = 1 << 60
        for _ in range(3):
            (outcome,) = store_instances(MODALITY, gateway.remote, [film])
            assert outcome.status == Status.OUT_OF_RESOURCES
        disk._reserve = 0
        (outcome,) = store_instances(MODALITY, gateway.remote, [film])
        assert outcome.status == Status.SUCCESS
    told = [r for r in reversed(records(settings)) if r.event_type in MARKS]
    assert {(r.event_type, r.outcome) for r in told} == {
        ("intake-stopped", 8),
        ("intake-resumed", 0),
    }
    assert len(told) == 2
    assert len([r for r in caplog.records if "disk is under" in r.message]) == 1
    assert "Traceback" not in caplog.text


class _Hanging(CannedEngine):
    """Reads until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.reading, self.let_go = Event(), Event()

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        if requests:
            self.reading.set()
            self.let_go.wait(60)
        return super().generate(requests)


@pytest.mark.parametrize("hurried", [False, True])
def test_work_that_does_not_end_is_given_back_at_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hurried: bool
) -> None:
    monkeypatch.setattr(
        "gateway.running.working.STOP_SECONDS", 60.0 if hurried else 0.2
    )
    engine, hurry = _Hanging(), Event()
    film = write_film(tmp_path / "film.dcm", film_dataset())
    lease: Table = {"work": {"lease_seconds": 60.0}}
    settings = site_settings(tmp_path / "data", lease)
    with Gateway(open_site(settings, engine), hurry.is_set) as gateway:
        running = Running(gateway=gateway)
        store_instances(MODALITY, running.remote, [film])
        assert engine.reading.wait(60)
        if hurried:
            hurry.set()
        began = monotonic()
    assert monotonic() - began < 30
    assert gateway.left_work
    study = running.study("1.2.3")
    assert study is not None
    assert (study.state, study.lease_owner) == (State.GATHERED, None)
    assert study.attempts == 0
    engine.let_go.set()
    assert gateway._working is not None
    turns = gateway._working.turns
    wait_until(lambda: not turns._began or None, 60, lambda: "it ends")
    late = running.study("1.2.3")
    gateway.site.ledger.close()
    assert late == study  # who was given up has nothing to say any more


def test_a_peer_that_may_not_store_is_refused_though_it_names_itself_as_mover(
    tmp_path: Path,
) -> None:
    mute: Table = {"peers": {"modality": {"may_store": False}}}
    film = dcmread(write_film(tmp_path / "film.dcm", film_dataset()))
    wanted = Proposal(contexts=[build_context(film.SOPClassUID)])
    settings = site_settings(tmp_path / "data", mute)
    with (
        running_gateway(settings, CannedEngine()) as gateway,
        associated(MODALITY, gateway.remote, wanted) as association,
    ):
        answer = association.send_c_store(
            film, originator_aet="MODALITY", originator_id=1
        )
    assert answer.Status == Status.NOT_AUTHORISED


def test_the_settings_say_how_many_studies_are_read_at_one_time(
    tmp_path: Path,
) -> None:
    three: Table = {"engine": {"readers": 3}}
    lines = {
        line.name: line.workers for line in lines_of(site_settings(tmp_path, three))
    }
    assert lines["read"] == 3
    usual = lines_of(site_settings(tmp_path))
    assert usual == LINES
    assert {line.name: line.workers for line in usual} == {**lines, "read": 1}


def test_a_stop_does_not_wait_for_a_process_that_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.running.working.STOP_SECONDS", 120.0)
    engine = ProcessEngine(child_command("hanging"))
    film = write_film(tmp_path / "film.dcm", film_dataset())
    with running_gateway(site_settings(tmp_path / "data"), engine) as gateway:
        store_instances(MODALITY, gateway.remote, [film])
        wait_until(lambda: engine._answer, 60, lambda: gateway.study("1.2.3"))
        began = monotonic()
    assert monotonic() - began < 60
    with running_gateway(site_settings(tmp_path / "data"), CannedEngine()) as gateway:
        study = gateway.wait_for("1.2.3", State.KEPT)
    assert study.attempts == 0


def test_what_changed_in_the_settings_is_audited_at_the_next_start(
    settings: Settings, tmp_path: Path
) -> None:
    run(settings)
    run(settings)
    assert not [r for r in records(settings) if r.event_type == "110131"]
    run(site_settings(tmp_path / "data", {"retention": {"days": 3}}))
    (changed,) = [r for r in records(settings) if r.event_type == "110131"]
    assert changed.detail == f"retention.days: {settings.retention.days} -> 3.0"


def test_another_version_is_audited(settings: Settings) -> None:
    run(settings)
    ledger = Ledger.open(settings.ledger_url)
    with ledger.writing() as rows:
        rows.remember(LAST_VERSION, "0.0.1")
    ledger.close()
    run(settings)
    updated = [r for r in records(settings) if r.event_type == "software-updated"]
    assert [r.detail for r in updated] == [f"software: 0.0.1 -> {VERSION}"]


def test_a_gateway_whose_patient_key_is_lost_does_not_start(
    settings: Settings,
) -> None:
    run(settings)
    (settings.storage.folder / "patients.key").unlink()
    with pytest.raises(WrongKey, match="missing"):
        run(settings)
