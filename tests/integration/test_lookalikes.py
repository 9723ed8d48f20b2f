"""No earlier study of a patient who only looks like the current one is ever used."""

import re
from datetime import date
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from dicom_io.header import PatientIdentity
from dicom_io.identifiers import StudyAnswer, StudyQuery
from dicom_io.inputs.history import History
from dicom_io.inputs.prior import (
    PriorGuard,
    PriorStudy,
    RetrievedStudy,
    choose_prior,
)
from dicom_io.inputs.ranking import Dropped, NoQuery, plan_query, rank_priors
from dicom_io.options import (
    AbsencePolicy,
    IdentityPolicy,
    PriorRules,
    ReportRules,
    ViewRules,
)
from dicom_io.scu.answers import study_answer, study_identifier
from dicom_io.status import Status
from gateway.lifecycle import State
from gateway.stages.gathering import read_gathered
from tests.data.films import film_dataset, film_instance, write_film
from tests.data.lookalikes import (
    EXACT_THOUGH_ODD,
    Pair,
    dress,
    hostile_ids,
    look_alikes,
    one_patient_twice,
)
from tests.data.stages import (
    PRIOR_UID,
    Bench,
    ScriptedPriors,
    answer,
    bench_at,
)

PAIRS = look_alikes()
STRICT = IdentityPolicy()
LENIENT = IdentityPolicy(
    issuer=AbsencePolicy.ACCEPT,
    birth_date=AbsencePolicy.ACCEPT,
    sex=AbsencePolicy.ACCEPT,
)
ONLY_KEYS = re.compile(
    r"((patient-id|issuer|birth-date|sex): (conflict|absent-on-one-side)(; )?)+"
)
"""A reason that names attributes and no values."""


def ranked(
    current: PatientIdentity, other: PatientIdentity, policy: IdentityPolicy = STRICT
) -> Dropped | None:
    """Return why an archive's answer about `other` is not fetched; None: it is."""
    said = answer(patient=other)
    film = film_instance(patient=current)
    ranking = rank_priors(film, [said], PriorRules(), policy)
    assert len(ranking.candidates) + len(ranking.dropped) == 1
    return None if ranking.candidates else ranking.dropped[0]


def chosen(
    current: PatientIdentity, other: PatientIdentity, policy: IdentityPolicy = STRICT
) -> PriorStudy | Dropped:
    """Return what comes of a film of `other` that was retrieved."""
    guard = PriorGuard(
        identity=policy, prior=PriorRules(), views=ViewRules(), reports=ReportRules()
    )
    film = film_instance(
        patient=other, study_instance_uid="1.5", study_date=date(2024, 1, 1)
    )
    retrieved = RetrievedStudy(instances=(film,))
    return choose_prior(film_instance(patient=current), retrieved, guard)


def film_of(folder: Path, patient: PatientIdentity, **attributes: object) -> Path:
    ds = dress(film_dataset(**attributes), patient)
    return write_film(folder / f"{ds.SOPInstanceUID}.dcm", ds)


def earlier_film(folder: Path, patient: PatientIdentity) -> Path:
    return film_of(
        folder,
        patient,
        StudyInstanceUID=PRIOR_UID,
        SOPInstanceUID=f"{PRIOR_UID}.1",
        StudyDate="20230302",
    )


def answered(patient: PatientIdentity) -> StudyAnswer:
    """Return what an archive says of the patient's film, read as from the wire."""
    ds = Dataset()
    ds.StudyInstanceUID = PRIOR_UID
    ds.StudyDate, ds.StudyTime = "20230302", "090000"
    said = study_answer(dress(ds, patient))
    assert said is not None
    return said


def gathered(bench: Bench, patient: PatientIdentity) -> History:
    """Take in a film of the patient and look for the prior."""
    assert bench.send(film_of(bench.folder, patient)) is Status.SUCCESS
    bench.clock.add(seconds=60)
    assert bench.complete() == 1
    bench.turn(State.COMPLETE)
    bench.turn(State.SELECTED)
    study = bench.study()
    assert study.state is State.GATHERED, study.reason
    return read_gathered(bench.site, study)


def test_there_are_two_hundred_different_pairs() -> None:
    assert len({(pair.current, pair.other) for pair in PAIRS}) == 200
    assert all(pair.current != pair.other for pair in PAIRS)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_no_answer_about_a_look_alike_is_fetched_and_each_refusal_is_said(
    pair: Pair,
) -> None:
    for one, other in ((pair.current, pair.other), (pair.other, pair.current)):
        dropped = ranked(one, other)
        assert dropped is not None
        assert dropped.refused
        assert ONLY_KEYS.fullmatch(dropped.reason)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_no_film_of_a_look_alike_is_used_and_each_refusal_is_said(pair: Pair) -> None:
    for one, other in ((pair.current, pair.other), (pair.other, pair.current)):
        dropped = chosen(one, other)
        assert isinstance(dropped, Dropped)
        assert dropped.refused
        assert ONLY_KEYS.fullmatch(dropped.reason)


