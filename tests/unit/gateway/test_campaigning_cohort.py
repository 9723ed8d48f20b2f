"""Which studies a campaign has, and what is refused instead of guessed."""

from datetime import date

import pytest

from dicom_io.identifiers import CohortQuery
from gateway.campaigning.cohort import (
    ask_cohort,
    questions,
    read_cohort,
    selection,
)
from gateway.errors import CampaignRefused


def read(text: str, column: str | None = None) -> tuple[str, ...]:
    return read_cohort(text.splitlines(keepends=True), "cohort.txt", column).uids


def test_a_file_has_a_uid_a_line() -> None:
    text = "# from the registry\n1.2.3\n\n 1.2.4 \r\n"
    assert read(text) == ("1.2.3", "1.2.4")


def test_a_study_that_is_named_again_counts_once() -> None:
    cohort = read_cohort(["1.2.3\n", "1.2.4\n", "1.2.3\n"], "cohort.txt")
    assert (cohort.uids, cohort.repeated) == (("1.2.3", "1.2.4"), 1)


@pytest.mark.parametrize(
    "text",
    [
        "StudyInstanceUID\n1.2.3\n",
        "\ufeffPatient,StudyInstanceUID\nx,1.2.3\n",
        'study_instance_uid,note\n1.2.3,"a, b"\n',
    ],
)
def test_a_csv_has_a_column_of_them(text: str) -> None:
    assert read(text) == ("1.2.3",)


def test_a_person_may_name_the_column() -> None:
    assert read("id,uid\n7,1.2.3\n", "UID") == ("1.2.3",)


@pytest.mark.parametrize(
    ("text", "column", "told"),
    [
        ("", None, "names no study"),
        ("# nothing\n\n", None, "names no study"),
        ("StudyInstanceUID\n", None, "names no study"),
        ("1.2.3\nno uid\n1..2\n", None, "no Study Instance UID in line 2, 3"),
        ("x\n" * 9, None, "in line 1, 2, 3, 4, 5 and 4 more"),
        ("id,uid\n7,1.2.3\n", None, "several columns"),
        ("id,uid\n7,1.2.3\n", "study", "has no column 'study'"),
        ("a,StudyInstanceUID\nx\n", None, "in line 2"),
    ],
)
def test_what_is_no_cohort_is_refused(text: str, column: str | None, told: str) -> None:
    with pytest.raises(CampaignRefused, match=told):
        read(text, column)


def test_each_day_and_modality_is_asked_for_by_itself() -> None:
    wanted = selection("20260131-20260201", ["dx", "CR", "DX"])
    assert list(questions(wanted)) == [
        CohortQuery(study_date=date(2026, *day), modality=modality)
        for day in ((1, 31), (2, 1))
        for modality in ("DX", "CR")
    ]


def test_one_day_is_a_bound() -> None:
    (only,) = questions(selection("20260131", description="CHEST*"))
    assert only == CohortQuery(study_date=date(2026, 1, 31), description="CHEST*")


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ("", "two days"),
        ("*", "two days"),
        ("20260101-", "two days"),
        ("-20260101", "two days"),
        ("2026-01-01", "two days"),
        ("20260230", "two days"),
        ("20260201-20260131", "comes after"),
        ("20100101-20260131", "within 3660 days"),
    ],
)
def test_a_question_without_two_near_days_is_not_asked(days: str, told: str) -> None:
    with pytest.raises(CampaignRefused, match=told):
        selection(days)


@pytest.mark.parametrize("text", ["*", "?*", " ", ""])
def test_a_key_of_wildcards_alone_is_not_asked(text: str) -> None:
    with pytest.raises(CampaignRefused, match="wildcards alone"):
        selection("20260131", description=text)
    with pytest.raises(CampaignRefused, match="wildcards alone"):
        selection("20260131", [text])


def test_what_the_archive_names_twice_counts_once() -> None:
    named = {date(2026, 1, 1): ("1.2", "1.3"), date(2026, 1, 2): ("1.3",)}
    cohort = ask_cohort(
        selection("20260101-20260102"), lambda asked: named[asked.study_date]
    )
    assert (cohort.uids, cohort.repeated) == (("1.2", "1.3"), 1)
    assert cohort.source == "studies of 2026-01-01 to 2026-01-02"


def test_an_archive_that_names_nothing_makes_no_campaign() -> None:
    with pytest.raises(CampaignRefused, match="names no study"):
        ask_cohort(selection("20260101"), lambda _: ())
