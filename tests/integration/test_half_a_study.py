"""Half a study is never read as the whole, whenever and from wherever images come."""

import os
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread

from config.load import Table
from dicom_io.scu import peer
from dicom_io.status import Status
from gateway.ledger import StudyRecord
from gateway.lifecycle import Event, State
from gateway.stages import delivery
from gateway.stages.encoding import DOCUMENT_KINDS
from tests.data.destination import PACS, Destination, Mood
from tests.data.films import film_dataset, write_film
from tests.data.stages import Bench, bench_at

QUIET = 30.0
RULES: Table = {"completeness": {"quiet_seconds": QUIET, "max_wait_seconds": 600.0}}
GAPS = (0.0, 27.0, 29.9, 30.1, 90.0)
PERMUTATIONS = int(os.environ.get("PERMUTATIONS", "15"))
_NUMBERS = count(1)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_at(tmp_path_factory.mktemp("half"), RULES) as opened:
        yield opened


def send(bench: Bench, study: str, number: int, sender: int) -> None:
    """Send an image of a study on an association of one of two senders."""
    ds = film_dataset(
        StudyInstanceUID=study,
        SeriesInstanceUID=f"{study}.1",
        SOPInstanceUID=f"{study}.1.{number}",
    )
    path = write_film(bench.folder / "image.dcm", ds)
    status = bench.send(
        path,
        association_id=f"{study}-{sender}",
        calling_title=f"SENDER{sender}",
        peer_address=f"192.0.2.{sender}",
    )
    assert status is Status.SUCCESS


def finish(bench: Bench, study: str) -> StudyRecord:
    while bench.turn():
        pass
    return bench.study(study)


def named_by(bench: Bench, study: StudyRecord) -> set[str]:
    """Return the predecessors that every document of the present revision names."""
    with bench.site.ledger.reading() as rows:
        made = rows.results(study.id, study.revision)
    named: list[set[str]] = [
        {
            str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            for one in dcmread(bench.site.spool.path(row.file_name)).get(
                "PredecessorDocumentsSequence", ()
            )
            for item in one.ReferencedSeriesSequence
        }
        for row in made
        if row.kind in DOCUMENT_KINDS
    ]
    assert all(each == named[0] for each in named)
    return named[0]


def documents(bench: Bench, study: StudyRecord, revision: int) -> set[str]:
    with bench.site.ledger.reading() as rows:
        made = rows.results(study.id, revision)
    return {row.sop_instance_uid for row in made if row.kind in DOCUMENT_KINDS}


@pytest.mark.parametrize("times", [0.9, 1.1, 3.0, 50.0])
@pytest.mark.parametrize("sender", [1, 2])
def test_a_late_instance_is_waited_for_or_supersedes_and_says_so(
    bench: Bench, times: float, sender: int
) -> None:
    uid = f"1.2.55.{next(_NUMBERS)}"
    send(bench, uid, 1, sender=1)
    bench.clock.add(seconds=times * QUIET)
    early = finish(bench, uid)
    assert early.state is (State.RECEIVING if times < 1 else State.KEPT)
    asked = len(bench.engine.asked)
    send(bench, uid, 2, sender=sender)
    assert bench.study(uid).state is State.RECEIVING
    bench.clock.add(seconds=QUIET)
    late = finish(bench, uid)
    assert late.state is State.KEPT
    assert late.revision == (1 if times < 1 else 2)
    assert len(bench.engine.asked) == asked + 1
    assert named_by(bench, late) == documents(bench, late, late.revision - 1)
    assert bool(named_by(bench, late)) is (times > 1)


def test_a_result_whose_answer_was_lost_is_superseded_by_name(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, uid = Destination(mood=Mood.MUTE), f"1.2.55.{next(_NUMBERS)}"
    monkeypatch.setattr(delivery, "store_instances", destination.store)
    monkeypatch.setattr(peer, "find_instances", destination.find)
    sending = bench.at(destinations=(PACS,))
    send(sending, uid, 1, sender=1)
    sending.clock.add(seconds=QUIET)
    early = finish(sending, uid)
    assert early.state is State.ENCODED
    destination.mood = Mood.UP
    send(sending, uid, 2, sender=1)
    late = early
    for _ in range(3):
        sending.clock.add(seconds=100)
        late = finish(sending, uid)
    assert late.state is State.COMMITTED
    assert named_by(sending, late) == documents(sending, late, 1)
    assert named_by(sending, late) <= set(destination.held)


def test_what_may_not_have_arrived_is_named_beside_what_surely_did(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    destination, uid = Destination(mood=Mood.UP), f"1.2.55.{next(_NUMBERS)}"
    monkeypatch.setattr(delivery, "store_instances", destination.store)
    monkeypatch.setattr(peer, "find_instances", destination.find)
    sending = bench.at(destinations=(PACS,))
    for number, mood in enumerate((Mood.UP, Mood.DOWN, Mood.UP), start=1):
        destination.mood = mood
        send(sending, uid, number, sender=1)
        for _ in range(3):
            sending.clock.add(seconds=100)
            finish(sending, uid)
    study = sending.study(uid)
    assert (study.state, study.revision) == (State.COMMITTED, 3)
    first, second = (documents(sending, study, number) for number in (1, 2))
    assert first <= set(destination.held)
    assert named_by(sending, study) == first | second


@pytest.mark.timeout(300 + 3 * PERMUTATIONS)
@settings(
    max_examples=PERMUTATIONS,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    gaps=st.permutations(GAPS),
    numbers=st.permutations(range(1, 7)),
    senders=st.lists(st.integers(1, 2), min_size=6, max_size=6),
)
def test_in_whatever_order_images_arrive_each_revision_holds_all_that_had_come(
    bench: Bench, gaps: list[float], numbers: list[int], senders: list[int]
) -> None:
    uid = f"1.2.55.{next(_NUMBERS)}"
    quiets = 0
    for place, (number, sender) in enumerate(zip(numbers, senders, strict=True)):
        send(bench, uid, number, sender)
        gap = [*gaps, QUIET][place]
        bench.clock.add(seconds=gap)
        bench.complete()
        whole = bench.study(uid).state is State.COMPLETE
        assert whole is (gap >= QUIET)
        quiets += whole
    study = bench.study(uid)
    assert (study.revision, quiets) == (3, 3)  # 30.1, 90 and 30 s, in any order
    with bench.site.ledger.reading() as rows:
        images, moves = rows.instances(uid), rows.moves(study.id)
    assert len(images) == len(numbers)
    for revision in (1, 2, 3):
        events = [move.event for move in moves if move.revision == revision]
        assert events == [Event.IMAGE_ARRIVED, Event.QUIET_PERIOD_ENDED]
