"""A study enters by C-STORE and its findings come back into an archive, committed.

The archive is the embedded one; the engine has given answers. Orthanc, DCMTK and
the phantom checkpoint take their places in the neighbouring files.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pydicom.uid import Comprehensive3DSRStorage, EnhancedSRStorage

from dicom_io.archive import Archive, open_archive
from dicom_io.scu.send import StoreOutcome, store_instances
from dicom_io.status import Status
from gateway.ledger import AuditFilter, DeliveryState, Role, StudyRecord
from gateway.lifecycle import State
from model.options import Domain
from tests.data.archives import own_objects
from tests.data.engines import CannedEngine
from tests.data.films import real_film
from tests.data.phantoms import Phantom, phantom_files
from tests.data.ports import reserved_port
from tests.data.sites import (
    MODALITY,
    Running,
    archive_peer,
    await_reports,
    running_gateway,
    site_settings,
    wait_until,
)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    await_reports(monkeypatch)


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as opened:
        yield opened


@pytest.fixture
def engine() -> CannedEngine:
    return CannedEngine(domain=Domain.PHANTOM)


@pytest.fixture
def gateway(
    tmp_path: Path, archive: Archive, engine: CannedEngine
) -> Iterator[Running]:
    settings = site_settings(tmp_path / "data", archive_peer("ARCHIVE", archive.port))
    with running_gateway(settings, engine) as running:
        yield running


@pytest.fixture
def phantom(tmp_path: Path) -> Phantom:
    return phantom_files(tmp_path / "phantom", seed=5)


def send(gateway: Running, *paths: Path) -> list[StoreOutcome]:
    return list(store_instances(MODALITY, gateway.remote, paths))


def test_a_study_is_reported_stored_and_committed_with_its_prior(
    gateway: Running, archive: Archive, engine: CannedEngine, phantom: Phantom
) -> None:
    for path in phantom.prior:
        archive.put(path)
    send(gateway, *phantom.current)
    study = gateway.wait_for(phantom.study_instance_uid, State.COMMITTED, State.PARKED)
    assert study.state is State.COMMITTED, study.reason
    (request,) = engine.asked
    assert request.inputs.current_lateral is not None
    assert request.inputs.prior_frontal is not None
    assert request.inputs.prior_report
    assert len(own_objects(archive)) == 3
    how = {row.committed_how for row in gateway.deliveries(study)}
    assert how == {"storage commitment"}


def test_a_study_without_prior_goes_on_and_says_so(
    gateway: Running, engine: CannedEngine, phantom: Phantom
) -> None:
    send(gateway, *phantom.current)
    gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
    (request,) = engine.asked
    assert request.inputs.prior_frontal is None
    assert request.inputs.prior_report is None


def test_a_late_image_opens_a_new_revision_that_names_the_earlier_one(
    gateway: Running, archive: Archive, phantom: Phantom
) -> None:
    frontal, lateral = phantom.current
    send(gateway, frontal)
    first = gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
    send(gateway, lateral)
    second = wait_until(
        lambda: committed_again(gateway, phantom),
        60,
        lambda: gateway.study(phantom.study_instance_uid),
    )
    assert (first.revision, second.revision) == (1, 2)
    assert len(own_objects(archive)) == 6
    named = [ds for ds in own_objects(archive) if "PredecessorDocumentsSequence" in ds]
    assert {str(ds.SOPClassUID) for ds in named} == {
        Comprehensive3DSRStorage,
        EnhancedSRStorage,
    }


def committed_again(gateway: Running, phantom: Phantom) -> StudyRecord | None:
    """Return the study once a revision after the first is committed."""
    study = gateway.study(phantom.study_instance_uid)
    assert study is not None
    is_late = study.revision > 1 and study.state is State.COMMITTED
    return study if is_late else None


def test_our_own_results_coming_back_never_open_the_study(
    gateway: Running, archive: Archive, phantom: Phantom
) -> None:
    send(gateway, *phantom.current)
    study = gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
    own = [held.path for held in archive.instances()]
    outcomes = send(gateway, *own)
    assert {outcome.status for outcome in outcomes} == {Status.SUCCESS}
    after = gateway.study(phantom.study_instance_uid)
    assert after == study


def test_a_report_of_others_never_opens_a_study(
    gateway: Running, phantom: Phantom
) -> None:
    report = next(path for path in phantom.prior if "report" in path.name)
    (outcome,) = send(gateway, report)
    assert outcome.status == Status.SUCCESS
    with gateway.site.ledger.reading() as rows:
        assert rows.studies() == []


def test_the_answers_to_our_retrievals_never_open_a_study(
    gateway: Running, archive: Archive, phantom: Phantom
) -> None:
    for path in phantom.prior:
        archive.put(path)
    send(gateway, *phantom.current)
    gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
    with gateway.site.ledger.reading() as rows:
        (study,) = rows.studies()
        stored = rows.audit(AuditFilter(limit=1000))
    assert study.study_instance_uid == phantom.study_instance_uid
    assert any("retrieved" in (record.detail or "") for record in stored)


def test_the_same_image_again_is_answered_with_success_and_kept_once(
    gateway: Running, phantom: Phantom
) -> None:
    for _ in range(3):
        outcomes = send(gateway, *phantom.current)
        assert {outcome.status for outcome in outcomes} == {Status.SUCCESS}
    with gateway.site.ledger.reading() as rows:
        kept = rows.instances(phantom.study_instance_uid, {Role.CURRENT})
    assert len(kept) == 2


def test_a_film_that_was_retrieved_as_a_prior_is_read_when_it_is_sent(
    gateway: Running, archive: Archive, phantom: Phantom
) -> None:
    for path in phantom.prior:
        archive.put(path)
    send(gateway, *phantom.current)
    gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
    film = next(path for path in phantom.prior if "frontal" in path.name)
    (outcome,) = send(gateway, film)
    assert outcome.status == Status.SUCCESS
    with gateway.site.ledger.reading() as rows:
        studies = {study.study_instance_uid for study in rows.studies()}
    (prior,) = studies - {phantom.study_instance_uid}
    gateway.wait_for(prior, State.COMMITTED)


def test_another_content_under_a_known_uid_is_refused_and_quarantined(
    gateway: Running, phantom: Phantom, tmp_path: Path
) -> None:
    send(gateway, *phantom.current)
    changed = bytearray(phantom.frontal.read_bytes())
    changed[-1000:] = bytes(1000)
    other = tmp_path / "changed.dcm"
    other.write_bytes(changed)
    (outcome,) = send(gateway, other)
    assert outcome.status == Status.DUPLICATE_CONFLICT
    with gateway.site.ledger.reading() as rows:
        kept = rows.instances(phantom.study_instance_uid, {Role.CURRENT})
        told = [record.detail or "" for record in rows.audit(AuditFilter())]
    assert len(kept) == 2
    assert any("other content" in detail for detail in told)


def test_a_film_is_declined_by_an_engine_of_phantoms(gateway: Running) -> None:
    (outcome,) = send(gateway, real_film("dicom/mhh_88b33741_1_pa.dcm"))
    assert outcome.status == Status.SUCCESS
    with gateway.site.ledger.reading() as rows:
        (study,) = rows.studies()
    ended = gateway.wait_for(study.study_instance_uid, State.DECLINED)
    assert ended.reason is not None
    assert ended.reason.startswith("outside-domain")


def test_without_a_destination_the_results_are_kept_here(
    tmp_path: Path, engine: CannedEngine, phantom: Phantom
) -> None:
    with running_gateway(site_settings(tmp_path / "alone"), engine) as gateway:
        send(gateway, *phantom.current)
        study = gateway.wait_for(phantom.study_instance_uid, State.KEPT)
        with gateway.site.ledger.reading() as rows:
            results = rows.results(study.id, study.revision)
        assert len(results) == 3
        assert all(gateway.site.spool.path(r.file_name).exists() for r in results)


def test_an_archive_that_is_away_delays_the_results_and_loses_none(
    tmp_path: Path, engine: CannedEngine, phantom: Phantom
) -> None:
    with ExitStack() as opened:
        port = opened.enter_context(reserved_port())
        settings = site_settings(tmp_path / "data", archive_peer("ARCHIVE", port))
        gateway = opened.enter_context(running_gateway(settings, engine))
        send(gateway, *phantom.current)
        study = gateway.wait_for(phantom.study_instance_uid, State.ENCODED)
        assert {row.state for row in gateway.deliveries(study)} <= {
            DeliveryState.PENDING
        }
        with open_archive(tmp_path / "archive", "ARCHIVE", port=port) as archive:
            gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
            assert len(own_objects(archive)) == 3


def test_each_step_has_its_audit_record_in_order(
    gateway: Running, phantom: Phantom
) -> None:
    send(gateway, *phantom.current)
    gateway.wait_for(phantom.study_instance_uid, State.COMMITTED)
    wanted = AuditFilter(study_instance_uid=phantom.study_instance_uid, limit=1000)
    with gateway.site.ledger.reading() as rows:
        records = rows.audit(wanted)
    told = [record.event_type or record.event for record in records]
    assert told.count("transfer-ended") == 1  # whenever the sender lets go
    told.remove("transfer-ended")
    assert told == [
        "110102",  # begins to arrive
        "110104",  # frontal received
        "110104",  # lateral received
        "study-complete",
        "study-moved",  # views chosen
        "110112",  # prior asked for
        "study-moved",  # prior settled
        "report-written",
        "results-created",
        "110102",  # begin to leave
        "results-sent",
        "study-moved",  # results stored
        "study-moved",  # results committed
    ]
    moves = [r for r in records if r.event_type == "study-moved"]
    details = [record.detail or "" for record in moves]
    assert details[0].startswith("views-chosen")
    assert details[-1].startswith("results-committed")
