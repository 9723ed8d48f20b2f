from dataclasses import replace
from datetime import date, time, timedelta

import pytest

from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.inputs.ranking import (
    NoQuery,
    Ranking,
    plan_query,
    rank_priors,
)
from dicom_io.options import (
    IdentityPolicy,
    Match,
    PriorRules,
)
from tests.data.films import film_instance

CURRENT = film_instance()
POLICY = IdentityPolicy()
CURRENT_AT_HOME = film_instance(institution="St. Anne  Hospital")


def answer(uid: str = "1.5", /, **changes: object) -> StudyAnswer:
    study = StudyAnswer(
        study_instance_uid=uid,
        patient=CURRENT.patient,
        study_date=date(2024, 1, 1),
        study_time=time(9),
        accession_number=None,
        study_description="Chest PA",
        modalities=("DX",),
        body_part=None,
        instance_count=2,
    )
    return replace(study, **changes)  # type: ignore[arg-type]


def dropped_reason(*answers: StudyAnswer) -> str:
    ranking = rank_priors(CURRENT, answers, PriorRules(), POLICY)
    assert not ranking.candidates
    return ranking.dropped[0].reason


def ranked(*answers: StudyAnswer, **rules: object) -> Ranking:
    return rank_priors(CURRENT_AT_HOME, answers, PriorRules(**rules), POLICY)  # type: ignore[arg-type]


def uids(ranking: Ranking) -> list[str]:
    return [each.answer.study_instance_uid for each in ranking.candidates]


def test_the_query_has_the_exact_id_and_its_issuer() -> None:
    assert plan_query(CURRENT) == StudyQuery(patient_id="P1", issuer="SITE")


@pytest.mark.parametrize(
    "patient_id", [None, "", "*", "12*", "?", "A\\B", "A\0B", "A\r\nB", " ", "9" * 65]
)
def test_no_query_without_one_exact_patient_id(patient_id: str | None) -> None:
    patient = replace(CURRENT.patient, patient_id=patient_id)
    assert isinstance(plan_query(replace(CURRENT, patient=patient)), NoQuery)


def test_no_query_with_a_wildcard_issuer() -> None:
    patient = replace(CURRENT.patient, issuer="SI*")
    assert isinstance(plan_query(replace(CURRENT, patient=patient)), NoQuery)


def test_the_most_recent_comes_first_and_the_rest_is_cut() -> None:
    days = [answer(f"1.{n}", study_date=date(2024, 1, n)) for n in (3, 9, 1, 5)]
    ranking = rank_priors(CURRENT, days, PriorRules(max_candidates=3), POLICY)
    assert uids(ranking) == ["1.9", "1.5", "1.3"]
    assert [d.study_instance_uid for d in ranking.dropped] == ["1.1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"study_date": date(2024, 3, 3)},
        {"study_date": date(2024, 3, 2), "study_time": time(10, 0)},
        {"study_date": date(2024, 3, 2), "study_time": None},
    ],
)
def test_what_is_not_surely_earlier_is_dropped(changes: dict[str, object]) -> None:
    assert "not before" in dropped_reason(answer(**changes))


def test_an_earlier_hour_of_the_same_day_serves() -> None:
    same_day = answer(study_date=date(2024, 3, 2), study_time=time(8))
    assert rank_priors(CURRENT, [same_day], PriorRules(), POLICY).candidates


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"study_date": None}, "order is unknown"),
        ({"study_date": date(2010, 1, 1)}, "older than"),
        ({"modalities": ("CT", "SR")}, "no CR or DX"),
        ({"study_description": "Left hand"}, "not of the chest"),
        ({"body_part": "KNEE", "study_description": None}, "not of the chest"),
        ({"instance_count": 0}, "no instance"),
    ],
)
def test_an_answer_that_does_not_serve_is_dropped_with_its_reason(
    changes: dict[str, object], reason: str
) -> None:
    assert reason in dropped_reason(answer(**changes))


def test_the_current_study_and_other_patients_are_dropped() -> None:
    assert "current" in dropped_reason(answer("1.2.3"))
    stranger = replace(CURRENT.patient, patient_id="P10")
    assert "patient-id: conflict" in dropped_reason(answer(patient=stranger))


def test_an_answer_without_optional_keys_still_serves() -> None:
    bare = answer(study_description=None, modalities=(), instance_count=None)
    (ranked,) = rank_priors(CURRENT, [bare], PriorRules(), POLICY).candidates
    assert ranked.answer == bare


