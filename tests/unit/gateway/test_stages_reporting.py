"""From the engine's words to result objects: held, declined, repeated, renewed."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import Dataset, dcmread

from config.load import Table
from dicom_io.evidence import SlotName
from dicom_io.inputs.history import History
from dicom_io.results.kinds import ResultKind
from gateway import documents
from gateway.documents import HISTORY
from gateway.ledger import Document, ResultRecord, StudyRecord
from gateway.lifecycle import Event, State
from gateway.stages import encoding, pipeline
from gateway.stages.turn import Moved
from model.engine import EngineIdentity
from model.errors import ConstantImage, EngineAway, EngineDied, EngineUnavailable
from model.report import FlagKind, GroundedReport, ReportRequest, Task
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import given_study
from tests.data.reports import report
from tests.data.stages import Bench, ScriptedPriors, bench_at

FLAG = FlagKind.CUT_OFF


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as opened:
        yield opened


def results(bench: Bench) -> list[ResultRecord]:
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        return rows.results(study.id, study.revision)


def document(bench: Bench, name: Document) -> str:
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        return rows.document(study.id, study.revision, name) or ""


def encoded(bench: Bench, study: StudyRecord) -> list[tuple[ResultRecord, bytes]]:
    """Run the stage and return what it made, with the bytes on disk."""
    moved = pipeline.encode(bench.site, study)
    assert isinstance(moved, Moved)
    path = bench.site.spool.path
    return [(row, path(row.file_name).read_bytes()) for row in moved.results]


def contents(bench: Bench) -> list[Dataset]:
    path = bench.site.spool.path
    return [dcmread(path(row.file_name)) for row in results(bench)]


@contextmanager
def wanting(folder: Path, results: Table) -> Iterator[Bench]:
    """Open a bench whose site wants other results."""
    with bench_at(folder, {"results": results}) as other:
        yield other


def test_words_evidence_and_identity_are_kept_before_anything_is_encoded(
    bench: Bench,
) -> None:
    bench.reach(State.REPORTED)
    (said,) = documents.REPORTS.validate_json(document(bench, Document.REPORTS))
    evidence = documents.EVIDENCE.validate_json(document(bench, Document.EVIDENCE))
    identity = documents.ENGINE.validate_json(document(bench, Document.ENGINE))
    assert said.phrases == bench.engine.phrases
    assert evidence.frontal.sop_instance_uid == "1.2.3.4"
    assert identity == bench.engine.identity
    assert results(bench) == []


def test_what_was_said_of_the_prior_stands_in_the_evidence(bench: Bench) -> None:
    bench.reach(State.REPORTED)
    evidence = documents.EVIDENCE.validate_json(document(bench, Document.EVIDENCE))
    assert evidence.notes[-1] == "no archive is asked for priors"


def test_the_results_of_a_study_with_boxes_are_three_objects(bench: Bench) -> None:
    bench.reach(State.ENCODED)
    kinds = [row.kind for row in results(bench)]
    assert kinds == [ResultKind.FINDINGS_SR, ResultKind.GSPS, ResultKind.NARRATIVE_SR]
    assert all(row.send for row in results(bench))
    assert "3 results" in bench.told()


def test_each_result_on_disk_is_what_its_row_says(bench: Bench) -> None:
    bench.reach(State.ENCODED)
    for row, ds in zip(results(bench), contents(bench), strict=True):
        named = (ds.SOPClassUID, ds.SOPInstanceUID, ds.SeriesInstanceUID)
        known = (row.sop_class_uid, row.sop_instance_uid, row.series_instance_uid)
        assert named == known
        assert ds.StudyInstanceUID == "1.2.3"


def test_a_flag_that_the_site_names_holds_the_report(tmp_path: Path) -> None:
    with wanting(tmp_path, {"hold_flags": [FLAG.value]}) as bench:
        bench.engine.flags = (FLAG,)
        study = bench.reach(State.HELD)
        assert study.reason == f"held for {FLAG}"
        assert not bench.turn()
        assert document(bench, Document.REPORTS)


def test_a_flag_that_the_site_does_not_name_holds_nothing(bench: Bench) -> None:
    bench.engine.flags = (FLAG,)
    assert bench.reach(State.REPORTED).reason is None


def test_another_flag_than_named_holds_nothing(tmp_path: Path) -> None:
    other = next(kind for kind in FlagKind if kind is not FLAG)
    with wanting(tmp_path, {"hold_flags": [FLAG.value]}) as bench:
        bench.engine.flags = (other,)
        bench.reach(State.REPORTED)


def test_a_released_report_is_encoded_as_it_was_said(tmp_path: Path) -> None:
    with wanting(tmp_path, {"hold_flags": [FLAG.value]}) as bench:
        bench.engine.flags = (FLAG,)
        study = bench.reach(State.HELD)
        with bench.site.ledger.writing() as rows:
            rows.move(study, Event.RELEASED, bench.clock())
        assert bench.turn()
        assert bench.study().state is State.ENCODED
        assert len(bench.engine.asked) == 1


def test_each_task_of_the_site_is_asked_in_its_order_and_phrases_last(
    tmp_path: Path,
) -> None:
    tasks = [Task.GROUNDED_FINDINGS, Task.FINDINGS]
    wanted: Table = {"tasks": [t.value for t in tasks], "phrases": ["Nodule.", "Tube."]}
    with wanting(tmp_path, wanted) as bench:
        bench.reach(State.REPORTED)
        (asked,) = bench.engine.asked
        assert asked.tasks == tuple(tasks)
        assert asked.phrases == ("Nodule.", "Tube.")


@pytest.mark.parametrize("send", [False, True])
def test_the_objects_of_a_phrase_are_sent_only_when_asked_to(
    tmp_path: Path, send: bool
) -> None:
    with wanting(tmp_path, {"phrases": ["Nodule."], "send_phrases": send}) as bench:
        bench.reach(State.ENCODED)
        grounded = [r for r in results(bench) if r.task == Task.PHRASE_GROUNDING]
        others = [r for r in results(bench) if r.task != Task.PHRASE_GROUNDING]
        assert len(grounded) == 2
        assert {row.send for row in grounded} == {send}
        assert {row.send for row in others} == {True}


def test_two_phrases_make_different_objects(tmp_path: Path) -> None:
    with wanting(tmp_path, {"phrases": ["Nodule.", "Tube."]}) as bench:
        bench.reach(State.ENCODED)
        uids = [row.sop_instance_uid for row in results(bench)]
        assert len(uids) == len(set(uids)) == 3 + 2 * 2


def test_a_picture_without_contrast_is_declined_before_the_engine_is_asked(
    bench: Bench,
) -> None:
    flat = np.full((64, 48), 700, dtype=np.uint16)
    write_film(bench.folder / "flat.dcm", film_dataset(flat))
    bench.send(bench.folder / "flat.dcm")
    bench.clock.add(seconds=60)
    bench.complete()
    while bench.turn():
        pass
    assert bench.study().state is State.DECLINED
    assert (bench.study().reason or "").startswith("constant-image")
    assert bench.engine.asked == []


def test_a_picture_that_the_engine_finds_constant_is_declined(bench: Bench) -> None:
    bench.engine.failures = [ConstantImage("current_frontal has no contrast")]
    assert (bench.reach(State.DECLINED).reason or "").startswith("constant-image")


def test_pixels_that_cannot_be_decoded_are_declined(bench: Bench) -> None:
    bench.received(PixelData=bytes(10))
    while bench.turn():
        pass
    assert bench.study().state is State.DECLINED
    assert (bench.study().reason or "").startswith("unreadable-pixels")


def test_an_engine_that_fails_is_asked_again(bench: Bench) -> None:
    bench.reach(State.GATHERED)
    bench.engine.failures = [RuntimeError("no memory")]
    bench.turn()
    assert bench.study().reason == "RuntimeError: no memory"
    bench.clock.add(seconds=60)
    bench.turn()
    assert bench.study().state is State.REPORTED


def test_a_repeated_encoding_makes_the_same_objects_and_bytes(bench: Bench) -> None:
    study = bench.reach(State.REPORTED)
    first = encoded(bench, study)
    bench.clock.add(days=3)
    assert encoded(bench, study) == first


def test_a_study_that_is_read_again_after_days_makes_the_same_bytes(
    bench: Bench,
) -> None:
    first = encoded(bench, bench.reach(State.REPORTED))
    bench.clock.add(days=3)
    with bench.site.ledger.writing() as rows:
        rows.move(bench.study(), Event.GAVE_UP, bench.clock())
        rows.move(rows.study_by_id(bench.study().id), Event.RETRIED, bench.clock())
    while bench.study().state is not State.REPORTED:
        assert bench.turn()
    assert encoded(bench, bench.study()) == first


def test_results_are_dated_when_the_study_was_complete(bench: Bench) -> None:
    study = bench.received()
    whole = study.changed_at.astimezone()
    bench.clock.add(days=1)
    while bench.study().state is not State.ENCODED:
        assert bench.turn()
    (narrative,) = [ds for ds in contents(bench) if "VerificationFlag" in ds][-1:]
    assert narrative.ContentDate == f"{whole:%Y%m%d}"
    assert narrative.ContentTime.startswith(f"{whole:%H%M%S}")


def test_a_repeated_encoding_adds_no_rows(bench: Bench) -> None:
    study = bench.reach(State.REPORTED)
    moved = pipeline.encode(bench.site, study)
    assert isinstance(moved, Moved)
    with bench.site.ledger.writing() as rows:
        rows.add_results(moved.results)
    bench.turn()
    assert len(results(bench)) == 3


def test_the_next_revision_names_the_reports_of_the_one_before(bench: Bench) -> None:
    bench.reach(State.ENCODED)
    # GSPS have no predecessors (PS3.3 A.33); both SRs have.
    earlier = {r.sop_instance_uid for r in results(bench) if r.kind != ResultKind.GSPS}
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    bench.clock.add(seconds=60)
    bench.complete()
    while bench.study().state is not State.ENCODED:
        assert bench.turn()
    assert bench.study().revision == 2
    for ds in contents(bench):
        named = {
            item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID
            for study in ds.get("PredecessorDocumentsSequence", ())
            for item in study.ReferencedSeriesSequence
        }
        assert named == (set() if ds.Modality == "PR" else earlier)


def test_the_objects_of_two_revisions_differ_in_every_uid(bench: Bench) -> None:
    bench.reach(State.ENCODED)
    first = {row.sop_instance_uid for row in results(bench)}
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5", ViewPosition="LL"))
    bench.clock.add(seconds=60)
    bench.complete()
    while bench.study().state is not State.ENCODED:
        assert bench.turn()
    assert first.isdisjoint(row.sop_instance_uid for row in results(bench))


def test_the_case_key_follows_weights_settings_and_inputs(bench: Bench) -> None:
    study = given_study(bench.site.ledger)
    said, identity = report(), bench.engine.identity
    other = sha256(b"other").hexdigest()
    made = said.provenance
    elsewhere = replace(study, study_instance_uid="1.2.4")
    changes = [
        replace(made, prompt_digest=other),
        replace(made, image_digests=(("current_frontal", other),)),
        replace(made, image_digests=(("current_lateral", "ef" * 32),)),
        replace(made, adapter_version="0.2.0"),
    ]
    keys = [
        encoding.case_key(study, said, identity),
        encoding.case_key(study, said, replace(identity, weights_digest=other)),
        encoding.case_key(study, said, replace(identity, settings_digest=other)),
        encoding.case_key(study, replace(said, task=Task.FINDINGS), identity),
        encoding.case_key(study, replace(said, phrase="Nodule."), identity),
        encoding.case_key(elsewhere, said, identity),
        *(
            encoding.case_key(study, replace(said, provenance=changed), identity)
            for changed in changes
        ),
    ]
    assert len(set(keys)) == len(keys) == 10


def test_the_case_key_does_not_follow_what_changes_nothing(bench: Bench) -> None:
    study = given_study(bench.site.ledger)
    said, identity = report(), bench.engine.identity
    slower = replace(said.provenance, seconds=99.0, device="cuda")
    again = encoding.case_key(study, replace(said, provenance=slower), identity)
    assert again == encoding.case_key(study, said, identity)


def test_other_weights_make_other_objects(tmp_path: Path) -> None:
    uids: list[set[str]] = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        with bench_at(tmp_path / name) as bench:
            bench.reach(State.REPORTED)
            identity = replace(bench.engine.identity, weights_digest=name * 20)
            study = bench.study()
            body = documents.ENGINE.dump_json(identity).decode()
            with bench.site.ledger.writing() as rows:
                rows.put_document(study.id, 1, Document.ENGINE, body)
            bench.turn()
            uids.append({row.sop_instance_uid for row in results(bench)})
    assert uids[0].isdisjoint(uids[1])


def test_a_prior_that_is_gone_is_left_out_with_a_note(tmp_path: Path) -> None:
    # What `gather` wrote is read back: nothing is asked a second time.
    priors = ScriptedPriors()
    with bench_at(tmp_path, priors=priors) as bench:
        study = bench.reach(State.GATHERED)
        said = History(prior=None, notes=("the archive was asked before",))
        with bench.site.ledger.writing() as rows:
            body = HISTORY.dump_json(said).decode()
            rows.put_document(study.id, 1, Document.PRIOR, body)
        bench.turn()
        body = document(bench, Document.EVIDENCE)
        notes = documents.EVIDENCE.validate_json(body).notes
    assert "the archive was asked before" in notes
    assert len(priors.asked) == 1


def test_each_result_is_a_part_10_file_with_an_empty_preamble(bench: Bench) -> None:
    for _, data in encoded(bench, bench.reach(State.REPORTED)):
        assert data[:132] == bytes(128) + b"DICM"
        assert dcmread(BytesIO(data)).StudyInstanceUID == "1.2.3"


def test_the_reports_of_phrases_have_no_predecessors(tmp_path: Path) -> None:
    with wanting(tmp_path, {"phrases": ["Nodule.", "Tube."]}) as bench:
        bench.reach(State.ENCODED)
        bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
        bench.clock.add(seconds=60)
        bench.complete()
        while bench.study().state is not State.ENCODED:
            assert bench.turn()
        named = {
            (row.task, row.kind): "PredecessorDocumentsSequence" in ds
            for row, ds in zip(results(bench), contents(bench), strict=True)
        }
    assert named == {
        (Task.GROUNDED_FINDINGS, ResultKind.FINDINGS_SR): True,
        (Task.GROUNDED_FINDINGS, ResultKind.NARRATIVE_SR): True,
        (Task.GROUNDED_FINDINGS, ResultKind.GSPS): False,
        (Task.PHRASE_GROUNDING, ResultKind.FINDINGS_SR): False,
        (Task.PHRASE_GROUNDING, ResultKind.GSPS): False,
    }


@dataclass
class AwayEngine:
    """Is away until told otherwise; then it answers as `canned`."""

    canned: CannedEngine
    is_away: bool = True
    asked: list[int] = field(default_factory=list)

    @property
    def identity(self) -> EngineIdentity:
        return self.canned.identity

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        self.asked.append(len(requests))
        if self.is_away:
            raise EngineAway("the engine is being started again: it was killed")
        return self.canned.generate(requests)


def test_while_the_engine_is_away_a_study_waits_and_uses_up_no_attempt(
    bench: Bench,
) -> None:
    study = bench.reach(State.GATHERED)
    engine = AwayEngine(canned=bench.engine)
    waiting = bench.at(engine=engine)
    for _ in range(20):
        assert waiting.turn(State.GATHERED)
        bench.clock.add(seconds=1)
    after = bench.study()
    assert (after.state, after.attempts) == (State.GATHERED, 0)
    assert after.reason == "the engine is being started again: it was killed"
    assert engine.asked == [0] * 20  # no picture was decoded
    engine.is_away = False
    assert waiting.turn(State.GATHERED)
    assert bench.study().state is State.REPORTED
    assert study.id == after.id


def test_an_engine_that_goes_away_forgives_no_earlier_failure(bench: Bench) -> None:
    bench.reach(State.GATHERED)
    died, away = EngineDied("it was killed by SIGSEGV"), EngineAway("being started")
    bench.engine.failures = [died, away]
    for _ in range(2):
        assert bench.turn(State.GATHERED)
        bench.clock.add(seconds=1)
    assert (bench.study().attempts, bench.study().reason) == (1, "being started")


@pytest.mark.parametrize(
    ("error", "attempts"),
    [(EngineDied("it was killed by SIGKILL"), 3), (EngineUnavailable("memory"), 5)],
    ids=["died", "unavailable"],
)
def test_a_study_that_the_engine_fails_at_is_parked_with_what_it_said(
    bench: Bench, error: Exception, attempts: int
) -> None:
    bench.reach(State.GATHERED)
    bench.engine.failures = [error] * 9
    for _ in range(attempts):
        assert bench.study().state is State.GATHERED
        assert bench.turn(State.GATHERED)
        bench.clock.add(seconds=1)
    assert bench.study().state is State.PARKED
    assert str(error) in (bench.study().reason or "")


@pytest.mark.parametrize(("seconds", "asked"), [(7.5, 7.5), (0.0, None)])
def test_the_deadline_of_the_settings_is_the_requests(
    tmp_path: Path, seconds: float, asked: float | None
) -> None:
    with bench_at(tmp_path, {"engine": {"deadline_seconds": seconds}}) as other:
        other.reach(State.REPORTED)
        (request,) = other.engine.asked
    assert request.deadline_seconds == asked


def test_the_seven_inputs_are_rows_of_the_ledger(bench: Bench) -> None:
    study = bench.reach(State.REPORTED)
    with bench.site.ledger.reading() as rows:
        slots = rows.slots(study.id, study.revision)
    assert [slot.name for slot in slots] == list(SlotName)
    assert (slots[0].source, slots[0].sop_instance_uid) == ("image", "1.2.3.4")
    assert not slots[2].filled
    assert slots[2].reason == "no archive is asked for priors"
