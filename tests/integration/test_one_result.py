"""One result set a revision, whatever happens: a machine of faults, in any order.

The parts are real: intake, ledger, spool, the stages, the outbox; only the model's
answer and the network to the destination are scripts. `make state-machine` runs the
long form: 200 sequences of 30 steps; SEQUENCES, STEPS and SEED choose others.
"""

import hashlib
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import copytree, rmtree

import pytest
from hypothesis import HealthCheck, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from pydicom import dcmread

from config.load import Table
from dicom_io.results.kinds import ResultKind
from dicom_io.scu import peer
from dicom_io.sink import NoRoom
from dicom_io.status import Status
from gateway.ledger import AuditFilter, AuditRecord, ResultRecord, StudyRecord
from gateway.lifecycle import WORKING, Event, State
from gateway.running import timekeeping
from gateway.running.composition import open_site
from gateway.running.listening import sent_intake
from gateway.running.starting import reconcile
from gateway.running.timekeeping import SteadyClock
from gateway.site import Site
from gateway.stages import delivery, pipeline
from gateway.stages.encoding import DOCUMENT_KINDS
from gateway.stages.turn import Outcome, Stage, Turns, take_turn
from tests.data.destination import PACS, Destination, Mood
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, gradient, write_film
from tests.data.network import data_set_bytes
from tests.data.sites import site_settings
from tests.data.stages import START, SetClock, deliver, incoming

STUDIES = ("1.2.3", "1.2.4")
NUMBERS = (1, 2, 3)
CONTENTS = ("as-made", "other")
RULES: Table = {
    "completeness": {"quiet_seconds": 30.0, "max_wait_seconds": 60.0},
    "work": {
        "lease_seconds": 60.0,
        "max_attempts": 50,
        "first_pause_seconds": 1.0,
        "max_pause_seconds": 10.0,
    },
    # For ever: a clock set forward while nobody looked is taken for a long stop.
    "delivery": {
        "first_pause_seconds": 1.0,
        "max_pause_seconds": 10.0,
        "give_up_days": 50_000.0,
    },
}
OF_MOVES = {
    "study-complete",
    "study-moved",
    "study-declined",
    "study-parked",
    "study-decided",
    "report-written",
    "results-created",
}
"""Audit records that belong to a move other than an arrival."""

CLOCKS = (
    *(START + timedelta(hours=hours) for hours in (-24, -1, 1, 24)),
    datetime(1970, 1, 2, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 59, tzinfo=UTC),  # Europe's clocks go forward
    datetime(2038, 1, 19, 3, 14, 8, tzinfo=UTC),
)

SEQUENCES = int(os.environ.get("SEQUENCES", "6"))
STEPS = int(os.environ.get("STEPS", "20"))
SEED = int(os.environ.get("SEED", "42"))
TALLY: Counter[str] = Counter()


class Killed(BaseException):
    """The process is gone; nothing of it runs any more."""


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int, str], Path]:
    """Write every instance that may be sent, in both contents."""
    folder = tmp_path_factory.mktemp("films")
    made: dict[tuple[str, int, str], Path] = {}
    for study in STUDIES:
        for number in NUMBERS:
            for content in CONTENTS:
                pixels = gradient() + number + 10 * (content == "other")
                ds = film_dataset(
                    pixels.astype("uint16"),
                    StudyInstanceUID=study,
                    SeriesInstanceUID=f"{study}.1",
                    SOPInstanceUID=f"{study}.1.{number}",
                )
                path = folder / f"{study}-{number}-{content}.dcm"
                made[study, number, content] = write_film(path, ds)
    return made


