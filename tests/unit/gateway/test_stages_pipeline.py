"""Completeness as it is carried out, and the stages' order."""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from config.load import Table, merge
from dicom_io.errors import PeerUnreachable
from dicom_io.header import Instance
from dicom_io.options import PictureOptions
from gateway.documents import REPORTS
from gateway.ledger import DeliveryState, Document
from gateway.lifecycle import FINAL, WORKING, Event, State, next_state
from gateway.stages import pipeline
from model.options import Domain
from model.phantom.generator import PhantomOptions, make_phantom
from model.report import FlagKind
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.sites import archive_peer
from tests.data.stages import START, Bench, ScriptedPriors, bench_at

WAITS: Table = {"quiet_seconds": 30.0, "max_wait_seconds": 600.0}
RULE: Table = {"completeness": WAITS}
AWAY = PeerUnreachable("archive did not open an association")


@pytest.fixture
def priors() -> ScriptedPriors:
    return ScriptedPriors()


@pytest.fixture
def bench(tmp_path: Path, priors: ScriptedPriors) -> Iterator[Bench]:
    with bench_at(tmp_path, RULE, priors=priors) as opened:
        yield opened


def wait(bench: Bench, seconds: float) -> State:
    """Let time pass, judge, and return where the study stands."""
    bench.clock.add(seconds=seconds)
    bench.complete()
    return bench.study().state


def test_a_study_is_complete_when_it_has_been_quiet(bench: Bench) -> None:
    bench.send(bench.film())
    assert wait(bench, 29) is State.RECEIVING
    assert wait(bench, 1) is State.COMPLETE
    assert "then quiet for 30 s" in (bench.study().reason or "")


