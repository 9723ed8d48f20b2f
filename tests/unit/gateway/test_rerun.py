"""A finished study that a person has read anew: a revision of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import EnhancedSRStorage

from gateway.errors import IllegalMove, RoleNotStated
from gateway.ledger import ResultRecord
from gateway.lifecycle import State
from gateway.people import Decider, PersonRole
from gateway.running import retention
from gateway.showing.review import Decision, decide
from gateway.stages.withdrawal import retract
from model.report import GroundedPhrase
from tests.data.stages import STUDY_UID, Bench, bench_at, bench_from

ANNA = Decider(name="anna", why="a better checkpoint", role=PersonRole.RADIOLOGIST)


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site whose one study is read and kept."""
    folder = tmp_path_factory.mktemp("read")
    with bench_at(folder) as bench:
        bench.reach(State.KEPT)
    return folder / "data"


@pytest.fixture
def bench(read: Path, tmp_path: Path) -> Iterator[Bench]:
    """The site of `read`, a minute later."""
    with bench_from(read, tmp_path, {}) as opened:
        yield opened


def rerun(bench: Bench, by: Decider = ANNA) -> None:
    decide(bench.site.ledger, STUDY_UID, Decision.RERUN, by, bench.clock())


def finish(bench: Bench) -> State:
    while bench.turn():
        pass
    return bench.study().state


def results(bench: Bench, revision: int) -> list[ResultRecord]:
    with bench.site.ledger.reading() as rows:
        return rows.results(bench.study().id, revision)


def document(bench: Bench, revision: int) -> Dataset:
    (narrative,) = (
        r for r in results(bench, revision) if r.sop_class_uid == EnhancedSRStorage
    )
    return dcmread(bench.site.spool.path(narrative.file_name))


def predecessors(ds: Dataset) -> set[str]:
    return {
        str(item.ReferencedSOPInstanceUID)
        for study in ds.PredecessorDocumentsSequence
        for series in study.ReferencedSeriesSequence
        for item in series.ReferencedSOPSequence
    }


def test_a_finished_study_is_read_anew_as_its_next_revision(bench: Bench) -> None:
    rerun(bench)
    assert (bench.study().state, bench.study().revision) == (State.COMPLETE, 2)
    assert finish(bench) is State.KEPT
    assert len(bench.engine.asked) == 1
    first, second = results(bench, 1), results(bench, 2)
    assert len(first) == len(second) > 0
    uids = {r.sop_instance_uid for r in first} & {r.sop_instance_uid for r in second}
    assert uids == set()


def test_the_documents_of_a_rerun_name_those_before(bench: Bench) -> None:
    rerun(bench)
    finish(bench)
    rerun(bench)
    finish(bench)
    for revision in (2, 3):
        sent = {
            r.sop_instance_uid
            for r in results(bench, revision - 1)
            if dcmread(bench.site.spool.path(r.file_name)).Modality == "SR"
        }
        assert predecessors(document(bench, revision)) == sent


def test_a_rerun_says_what_the_engine_says_now(bench: Bench) -> None:
    bench.engine.phrases = (GroundedPhrase(text="Clear lungs."),)
    rerun(bench)
    finish(bench)
    assert "Clear lungs." in str(document(bench, 2))
    assert "Clear lungs." not in str(document(bench, 1))


def test_a_withdrawn_study_is_read_anew_and_names_its_withdrawal(bench: Bench) -> None:
    retract(bench.site.ledger, STUDY_UID, ANNA, bench.clock())
    assert finish(bench) is State.WITHDRAWN
    (withdrawal,) = results(bench, 2)
    rerun(bench)
    assert finish(bench) is State.KEPT
    assert predecessors(document(bench, 3)) == {withdrawal.sop_instance_uid}


def test_a_rerun_is_decided_in_a_role_and_recorded(bench: Bench) -> None:
    with pytest.raises(RoleNotStated):
        rerun(bench, Decider(name="anna", why=""))
    assert bench.study().revision == 1
    rerun(bench)
    assert "rerun by anna (radiologist): a better checkpoint" in bench.told()


def test_a_study_at_work_is_not_read_anew(bench: Bench) -> None:
    rerun(bench)
    with pytest.raises(IllegalMove, match="complete takes no rerun"):
        rerun(bench)


def test_a_purged_study_cannot_be_read_anew(bench: Bench) -> None:
    bench.clock.add(days=4000)
    assert retention.purge(bench.site) == 1
    with pytest.raises(IllegalMove, match="purged takes no rerun; possible: nothing"):
        rerun(bench)
