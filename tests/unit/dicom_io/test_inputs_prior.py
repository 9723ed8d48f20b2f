from dataclasses import replace
from datetime import date, time
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from dicom_io.header import Instance
from dicom_io.identifiers import StudyAnswer
from dicom_io.inputs.prior import (
    Prior,
    PriorGuard,
    PriorStudy,
    RetrievedStudy,
    choose_prior,
    gather_prior,
)
from dicom_io.inputs.ranking import (
    Dropped,
    Ranked,
    Ranking,
    rank_priors,
)
from dicom_io.options import (
    IdentityPolicy,
    Match,
    PriorRules,
    ReportRules,
    ViewRules,
)
from tests.data.films import film_dataset, film_instance, write_film

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


def earlier(**changes: object) -> Instance:
    film = film_instance(
        study_instance_uid="1.5", sop_instance_uid="1.5.1", study_date=date(2024, 1, 1)
    )
    return replace(film, **changes)  # type: ignore[arg-type]


GUARD = PriorGuard(
    identity=POLICY, prior=PriorRules(), views=ViewRules(), reports=ReportRules()
)


def ranked(*answers: StudyAnswer, **rules: object) -> Ranking:
    return rank_priors(CURRENT_AT_HOME, answers, PriorRules(**rules), POLICY)  # type: ignore[arg-type]


def choose_by(
    film: Instance, said: StudyAnswer | None = None, /, **rules: object
) -> PriorStudy | Dropped:
    """Choose by rules what came after an archive had said `said`."""
    by = replace(GUARD, prior=PriorRules(**rules))  # type: ignore[arg-type]
    place = None if said is None else Ranked(answer=said, reasons=("3 days before",))
    study = RetrievedStudy(instances=(film,), ranked=place)
    return choose_prior(CURRENT_AT_HOME, study, by)


def choose(*retrieved: Instance) -> PriorStudy | Dropped:
    return choose_prior(CURRENT, RetrievedStudy(instances=retrieved), GUARD)


def test_the_verdict_on_an_accepted_patient_is_recorded_key_by_key() -> None:
    chosen = choose(earlier())
    assert isinstance(chosen, PriorStudy)
    verdict = chosen.reasons[-1]
    assert verdict.startswith("same patient: patient-id equal, issuer equal")
    assert "P1" not in verdict


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


def test_the_reasons_of_an_answer_stay_with_what_came() -> None:
    chosen = choose_by(earlier(), answer())
    assert isinstance(chosen, PriorStudy)
    assert chosen.reasons[1] == "3 days before"


@pytest.mark.parametrize(
    ("held", "answered", "serves"),
    [
        ("ST. ANNE HOSPITAL", None, True),
        (None, "St. Anne Hospital", True),
        ("Elsewhere", "St. Anne Hospital", False),
        (None, None, False),
    ],
)
def test_a_required_institution_is_checked_on_what_came(
    held: str | None, answered: str | None, serves: bool
) -> None:
    film = earlier(institution=held)
    said = answer(institution=answered)
    chosen = choose_by(film, said, institution=Match.REQUIRE)
    assert isinstance(chosen, PriorStudy) is serves


@pytest.mark.parametrize(
    ("position", "rule", "serves"),
    [
        ("PA", Match.REQUIRE, True),
        ("AP", Match.REQUIRE, False),
        ("FRONTAL", Match.REQUIRE, False),
        ("AP", Match.PREFER, True),
        ("AP", Match.IGNORE, True),
    ],
)
def test_the_projection_counts_as_much_as_the_site_says(
    position: str, rule: Match, serves: bool
) -> None:
    chosen = choose_by(earlier(view_position=position), view=rule)
    assert isinstance(chosen, PriorStudy) is serves


@pytest.mark.parametrize(
    ("day", "hour", "serves"),
    [
        (2, time(4), True),  # six hours before 10:00
        (2, time(4, 1), False),
        (1, time(10), True),
        (1, None, True),  # ten hours at least, whatever its hour
    ],
)
def test_the_least_interval_must_surely_have_passed(
    day: int, hour: time | None, serves: bool
) -> None:
    near = answer(study_date=date(2024, 3, day), study_time=hour)
    assert bool(ranked(near, minimum_interval_hours=6.0).candidates) is serves
    film = earlier(study_date=date(2024, 3, day), study_time=hour)
    chosen = choose_by(film, minimum_interval_hours=6.0)
    assert isinstance(chosen, PriorStudy) is serves


def test_what_came_must_be_as_recent_as_its_answer_said() -> None:
    found = choose_by(earlier(study_date=date(2010, 1, 1)), answer())
    assert isinstance(found, Dropped)
    assert "older than" in found.reason
