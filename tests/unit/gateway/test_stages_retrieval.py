"""The retrieval of one candidate: what is awaited, kept, judged and asked for."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.status import Status
from gateway.ledger import Role
from gateway.lifecycle import State
from gateway.stages.retrieval import RETRIEVAL_WINDOW
from tests.data.gatherings import (
    AWAY,
    SETTINGS,
    ScriptedReports,
    gathered,
    rejected,
)
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


@pytest.fixture
def priors(tmp_path: Path) -> ScriptedPriors:
    """An archive that holds one film of the patient, a year old."""
    return ScriptedPriors(answers=[answer()], holds={PRIOR_UID: [prior_film(tmp_path)]})


@pytest.fixture
def bench(tmp_path: Path, priors: ScriptedPriors) -> Iterator[Bench]:
    with bench_at(tmp_path, SETTINGS, priors=priors) as opened:
        yield opened


def awaited(bench: Bench, uid: str = PRIOR_UID) -> bool:
    with bench.site.ledger.reading() as rows:
        return rows.open_retrieval(uid, bench.clock()) is not None


def test_what_was_retrieved_is_filed_as_such_and_opens_no_study(bench: Bench) -> None:
    gathered(bench)
    with bench.site.ledger.reading() as rows:
        assert rows.study(PRIOR_UID) is None
        assert [r.role for r in rows.instances(PRIOR_UID)] == [Role.RETRIEVED]


def test_a_stranger_among_the_retrieved_films_drops_the_whole_study(
    bench: Bench, priors: ScriptedPriors, tmp_path: Path
) -> None:
    other = prior_film(tmp_path, SOPInstanceUID="1.2.9.1.2", PatientID="P2")
    priors.holds[PRIOR_UID].append(other)
    found = gathered(bench)
    assert found.prior is None
    assert rejected(found) == {PRIOR_UID: "patient-id: conflict"}


def test_an_instance_of_a_study_that_was_not_asked_for_is_refused(
    bench: Bench, priors: ScriptedPriors, tmp_path: Path
) -> None:
    priors.holds[PRIOR_UID].append(prior_film(tmp_path, "1.2.10"))
    found = gathered(bench)
    assert found.prior is not None
    assert priors.statuses == [Status.SUCCESS, Status.NOT_AUTHORISED]
    with bench.site.ledger.reading() as rows:
        assert rows.instances("1.2.10") == []


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


def test_fewer_instances_than_were_answered_flag_the_prior(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = [answer(instance_count=3)]
    found = gathered(bench)
    assert found.prior is not None
    assert found.prior.flags == (f"{PRIOR_UID} did not come whole: 1 of 3 instances",)


def test_why_a_prior_was_chosen_is_kept_with_it(bench: Bench) -> None:
    found = gathered(bench)
    assert found.prior is not None
    assert found.prior.reasons[1:3] == ("chest named", "366 days before")


def test_another_patients_film_in_a_retrieved_study_is_audited(
    bench: Bench, priors: ScriptedPriors, tmp_path: Path
) -> None:
    priors.holds[PRIOR_UID] = [prior_film(tmp_path, PatientBirthDate="19500502")]
    gathered(bench)
    assert any("in its instances: birth-date: conflict" in d for d in bench.told())


def test_the_reports_of_the_prior_are_asked_for_by_both_of_its_names(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.answers = [answer(accession_number="A0")]
    ris = ScriptedReports()
    found = gathered(bench.at(reports=(ris,)))
    (key,) = ris.asked
    assert (key.study_instance_uid, key.accession_number) == (PRIOR_UID, "A0")
    assert found.prior is not None


def test_no_report_is_asked_for_of_a_study_that_does_not_serve(
    bench: Bench, priors: ScriptedPriors, tmp_path: Path
) -> None:
    priors.holds[PRIOR_UID] = [prior_film(tmp_path, PatientID="P2")]
    ris = ScriptedReports()
    gathered(bench.at(reports=(ris,)))
    assert ris.asked == []
