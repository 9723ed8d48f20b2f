"""Generated reports as this gateway keeps them, and reports of persons it holds."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom import dcmread

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.coordinates import ImageFrame, Orientation
from dicom_io.errors import PeerUnreachable
from gateway.evaluation.errors import BadSource
from gateway.evaluation.generated import read_generated, read_ledger
from gateway.evaluation.received import (
    fetch_reports,
    read_documents,
    read_spool,
    record_reading,
)
from gateway.evaluation.sources import BoxFrame
from gateway.ledger import AuditFilter, Ledger
from gateway.process import process_files
from model.report import GroundedPhrase, NormalizedBox, Task
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.person_reports import sr
from tests.data.ports import NOBODYS_PORT
from tests.data.sites import site_settings
from tests.data.stages import STUDY_UID, bench_at

NOW = datetime(2026, 3, 4, tzinfo=UTC)
LOCAL = LocalAE(title=AETitle("MAIRA_GW"), host="127.0.0.1", port=0)
LOWER = NormalizedBox(x_min=0.0, y_min=0.5, x_max=1.0, y_max=1.0)
PHRASES = (
    GroundedPhrase(text="Opacity at both bases.", boxes=(LOWER,)),
    GroundedPhrase(text=" "),
    GroundedPhrase(text="No effusion."),
)


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `process` writes for one film."""
    folder = tmp_path_factory.mktemp("processed")
    film = write_film(folder / "film.dcm", film_dataset())
    settings = site_settings(folder / "site")
    outcome = process_files(
        settings, [film], folder / "out", CannedEngine(phrases=PHRASES)
    )
    assert not outcome.refused
    return folder / "out"


@pytest.fixture
def copied(processed: Path, tmp_path: Path) -> Path:
    """A copy of the study's folder, to spoil."""
    for name in ("reports.json", "evidence.json"):
        target = tmp_path / "out" / STUDY_UID / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text((processed / STUDY_UID / name).read_text())
    return tmp_path / "out"


def frame_of(folder: Path, frame: ImageFrame) -> None:
    path = folder / STUDY_UID / "evidence.json"
    body = json.loads(path.read_text())
    body["frame"] = {
        "rows": frame.rows,
        "columns": frame.columns,
        "orientation": {
            "transpose": frame.orientation.transpose,
            "mirror_columns": frame.orientation.mirror_columns,
            "mirror_rows": frame.orientation.mirror_rows,
        },
    }
    path.write_text(json.dumps(body))


def boxes(folder: Path, frame: BoxFrame) -> tuple[float, float, float, float]:
    (report,) = read_generated(folder, frame).reports.values()
    assert report.sentences is not None
    (box,) = report.sentences[0].boxes
    return box.x_min, box.y_min, box.x_max, box.y_max


def test_a_folder_of_process_gives_sentences_and_the_model(processed: Path) -> None:
    found = read_generated(processed, BoxFrame.CROP)
    (report,) = found.reports.values()
    assert report.sentences is not None
    texts = [sentence.text for sentence in report.sentences]
    assert texts == ["Opacity at both bases.", "No effusion."]
    ((_, digest),) = found.models
    assert len(digest) == 64


def test_boxes_stay_in_the_crop_where_references_have_that_frame(
    processed: Path,
) -> None:
    assert boxes(processed, BoxFrame.CROP) == (0.0, 0.5, 1.0, 1.0)


def test_boxes_are_taken_back_to_the_stored_image(copied: Path) -> None:
    # 200 rows, 100 columns: the crop is rows 50 to 150, its lower half 100 to 150.
    frame_of(copied, ImageFrame(rows=200, columns=100))
    found = boxes(copied, BoxFrame.IMAGE)
    assert found == pytest.approx((0.0, 0.5, 1.0, 0.75), abs=0.01)


def test_boxes_of_a_turned_image_lie_where_it_is_stored(copied: Path) -> None:
    # Upright is mirrored top-bottom: its lower half is the stored upper half.
    upside_down = Orientation(mirror_rows=True)
    frame_of(copied, ImageFrame(rows=100, columns=100, orientation=upside_down))
    assert boxes(copied, BoxFrame.IMAGE) == pytest.approx((0.0, 0.0, 1.0, 0.5))


def test_a_study_without_reports_is_absent(copied: Path) -> None:
    (copied / "1.2.999").mkdir()
    found = read_generated(copied, BoxFrame.CROP)
    assert [each.study_id for each in found.absent] == ["1.2.999"]


def test_spoilt_files_are_named(copied: Path) -> None:
    evidence = copied / STUDY_UID / "evidence.json"
    evidence.write_text("{}")
    with pytest.raises(BadSource, match=r"evidence\.json"):
        read_generated(copied, BoxFrame.IMAGE)
    reports = copied / STUDY_UID / "reports.json"
    reports.write_text("[{]")
    with pytest.raises(BadSource, match=r"reports\.json"):
        read_generated(copied, BoxFrame.CROP)


