"""The studies of one day: what is asked, and what of the answers is taken."""

import json
from collections.abc import Iterator
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest
from pydicom.dataset import Dataset

from dicom_io.archive import Archive, open_archive
from dicom_io.errors import PeerFailure
from dicom_io.identifiers import CohortQuery
from dicom_io.scu import query, web
from dicom_io.scu.answers import cohort_identifier, in_cohort
from tests.data.films import film_dataset
from tests.data.network import LOCAL, at, part10
from tests.data.web import Answer, serving

DAY = CohortQuery(study_date=date(2026, 1, 31), modality="DX")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Archive]:
    with open_archive(tmp_path_factory.mktemp("archive"), "ARCHIVE") as opened:
        for number, day in enumerate(("20260131", "20260131", "20260201")):
            ds = film_dataset(
                StudyInstanceUID=f"1.2.{number}",
                SOPInstanceUID=f"1.2.{number}.1",
                StudyDate=day,
            )
            opened.put(part10(ds))
        yield opened


def answer(uid: str | None = "1.2.3", **values: object) -> Dataset:
    ds = Dataset()
    ds.StudyInstanceUID = uid
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def test_nothing_is_asked_about_patients() -> None:
    asked = cohort_identifier(DAY)
    assert (asked.QueryRetrieveLevel, asked.StudyDate) == ("STUDY", "20260131")
    assert asked.ModalitiesInStudy == "DX"
    assert [each.keyword for each in asked if "Patient" in each.keyword] == []


def test_a_description_in_another_script_says_its_character_set() -> None:
    asked = cohort_identifier(CohortQuery(study_date=DAY.study_date, description="Ä*"))
    assert (asked.StudyDescription, asked.SpecificCharacterSet) == ("Ä*", "ISO_IR 192")


@pytest.mark.parametrize(
    "query_",
    [
        CohortQuery(study_date=DAY.study_date, description="x" * 65),
        CohortQuery(study_date=DAY.study_date, description="a\\b"),
        CohortQuery(study_date=DAY.study_date, institution="a\nb"),
        CohortQuery(study_date=DAY.study_date, modality="X" * 17),
        CohortQuery(study_date=DAY.study_date, modality=" "),
    ],
)
def test_a_key_that_is_no_key_is_not_sent(query_: CohortQuery) -> None:
    with pytest.raises(ValueError, match="takes 1 to"):
        cohort_identifier(query_)


@pytest.mark.parametrize(
    ("named", "uid"),
    [
        (answer(), "1.2.3"),
        (answer(StudyDate="20260131", ModalitiesInStudy=["CR", "DX"]), "1.2.3"),
        (answer(StudyDate="20260201"), None),
        (answer(ModalitiesInStudy="CT"), None),
        (answer(None), None),
    ],
)
def test_what_was_not_asked_for_is_not_taken(named: Dataset, uid: str | None) -> None:
    assert in_cohort(DAY, named) == uid


def test_an_archive_names_the_studies_of_the_day(archive: Archive) -> None:
    assert query.find_cohort(LOCAL, at(archive.port, "ARCHIVE"), DAY) == (
        "1.2.0",
        "1.2.1",
    )


def test_part_of_a_day_is_an_error(archive: Archive) -> None:
    with pytest.raises(PeerFailure, match="there may be more"):
        query.find_cohort(LOCAL, at(archive.port, "ARCHIVE"), DAY, limit=1)


def test_a_web_service_is_asked_the_same() -> None:
    studies = [{"0020000D": {"vr": "UI", "Value": [uid]}} for uid in ("1.2", "1.3")]
    body = json.dumps([*studies, studies[0]]).encode()
    with serving(Answer(body=body)) as service:
        assert web.find_cohort(service.remote(), DAY) == ("1.2", "1.3")
        asked = parse_qs(urlsplit(service.asked[0][1]).query)
    assert (asked["StudyDate"], asked["ModalitiesInStudy"]) == (["20260131"], ["DX"])
    with serving(Answer(body=body)) as service, pytest.raises(PeerFailure):
        web.find_cohort(service.remote(), DAY, limit=2)
