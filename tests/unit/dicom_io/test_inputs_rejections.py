from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_io.inputs.rejections import rejected_instances
from tests.data.films import film_dataset, nested, raw_file, write_film

KEY_OBJECTS = "1.2.840.10008.5.1.4.1.1.88.59"


def note(path: Path, title: str, *named: str) -> Path:
    ds, code = Dataset(), Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = KEY_OBJECTS, f"1.2.7.{sum(path.name.encode())}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", "1.2.3.9"
    code.CodeValue, code.CodingSchemeDesignator = title, "DCM"
    code.CodeMeaning = "a title"
    ds.ConceptNameCodeSequence = [code]
    ds.ContentSequence = [image(uid) for uid in named]
    return write_film(path, ds)


def image(uid: str) -> Dataset:
    item, referenced = Dataset(), Dataset()
    item.RelationshipType, item.ValueType = "CONTAINS", "IMAGE"
    referenced.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    referenced.ReferencedSOPInstanceUID = uid
    item.ReferencedSOPSequence = [referenced]
    return item


@pytest.mark.parametrize("title", ["113001", "113037", "113038"])
def test_a_rejection_note_takes_back_what_it_names(title: str, tmp_path: Path) -> None:
    found = rejected_instances([note(tmp_path / "a.dcm", title, "1.2.3.4", "1.2.3.5")])
    assert set(found) == {"1.2.3.4", "1.2.3.5"}
    assert all(reason.startswith("rejected for") for reason in found.values())


@pytest.mark.parametrize("title", ["113000", "113039", "113004"])
def test_another_selection_takes_nothing_back(title: str, tmp_path: Path) -> None:
    assert rejected_instances([note(tmp_path / "a.dcm", title, "1.2.3.4")]) == {}


def test_films_and_broken_files_are_passed_over(tmp_path: Path) -> None:
    film = write_film(tmp_path / "film.dcm", film_dataset())
    deep = raw_file(tmp_path / "deep.dcm", nested(300), "1.2.840.10008.1.2.1")
    good = note(tmp_path / "good.dcm", "113001", "1.2.3.4")
    assert set(rejected_instances([film, deep, good])) == {"1.2.3.4"}
