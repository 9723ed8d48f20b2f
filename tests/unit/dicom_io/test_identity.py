from dataclasses import replace
from datetime import date

import pytest

from dicom_io.header import PatientIdentity
from dicom_io.identity import (
    VERDICTS,
    Comparison,
    Key,
    Ruling,
    guard_identity,
    is_exact_key,
    one_patient,
)
from dicom_io.options import AbsencePolicy, IdentityPolicy
from tests.data.films import film_instance

JANE = PatientIdentity(
    patient_id="0012", issuer="A", birth_date=date(1950, 5, 1), sex="F", name="Doe^Jane"
)
LENIENT = IdentityPolicy(
    issuer=AbsencePolicy.ACCEPT,
    birth_date=AbsencePolicy.ACCEPT,
    sex=AbsencePolicy.ACCEPT,
)


def accepted(other: PatientIdentity, policy: IdentityPolicy | None = None) -> bool:
    return guard_identity(JANE, other, policy or IdentityPolicy()).accepted


def test_the_table_rules_on_every_case() -> None:
    assert set(VERDICTS) == set(Key)
    assert all(set(row) == set(Comparison) for row in VERDICTS.values())


def test_a_conflict_in_any_key_but_the_name_refuses_in_the_table() -> None:
    for key in set(Key) - {Key.NAME}:
        assert VERDICTS[key][Comparison.CONFLICT] is Ruling.REFUSE


def test_the_same_patient_is_accepted_without_a_word() -> None:
    verdict = guard_identity(JANE, JANE, IdentityPolicy())
    assert (verdict.accepted, verdict.reasons, verdict.flags) == (True, (), ())


@pytest.mark.parametrize(
    "patient_id",
    ["12", "00012", "0012 A", "0O12", "", "*", "0012\\1", None, "\uff10012"],
)
def test_a_look_alike_patient_id_refuses(patient_id: str | None) -> None:
    assert not accepted(replace(JANE, patient_id=patient_id), LENIENT)


def test_a_wildcard_never_equals_itself() -> None:
    wild = replace(JANE, patient_id="12*")
    assert not guard_identity(wild, wild, LENIENT).accepted


@pytest.mark.parametrize(
    "change", [{"issuer": "B"}, {"birth_date": date(1950, 5, 2)}, {"sex": "M"}]
)
def test_a_conflict_refuses_whatever_the_settings(change: dict[str, object]) -> None:
    assert not accepted(replace(JANE, **change), LENIENT)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", ["issuer", "birth_date", "sex"])
def test_an_absence_on_one_side_refuses_unless_the_site_accepts_it(key: str) -> None:
    other = replace(JANE, **{key: None})
    assert not accepted(other)
    policy = replace(IdentityPolicy(), **{key: AbsencePolicy.ACCEPT})
    verdict = guard_identity(other, JANE, policy)
    assert verdict.accepted
    assert len(verdict.flags) == 1


@pytest.mark.parametrize(
    ("name", "flagged"),
    [
        ("DOE^JANE", False),
        ("Jane^Doe", False),
        ("Doe^Jane^^^=x", False),
        (None, False),
        ("Roe^Jane", True),
    ],
)
def test_a_name_only_ever_flags(name: str | None, flagged: bool) -> None:
    verdict = guard_identity(JANE, replace(JANE, name=name), IdentityPolicy())
    assert verdict.accepted
    assert bool(verdict.flags) is flagged


def test_composed_and_decomposed_accents_are_one_name() -> None:
    composed, decomposed = (
        replace(JANE, name=n) for n in ("M\u00fcller", "Mu\u0308ller")
    )
    assert not guard_identity(composed, decomposed, IdentityPolicy()).flags


def test_reasons_name_attributes_and_no_values() -> None:
    other = replace(JANE, patient_id="99", issuer="B", sex="M", name="Roe^Ann")
    verdict = guard_identity(JANE, other, IdentityPolicy())
    said = " ".join((*verdict.reasons, *verdict.flags))
    assert "patient-id: conflict" in said
    assert not any(value in said for value in ("99", "Roe", "1950"))


@pytest.mark.parametrize(
    "value",
    [
        *("", " ", "*", "?", "12*", "A\\B", "A\0", "A\n", "\u202e12", "\\xff"),
        *('""', "%", "_", "--", "1\u2028", "1\u2029"),
    ],
)
def test_what_matches_more_than_itself_is_no_exact_key(value: str) -> None:
    assert not is_exact_key(value)


def unreadable(birth_date_text: str) -> PatientIdentity:
    return replace(JANE, birth_date=None, birth_date_text=birth_date_text)


def test_birth_dates_that_are_none_conflict_where_they_differ() -> None:
    one, other = unreadable("01.05.1950"), unreadable("17.11.1962")
    assert not guard_identity(one, other, LENIENT).accepted
    assert not guard_identity(one, JANE, LENIENT).accepted
    assert not guard_identity(JANE, one, LENIENT).accepted


def test_equal_birth_dates_that_are_none_are_flagged() -> None:
    one = unreadable("01.05.1950")
    verdict = guard_identity(one, one, IdentityPolicy())
    assert verdict.accepted
    assert verdict.flags == ("birth-date: absent-on-both",)


@pytest.mark.parametrize(
    "change",
    [
        {"patient_id": "99"},
        {"issuer": "B"},
        {"birth_date": date(1962, 11, 17)},
        {"sex": "M"},
    ],
)
def test_two_patients_in_one_study_are_told_without_values(
    change: dict[str, object],
) -> None:
    film = film_instance(patient=JANE)
    other = film_instance(patient=replace(JANE, **change))  # type: ignore[arg-type]
    (key,) = change
    assert one_patient([film, other]) == f"{key.replace('_', '-')}: conflict"


def test_absences_and_another_name_make_no_second_patient() -> None:
    nobody = PatientIdentity(
        patient_id=None, issuer=None, birth_date=None, sex=None, name="Roe^Ann"
    )
    films = [film_instance(patient=JANE), film_instance(patient=nobody)]
    assert one_patient(films) is None