def test_the_look_back_is_a_rule() -> None:
    old = answer(study_date=date(2024, 3, 2) - timedelta(days=31))
    ranking = rank_priors(CURRENT, [old], PriorRules(look_back_days=30), POLICY)
    assert not ranking.candidates


def test_of_equal_studies_the_reasons_say_what_speaks_for_each() -> None:
    said = answer(
        study_date=date(2024, 2, 28), institution="ST. ANNE HOSPITAL", body_part="CHEST"
    )
    (first,) = ranked(said, institution=Match.PREFER).candidates
    assert first.reasons == ("chest named", "same institution", "3 days before")


def test_a_study_that_names_the_chest_comes_before_a_later_one() -> None:
    silent = answer("1.8", study_description=None, study_date=date(2024, 2, 1))
    assert uids(ranked(silent, answer())) == ["1.5", "1.8"]
    assert uids(ranked(silent, answer(), body_part=Match.IGNORE)) == ["1.8", "1.5"]


@pytest.mark.parametrize(
    ("description", "rule", "serves"),
    [
        ("Left hand", Match.IGNORE, True),
        ("Left hand", Match.PREFER, False),
        ("Left hand", Match.REQUIRE, False),
        ("Chest and left hand", Match.REQUIRE, True),
        (None, Match.PREFER, True),
        (None, Match.REQUIRE, False),
    ],
)
def test_the_region_counts_as_much_as_the_site_says(
    description: str | None, rule: Match, serves: bool
) -> None:
    found = ranked(answer(study_description=description), body_part=rule)
    assert bool(found.candidates) is serves


def test_a_study_of_the_same_institution_comes_before_a_later_one() -> None:
    home = answer(institution="st. anne hospital")
    away = answer("1.8", institution="Elsewhere", study_date=date(2024, 2, 1))
    assert uids(ranked(home, away, institution=Match.PREFER)) == ["1.5", "1.8"]
    assert uids(ranked(home, away)) == ["1.8", "1.5"]


@pytest.mark.parametrize(
    ("named", "serves"),
    [("st. anne hospital ", True), ("St. Agnes Hospital", False), (None, True)],
)
def test_a_required_institution_is_filtered_where_an_answer_names_one(
    named: str | None, serves: bool
) -> None:
    found = ranked(answer(institution=named), institution=Match.REQUIRE)
    assert bool(found.candidates) is serves


def test_a_required_institution_that_the_current_study_does_not_name_fits_none() -> (
    None
):
    rules = PriorRules(institution=Match.REQUIRE)
    (dropped,) = rank_priors(CURRENT, [answer()], rules, POLICY).dropped
    assert dropped.reason == "the current study does not name its institution"


def test_without_times_only_whole_days_between_count() -> None:
    current = replace(CURRENT, study_time=None)
    rules = PriorRules(minimum_interval_hours=24.0)
    days = [
        answer(
            f"1.{n}", study_date=date(2024, 3, 2) - timedelta(days=n), study_time=None
        )
        for n in (1, 2)
    ]
    assert uids(rank_priors(current, days, rules, POLICY)) == ["1.2"]


def test_the_modalities_are_a_rule_where_the_answer_names_any() -> None:
    plain, digital = answer("1.6", modalities=("CR", "SR")), answer(modalities=("DX",))
    silent = answer("1.7", modalities=())
    found = ranked(plain, digital, silent, modalities=frozenset({"CR"}))
    assert set(uids(found)) == {"1.6", "1.7"}


def test_one_stranger_among_several_answers_about_a_study_drops_it() -> None:
    stranger = answer(patient=replace(CURRENT.patient, patient_id="P2"))
    for order in ((stranger, answer()), (answer(), stranger)):
        (dropped,) = ranked(*order).dropped
        assert (dropped.reason, dropped.refused) == ("patient-id: conflict", True)


def test_only_a_refusal_of_the_guard_is_marked_as_one() -> None:
    (old,) = ranked(answer(study_date=date(2000, 1, 1))).dropped
    assert not old.refused


@pytest.mark.parametrize("uid", ["", "1.2*", "1.2\\1.3", "x"])
def test_an_answer_whose_uid_is_none_is_dropped(uid: str) -> None:
    (dropped,) = ranked(answer(uid)).dropped
    assert dropped.study_instance_uid == ""
