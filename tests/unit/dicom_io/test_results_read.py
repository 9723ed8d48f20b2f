"""Reading reports back."""

from pathlib import Path

import pytest

from dicom_io.errors import UnreadableHeader
from dicom_io.results.encode import encode_results
from dicom_io.results.read import read_findings, read_sentences
from tests.data.reports import EFFUSIONS, OPACITY, context, evidence, film_file, report


def test_findings_come_back_with_sentence_box_and_image(tmp_path: Path) -> None:
    seen = evidence(rows=1000, columns=1000)
    made = encode_results(film_file(tmp_path), report(), seen, context())

    found = read_findings(made[0].data)

    assert [one.sentence for one in found] == [
        OPACITY.text,
        EFFUSIONS.text,
        EFFUSIONS.text,
    ]
    assert found[1].identifier == "Finding 2 box 1/2"
    # 0.75 and 0.85 of 1000 rows, single precision
    assert found[1].box.top == 750
    assert found[1].box.bottom == pytest.approx(850, abs=1e-4)
    assert {one.referenced_sop_instance_uid for one in found} == {
        seen.frontal.sop_instance_uid
    }


def test_a_file_is_read_like_its_bytes(tmp_path: Path) -> None:
    made = encode_results(film_file(tmp_path), report(), evidence(), context())
    path = tmp_path / "sr.dcm"
    path.write_bytes(made[0].data)

    assert read_findings(path) == read_findings(made[0].data)


def test_a_narrative_has_no_boxes(tmp_path: Path) -> None:
    made = encode_results(film_file(tmp_path), report(), evidence(), context())

    assert read_findings(made[-1].data) == ()


def test_an_image_is_not_a_report(tmp_path: Path) -> None:
    with pytest.raises(UnreadableHeader, match="not a structured report"):
        read_sentences(film_file(tmp_path))


def test_bytes_that_are_not_dicom_are_refused() -> None:
    with pytest.raises(UnreadableHeader, match="cannot be read"):
        read_findings(b"no report")
