"""A report that is sent again in another encoding is the same report."""

from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from dicom_io.equality import same_attributes
from tests.data.films import BASIC_TEXT_SR, film_dataset, write_film


def document(words: str = "Clear lungs.", **attributes: object) -> Dataset:
    item = Dataset()
    item.ValueType, item.TextValue = "TEXT", words
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = BASIC_TEXT_SR, "1.2.9.1"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.5", "1.5.7"
    ds.PatientName = "M\u00fcller^J\u00f6rg"
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.ShutterPresentationValue = 258
    ds.ContentSequence = [item]
    ds.private_block(0x0041, "Maker", create=True).add_new(1, "LO", "own")
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


@pytest.mark.parametrize(
    "syntax",
    [ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian],
)
def test_another_transfer_syntax_holds_the_same(syntax: str, tmp_path: Path) -> None:
    one = write_film(tmp_path / "one.dcm", document())
    other = write_film(tmp_path / "other.dcm", document(), syntax)
    assert same_attributes(one, other)


def test_another_character_set_holds_the_same(tmp_path: Path) -> None:
    one = write_film(tmp_path / "one.dcm", document())
    unicode = document(SpecificCharacterSet="ISO_IR 192")
    assert same_attributes(one, write_film(tmp_path / "other.dcm", unicode))


@pytest.mark.parametrize(
    "changed",
    [
        document("Clear lung."),
        document(ShutterPresentationValue=513),
        document(ContentSequence=[]),
        document(StudyID="1"),
        document(TextValue="x" * (2 << 20)),
    ],
    ids=["a nested text", "a number", "no item", "one more", "too long to keep"],
)
def test_another_content_is_not_the_same(changed: Dataset, tmp_path: Path) -> None:
    one = write_film(tmp_path / "one.dcm", document())
    assert not same_attributes(one, write_film(tmp_path / "other.dcm", changed))


def test_values_too_long_to_keep_are_never_equal(tmp_path: Path) -> None:
    path = write_film(tmp_path / "one.dcm", document(TextValue="x" * (2 << 20)))
    assert not same_attributes(path, path)


def test_an_image_is_never_judged_by_its_attributes(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.dcm", film_dataset())
    assert not same_attributes(path, path)
