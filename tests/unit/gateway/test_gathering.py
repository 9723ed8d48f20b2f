"""The search for the prior: what is asked, what is taken, and what is said."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from config.load import Table, merge
from dicom_io.errors import PeerUnreachable
from dicom_io.header import PatientIdentity
from dicom_io.identifiers import StudyQuery
from dicom_io.inputs.history import History
from dicom_io.status import Status
from gateway.away import note_silence
from gateway.gathering import RETRIEVAL_WINDOW, read_gathered
from gateway.ledger import Role
from gateway.lifecycle import State
from tests.data.network import MODALITY
from tests.data.stages import (
    PRIOR_UID,
    US,
    Bench,
    ScriptedPriors,
    answer,
    bench_at,
    prior_film,
)

SETTINGS: Table = {
    "prior": {"attempts": 3, "pause_seconds": 10.0},
    "work": {"max_pause_seconds": 100.0},
}
AWAY = PeerUnreachable("nobody answers")
STRANGER = PatientIdentity(
    patient_id="P2",
    issuer="SITE",
    birth_date=date(1950, 5, 1),
    sex="F",
    name="Doe^Jane",
)


@pytest.fixture
def priors(tmp_path: Path) -> ScriptedPriors:
    """An archive that holds one film of the patient, a year old."""
    return ScriptedPriors(answers=[answer()], holds={PRIOR_UID: [prior_film(tmp_path)]})


@pytest.fixture
def bench(tmp_path: Path, priors: ScriptedPriors) -> Iterator[Bench]:
    with bench_at(tmp_path, SETTINGS, priors=priors) as opened:
        yield opened


def gather(bench: Bench) -> History:
    """Run the stage once, to its end."""
    assert bench.turn(State.SELECTED)
    study = bench.study()
    assert study.state is State.GATHERED, study.reason
    return read_gathered(bench.site, study)


def gathered(bench: Bench, **attributes: object) -> History:
    bench.received(**attributes)
    assert bench.turn(State.COMPLETE)
    return gather(bench)


def awaited(bench: Bench, uid: str = PRIOR_UID) -> bool:
    with bench.site.ledger.reading() as rows:
        return rows.open_retrieval(uid, bench.clock()) is not None


def test_the_patients_earlier_film_is_found_and_brought_here(
    bench: Bench, priors: ScriptedPriors
) -> None:
    found = gathered(bench)
    assert found.prior is not None
    assert found.prior.study_instance_uid == PRIOR_UID
    assert found.prior.frontal.path.is_file()
    assert priors.asked == [StudyQuery(patient_id="P1", issuer="SITE")]


def test_what_was_retrieved_is_filed_as_such_and_opens_no_study(bench: Bench) -> None:
    gathered(bench)
    with bench.site.ledger.reading() as rows:
        assert rows.study(PRIOR_UID) is None
        assert [r.role for r in rows.instances(PRIOR_UID)] == [Role.RETRIEVED]


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
    assert f"not used: {PRIOR_UID}: patient-id: conflict" in found.notes


def test_the_current_study_is_never_its_own_prior(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = [answer("1.2.3")]
    found = gathered(bench)
    assert priors.retrieved == []
    assert "not used: 1.2.3: it is the current study" in found.notes


def test_a_stranger_among_the_retrieved_films_drops_the_whole_study(
    bench: Bench, priors: ScriptedPriors, tmp_path: Path
) -> None:
    other = prior_film(tmp_path, SOPInstanceUID="1.2.9.1.2", PatientID="P2")
    priors.holds[PRIOR_UID].append(other)
    found = gathered(bench)
    assert found.prior is None
    assert f"not used: {PRIOR_UID}: patient-id: conflict" in found.notes


def test_an_instance_of_a_study_that_was_not_asked_for_is_refused(
    bench: Bench, priors: ScriptedPriors, tmp_path: Path
) -> None:
    priors.holds[PRIOR_UID].append(prior_film(tmp_path, "1.2.10"))
    found = gathered(bench)
    assert found.prior is not None
    assert priors.statuses == [Status.SUCCESS, Status.NOT_AUTHORISED]
    with bench.site.ledger.reading() as rows:
        assert rows.instances("1.2.10") == []


def test_the_next_candidate_is_taken_where_the_first_holds_nothing(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers.append(answer("1.2.10", study_date=date(2024, 1, 1)))
    found = gathered(bench)
    assert priors.retrieved == ["1.2.10", PRIOR_UID]  # the most recent first
    assert found.prior is not None
    assert found.prior.study_instance_uid == PRIOR_UID
    assert "not used: 1.2.10: nothing was retrieved" in found.notes


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


def test_a_retrieval_is_open_while_it_runs_and_closed_after_it(
    bench: Bench, priors: ScriptedPriors
) -> None:
    seen: list[bool] = []
    priors.on_retrieve = lambda: seen.append(awaited(bench))
    gathered(bench)
    assert (seen, awaited(bench)) == ([True], False)


@pytest.mark.parametrize("failure", [AWAY, OSError("no disk")])
def test_a_retrieval_is_closed_after_a_failure_too(
    bench: Bench, priors: ScriptedPriors, failure: Exception
) -> None:
    priors.retrieval_failures = [failure]
    bench.received()
    bench.turn(State.COMPLETE)
    bench.turn(State.SELECTED)
    assert priors.retrieved == [PRIOR_UID]
    assert not awaited(bench)


def test_a_c_move_delivery_is_taken_while_its_retrieval_is_open(
    bench: Bench, priors: ScriptedPriors
) -> None:
    (film,) = priors.holds.pop(PRIOR_UID)
    answers: list[Status] = []
    facts = {"peer": replace(MODALITY, name="archive"), "move_originator": US}
    priors.on_retrieve = lambda: answers.append(bench.send(film, **facts))
    assert gathered(bench).prior is not None
    assert answers == [Status.SUCCESS]
    assert bench.send(film, **facts) is Status.SUCCESS  # known by now
    with bench.site.ledger.reading() as rows:
        assert [s.study_instance_uid for s in rows.studies()] == ["1.2.3"]


def test_an_abandoned_retrieval_ends_with_its_window(
    bench: Bench, priors: ScriptedPriors
) -> None:
    gathered(bench)
    with bench.site.ledger.writing() as rows:
        now = bench.clock()
        study = bench.study()
        rows.begin_retrieval("1.2.10", study.id, "archive", now, now + RETRIEVAL_WINDOW)
    assert awaited(bench, "1.2.10")
    bench.clock.add(seconds=3600)
    assert not awaited(bench, "1.2.10")
    assert priors.retrieved == [PRIOR_UID]


def test_a_prior_that_is_here_already_is_used_as_it_is(
    bench: Bench, priors: ScriptedPriors
) -> None:
    (film,) = priors.holds[PRIOR_UID]
    bench.send(film)  # it was a current study in its day
    bench.clock.add(seconds=60)
    bench.complete()
    while bench.turn():
        pass
    found = gathered(bench)
    assert found.prior is not None
    with bench.site.ledger.reading() as rows:
        (row,) = rows.instances(PRIOR_UID)
    assert (row.role, row.revision) == (Role.CURRENT, 1)


def test_a_prior_that_did_not_come_whole_is_used_and_said_so(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.is_whole = False
    found = gathered(bench)
    assert found.prior is not None
    assert f"{PRIOR_UID} did not come whole" in found.notes


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