def test_plain_findings_are_text_to_be_split(copied: Path) -> None:
    path = copied / STUDY_UID / "reports.json"
    (body,) = json.loads(path.read_text())
    body |= {"task": Task.FINDINGS, "phrases": [{"text": "A. B.", "boxes": []}]}
    path.write_text(json.dumps([body]))
    found = read_generated(copied, BoxFrame.CROP)
    assert found.reports[STUDY_UID].text == "A. B."
    assert found.frame is None


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match="no folder of a study"):
        read_generated(tmp_path, BoxFrame.CROP)


def test_tables_and_json_serve_as_generated_reports(tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_text("example_id,prediction\n1,Clear.\n")
    assert read_generated(table, BoxFrame.CROP).reports["1"].text == "Clear."
    grounded = tmp_path / "a.json"
    grounded.write_text('[{"example_id": "1", "prediction": []}]')
    assert read_generated(grounded, BoxFrame.CROP).reports["1"].sentences == ()


def test_reports_are_read_from_dicom_files_by_study(tmp_path: Path) -> None:
    sr(tmp_path / "in/sr.dcm")
    write_film(tmp_path / "in/film.dcm", film_dataset(StudyInstanceUID="1.2.77"))
    found = read_documents(tmp_path / "in")
    assert found.reports[STUDY_UID].text == "Clear lungs."
    assert [each.study_id for each in found.absent] == ["1.2.77"]


def test_a_report_that_would_be_cut_is_absent(tmp_path: Path) -> None:
    sr(tmp_path / "sr.dcm", text="Clear lungs. " * 300)
    (absent,) = read_documents(tmp_path).absent
    assert "too long" in absent.reason


def test_a_report_of_an_algorithm_is_absent(tmp_path: Path) -> None:
    path = sr(tmp_path / "sr.dcm")
    ds = dcmread(path)
    ds.ContentQualification = "RESEARCH"
    ds.save_as(path)
    (absent,) = read_documents(tmp_path).absent
    assert "not clinical" in absent.reason


def test_a_file_that_is_no_dicom_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no DICOM")
    with pytest.raises(BadSource, match=r"notes\.txt"):
        read_documents(tmp_path)


def test_reports_of_the_same_study_are_fetched_from_an_archive(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        archive.put(sr(tmp_path / "sr.dcm"))
        archive.put(write_film(tmp_path / "film.dcm", film_dataset()))
        found = fetch_reports(LOCAL, remote(archive.port), [STUDY_UID, "1.2.3.99"])
    assert found.reports[STUDY_UID].text == "Clear lungs."
    assert [each.study_id for each in found.absent] == ["1.2.3.99"]


def test_no_archive_is_asked_for_what_is_no_uid() -> None:
    found = fetch_reports(LOCAL, remote(NOBODYS_PORT), ["s1", "*", ""])
    assert {each.reason for each in found.absent} == {"its name is no UID"}


def test_an_archive_that_is_away_ends_the_evaluation() -> None:
    with pytest.raises(PeerUnreachable):
        fetch_reports(LOCAL, remote(NOBODYS_PORT), [STUDY_UID])


def test_reports_that_arrived_later_are_read_from_the_spool(tmp_path: Path) -> None:
    with bench_at(tmp_path) as bench:
        bench.send(bench.film())
        bench.send(sr(tmp_path / "sr.dcm"))
        site = bench.site
        found = read_spool(site.ledger, site.spool, [STUDY_UID, "1.2.99"])
    assert found.reports[STUDY_UID].text == "Clear lungs."
    assert [each.study_id for each in found.absent] == ["1.2.99"]


def test_the_ledger_gives_finished_studies_and_the_audit_says_who_read_them(
    tmp_path: Path,
) -> None:
    with bench_at(tmp_path) as bench:
        bench.send(bench.film())
        bench.clock.add(days=1)
        while bench.turn():
            pass
        ledger = bench.site.ledger
        found = read_ledger(ledger, BoxFrame.IMAGE, "roe", NOW)
        with ledger.reading() as rows:
            wanted = AuditFilter(study_instance_uid=STUDY_UID, limit=1000)
            audit = [str(record) for record in rows.audit(wanted)]
    assert found.place == "the ledger"
    assert list(found.reports) == [STUDY_UID]
    assert any("roe" in record for record in audit)


def remote(port: int) -> RemoteAE:
    return RemoteAE(
        name="pacs",
        title=AETitle("ARCHIVE"),
        host="127.0.0.1",
        port=port,
        deadline_seconds=10.0,
    )


def test_whose_reports_were_read_and_by_whom_is_in_the_audit(tmp_path: Path) -> None:
    ledger = Ledger.open(f"sqlite:///{tmp_path / 'ledger.sqlite'}")
    record_reading(ledger, ["1.2.3", "1.2.4"], "anna", NOW)
    with ledger.reading() as rows:
        records = rows.audit(AuditFilter())
    ledger.close()
    assert [(each.study_instance_uid, each.user) for each in records] == [
        ("1.2.3", "anna"),
        ("1.2.4", "anna"),
    ]
