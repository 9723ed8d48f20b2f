from dataclasses import replace
from datetime import date

import pytest

from dicom_io.inputs.age import years_old
from tests.data.films import film_instance


def born(day: date | None, age: str | None = None) -> float | None:
    patient = replace(film_instance().patient, birth_date=day)
    stated = () if age is None else (("PatientAge", age),)
    return years_old(film_instance(patient=patient, text_values=stated))


@pytest.mark.parametrize(
    ("day", "years"),
    [
        (date(2006, 3, 2), 18),  # the film is of 2 March 2024: the birthday itself
        (date(2006, 3, 3), 17),
        (date(2024, 3, 2), 0),
        (date(1924, 2, 29), 100),
    ],
)
def test_the_birth_date_says_the_completed_years(day: date, years: int) -> None:
    assert born(day) == years


@pytest.mark.parametrize(
    ("age", "years"),
    [("017Y", 17.0), ("018M", 1.5), ("000D", 0.0), ("17", None), ("", None)],
)
def test_without_a_birth_date_the_stated_age_counts(
    age: str, years: float | None
) -> None:
    assert born(None, age) == years


def test_a_birth_date_after_the_film_says_nothing() -> None:
    assert born(date(2025, 1, 1)) is None


def test_the_birth_date_comes_before_the_stated_age() -> None:
    assert born(date(1950, 5, 1), "003Y") == 73
