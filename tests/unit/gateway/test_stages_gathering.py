"""The search for the prior: what is asked, what is taken, and what is said."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from config.load import Table, merge
from dicom_io.errors import PeerRefused
from dicom_io.header import PatientIdentity
from dicom_io.identifiers import StudyQuery
from dicom_io.inputs.history import History
from gateway.away import note_silence
from gateway.errors import SourceFailure
from gateway.fairness import Priority
from gateway.ledger import AuditFilter
from gateway.lifecycle import State
from tests.data.gatherings import (
    AWAY,
    ORDER,
    SETTINGS,
    STRANGER,
    ScriptedOrders,
    gather,
    gathered,
    rejected,
    two_films,
)
from tests.data.stages import (
    PRIOR_UID,
    Bench,
    ScriptedPriors,
    answer,
    bench_at,
    prior_film,
)


@pytest.fixture
def priors(tmp_path: Path) -> ScriptedPriors:
    """An archive that holds one film of the patient, a year old."""
    return ScriptedPriors(answers=[answer()], holds={PRIOR_UID: [prior_film(tmp_path)]})


@pytest.fixture
def bench(tmp_path: Path, priors: ScriptedPriors) -> Iterator[Bench]:
    with bench_at(tmp_path, SETTINGS, priors=priors) as opened:
        yield opened


def test_the_patients_earlier_film_is_found_and_brought_here(
    bench: Bench, priors: ScriptedPriors
) -> None:
    found = gathered(bench)
    assert found.prior is not None
    assert found.prior.study_instance_uid == PRIOR_UID
    assert found.prior.frontal.path.is_file()
    assert priors.asked == [StudyQuery(patient_id="P1", issuer="SITE")]


def test_query_and_retrieval_are_audited(bench: Bench) -> None:
    gathered(bench)
    assert "1 studies named by archive" in bench.told()
    assert "1 instances from archive by script" in bench.told()


def test_without_an_archive_it_is_said_that_nobody_was_asked(tmp_path: Path) -> None:
    with bench_at(tmp_path) as alone:
        found = gathered(alone)
    assert found == History(prior=None, notes=("no archive is asked for priors",))


def test_a_site_that_wants_no_prior_asks_nobody(
    tmp_path: Path, priors: ScriptedPriors
) -> None:
    off: Table = {"prior": {"enabled": False}}
    with bench_at(tmp_path / "off", off, priors=priors) as bench:
        assert gathered(bench).prior is None
    assert priors.asked == []


@pytest.mark.parametrize(
    ("patient_id", "said"),
    [
        ("", "the study has no Patient ID"),
        ("   ", "the study has no Patient ID"),
        ("P*", "Patient ID is no exact key of one patient"),
        ("P?", "Patient ID is no exact key of one patient"),
        (["P1", "P2"], "Patient ID is no exact key of one patient"),
    ],
)
def test_no_query_leaves_without_an_exact_patient_id(
    bench: Bench, priors: ScriptedPriors, patient_id: object, said: str
) -> None:
    found = gathered(bench, PatientID=patient_id)
    assert found == History(prior=None, notes=(f"no query was sent: {said}",))
    assert (priors.asked, priors.retrieved) == ([], [])


def test_an_archive_without_earlier_studies_leaves_the_study_without_a_prior(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = []
    found = gathered(bench)
    assert found == History(prior=None, notes=("no earlier study can be used",))
    assert "0 studies named by archive" in bench.told()


def test_a_study_of_another_patient_is_not_retrieved_and_the_reason_is_kept(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = [answer(patient=STRANGER)]
    found = gathered(bench)
    assert found.prior is None
    assert priors.retrieved == []
    assert rejected(found) == {PRIOR_UID: "patient-id: conflict"}


def test_the_current_study_is_never_its_own_prior(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = [answer("1.2.3")]
    found = gathered(bench)
    assert priors.retrieved == []
    assert rejected(found)["1.2.3"] == "it is the current study"


def test_the_next_candidate_is_taken_where_the_first_holds_nothing(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers.append(answer("1.2.10", study_date=date(2024, 1, 1)))
    found = gathered(bench)
    assert priors.retrieved == ["1.2.10", PRIOR_UID]  # the most recent first
    assert found.prior is not None
    assert found.prior.study_instance_uid == PRIOR_UID
    assert rejected(found)["1.2.10"] == "nothing was retrieved"


def test_no_more_candidates_are_retrieved_than_the_site_allows(
    bench: Bench, priors: ScriptedPriors
) -> None:
    days = [date(2024, 1, day) for day in range(1, 7)]
    priors.answers = [answer(f"1.2.2{d.day}", study_date=d) for d in days]
    gathered(bench)
    assert priors.retrieved == ["1.2.26", "1.2.25", "1.2.24"]  # max_candidates = 3


def test_an_archive_that_is_away_is_tried_as_often_as_set_and_then_left(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.failures = [AWAY] * 9
    bench.received()
    bench.turn(State.COMPLETE)
    for tries in (1, 2):
        assert bench.turn(State.SELECTED)
        study = bench.study()
        assert (study.state, study.attempts) == (State.SELECTED, tries)
        assert "nobody answers" in (study.reason or "")
        assert not bench.turn(State.SELECTED)  # not before its pause is over
        bench.clock.add(seconds=20)
    found = gather(bench)
    assert len(priors.asked) == 3
    said = "archive was asked 3 times for a prior: nobody answers"
    assert found == History(prior=None, notes=(said,))


def test_the_pause_between_tries_is_the_sites(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.failures = [AWAY]
    bench.received()
    bench.turn(State.COMPLETE)
    bench.turn(State.SELECTED)
    until = bench.study().not_before
    assert until is not None
    pause = until - bench.clock()
    # pause_seconds, half of it at least
    assert timedelta(seconds=5) <= pause <= timedelta(seconds=10)


def test_an_archive_that_comes_back_gives_its_prior(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.failures = [AWAY]
    bench.received()
    bench.turn(State.COMPLETE)
    bench.turn(State.SELECTED)
    bench.clock.add(seconds=20)
    assert gather(bench).prior is not None


def test_a_retrieval_that_breaks_off_is_tried_again(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.retrieval_failures = [AWAY]
    bench.received()
    bench.turn(State.COMPLETE)
    bench.turn(State.SELECTED)
    assert bench.study().state is State.SELECTED
    bench.clock.add(seconds=20)
    assert gather(bench).prior is not None
    assert priors.retrieved == [PRIOR_UID, PRIOR_UID]


def test_the_prior_reaches_the_engine(bench: Bench) -> None:
    gathered(bench)
    bench.turn(State.GATHERED)
    (request,) = bench.engine.asked
    assert request.inputs.prior_frontal is not None


def test_each_query_that_left_is_audited_though_the_retrieval_fails(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.retrieval_failures = [AWAY] * 9
    bench.received()
    bench.turn(State.COMPLETE)
    for _ in range(3):
        bench.turn(State.SELECTED)
        bench.clock.add(seconds=60)
    assert bench.study().state is State.GATHERED
    assert len(priors.asked) == 3
    assert bench.told().count("1 studies named by archive") == 3


def test_a_query_that_fails_is_audited_too(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.failures = [AWAY]
    bench.received()
    bench.turn(State.COMPLETE)
    bench.turn(State.SELECTED)
    assert "nobody answers" in bench.told()[-1]


def test_a_study_does_not_wait_for_ever_for_an_archive_that_others_found_silent(
    tmp_path: Path, priors: ScriptedPriors
) -> None:
    with bench_at(tmp_path, SETTINGS, priors=priors) as bench:
        bench.received()
        bench.turn(State.COMPLETE)
        bench.clock.add(seconds=1000)
        note_silence(bench.site, "archive")
        found = gather(bench)
    assert found.prior is None
    assert found.notes == ("archive has not answered for 1000 s",)


def test_while_the_archive_is_left_alone_it_is_not_asked(
    tmp_path: Path, priors: ScriptedPriors
) -> None:
    slow: Table = {"delivery": {"first_pause_seconds": 40.0, "max_pause_seconds": 60.0}}
    with bench_at(tmp_path, merge(SETTINGS, slow), priors=priors) as bench:
        bench.received()
        bench.turn(State.COMPLETE)
        until = note_silence(bench.site, "archive")
        assert bench.turn(State.SELECTED)
        assert bench.study().not_before == until
        assert (priors.asked, bench.study().attempts) == ([], 0)
        bench.clock.now = until
        assert gather(bench).prior is not None


@pytest.mark.parametrize(
    ("later", "earlier", "view", "used"),
    [
        ("AP", "PA", "prefer", "1.2.10"),
        ("AP", "AP", "prefer", PRIOR_UID),
        ("PA", "PA", "prefer", PRIOR_UID),
        ("AP", "PA", "ignore", PRIOR_UID),
        ("AP", "PA", "require", "1.2.10"),
        ("AP", "AP", "require", None),
    ],
)
def test_the_projection_of_the_prior_is_sought_as_the_site_says(
    tmp_path: Path, later: str, earlier: str, view: str, used: str | None
) -> None:
    priors = ScriptedPriors()
    two_films(priors, tmp_path, later, earlier)
    with bench_at(tmp_path, {"prior": {"view": view}}, priors=priors) as bench:
        found = gathered(bench)
    assert (found.prior and found.prior.study_instance_uid) == used
    both = {PRIOR_UID, "1.2.10"}
    assert set(rejected(found)) == both - {used}


def test_a_usable_prior_is_not_lost_when_a_better_one_cannot_be_retrieved(
    tmp_path: Path,
) -> None:
    priors = ScriptedPriors()
    two_films(priors, tmp_path, "AP", "PA")

    def break_off() -> None:
        if len(priors.retrieved) == 2:
            priors.retrieval_failures = [AWAY]

    priors.on_retrieve = break_off
    with bench_at(tmp_path, {"prior": {"view": "prefer"}}, priors=priors) as bench:
        found = gathered(bench)
        assert "archive gave no answer: nobody answers" in bench.told()
    assert found.prior is not None
    assert found.prior.study_instance_uid == PRIOR_UID
    assert rejected(found) == {"1.2.10": "not retrieved: nobody answers"}


def test_what_is_ranked_below_the_used_prior_is_said(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers.append(answer("1.2.10", study_date=date(2022, 1, 1)))
    found = gathered(bench)
    assert priors.retrieved == [PRIOR_UID]
    assert rejected(found) == {"1.2.10": "not looked at: a better one is used"}


def test_the_search_of_one_study_ends_when_its_time_is_over(tmp_path: Path) -> None:
    priors = ScriptedPriors()
    two_films(priors, tmp_path, "LL", "PA")
    limit: Table = {"prior": {"study_seconds": 30.0}}
    with bench_at(tmp_path, limit, priors=priors) as bench:
        priors.on_retrieve = lambda: bench.clock.add(seconds=31)
        found = gathered(bench)
    assert priors.retrieved == [PRIOR_UID]
    assert found.prior is None
    assert found.notes[0].endswith("took longer than 30 s")
    assert rejected(found)["1.2.10"] == "not looked at: no time was left"


def test_the_guards_refusal_of_an_answer_is_audited_without_values(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = [answer(patient=STRANGER), answer("1.2.11", patient=STRANGER)]
    gathered(bench)
    said = "2 studies from archive not of the patient: patient-id: conflict (2)"
    assert said in bench.told()
    with bench.site.ledger.reading() as rows:
        records = rows.audit(AuditFilter(limit=100))
        (message,) = [rows.revealed(r.message) for r in records if r.detail == said]
    assert "1.2.11" in message
    assert "P2" not in message


def test_one_study_that_never_comes_does_not_cost_the_next_one(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers.append(answer("1.2.10", study_date=date(2024, 1, 1)))

    def lose_the_later() -> None:
        lost = priors.retrieved[-1] == "1.2.10"
        priors.retrieval_failures = [PeerRefused("on tape")] if lost else []

    priors.on_retrieve = lose_the_later
    bench.received()
    bench.turn(State.COMPLETE)
    for _ in range(2):
        assert bench.turn(State.SELECTED)
        assert bench.study().state is State.SELECTED
        bench.clock.add(seconds=100)
    found = gather(bench)
    assert found.prior is not None
    assert found.prior.study_instance_uid == PRIOR_UID
    assert rejected(found) == {"1.2.10": "not retrieved: on tape"}


def test_the_orders_are_asked_for_where_no_archive_is(tmp_path: Path) -> None:
    with bench_at(tmp_path) as bench:
        found = gathered(
            bench.at(orders=(ScriptedOrders(),)), AccessionNumber=ORDER.accession_number
        )
    assert ORDER in found.orders
    assert found.notes == ("no archive is asked for priors",)


@pytest.mark.parametrize(
    ("believed", "patient", "priority"),
    [
        (True, ORDER.patient, Priority.URGENT),
        (False, ORDER.patient, Priority.ROUTINE),
        (True, STRANGER, Priority.ROUTINE),
    ],
)
def test_an_urgent_order_of_the_patient_makes_the_study_urgent(
    tmp_path: Path, believed: bool, patient: PatientIdentity, priority: Priority
) -> None:
    stat = ScriptedOrders(held=(replace(ORDER, urgent=True, patient=patient),))
    overrides: Table = {"queue": {"order_priority": believed}}
    with bench_at(tmp_path, overrides) as opened:
        bench = opened.at(orders=(stat,))
        gathered(bench, AccessionNumber=ORDER.accession_number)
        assert bench.study().priority is priority


def test_orders_that_cannot_be_asked_for_cost_a_note_and_no_prior(
    bench: Bench,
) -> None:
    ris = ScriptedOrders(failure=SourceFailure("no route"))
    found = gathered(bench.at(orders=(ris,)), AccessionNumber="A1")
    assert found.prior is not None
    assert found.notes[-1] == "ris gave no answer: no route"


def test_an_order_of_another_patient_is_said(bench: Bench) -> None:
    ris = ScriptedOrders(held=(replace(ORDER, patient=STRANGER),))
    found = gathered(bench.at(orders=(ris,)), AccessionNumber="A1")
    assert ORDER.document not in [each.document for each in found.orders]
    said = "order not used: hl7 O1: patient-id: conflict"
    assert found.notes[-1].startswith(said)
