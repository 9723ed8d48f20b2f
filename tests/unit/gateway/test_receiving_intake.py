"""What a sender is answered, and what is on disk and in the ledger by then."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.product import PRODUCT_NAME
from dicom_io.sink import NoRoom
from dicom_io.status import Status
from gateway.errors import LedgerFailure, OutOfSpace, SpoolFailure
from gateway.ledger import AuditFilter, InstanceRecord, Ledger, Role
from gateway.lifecycle import Event, State
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_retrieved
from gateway.spool import Spool
from tests.data.films import (
    BASIC_TEXT_SR,
    film_dataset,
    raw_file,
    write_film,
)
from tests.data.network import MODALITY, data_set_bytes
from tests.data.stages import (
    STUDY_UID,
    US,
    Bench,
    bench_at,
    colour_film,
    deliver,
    facts_of,
    incoming,
    recoded,
)

ARCHIVE = replace(MODALITY, name="archive")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as opened:
        yield opened


def held(bench: Bench, study_uid: str = STUDY_UID) -> list[InstanceRecord]:
    with bench.site.ledger.reading() as rows:
        return rows.instances(study_uid)


def studies(bench: Bench) -> list[str]:
    with bench.site.ledger.reading() as rows:
        return [study.study_instance_uid for study in rows.studies()]


def expect(bench: Bench, uid: str, peer: str = "archive") -> None:
    """Open a retrieval of study `uid`, for a study of its own."""
    with bench.site.ledger.writing() as rows:
        study = rows.open_study("1.2.77", "MODALITY", bench.clock())
        until = bench.clock() + timedelta(hours=1)
        rows.begin_retrieval(uid, study.id, peer, bench.clock(), until)


def test_success_comes_after_the_file_and_its_row_exist(bench: Bench) -> None:
    film = bench.film()
    assert bench.send(film) is Status.SUCCESS
    (row,) = held(bench)
    stored = bench.site.spool.path(row.file_name)
    assert data_set_bytes(stored) == data_set_bytes(film)
    assert (row.role, row.revision) == (Role.CURRENT, 1)
    assert row.size == len(data_set_bytes(film))
    assert bench.study().state is State.RECEIVING


def test_before_the_end_of_an_instance_nothing_is_recorded(bench: Bench) -> None:
    arriving = incoming(bench.intake().receive, bench.film())
    assert (held(bench), studies(bench)) == ([], [])
    arriving.discard()
    assert bench.kept_files() == []


def test_nothing_of_a_senders_preamble_gets_into_a_file(bench: Bench) -> None:
    film = bench.film()
    film.write_bytes(b"MZ" + b"\x90" * 126 + film.read_bytes()[128:])
    bench.send(film)
    (row,) = held(bench)
    assert bench.site.spool.path(row.file_name).read_bytes()[:128] == bytes(128)


def test_each_instance_is_audited(bench: Bench) -> None:
    bench.send(bench.film())
    assert bench.told() == ["current instance 1.2.3.4"]


def test_a_second_image_joins_the_study(bench: Bench) -> None:
    bench.send(bench.film())
    later = bench.clock.add(seconds=3)
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert len(held(bench)) == 2
    assert (bench.study().last_arrival_at, bench.study().revision) == (later, 1)


def test_an_image_for_a_finished_study_opens_its_next_revision(bench: Bench) -> None:
    bench.received()
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert (bench.study().state, bench.study().revision) == (State.RECEIVING, 2)
    assert [row.revision for row in held(bench)] == [1, 2]


@pytest.mark.parametrize("field", ["sop_class_uid", "sop_instance_uid"])
def test_an_instance_that_is_not_what_was_announced_is_refused(
    bench: Bench, field: str
) -> None:
    status = bench.send(bench.film(), **{field: "1.2.840.10008.5.1.4.1.1.7"})
    assert status is Status.DATA_SET_MISMATCH
    assert (held(bench), studies(bench), bench.kept_files()) == ([], [], [])


def test_bytes_that_are_no_data_set_are_refused(bench: Bench) -> None:
    film = bench.film()
    arriving = bench.intake().receive(facts_of(film))
    arriving.write(b"\xff" * 4000)
    assert arriving.commit() is Status.CANNOT_UNDERSTAND
    arriving.discard()
    assert (held(bench), bench.kept_files()) == ([], [])


def test_an_instance_without_its_study_is_refused(bench: Bench) -> None:
    film = bench.film()
    ds = film_dataset()
    del ds.StudyInstanceUID
    lacking = write_film(bench.folder / "lacking.dcm", ds)
    arriving = bench.intake().receive(facts_of(film))
    arriving.write(data_set_bytes(lacking))
    assert arriving.commit() is Status.CANNOT_UNDERSTAND
    assert bench.kept_files() == []


def test_an_empty_data_set_is_refused(bench: Bench) -> None:
    arriving = bench.intake().receive(facts_of(bench.film()))
    assert arriving.commit() is Status.CANNOT_UNDERSTAND
    assert bench.kept_files() == []


def test_the_same_instance_again_is_success_and_kept_once(bench: Bench) -> None:
    film = bench.film()
    assert [bench.send(film) for _ in range(3)] == [Status.SUCCESS] * 3
    assert len(held(bench)) == len(bench.kept_files()) == 1


def test_the_same_instance_again_does_not_reopen_its_study(bench: Bench) -> None:
    before = bench.received()
    assert bench.send(bench.folder / "film.dcm") is Status.SUCCESS
    assert bench.study() == before


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian]
)
def test_the_same_image_in_another_transfer_syntax_is_success_and_kept_once(
    bench: Bench, syntax: str
) -> None:
    film = bench.film()
    bench.send(film)
    assert bench.send(recoded(film, syntax)) is Status.SUCCESS
    assert len(held(bench)) == len(bench.kept_files()) == 1


def test_other_pixels_under_a_known_uid_are_quarantined(bench: Bench) -> None:
    bench.send(bench.film())
    (first,) = held(bench)
    changed = bench.film("changed", PixelData=bytes(64 * 48 * 2))
    assert bench.send(changed) is Status.DUPLICATE_CONFLICT
    assert held(bench) == [first]
    with bench.site.ledger.reading() as rows:
        named = rows.file_names()
    assert len(named) == len(bench.kept_files()) == 2
    assert bench.told()[-1] == "same SOP Instance UID with other content: 1.2.3.4"


def test_another_patient_under_a_known_uid_is_quarantined(bench: Bench) -> None:
    bench.send(bench.film())
    other = bench.film("other", PatientID="P2")
    assert bench.send(other) is Status.DUPLICATE_CONFLICT


def test_a_conflict_does_not_reopen_the_study(bench: Bench) -> None:
    before = bench.received()
    bench.send(bench.film("other", PatientID="P2"))
    assert bench.study() == before


def test_pixels_that_cannot_be_decoded_are_no_proof_of_sameness(bench: Bench) -> None:
    broken = bench.film("broken", PixelData=bytes(10))
    bench.send(broken)
    assert (
        bench.send(recoded(broken, ImplicitVRLittleEndian)) is Status.DUPLICATE_CONFLICT
    )


def test_under_the_reserve_no_instance_is_begun(bench: Bench) -> None:
    root = bench.folder / "data" / "spool"
    full = bench.at(spool=Spool(root, reserve_bytes=1 << 60))
    with pytest.raises(OutOfSpace):
        full.intake().receive(facts_of(bench.film()))
    assert bench.kept_files() == []


def test_a_disk_that_fails_at_the_end_is_out_of_resources(bench: Bench) -> None:
    arriving = incoming(bench.intake().receive, bench.film())
    for part in bench.kept_files():
        part.unlink()  # the rename fails
    with pytest.raises(SpoolFailure):
        arriving.commit()
    arriving.discard()
    assert (held(bench), studies(bench)) == ([], [])


@pytest.mark.parametrize("failure", [SpoolFailure, OutOfSpace, LedgerFailure])
def test_what_fails_for_lack_of_room_is_answered_as_such(
    failure: type[Exception],
) -> None:
    assert issubclass(failure, NoRoom)  # the listener answers A700


def without_time(bench: Bench, ledger: Ledger) -> Intake:
    """Return an intake whose rows `ledger` refuses: their times have no zone."""
    return Intake(
        ledger=ledger,
        spool=bench.site.spool,
        clock=lambda: bench.clock().replace(tzinfo=None),
        role_of=bench.intake().role_of,
    )


@pytest.fixture
def broken(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'broken.db'}")
    yield ledger
    ledger.close()


def test_a_ledger_that_fails_leaves_neither_row_nor_file(
    bench: Bench, broken: Ledger
) -> None:
    arriving = incoming(without_time(bench, broken).receive, bench.film())
    with pytest.raises(LedgerFailure):
        arriving.commit()
    arriving.discard()
    with broken.reading() as rows:
        assert (rows.instances(STUDY_UID), rows.studies()) == ([], [])
        assert rows.audit(AuditFilter()) == []
    assert bench.kept_files() == []


def test_a_file_stays_where_the_ledger_cannot_say_whether_it_names_it(
    bench: Bench, broken: Ledger, tmp_path: Path
) -> None:
    arriving = incoming(without_time(bench, broken).receive, bench.film())
    broken.close()
    for file in tmp_path.glob("broken.db*"):
        file.unlink()
    (tmp_path / "broken.db").mkdir()  # nobody can open it any more
    with pytest.raises(LedgerFailure):
        arriving.commit()
    arriving.discard()
    assert len(bench.kept_files()) == 1


def test_a_report_of_others_is_a_document_and_opens_nothing(bench: Bench) -> None:
    report = bench.film("report", SOPClassUID=BASIC_TEXT_SR, Modality="SR")
    assert bench.send(report) is Status.SUCCESS
    (row,) = held(bench)
    assert (row.role, row.revision, studies(bench)) == (Role.DOCUMENT, 0, [])


def test_a_report_of_others_does_not_reopen_its_study(bench: Bench) -> None:
    before = bench.received()
    report = bench.film(
        "report", SOPClassUID=BASIC_TEXT_SR, Modality="SR", SOPInstanceUID="1.2.3.9"
    )
    assert bench.send(report) is Status.SUCCESS
    assert bench.study() == before


def test_what_another_installation_made_is_kept_and_opens_nothing(
    bench: Bench,
) -> None:
    other = bench.film("other", ManufacturerModelName=PRODUCT_NAME)
    assert bench.send(other) is Status.SUCCESS
    assert [row.role for row in held(bench)] == [Role.DOCUMENT]
    assert (studies(bench), len(bench.kept_files())) == ([], 1)


def quarantined(bench: Bench) -> list[Path]:
    """Return the files that no study and no retrieval has."""
    kept = {bench.site.spool.path(row.file_name) for row in held(bench)}
    return [path for path in bench.kept_files() if path not in kept]


def test_a_c_move_delivery_that_nobody_asked_for_is_quarantined(bench: Bench) -> None:
    status = bench.send(bench.film(), move_originator=US, peer=ARCHIVE)
    assert status is Status.NOT_AUTHORISED
    assert (held(bench), studies(bench), len(quarantined(bench))) == ([], [], 1)
    assert bench.told() == ["no retrieval of ours waits for it: 1.2.3.4"]


def test_an_unmatched_delivery_that_is_repeated_is_kept_once(bench: Bench) -> None:
    film = bench.film()
    for _ in range(3):
        bench.send(film, move_originator=US, peer=ARCHIVE)
    assert len(quarantined(bench)) == 1
    assert len(bench.told()) == 3


def test_a_c_move_delivery_that_is_awaited_is_retrieved_and_opens_nothing(
    bench: Bench,
) -> None:
    expect(bench, STUDY_UID)
    assert bench.send(bench.film(), move_originator=US, peer=ARCHIVE) is Status.SUCCESS
    (row,) = held(bench)
    assert row.role is Role.RETRIEVED
    assert studies(bench) == ["1.2.77"]


def test_a_delivery_of_another_study_than_awaited_is_refused(bench: Bench) -> None:
    expect(bench, "1.2.8")
    status = bench.send(bench.film(), move_originator=US, peer=ARCHIVE)
    assert status is Status.NOT_AUTHORISED


def test_a_delivery_after_the_window_is_refused(bench: Bench) -> None:
    expect(bench, STUDY_UID)
    bench.clock.add(seconds=3601)
    status = bench.send(bench.film(), move_originator=US, peer=ARCHIVE)
    assert status is Status.NOT_AUTHORISED


@pytest.mark.parametrize("peer", [ARCHIVE, MODALITY, None])
@pytest.mark.parametrize("originator", [None, US, "ARCHIVE", "ROUTER"])
def test_what_is_awaited_is_taken_from_whatever_entity_sends_it(
    bench: Bench, peer: RemoteAE | None, originator: str | None
) -> None:
    expect(bench, STUDY_UID)
    status = bench.send(bench.film(), peer=peer, move_originator=originator)
    assert status is Status.SUCCESS
    assert [row.role for row in held(bench)] == [Role.RETRIEVED]
    assert studies(bench) == ["1.2.77"]


def end_retrievals(bench: Bench) -> None:
    with bench.site.ledger.writing() as rows:
        waiting = rows.open_retrieval(STUDY_UID, bench.clock())
        assert waiting is not None
        rows.close_retrieval(waiting.id)


@pytest.mark.parametrize(
    ("peer", "originator"),
    [(ARCHIVE, None), (ARCHIVE, US), (MODALITY, "ARCHIVE"), (MODALITY, US)],
)
def test_what_comes_after_its_retrieval_is_quarantined_and_opens_no_study(
    bench: Bench, peer: RemoteAE, originator: str | None
) -> None:
    expect(bench, STUDY_UID)
    end_retrievals(bench)
    status = bench.send(bench.film(), peer=peer, move_originator=originator)
    assert status is Status.NOT_AUTHORISED
    assert (held(bench), studies(bench)) == ([], ["1.2.77"])
    assert len(quarantined(bench)) == 1
    assert bench.told()[-1].startswith("it came after its retrieval had ended")


def test_a_modality_may_send_for_reading_what_was_just_retrieved(bench: Bench) -> None:
    expect(bench, STUDY_UID)
    end_retrievals(bench)
    assert bench.send(bench.film(), peer=MODALITY) is Status.SUCCESS
    assert [row.role for row in held(bench)] == [Role.CURRENT]


def test_an_archive_may_send_for_reading_what_was_asked_for_long_ago(
    bench: Bench,
) -> None:
    expect(bench, STUDY_UID)
    end_retrievals(bench)
    bench.clock.add(seconds=3601)
    assert bench.send(bench.film(), peer=ARCHIVE) is Status.SUCCESS
    assert [row.role for row in held(bench)] == [Role.CURRENT]


def test_a_c_get_brings_what_was_asked_for_alone(bench: Bench) -> None:
    expect(bench, STUDY_UID)
    asked = bench.film()
    stranger = bench.film("other", StudyInstanceUID="1.2.8", SOPInstanceUID="1.2.8.1")
    intake = bench.intake(role_of_retrieved)
    statuses = [incoming(intake.receive, p).commit() for p in (asked, stranger)]
    assert statuses == [Status.SUCCESS, Status.NOT_AUTHORISED]
    assert [row.role for row in held(bench)] == [Role.RETRIEVED]
    assert studies(bench) == ["1.2.77"]


def test_a_known_result_of_ours_is_recognised_without_its_model_name(
    bench: Bench,
) -> None:
    bench.reach(State.ENCODED)
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        result = rows.results(study.id)[0]
    back = bench.film(
        "back",
        SOPClassUID=result.sop_class_uid,
        SOPInstanceUID=result.sop_instance_uid,
    )
    assert bench.send(back) is Status.SUCCESS
    assert bench.study() == study
    assert len(held(bench)) == 1


def test_a_new_image_takes_the_study_from_its_worker(bench: Bench) -> None:
    bench.received()
    with bench.site.ledger.writing() as rows:
        claimed = rows.claim([State.COMPLETE], bench.clock(), "worker", 60)
    assert claimed is not None
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert (bench.study().state, bench.study().lease_owner) == (State.RECEIVING, None)
    with bench.site.ledger.reading() as rows:
        assert rows.moves(claimed.id)[-1].event is Event.IMAGE_ARRIVED


def test_a_file_without_any_element_is_no_instance(bench: Bench) -> None:
    empty = raw_file(bench.folder / "empty.dcm", b"", ImplicitVRLittleEndian)
    arriving = bench.intake().receive(facts_of(bench.film()))
    arriving.write(empty.read_bytes()[:8])
    assert arriving.commit() is Status.CANNOT_UNDERSTAND


def write_report(bench: Bench, name: str = "report", **attributes: object) -> Path:
    """Write a report of others: it has no pixels and no module of an image."""
    ds = film_dataset(SOPClassUID=BASIC_TEXT_SR, Modality="SR", **attributes)
    text = Dataset()
    for element in ds:
        if element.tag.group not in (0x0028, 0x7FE0):
            text.add(element)
    return write_film(bench.folder / f"{name}.dcm", text)


def test_the_same_report_in_another_transfer_syntax_is_success_and_kept_once(
    bench: Bench,
) -> None:
    report = write_report(bench)
    assert bench.send(report) is Status.SUCCESS
    assert bench.send(recoded(report, ImplicitVRLittleEndian)) is Status.SUCCESS
    assert len(held(bench)) == len(bench.kept_files()) == 1


def test_another_report_in_another_transfer_syntax_is_a_conflict(bench: Bench) -> None:
    bench.send(write_report(bench))
    changed = write_report(bench, "changed", StudyDescription="Chest")
    status = bench.send(recoded(changed, ImplicitVRLittleEndian))
    assert status is Status.DUPLICATE_CONFLICT


def test_a_lost_file_is_replaced_by_the_same_instance(bench: Bench) -> None:
    film = bench.film()
    bench.send(film)
    for file in bench.kept_files():
        file.unlink()
    assert bench.send(film) is Status.SUCCESS
    (row,) = held(bench)
    assert bench.kept_files() == [bench.site.spool.path(row.file_name)]
    assert data_set_bytes(bench.site.spool.path(row.file_name)) == data_set_bytes(film)


def test_a_lost_file_and_another_syntax_are_no_proof_of_sameness(bench: Bench) -> None:
    film = bench.film()
    bench.send(film)
    for file in bench.kept_files():
        file.unlink()
    other = recoded(film, ImplicitVRLittleEndian)
    assert bench.send(other) is Status.DUPLICATE_CONFLICT
    assert len(bench.kept_files()) == 1  # nothing of the sender's is lost


def test_a_contradiction_that_is_sent_again_is_quarantined_once(bench: Bench) -> None:
    bench.send(bench.film())
    other = bench.film("other", PatientID="P2")
    for _ in range(5):
        assert bench.send(other) is Status.DUPLICATE_CONFLICT
    assert len(bench.kept_files()) == 2


def test_each_contradiction_is_audited_though_it_is_kept_once(bench: Bench) -> None:
    bench.send(bench.film())
    other = bench.film("other", PatientID="P2")
    for _ in range(2):
        bench.send(other)
    said = "same SOP Instance UID with other content: 1.2.3.4"
    assert bench.told().count(said) == 2


def test_another_contradiction_is_quarantined_beside_the_first(bench: Bench) -> None:
    bench.send(bench.film())
    for patient in ("P2", "P3"):
        bench.send(bench.film(patient, PatientID=patient))
    assert len(bench.kept_files()) == 3


def test_a_colour_image_in_another_transfer_syntax_is_answered(bench: Bench) -> None:
    colour = colour_film(bench.folder)
    assert bench.send(colour) is Status.SUCCESS
    status = bench.send(recoded(colour, ImplicitVRLittleEndian))
    assert status in (Status.SUCCESS, Status.DUPLICATE_CONFLICT)


def test_a_retrieved_image_that_is_sent_for_reading_opens_its_study(
    bench: Bench,
) -> None:
    expect(bench, STUDY_UID)
    film = bench.film()
    assert deliver(bench.intake(role_of_retrieved).receive, film) is Status.SUCCESS
    bench.clock.add(seconds=3601)  # nobody waits for it any more
    assert bench.send(film) is Status.SUCCESS
    assert bench.study().state is State.RECEIVING
    (row,) = held(bench)
    assert (row.role, row.revision) == (Role.CURRENT, 1)


@pytest.mark.parametrize("may_store", [True, False])
def test_a_c_move_delivery_opens_no_study_whoever_moved_it(
    bench: Bench, may_store: bool
) -> None:
    peer = replace(ARCHIVE, may_store=may_store)
    for originator in (peer.title, US):
        status = bench.send(bench.film(), peer=peer, move_originator=originator)
        assert status is Status.NOT_AUTHORISED
    assert studies(bench) == []


def test_what_a_third_node_had_moved_here_is_a_current_study(bench: Bench) -> None:
    originator = AETitle("WORKSTATION")
    status = bench.send(bench.film(), peer=ARCHIVE, move_originator=originator)
    assert status is Status.SUCCESS
    assert studies(bench) == [STUDY_UID]