def test_images_are_looked_at_while_others_may_come(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def note(images: Sequence[Instance], _options: PictureOptions) -> None:
        seen.extend(image.sop_instance_uid for image in images)

    monkeypatch.setattr(pipeline, "look_ahead", note)
    bench.send(bench.film())
    assert wait(bench, 1) is State.RECEIVING
    assert seen == ["1.2.3.4"]


def test_an_image_whose_file_is_gone_does_not_end_the_waiting(bench: Bench) -> None:
    bench.send(bench.film())
    with bench.site.ledger.reading() as rows:
        (row,) = rows.instances(bench.study().study_instance_uid)
    bench.site.spool.remove([row.file_name])
    assert wait(bench, 1) is State.RECEIVING
    assert bench.study().attempts == 0


def test_each_image_makes_the_quiet_begin_anew(bench: Bench) -> None:
    bench.send(bench.film())
    assert wait(bench, 29) is State.RECEIVING
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert wait(bench, 29) is State.RECEIVING
    assert wait(bench, 1) is State.COMPLETE


def test_the_same_image_again_does_not_make_the_quiet_begin_anew(bench: Bench) -> None:
    film = bench.film()
    bench.send(film)
    bench.clock.add(seconds=29)
    bench.send(film)
    assert wait(bench, 1) is State.COMPLETE


def test_the_archive_is_not_asked_before_the_quiet_is_over(
    bench: Bench, priors: ScriptedPriors
) -> None:
    bench.send(bench.film())
    wait(bench, 29)
    assert priors.counted == []
    wait(bench, 1)
    assert priors.counted == [bench.study().study_instance_uid]


def test_an_archive_that_counts_more_holds_the_study(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.counts = [3, 3, 3]
    bench.send(bench.film())
    assert wait(bench, 30) is State.RECEIVING
    assert "the archive names 3" in (bench.study().reason or "")
    assert bench.study().not_before == START + timedelta(seconds=60)
    assert wait(bench, 29) is State.RECEIVING
    assert len(priors.counted) == 1  # not asked at each look
    assert wait(bench, 1) is State.RECEIVING
    assert len(priors.counted) == 2


def test_what_was_lacking_completes_the_study_after_its_own_quiet(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.counts = [2, 2]
    bench.send(bench.film())
    assert wait(bench, 30) is State.RECEIVING
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert wait(bench, 29) is State.RECEIVING
    assert wait(bench, 1) is State.COMPLETE


def test_an_archive_that_counts_more_holds_the_study_only_so_long(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.counts = [3] * 100
    bench.send(bench.film())
    states = [wait(bench, 30) for _ in range(20)]
    assert states == [State.RECEIVING] * 19 + [State.COMPLETE]
    assert "waited 600 s in vain" in (bench.study().reason or "")


@pytest.mark.parametrize("count", [0, 1, None])
def test_a_count_never_shortens_nor_stops_the_wait(
    bench: Bench, priors: ScriptedPriors, count: int | None
) -> None:
    priors.counts = [count]
    bench.send(bench.film())
    assert wait(bench, 29) is State.RECEIVING
    assert wait(bench, 1) is State.COMPLETE


def test_an_archive_that_is_away_delays_nothing(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.counts = [AWAY]
    bench.send(bench.film())
    assert wait(bench, 30) is State.COMPLETE


def test_an_image_that_comes_while_the_archive_is_asked_is_waited_for(
    bench: Bench, priors: ScriptedPriors
) -> None:
    def late() -> None:
        bench.clock.add(seconds=2)
        bench.send(bench.film("late", SOPInstanceUID="1.2.3.5"))

    priors.on_count = late
    bench.send(bench.film())
    assert wait(bench, 30) is State.RECEIVING
    priors.on_count = lambda: None
    assert wait(bench, 29) is State.RECEIVING
    assert wait(bench, 1) is State.COMPLETE


def test_the_archive_is_not_asked_where_the_site_does_not_want_it(
    tmp_path: Path, priors: ScriptedPriors
) -> None:
    rule: Table = {"completeness": {**WAITS, "ask_archive": False}}
    with bench_at(tmp_path, rule, priors=priors) as bench:
        bench.send(bench.film())
        assert wait(bench, 30) is State.COMPLETE
    assert priors.counted == []


@pytest.mark.parametrize(
    ("arrived", "state"), [(True, State.COMPLETE), (False, State.RECEIVING)]
)
def test_our_own_results_count_only_where_the_archive_got_them(
    tmp_path: Path, priors: ScriptedPriors, arrived: bool, state: State
) -> None:
    overrides = merge(archive_peer("ARCHIVE", 104), RULE)
    with bench_at(tmp_path, overrides, priors=priors) as bench:
        study = bench.reach(State.ENCODED)
        with bench.site.ledger.writing() as rows:
            results = rows.results(study.id)
            rows.add_deliveries(study.id, 1, "archive", results)
            for row in rows.deliveries(study.id, 1) if arrived else ():
                stored = DeliveryState.STORED
                rows.update_delivery(row.id, now=bench.clock(), state=stored)
        bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
        priors.counts = [2 + len(results)]  # two films, and three results
        assert wait(bench, 30) is state


def test_completeness_is_audited_with_its_reason(bench: Bench) -> None:
    bench.received()
    assert bench.told()[-1] == "1 instances in 0 s, then quiet for 30 s"


def test_each_working_state_has_a_stage_and_no_other() -> None:
    assert set(pipeline.STAGES) == set(WORKING) | {State.RECEIVING}


def test_a_study_goes_through_the_stages_in_order(bench: Bench) -> None:
    bench.received()
    while bench.turn():
        pass
    with bench.site.ledger.reading() as rows:
        moves = rows.moves(bench.study().id)
    assert [move.to_state for move in moves] == [
        State.RECEIVING,
        State.COMPLETE,
        State.SELECTED,
        State.GATHERED,
        State.REPORTED,
        State.ENCODED,
        State.KEPT,
    ]
    assert bench.study().state in FINAL


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"ViewPosition": "LL", "PatientOrientation": ["P", "F"]}, "no-frontal"),
        ({"BodyPartExamined": "CSPINE"}, "not-chest"),
        ({"PatientSpeciesDescription": "Canis lupus familiaris"}, "not-human"),
        ({"QualityControlImage": "YES"}, "outside-domain"),
    ],
)
def test_a_study_that_is_not_read_is_declined_with_the_reason(
    bench: Bench, attributes: dict[str, object], reason: str
) -> None:
    bench.received(**attributes)
    bench.turn()
    assert bench.study().state is State.DECLINED
    assert (bench.study().reason or "").startswith(reason)
    assert bench.told()[-1] == bench.study().reason
    assert not bench.turn()


def lateral_named_pa(folder: Path) -> Path:
    """Write a picture of a lateral chest under the header of a PA film."""
    drawn = make_phantom(3, PhantomOptions(short_side=256, with_lateral=True))
    assert drawn.current_lateral is not None
    ds = film_dataset(drawn.current_lateral, BitsStored=12, HighBit=11)
    return write_film(folder / "mislabelled.dcm", ds)


def test_a_lateral_that_is_named_pa_is_declined(bench: Bench) -> None:
    bench.send(lateral_named_pa(bench.folder))
    assert wait(bench, 30) is State.COMPLETE
    bench.turn()
    assert bench.study().state is State.DECLINED
    assert "but lateral by the pixels" in (bench.study().reason or "")


def test_a_header_that_is_trusted_leaves_a_flag_in_every_report(tmp_path: Path) -> None:
    trusting = merge(RULE, {"views": {"disagreement": "trust-header"}})
    with bench_at(tmp_path, trusting) as bench:
        bench.send(lateral_named_pa(bench.folder))
        assert wait(bench, 30) is State.COMPLETE
        while bench.study().state is not State.REPORTED:
            assert bench.turn()
        with bench.site.ledger.reading() as rows:
            study = bench.study()
            kept = rows.document(study.id, study.revision, Document.REPORTS)
    flags = [flag for said in REPORTS.validate_json(kept or "") for flag in said.flags]
    disputed = [flag for flag in flags if flag.kind is FlagKind.VIEW_DISPUTED]
    assert "but lateral by the pixels" in disputed[0].detail


def test_an_engine_of_phantoms_declines_a_film(bench: Bench) -> None:
    bench.received()
    phantoms = bench.at(engine=CannedEngine(domain=Domain.PHANTOM))
    phantoms.turn()
    assert (bench.study().reason or "").startswith("outside-domain")


def test_a_declined_study_is_read_again_with_its_new_image(bench: Bench) -> None:
    bench.received(ViewPosition="LL", PatientOrientation=["P", "F"])
    bench.turn()
    bench.send(bench.film("frontal", SOPInstanceUID="1.2.3.5"))
    assert wait(bench, 30) is State.COMPLETE
    bench.turn()
    views = pipeline.read_views(bench.site, bench.study())
    assert views.frontal.sop_instance_uid == "1.2.3.5"
    assert views.lateral is not None
    assert views.lateral.sop_instance_uid == "1.2.3.4"


def test_the_chosen_views_are_read_back_as_they_were_chosen(bench: Bench) -> None:
    study = bench.reach(State.SELECTED)
    (instance,) = pipeline.current_instances(bench.site, study)
    views = pipeline.read_views(bench.site, study)
    assert (views.frontal, views.lateral) == (instance, None)
    assert views.reasons


def test_a_retrieved_film_is_never_chosen_as_current(bench: Bench) -> None:
    study = bench.received()
    with bench.site.ledger.writing() as rows:
        until = bench.clock() + timedelta(hours=1)
        rows.begin_retrieval("1.2.3", study.id, "archive", bench.clock(), until)
    old = bench.film("old", SOPInstanceUID="1.2.3.5")
    bench.send(old, move_originator="MAIRA_GW")
    found = pipeline.current_instances(bench.site, study)
    assert [instance.sop_instance_uid for instance in found] == ["1.2.3.4"]


@pytest.mark.parametrize(
    "state",
    [State.COMPLETE, State.SELECTED, State.GATHERED, State.REPORTED, State.ENCODED],
)
def test_a_stage_that_runs_twice_ends_the_same(bench: Bench, state: State) -> None:
    study = bench.reach(state)
    outcomes = [pipeline.STAGES[state](bench.site, study) for _ in range(2)]
    first, second = outcomes
    assert type(first) is type(second)
    assert getattr(first, "event", None) is getattr(second, "event", None)
    assert getattr(first, "results", ()) == getattr(second, "results", ())
    documents = [getattr(one, "documents", {}) for one in outcomes]
    assert documents[0] == documents[1]
    assert next_state(state, getattr(first, "event", None) or Event.GAVE_UP)


def test_what_a_stage_kept_belongs_to_its_revision(bench: Bench) -> None:
    study = bench.reach(State.REPORTED)
    bench.send(bench.film("other", SOPInstanceUID="1.2.3.5"))
    reopened = bench.study()
    with bench.site.ledger.reading() as rows:
        assert rows.document(study.id, 1, Document.REPORTS) is not None
        assert rows.document(reopened.id, 2, Document.REPORTS) is None


def test_one_study_that_fails_does_not_keep_another_from_being_complete(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.counts = [RuntimeError("a broken answer"), None]
    bench.send(bench.film())
    other = {"StudyInstanceUID": "1.2.4", "SOPInstanceUID": "1.2.4.1"}
    bench.send(bench.film("other", **other))
    assert wait(bench, 60) is State.RECEIVING
    assert bench.study().reason == "RuntimeError: a broken answer"
    assert bench.study("1.2.4").state is State.COMPLETE


def test_a_silent_archive_costs_one_deadline_however_many_studies_wait(
    bench: Bench, priors: ScriptedPriors
) -> None:
    priors.counts = [AWAY] * 9
    for number in range(4):
        uid = f"1.2.4{number}"
        film = {"StudyInstanceUID": uid, "SOPInstanceUID": f"{uid}.1"}
        bench.send(bench.film(uid, **film))
    bench.clock.add(seconds=60)
    assert bench.complete() == 4
    assert len(priors.counted) == 1
