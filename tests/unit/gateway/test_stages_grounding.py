"""A person's phrase: durable, answered by a worker from the study's case, kept here."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from gateway.documents import GROUNDED
from gateway.errors import IllegalMove, NoSuchStudy, UnusablePhrase
from gateway.ledger import AuditFilter, GroundingRecord, GroundingState
from gateway.lifecycle import State
from gateway.people import Decider, PersonRole
from gateway.running import retention
from gateway.stages import grounding
from gateway.stages.grounding import GIVE_UP, MOST_ATTEMPTS, MOST_OPEN, ask
from gateway.stages.withdrawal import retract
from model.errors import EngineAway, EngineDied, RefusedRequest
from model.options import Domain
from model.report import Task
from tests.data.engines import NODULE, CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import copy_ledger
from tests.data.sites import running_gateway, site_settings, wait_until
from tests.data.stages import STUDY_UID, Bench, bench_at, bench_from

PHRASE = "a nodule in the right lung"
ANNA = Decider(name="anna", why="wrong patient", role=PersonRole.RADIOLOGIST)


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


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as opened:
        yield opened


def asked(bench: Bench, phrase: str = PHRASE) -> GroundingRecord:
    return ask(bench.site.ledger, STUDY_UID, phrase, "anna", bench.clock())


def after_work(bench: Bench) -> GroundingRecord:
    grounding.work(bench.site)
    with bench.site.ledger.reading() as rows:
        return rows.groundings(bench.study().id, bench.study().revision)[-1]


def test_a_phrase_is_answered_with_its_boxes(bench: Bench) -> None:
    assert asked(bench).state is GroundingState.ASKED
    record = after_work(bench)
    assert record.state is GroundingState.ANSWERED
    answer = GROUNDED.validate_json(record.body or "")
    assert (answer.report.task, answer.report.phrase) == (Task.PHRASE_GROUNDING, PHRASE)
    assert answer.report.phrases[0].boxes == (NODULE,)
    assert (answer.frame.rows, answer.frame.columns) == (64, 48)
    assert answer.engine == bench.engine.identity


def test_the_model_is_shown_what_its_report_was_written_from(empty: Bench) -> None:
    empty.reach(State.KEPT)
    asked(empty)
    after_work(empty)
    for_report, for_phrase = empty.engine.asked
    assert for_phrase.phrases == (PHRASE,)
    assert for_phrase.tasks == ()
    first, second = for_report.inputs, for_phrase.inputs
    assert np.array_equal(first.current_frontal, second.current_frontal)
    assert first.indication == second.indication


def test_an_answer_is_shown_and_never_sent(bench: Bench) -> None:
    with bench.site.ledger.reading() as rows:
        before = rows.results(bench.study().id)
    asked(bench)
    after_work(bench)
    with bench.site.ledger.reading() as rows:
        assert rows.results(bench.study().id) == before
    assert bench.study().state is State.KEPT
    assert bench.deliveries() == []


def test_who_asked_is_in_the_audit(bench: Bench) -> None:
    asked(bench)
    after_work(bench)
    with bench.site.ledger.reading() as rows:
        (record,) = rows.audit(AuditFilter(event="phrase-grounded"))
        shown = rows.revealed(record.message)
    assert (record.user, record.study_instance_uid) == ("anna", STUDY_UID)
    encoded = b64encode(PHRASE.encode()).decode()  # a detail of an object is base64
    assert encoded in shown
    assert encoded not in record.message  # a phrase may name the patient


@pytest.mark.parametrize("phrase", ["", "  \n ", "x" * 401])
def test_a_phrase_has_some_words_and_not_too_many(bench: Bench, phrase: str) -> None:
    with pytest.raises(UnusablePhrase, match="1 to 400"):
        asked(bench, phrase)
    assert refusals(bench) == ["refused: a phrase has 1 to 400 characters"]


def refusals(bench: Bench) -> list[str | None]:
    """Return what the audit says of phrases that were refused, as of anna."""
    with bench.site.ledger.reading() as rows:
        found = rows.audit(AuditFilter(event="phrase-grounded", user="anna"))
    assert {each.study_instance_uid for each in found} <= {STUDY_UID}
    return [each.detail for each in found if each.outcome == 4]


def test_white_space_in_a_phrase_is_one_space(bench: Bench) -> None:
    assert asked(bench, " left\n  effusion ").phrase == "left effusion"


def test_an_unknown_study_is_said_to_be(empty: Bench) -> None:
    with pytest.raises(NoSuchStudy):
        asked(empty)


def test_a_study_whose_prior_is_not_settled_is_not_asked_about(empty: Bench) -> None:
    empty.reach(State.SELECTED)
    with pytest.raises(IllegalMove, match="no frontal image"):
        asked(empty)


def test_a_purged_study_is_not_asked_about(bench: Bench) -> None:
    bench.clock.add(days=4000)
    retention.purge(bench.site)
    with pytest.raises(IllegalMove, match="deleted"):
        asked(bench)


def test_a_study_that_is_purged_while_a_phrase_waits_is_not_shown(
    bench: Bench,
) -> None:
    asked(bench)
    bench.clock.add(days=4000)
    retention.purge(bench.site)
    record = after_work(bench)
    assert record.state is GroundingState.REFUSED
    assert record.detail == "the images were deleted meanwhile"


def test_a_withdrawn_reading_is_not_asked_about(bench: Bench) -> None:
    retract(bench.site.ledger, STUDY_UID, ANNA, bench.clock())
    with pytest.raises(IllegalMove, match="withdrawn"):
        asked(bench)


def test_an_engine_of_another_domain_is_not_shown_the_film(bench: Bench) -> None:
    asked(bench)
    bench.engine.domain = Domain.PHANTOM
    record = after_work(bench)
    assert record.state is GroundingState.REFUSED
    assert "outside-domain" in (record.detail or "")
    assert bench.engine.asked == []


def test_an_engine_that_refuses_is_quoted(bench: Bench) -> None:
    asked(bench)
    bench.engine.failures.append(RefusedRequest("too long"))
    record = after_work(bench)
    assert record.state is GroundingState.REFUSED
    assert record.detail == "the engine refused: too long"


def test_an_engine_that_is_away_is_waited_for(bench: Bench) -> None:
    asked(bench)
    for _ in range(2 * MOST_ATTEMPTS):
        bench.engine.failures.append(EngineAway("no engine"))
        record = after_work(bench)
        assert (record.state, record.detail) == (GroundingState.ASKED, "no engine")
        assert record.not_before > bench.clock()
        bench.clock.add(seconds=30)
    assert after_work(bench).state is GroundingState.ANSWERED


def test_an_engine_that_stays_away_is_given_up(bench: Bench) -> None:
    asked(bench)
    bench.clock.add(seconds=GIVE_UP / timedelta(seconds=1))
    bench.engine.failures.append(EngineAway("no engine"))
    record = after_work(bench)
    assert record.state is GroundingState.REFUSED
    assert record.detail == "the engine did not answer: no engine"


def test_a_phrase_that_the_engine_dies_of_is_given_up(bench: Bench) -> None:
    asked(bench)
    for _ in range(MOST_ATTEMPTS - 1):
        bench.engine.failures.append(EngineDied("it died"))
        assert after_work(bench).state is GroundingState.ASKED
        bench.clock.add(seconds=30)
    bench.engine.failures.append(EngineDied("it died"))
    assert after_work(bench).state is GroundingState.REFUSED


def test_a_worker_that_died_is_followed_by_another(bench: Bench) -> None:
    record = asked(bench)
    for _ in range(MOST_ATTEMPTS):
        with bench.site.ledger.writing() as rows:
            until = bench.clock() + timedelta(hours=1)
            claimed = rows.claim_grounding(record, until)
        assert claimed is not None
        assert grounding.work(bench.site) == 0
        bench.clock.add(seconds=3600)
        record = claimed
    refused = after_work(bench)
    assert "3 times without an end" in (refused.detail or "")


def test_a_start_frees_what_was_being_answered(bench: Bench) -> None:
    record = asked(bench)
    with bench.site.ledger.writing() as rows:
        rows.claim_grounding(record, bench.clock() + timedelta(hours=1))
        rows.free_groundings(bench.clock())
    assert after_work(bench).state is GroundingState.ANSWERED


def test_a_phrase_is_answered_once(bench: Bench) -> None:
    record = asked(bench)
    with bench.site.ledger.writing() as rows:
        until = bench.clock() + timedelta(hours=1)
        assert rows.claim_grounding(record, until) is not None
        assert rows.claim_grounding(record, until) is None


def test_few_phrases_wait_in_one_study(bench: Bench) -> None:
    for number in range(MOST_OPEN):
        asked(bench, f"finding {number}")
    with pytest.raises(IllegalMove, match="phrases wait already"):
        asked(bench)
    assert refusals(bench) == ["refused: 5 phrases wait already: see what they bring"]
    after_work(bench)
    assert asked(bench).state is GroundingState.ASKED


def test_a_film_that_cannot_be_decoded_any_more_is_refused(empty: Bench) -> None:
    empty.reach(State.KEPT)
    asked(empty)
    with empty.site.ledger.reading() as rows:
        (instance,) = rows.instances(STUDY_UID)
    flat = film_dataset(np.full((64, 48), 7, np.uint16))
    write_film(empty.site.spool.path(instance.file_name), flat)
    record = after_work(empty)
    assert record.state is GroundingState.REFUSED
    assert "constant-image" in (record.detail or "")


def test_a_gateway_at_work_answers(read: Path, tmp_path: Path) -> None:
    copytree(read, tmp_path / "data")
    copy_ledger(read, tmp_path / "data")
    settings = site_settings(tmp_path / "data")
    with running_gateway(settings, CannedEngine()) as running:
        ledger, clock = running.site.ledger, running.site.clock
        number = ask(ledger, STUDY_UID, PHRASE, "anna", clock()).id

        def answered() -> GroundingRecord | None:
            with ledger.reading() as rows:
                found = rows.grounding(number)
            return found if found and found.body else None

        wait_until(answered, 60.0, lambda: number)