@pytest.fixture(scope="module")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder of a gateway that has never received anything."""
    folder = tmp_path_factory.mktemp("blank")
    open_site(site_settings(folder, RULES), CannedEngine()).ledger.close()
    return folder


class Faults(RuleBasedStateMachine):
    """Everything that may happen to a gateway and its studies, in any order."""

    films: Mapping[tuple[str, int, str], Path]
    blank: Path

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="one-result-"))
        copytree(self.blank, self.folder / "data")
        self.wall, self.elapsed = SetClock(), 0.0
        self.destination, self.engine = Destination(), CannedEngine()
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(delivery, "store_instances", self.destination.store)
        self.patch.setattr(peer, "find_instances", self.destination.find)
        self.acknowledged: dict[str, str] = {}
        self.is_full = False
        self.open()
        for study in STUDIES:
            self.send(study, 1, CONTENTS[0])
        TALLY["sequences"] += 1

    def open(self) -> None:
        """Start the process anew: only ledger, spool and wall clock are as before."""
        self.clock = SteadyClock(self.wall, lambda: self.elapsed)
        opened = open_site(
            site_settings(self.folder / "data", RULES), self.engine, self.clock
        )
        self.site: Site = replace(
            opened, destinations=(PACS,), elapsed=lambda: self.elapsed
        )
        reconcile(self.site)
        timekeeping.resume(self.site.ledger, self.clock)
        self.turns = Turns()
        if self.is_full:
            self.fill()

    def passes(self, seconds: float) -> None:
        self.elapsed += seconds
        self.wall.add(seconds=seconds)

    @rule(
        study=st.sampled_from(STUDIES),
        number=st.sampled_from(NUMBERS),
        content=st.sampled_from((*CONTENTS[:1], *CONTENTS)),
    )
    def send(self, study: str, number: int, content: str) -> None:
        """A modality sends: for the first time, again, late, or something else."""
        path, uid = self.films[study, number, content], f"{study}.1.{number}"
        digest = hashlib.sha256(data_set_bytes(path)).hexdigest()
        try:
            status = deliver(sent_intake(self.site).receive, path)
        except NoRoom:
            assert self.is_full
            TALLY["refused for space"] += 1
            return
        assert not self.is_full
        known = self.acknowledged.setdefault(uid, digest)
        same = known == digest
        assert status is (Status.SUCCESS if same else Status.DUPLICATE_CONFLICT)
        TALLY["sent" if same else "contradicted"] += 1

    @rule(
        study=st.sampled_from(STUDIES),
        number=st.sampled_from(NUMBERS),
        dies=st.booleans(),
    )
    def abort(self, study: str, number: int, *, dies: bool) -> None:
        """A sender, or this process, is gone in the middle of an object."""
        path = self.films[study, number, "as-made"]
        try:
            arriving = incoming(sent_intake(self.site).receive, path)
        except NoRoom:
            return
        TALLY["aborted"] += 1
        if dies:
            self.kill()
        else:
            arriving.discard()

    @rule()
    def work(self) -> None:
        """A worker does the next piece that is due."""
        TALLY["turns"] += take_turn(self.site, pipeline.STAGES, WORKING, self.turns)

    @rule()
    def work_on(self) -> None:
        """A worker does all that is due."""
        for _ in range(20):
            if not take_turn(self.site, pipeline.STAGES, WORKING, self.turns):
                return
            TALLY["turns"] += 1

    @rule(rounds=st.integers(1, 3))
    def quiet_hours(self, rounds: int) -> None:
        """Nothing comes, and whatever is due is done."""
        for _ in range(rounds):
            self.passes(61)
            self.work_on()

    @rule()
    def images_come_late(self) -> None:
        """One more image of each study, whatever has become of it."""
        for study in STUDIES:
            for number in NUMBERS:
                if f"{study}.1.{number}" not in self.acknowledged:
                    self.send(study, number, CONTENTS[0])
                    break

    @rule(ran=st.booleans())
    def die_at_work(self, *, ran: bool) -> None:
        """The process is killed before a stage, or before its outcome is kept."""

        def dying(stage: Stage) -> Stage:
            def run(site: Site, study: StudyRecord) -> Outcome:
                if ran:
                    stage(site, study)
                TALLY[f"killed in {study.state}"] += 1
                raise Killed

            return run

        stages = {state: dying(stage) for state, stage in pipeline.STAGES.items()}
        try:
            take_turn(self.site, stages, WORKING, self.turns)
        except Killed:
            TALLY["killed at work"] += 1
            self.kill()

    @rule()
    def kill(self) -> None:
        """The process dies and another one starts on what is on the disk."""
        self.site.ledger.close()
        self.open()
        TALLY["killed"] += 1

    @rule()
    def leases_run_out(self) -> None:
        self.passes(61)

    @rule(seconds=st.sampled_from((1.0, 29.0, 31.0, 600.0)))
    def time_passes(self, seconds: float) -> None:
        self.passes(seconds)

    @rule(to=st.sampled_from(CLOCKS), while_down=st.booleans())
    def clock_is_set(self, to: datetime, *, while_down: bool) -> None:
        self.wall.now = to
        TALLY["clock set"] += 1
        if while_down:
            self.kill()
        else:
            timekeeping.follow(self.site.ledger, self.clock, self.turns.clock_set)

    @precondition(lambda self: not self.is_full)
    @rule()
    def fill(self) -> None:
        """The disk is full up to its reserve."""
        self.is_full = True
        self.site.spool._reserve_bytes = 1 << 60

    @precondition(lambda self: self.is_full)
    @rule()
    def free(self) -> None:
        self.is_full = False
        self.site.spool._reserve_bytes = 0

    @rule(mood=st.sampled_from(Mood))
    def destination_changes(self, mood: Mood) -> None:
        self.destination.mood = mood

    @invariant()
    def acknowledged_instances_are_kept(self) -> None:
        """G2, G4: each is here, whole, and as it was first sent."""
        with self.site.ledger.reading() as rows:
            held = {uid: rows.instance(uid) for uid in self.acknowledged}
            names = rows.file_names()
        for uid, digest in self.acknowledged.items():
            row = held[uid]
            assert row is not None
            path = self.site.spool.path(row.file_name)
            assert hashlib.sha256(data_set_bytes(path)).hexdigest() == digest
        assert all(self.site.spool.path(name).is_file() for name in names)

    @invariant()
    def a_revision_has_one_result_set(self) -> None:
        """G3: at the destination nothing but it, the same bytes however often sent."""
        known: dict[str, ResultRecord] = {}
        for study in self.studies():
            sets = Counter((r.revision, r.task, r.kind) for r in self.results(study))
            assert all(count == 1 for count in sets.values()), sets
            known.update({r.sop_instance_uid: r for r in self.results(study)})
        assert set(self.destination.held) <= set(known)
        assert all(len(made) == 1 for made in self.destination.held.values())

    @invariant()
    def no_result_is_of_half_a_study(self) -> None:
        """G5: a revision was judged whole after its last image, and names the last."""
        for study in self.studies():
            with self.site.ledger.reading() as rows:
                images = rows.instances(study.study_instance_uid)
                moves = rows.moves(study.id)
            assert max(image.revision for image in images) == study.revision
            for result in self.results(study):
                of_it = [m.event for m in moves if m.revision == result.revision]
                assert of_it[0] is Event.IMAGE_ARRIVED
                assert Event.QUIET_PERIOD_ENDED in of_it
                assert Event.IMAGE_ARRIVED not in of_it[1:]
                self.names_what_it_supersedes(study, result)

    def names_what_it_supersedes(
        self, study: StudyRecord, result: ResultRecord
    ) -> None:
        """A document names those of the revision before that somebody may have."""
        if result.kind not in DOCUMENT_KINDS:
            return
        earlier = [
            r
            for r in self.results(study)
            if r.revision < result.revision
            and r.kind in DOCUMENT_KINDS
            and r.sop_instance_uid in self.destination.held
        ]
        newest = max((r.revision for r in earlier), default=0)
        ds = dcmread(self.site.spool.path(result.file_name))
        named = {
            str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)
            for one in ds.get("PredecessorDocumentsSequence", ())
            for item in one.ReferencedSeriesSequence
        }
        assert {r.sop_instance_uid for r in earlier if r.revision == newest} <= named, (
            result.revision,
            newest,
        )

    @invariant()
    def each_move_has_its_audit_record(self) -> None:
        """G12, both ways; the numbers have no gap."""
        with self.site.ledger.reading() as rows:
            records = rows.audit(AuditFilter(limit=100_000))
        assert [r.sequence for r in records] == list(range(1, len(records) + 1))
        received = Counter(r.study_instance_uid for r in records if is_arrival(r))
        stepped = Counter(
            r.study_instance_uid for r in records if r.event_type in OF_MOVES
        )
        for study in self.studies():
            uid = study.study_instance_uid
            with self.site.ledger.reading() as rows:
                events = [m.event for m in rows.moves(study.id)]
                images = rows.instances(uid)
            arrivals = events.count(Event.IMAGE_ARRIVED)
            assert stepped.pop(uid, 0) == len(events) - arrivals
            assert received.pop(uid) == len(images) >= arrivals
        assert not stepped
        assert not received

    def studies(self) -> list[StudyRecord]:
        with self.site.ledger.reading() as rows:
            return rows.studies()

    def results(self, study: StudyRecord) -> list[ResultRecord]:
        with self.site.ledger.reading() as rows:
            return rows.results(study.id)

    def teardown(self) -> None:
        """All is well again: every study ends, its results at the destination."""
        if not hasattr(self, "site"):
            return
        try:
            self.heal()
            for study in self.studies():
                assert study.state is State.COMMITTED, study.reason
                made = self.results(study)
                last = {
                    r.sop_instance_uid for r in made if r.revision == study.revision
                }
                kinds = {r.kind for r in made if r.revision == study.revision}
                assert ResultKind.FINDINGS_SR in kinds
                assert last <= set(self.destination.held)
                TALLY["studies"] += 1
                TALLY["revisions"] += study.revision
            sent = {uid.rpartition(".1.")[0] for uid in self.acknowledged}
            assert sent == {study.study_instance_uid for study in self.studies()}
            self.acknowledged_instances_are_kept()
            self.a_revision_has_one_result_set()
            self.no_result_is_of_half_a_study()
            self.each_move_has_its_audit_record()
            TALLY["objects at the destination"] += len(self.destination.held)
            TALLY["sendings"] += self.destination.sendings
        finally:
            self.site.ledger.close()
            self.patch.undo()
            rmtree(self.folder)

    def heal(self) -> None:
        self.destination.mood = Mood.UP
        self.free()
        for _ in range(60):
            self.passes(61)
            self.work_on()
            if all(study.state is State.COMMITTED for study in self.studies()):
                return


def is_arrival(record: AuditRecord) -> bool:
    """Whether the record tells of an instance that was received and filed."""
    return record.event == "110104" and record.event_type is None


@pytest.mark.timeout(300 + 30 * SEQUENCES)
def test_one_result_whatever_happens(
    films: dict[tuple[str, int, str], Path], blank: Path
) -> None:
    Faults.films, Faults.blank = films, blank
    seed(SEED)(Faults)
    run_state_machine_as_test(
        Faults,
        settings=settings(
            max_examples=SEQUENCES,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
    sys.stdout.write(f"{dict(sorted(TALLY.items()))}\n")
    assert TALLY["sequences"] >= SEQUENCES
    assert TALLY["revisions"] > TALLY["studies"] > 0
    assert TALLY["killed"] > 0