@pytest.mark.parametrize("pair", PAIRS, ids=str)
def test_a_site_that_accepts_absences_still_refuses_every_difference(
    pair: Pair,
) -> None:
    absent = pair.kind[2:] in ("issuer absent", "birth date absent", "sex absent")
    assert (ranked(pair.current, pair.other, LENIENT) is None) is absent
    found = chosen(pair.current, pair.other, LENIENT)
    assert isinstance(found, PriorStudy) is absent


@pytest.mark.parametrize("pair", one_patient_twice(), ids=str)
def test_one_patient_in_another_writing_is_taken(pair: Pair) -> None:
    assert ranked(pair.current, pair.other) is None
    found = chosen(pair.current, pair.other)
    assert isinstance(found, PriorStudy)
    assert found.flags == ()


@pytest.mark.parametrize("pair", PAIRS[3::10], ids=str)
def test_a_look_alike_in_an_archives_answers_is_not_retrieved(
    tmp_path: Path, pair: Pair
) -> None:
    film = earlier_film(tmp_path, pair.other)
    priors = ScriptedPriors(answers=[answered(pair.other)], holds={PRIOR_UID: [film]})
    with bench_at(tmp_path, priors=priors) as bench:
        found = gathered(bench, pair.current)
        told = bench.told()
    assert (found.prior, priors.retrieved) == (None, [])
    (refused,) = found.rejected_priors
    assert refused.what == PRIOR_UID
    assert ONLY_KEYS.fullmatch(refused.reason)
    said = f"1 studies from archive not of the patient: {refused.reason} (1)"
    assert said in told


@pytest.mark.parametrize("pair", PAIRS[7::10], ids=str)
def test_a_look_alike_that_an_archive_delivers_for_the_patient_is_not_used(
    tmp_path: Path, pair: Pair
) -> None:
    film = earlier_film(tmp_path, pair.other)
    priors = ScriptedPriors(answers=[answered(pair.current)], holds={PRIOR_UID: [film]})
    with bench_at(tmp_path, priors=priors) as bench:
        found = gathered(bench, pair.current)
        told = bench.told()
    assert (found.prior, priors.retrieved) == (None, [PRIOR_UID])
    (refused,) = found.rejected_priors
    assert ONLY_KEYS.fullmatch(refused.reason)
    said = f"not of the patient: in its instances: {refused.reason} (1)"
    assert any(said in line for line in told)


@pytest.mark.parametrize("pair", one_patient_twice()[::6], ids=str)
def test_the_patients_own_film_is_used_though_written_otherwise(
    tmp_path: Path, pair: Pair
) -> None:
    film = earlier_film(tmp_path, pair.other)
    padded = PatientIdentity(
        patient_id=f"{pair.other.patient_id}  ",
        issuer=f" {pair.other.issuer} ",
        birth_date=pair.other.birth_date,
        sex=pair.other.sex,
        name=pair.other.name,
    )
    priors = ScriptedPriors(answers=[answered(padded)], holds={PRIOR_UID: [film]})
    with bench_at(tmp_path, priors=priors) as bench:
        found = gathered(bench, pair.current)
    assert found.prior is not None, found
    assert found.rejected_priors == ()


def test_there_are_a_hundred_hostile_patient_ids() -> None:
    assert len(set(hostile_ids())) == 100


@pytest.mark.parametrize("patient_id", hostile_ids(), ids=ascii)
def test_no_query_is_planned_or_built_for_a_hostile_patient_id(patient_id: str) -> None:
    patient = PatientIdentity(
        patient_id=patient_id, issuer=None, birth_date=None, sex=None, name=None
    )
    assert isinstance(plan_query(film_instance(patient=patient)), NoQuery)
    if patient_id != patient_id.rstrip("\0"):
        return  # padding, which no reader leaves in a value
    with pytest.raises(ValueError, match="no query is sent"):
        study_identifier(StudyQuery(patient_id=patient_id))


@pytest.mark.parametrize("patient_id", hostile_ids()[::7], ids=ascii)
def test_no_query_leaves_the_gateway_for_a_hostile_patient_id(
    tmp_path: Path, patient_id: str
) -> None:
    priors = ScriptedPriors(answers=[answer()])
    patient = PatientIdentity(
        patient_id=patient_id,
        issuer="SITE",
        birth_date=date(1950, 5, 1),
        sex="F",
        name="Doe^Jane",
    )
    with bench_at(tmp_path, priors=priors) as bench:
        found = gathered(bench, patient)
    assert (priors.asked, priors.retrieved, found.prior) == ([], [], None)
    assert found.notes[0].startswith("no query was sent")


@pytest.mark.parametrize("patient_id", EXACT_THOUGH_ODD, ids=ascii)
def test_an_odd_patient_id_is_asked_for_exactly_and_nobody_elses_is_used(
    patient_id: str,
) -> None:
    patient = PatientIdentity(
        patient_id=patient_id, issuer=None, birth_date=None, sex=None, name=None
    )
    question = plan_query(film_instance(patient=patient))
    assert question == StudyQuery(patient_id=patient_id)
    assert study_identifier(question).PatientID == patient_id
    dropped = ranked(patient, answer().patient)
    assert dropped is not None
    assert dropped.refused
