from dataclasses import replace
from datetime import date, time, timedelta
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from dicom_io.header import Instance
from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.inputs.prior import (
    Dropped,
    NoQuery,
    Prior,
    PriorGuard,
    PriorStudy,
    RetrievedStudy,
    choose_prior,
    gather_prior,
    plan_query,
    rank_priors,
)
from dicom_io.options import (
    IdentityPolicy,
    PriorRules,
    ReportRules,
    ViewRules,
)
from tests.data.films import film_dataset, film_instance, write_film

CURRENT = film_instance()
POLICY = IdentityPolicy()


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


def earlier(**changes: object) -> Instance:
    film = film_instance(
        study_instance_uid="1.5", sop_instance_uid="1.5.1", study_date=date(2024, 1, 1)
    )
    return replace(film, **changes)  # type: ignore[arg-type]


GUARD = PriorGuard(
    identity=POLICY, prior=PriorRules(), views=ViewRules(), reports=ReportRules()
)


def dropped_reason(*answers: StudyAnswer) -> str:
    ranking = rank_priors(CURRENT, answers, PriorRules(), POLICY)
    assert not ranking.candidates
    return ranking.dropped[0].reason


def choose(*retrieved: Instance) -> PriorStudy | Dropped:
    return choose_prior(CURRENT, RetrievedStudy(instances=retrieved), GUARD)


def test_the_verdict_on_an_accepted_patient_is_recorded_key_by_key() -> None:
    chosen = choose(earlier())
    assert isinstance(chosen, PriorStudy)
    verdict = chosen.reasons[-1]
    assert verdict.startswith("same patient: patient-id equal, issuer equal")
    assert "P1" not in verdict


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
    assert [c.study_instance_uid for c in ranking.candidates] == ["1.9", "1.5", "1.3"]
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
        ({"modalities": ("CT", "SR")}, "no radiograph"),
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
    assert rank_priors(CURRENT, [bare], PriorRules(), POLICY).candidates == (bare,)


def test_the_look_back_is_a_rule() -> None:
    old = answer(study_date=date(2024, 3, 2) - timedelta(days=31))
    ranking = rank_priors(CURRENT, [old], PriorRules(look_back_days=30), POLICY)
    assert not ranking.candidates


def test_a_retrieved_study_gives_its_frontal() -> None:
    lateral = earlier(sop_instance_uid="1.5.2", view_position="LL")
    chosen = choose(lateral, earlier())
    assert isinstance(chosen, PriorStudy)
    assert chosen.frontal == earlier()


def test_a_stranger_among_the_retrieved_drops_the_study() -> None:
    stranger = earlier(patient=replace(CURRENT.patient, patient_id="P2"))
    assert isinstance(choose(earlier(), stranger), Dropped)


def test_instances_of_another_study_drop_it() -> None:
    assert isinstance(choose(earlier(), earlier(study_instance_uid="1.6")), Dropped)
    assert isinstance(choose(CURRENT), Dropped)
    assert isinstance(choose(), Dropped)


def test_a_later_or_viewless_study_is_dropped() -> None:
    assert isinstance(choose(earlier(study_date=date(2024, 3, 3))), Dropped)
    assert isinstance(choose(earlier(view_position="LL")), Dropped)


def test_a_flag_of_the_identity_is_kept_once() -> None:
    renamed = replace(CURRENT.patient, name="Roe^Jane")
    chosen = choose(
        earlier(patient=renamed), earlier(patient=renamed, sop_instance_uid="1.5.9")
    )
    assert isinstance(chosen, PriorStudy)
    assert chosen.flags == ("the prior's patient: name: conflict",)


def test_a_prior_without_a_report_serves_and_survives_json(tmp_path: Path) -> None:
    film = earlier(path=write_film(tmp_path / "film.dcm", film_dataset()))
    prior = gather_prior(CURRENT, RetrievedStudy(instances=(film,)), GUARD)
    assert isinstance(prior, Prior)
    assert prior.report is None
    adapter = TypeAdapter(Prior)
    assert adapter.validate_json(adapter.dump_json(prior)) == prior
