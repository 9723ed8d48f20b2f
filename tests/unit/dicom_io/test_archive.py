from pathlib import Path

import pytest

from dicom_io.archive import open_archive
from dicom_io.archive_index import answers, matching
from dicom_io.errors import ListenerFailure
from dicom_io.scu.answers import image_identifier, series_identifier
from tests.data.network import part10, radiograph, written


def test_what_is_put_is_held_in_order(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        archive.put(part10(radiograph(2)))
        archive.put(written(tmp_path, radiograph(1)))
        held = archive.instances()
    assert [each.sop_instance_uid for each in held] == ["1.2.3.1.1.2", "1.2.3.1.1.1"]
    assert held[0].path.read_bytes() == part10(radiograph(2))


def test_the_same_instance_is_held_once(tmp_path: Path) -> None:
    with open_archive(tmp_path, "ARCHIVE") as archive:
        for _ in range(2):
            archive.put(part10(radiograph()))
        assert len(archive.instances()) == 1


def test_a_taken_port_is_a_listener_failure(tmp_path: Path) -> None:
    with (
        open_archive(tmp_path, "ONE") as archive,
        pytest.raises(ListenerFailure, match=str(archive.port)),
    ):
        open_archive(tmp_path, "TWO", port=archive.port)


def test_every_key_must_fit() -> None:
    headers = [radiograph(1, 1), radiograph(1, 2)]
    assert matching(headers, image_identifier("1.2.3.1", "1.2.3.1.1")) == headers[:1]
    assert matching(headers, image_identifier("1.2.3.1", "1.2.3.2.1")) == []


def test_a_level_has_one_answer_for_each_entity() -> None:
    headers = [radiograph(1), radiograph(2)]
    found = answers(headers, series_identifier("1.2.3.1"))
    assert [str(each.SeriesInstanceUID) for each in found] == ["1.2.3.1.1"]


def test_a_level_that_study_root_lacks_is_refused() -> None:
    identifier = series_identifier("1.2.3.1")
    identifier.QueryRetrieveLevel = "PATIENT"
    with pytest.raises(ValueError, match="PATIENT"):
        answers([], identifier)
