"""The same pipeline on files: what is written, refused, and left behind."""

import json
import tempfile
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import ImplicitVRLittleEndian

from dicom_io.status import Status
from gateway.lifecycle import State
from gateway.process import ProcessOutcome, process_files
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.sites import archive_peer, site_settings
from tests.data.stages import (
    PRIOR_UID,
    STUDY_UID,
    colour_film,
    prior_film,
    recoded,
)


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.dcm", film_dataset())


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the process a temporary folder of its own, to look into."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def process(
    tmp_path: Path, *files: Path, engine: CannedEngine | None = None
) -> ProcessOutcome:
    settings = site_settings(tmp_path / "site")
    return process_files(settings, files, tmp_path / "out", engine or CannedEngine())


def test_the_results_of_a_study_are_written_below_its_uid(
    tmp_path: Path, film: Path
) -> None:
    (study,) = process(tmp_path, film).studies
    assert (study.state, study.study_instance_uid) == (State.KEPT, STUDY_UID)
    folder = tmp_path / "out" / STUDY_UID
    assert [path.name for path in study.files] == [
        "1-grounded-findings-findings-sr.dcm",
        "2-grounded-findings-gsps.dcm",
        "3-grounded-findings-narrative-sr.dcm",
        "reports.json",
        "evidence.json",
    ]
    assert sorted(study.files) == sorted(folder.iterdir())
    results = [dcmread(path) for path in study.files if path.suffix == ".dcm"]
    assert {ds.StudyInstanceUID for ds in results} == {STUDY_UID}
    (said,) = json.loads((folder / "reports.json").read_text("utf-8"))
    assert said["phrases"][0]["text"] == "There is a nodule in the right mid lung."


def test_a_bad_file_is_refused_and_the_others_go_on(tmp_path: Path, film: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no DICOM")
    missing, folder = tmp_path / "missing.dcm", tmp_path / "folder"
    folder.mkdir()
    outcome = process(tmp_path, text, missing, folder, film)
    assert [path for path, _ in outcome.refused] == [text, missing, folder]
    assert all(reason for _, reason in outcome.refused)
    assert [study.state for study in outcome.studies] == [State.KEPT]


def test_another_content_under_the_same_uid_is_refused(
    tmp_path: Path, film: Path
) -> None:
    other = write_film(tmp_path / "other.dcm", film_dataset(PatientID="P2"))
    outcome = process(tmp_path, film, other)
    assert outcome.refused == ((other, Status.DUPLICATE_CONFLICT.meaning),)


def test_the_same_file_twice_is_one_study_and_no_refusal(
    tmp_path: Path, film: Path
) -> None:
    outcome = process(tmp_path, film, film)
    assert (len(outcome.studies), outcome.refused) == (1, ())


def test_the_earlier_of_two_studies_of_a_patient_is_the_prior_of_the_later(
    tmp_path: Path, film: Path
) -> None:
    engine = CannedEngine()
    outcome = process(tmp_path, film, prior_film(tmp_path), engine=engine)
    states = {study.study_instance_uid: study.state for study in outcome.studies}
    assert states == {STUDY_UID: State.KEPT, PRIOR_UID: State.KEPT}
    evidence = {
        uid: json.loads((tmp_path / "out" / uid / "evidence.json").read_text("utf-8"))
        for uid in states
    }
    (used,) = evidence[STUDY_UID]["prior_images"]
    assert used["study_instance_uid"] == PRIOR_UID
    assert evidence[PRIOR_UID]["prior_images"] == []


def test_two_studies_of_two_patients_know_nothing_of_each_other(
    tmp_path: Path, film: Path
) -> None:
    engine = CannedEngine()
    process(tmp_path, film, prior_film(tmp_path, PatientID="P2"), engine=engine)
    assert [request.inputs.prior_frontal for request in engine.asked] == [None, None]


def test_a_declined_study_says_why_and_has_no_results(tmp_path: Path) -> None:
    spine = write_film(tmp_path / "c.dcm", film_dataset(BodyPartExamined="CSPINE"))
    (study,) = process(tmp_path, spine).studies
    assert (study.state, study.files) == (State.DECLINED, ())
    assert (study.reason or "").startswith("not-chest")


def test_without_files_there_is_nothing_to_do(tmp_path: Path) -> None:
    assert process(tmp_path) == ProcessOutcome(studies=(), refused=())


def test_nothing_is_left_in_the_temporary_folder(
    tmp_path: Path, film: Path, temporary: Path
) -> None:
    process(tmp_path, film)
    assert list(temporary.iterdir()) == []


def test_nothing_is_left_in_the_temporary_folder_after_a_failure(
    tmp_path: Path, film: Path, temporary: Path
) -> None:
    (tmp_path / "out").write_text("a file where a folder must be made")
    with pytest.raises(OSError, match="out"):
        process(tmp_path, film)
    assert list(temporary.iterdir()) == []


def test_the_sites_own_ledger_and_spool_are_not_touched(
    tmp_path: Path, film: Path
) -> None:
    process(tmp_path, film)
    assert not (tmp_path / "site").exists()


def test_nobody_is_asked_and_nothing_is_sent(tmp_path: Path, film: Path) -> None:
    # Port 9 (discard) would refuse; a try would end in a note or a state.
    settings = site_settings(tmp_path / "site", archive_peer("ARCHIVE", 9))
    outcome = process_files(settings, [film], tmp_path / "out", CannedEngine())
    (study,) = outcome.studies
    assert study.state is State.KEPT
    assert (study.reason or "").startswith("no destination")


def test_a_repeated_run_makes_objects_with_the_same_content(
    tmp_path: Path, film: Path
) -> None:
    first = process(tmp_path / "a", film).studies[0].files
    second = process(tmp_path / "b", film).studies[0].files
    assert [p.name for p in first] == [p.name for p in second]
    assert first[-2].read_bytes() == second[-2].read_bytes()


def test_a_stage_that_fails_parks_its_study_at_once(tmp_path: Path, film: Path) -> None:
    engine = CannedEngine(failures=[RuntimeError("no memory")] * 99)
    (study,) = process(tmp_path, film, engine=engine).studies
    assert (study.state, study.files) == (State.PARKED, ())
    assert study.reason == "RuntimeError: no memory"
    assert len(engine.asked) <= 1


def test_a_colour_image_in_two_transfer_syntaxes_does_not_end_the_run(
    tmp_path: Path,
) -> None:
    colour = colour_film(tmp_path)
    again = recoded(colour, ImplicitVRLittleEndian)
    outcome = process(tmp_path, colour, again)
    assert len(outcome.studies) == 1
