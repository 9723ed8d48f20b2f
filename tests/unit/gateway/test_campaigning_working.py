"""Rounds of a campaign at a bench: an archive that is a script, a clock that is set."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.errors import PeerRefused, PeerUnreachable
from dicom_io.status import Status
from gateway.campaigning.managing import decide, start
from gateway.campaigning.showing import shown_campaign, why_held_up
from gateway.campaigning.working import work
from gateway.errors import CampaignRefused
from gateway.fairness import Group, Priority
from gateway.ledger import (
    AuditFilter,
    CampaignRecord,
    CampaignState,
    CohortRecord,
    CohortState,
    NewCampaign,
    Throttle,
)
from gateway.lifecycle import State
from gateway.people import Decider
from gateway.stages.delivery import KEPT_BACK
from tests.data.films import film_dataset, write_film
from tests.data.stages import Bench, ScriptedPriors, bench_at, prior_film

ARCHIVE = RemoteAE(name="archive", title=AETitle("ARCHIVE"), host="127.0.0.1", port=1)
PACS = replace(ARCHIVE, name="pacs")
ANN = Decider(name="ann", why="for the study of lungs")
FIRST, SECOND = "1.2.91", "1.2.92"
QUICK: Table = {
    "work": {"max_attempts": 2, "first_pause_seconds": 5.0, "max_pause_seconds": 5.0},
    "prior": {"enabled": False},
    "completeness": {"ask_archive": False},
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A site whose archive holds two films, and is asked for nothing else."""
    priors = ScriptedPriors(peer=ARCHIVE)
    priors.holds = {uid: [prior_film(tmp_path, uid)] for uid in (FIRST, SECOND)}
    with bench_at(tmp_path, QUICK, priors=priors, destinations=[PACS]) as opened:
        yield opened


def archive(bench: Bench) -> ScriptedPriors:
    assert isinstance(bench.site.priors, ScriptedPriors)
    return bench.site.priors


def begin(
    bench: Bench, uids: Sequence[str] = (FIRST, SECOND), **changes: object
) -> CampaignRecord:
    """Start a campaign of a study a minute at any hour."""
    throttle = Throttle(per_hour=60.0, in_flight=9, opens="00:00", closes="00:00")
    plain: dict[str, object] = {
        "name": "lung",
        "project": "lung",
        "emit": False,
        "peer": "archive",
        "source": "file",
        "throttle": throttle,
    }
    new = NewCampaign(**{**plain, **changes})  # type: ignore[arg-type]
    return start(bench.site.ledger, new, uids, ANN, bench.clock())


def cohort(bench: Bench) -> list[CohortRecord]:
    with bench.site.ledger.reading() as rows:
        campaign = rows.campaign("lung")
        assert campaign is not None
        return rows.campaign_cohort(campaign.id, [*CohortState], 100)


def states(bench: Bench) -> list[CohortState]:
    return [each.state for each in cohort(bench)]


def round_after(bench: Bench, seconds: float = 61.0) -> None:
    bench.clock.add(seconds=seconds)
    work(bench.site)


def read_to_the_end(bench: Bench) -> None:
    bench.clock.add(seconds=60)
    while bench.turn():
        pass


def events(bench: Bench) -> list[str | None]:
    with bench.site.ledger.reading() as rows:
        records = rows.audit(AuditFilter(limit=1000))
    return [record.event_type for record in records]


def test_a_study_comes_as_a_back_fill_that_keeps_its_results(bench: Bench) -> None:
    campaign = begin(bench)
    work(bench.site)
    study = bench.study(FIRST)
    assert study.group == Group(priority=Priority.BACK_FILL, project="lung")
    assert (study.emit, study.campaign_id) == (False, campaign.id)
    assert states(bench) == [CohortState.TAKEN, CohortState.WAITING]
    assert "campaign-study" in events(bench)


def test_the_next_one_is_asked_for_at_its_pace(bench: Bench) -> None:
    begin(bench)
    work(bench.site)
    work(bench.site)
    round_after(bench, 59.0)
    assert archive(bench).retrieved == [FIRST]
    round_after(bench, 1.0)
    assert archive(bench).retrieved == [FIRST, SECOND]


def test_no_more_are_here_at_one_time_than_it_may_have(bench: Bench) -> None:
    one = Throttle(per_hour=60.0, in_flight=1, opens="00:00", closes="00:00")
    begin(bench, throttle=one)
    work(bench.site)
    round_after(bench)
    assert archive(bench).retrieved == [FIRST]
    read_to_the_end(bench)
    round_after(bench)
    assert archive(bench).retrieved == [FIRST, SECOND]


def test_results_stay_here_and_the_campaign_ends(bench: Bench) -> None:
    begin(bench)
    work(bench.site)
    round_after(bench)
    read_to_the_end(bench)
    study = bench.study(FIRST)
    assert (study.state, study.reason) == (State.KEPT, KEPT_BACK)
    with bench.site.ledger.reading() as rows:
        assert rows.results(study.id)
        assert rows.deliveries(study.id, study.revision) == []
    round_after(bench)
    with bench.site.ledger.reading() as rows:
        campaign = rows.campaign("lung")
        assert campaign is not None
        shown = shown_campaign(rows, campaign)
    assert shown.state is CampaignState.ENDED
    assert (shown.progress.read, shown.progress.done) == (2, 2)
    assert events(bench).count("campaign-ended") == 1


def test_what_is_sent_to_be_read_is_the_campaigns_no_longer(bench: Bench) -> None:
    begin(bench)
    work(bench.site)
    read_to_the_end(bench)
    (film,) = archive(bench).holds[FIRST]
    assert bench.send(film) is Status.SUCCESS
    study = bench.study(FIRST)
    assert (study.state, study.revision) == (State.ENCODED, 1)
    assert (study.emit, study.priority) == (True, Priority.ROUTINE)


def test_what_the_archive_sends_late_stays_the_campaigns(bench: Bench) -> None:
    begin(bench)
    work(bench.site)
    (film,) = archive(bench).holds[FIRST]
    assert bench.send(film, peer=ARCHIVE) is Status.SUCCESS
    assert not bench.study(FIRST).emit


def test_a_study_that_is_here_is_passed_over_at_once(bench: Bench) -> None:
    (film,) = archive(bench).holds[FIRST]
    bench.send(film)
    begin(bench)
    work(bench.site)
    assert archive(bench).retrieved == [SECOND]
    assert states(bench) == [CohortState.KNOWN, CohortState.TAKEN]
    assert bench.study(FIRST).emit


def test_a_study_that_the_archive_does_not_know_has_failed(bench: Bench) -> None:
    archive(bench).counts = [0]
    begin(bench)
    work(bench.site)
    first = cohort(bench)[0]
    assert first.state is CohortState.FAILED
    assert first.detail == "archive knows no such study"
    assert archive(bench).retrieved == []


def test_a_study_of_which_nothing_comes_has_failed(bench: Bench) -> None:
    begin(bench, ["1.2.99"])
    work(bench.site)
    assert cohort(bench)[0].detail == "nothing of it came"


def test_a_study_that_is_no_chest_film_is_declined(
    bench: Bench, tmp_path: Path
) -> None:
    hand = film_dataset(
        StudyInstanceUID=FIRST,
        SOPInstanceUID=f"{FIRST}.7",
        BodyPartExamined="HAND",
    )
    archive(bench).holds[FIRST] = [write_film(tmp_path / "hand.dcm", hand)]
    begin(bench, [FIRST])
    work(bench.site)
    read_to_the_end(bench)
    assert bench.study(FIRST).state is State.DECLINED
    round_after(bench)
    with bench.site.ledger.reading() as rows:
        (campaign,) = rows.campaigns([CampaignState.ENDED])
        assert shown_campaign(rows, campaign).progress.declined == 1


def test_an_archive_that_is_away_costs_no_study_a_try(bench: Bench) -> None:
    archive(bench).counts = [PeerUnreachable("no route")]
    begin(bench)
    work(bench.site)
    assert [(each.state, each.attempts) for each in cohort(bench)] == [
        (CohortState.WAITING, 0),
        (CohortState.WAITING, 0),
    ]
    round_after(bench)
    assert states(bench)[0] is CohortState.TAKEN


def test_a_study_that_is_refused_again_and_again_has_failed(bench: Bench) -> None:
    archive(bench).retrieval_failures = [PeerRefused("0xa702")] * 2
    archive(bench).holds = {}
    begin(bench, [FIRST])
    work(bench.site)
    assert cohort(bench)[0].attempts == 1
    round_after(bench)
    assert states(bench) == [CohortState.FAILED]
    assert cohort(bench)[0].detail == "0xa702"


def test_a_study_that_did_not_come_whole_is_asked_for_again(bench: Bench) -> None:
    archive(bench).is_whole = False
    begin(bench, [FIRST])
    work(bench.site)
    assert states(bench) == [CohortState.WAITING]
    round_after(bench)
    assert states(bench) == [CohortState.TAKEN]
    assert "not whole" in (cohort(bench)[0].detail or "")


def test_it_waits_while_a_routine_study_waits_for_the_engine(bench: Bench) -> None:
    bench.received()
    begin(bench)
    work(bench.site)
    assert archive(bench).retrieved == []
    with bench.site.ledger.reading() as rows:
        (campaign,) = rows.campaigns()
        why = why_held_up(bench.site, rows, campaign)
    assert why == "urgent or routine studies wait"
    read_to_the_end(bench)
    work(bench.site)
    assert archive(bench).retrieved == [FIRST]


def test_a_paused_campaign_asks_for_nothing_and_goes_on_when_resumed(
    bench: Bench,
) -> None:
    begin(bench)
    work(bench.site)
    decide(bench.site.ledger, "lung", "paused", ANN, bench.clock())
    round_after(bench)
    assert archive(bench).retrieved == [FIRST]
    decide(bench.site.ledger, "lung", "resumed", ANN, bench.clock())
    round_after(bench)
    assert archive(bench).retrieved == [FIRST, SECOND]
    said = [each for each in events(bench) if each and each.startswith("campaign-")]
    wanted = ["campaign-started", "campaign-paused", "campaign-resumed"]
    assert [each for each in said if each != "campaign-study"] == wanted


def test_a_cancelled_campaign_reads_what_is_here_and_asks_for_nothing(
    bench: Bench,
) -> None:
    begin(bench)
    work(bench.site)
    decide(bench.site.ledger, "lung", "cancelled", ANN, bench.clock())
    read_to_the_end(bench)
    round_after(bench)
    assert archive(bench).retrieved == [FIRST]
    assert bench.study(FIRST).state is State.KEPT
    with pytest.raises(CampaignRefused, match="is cancelled: it cannot be resumed"):
        decide(bench.site.ledger, "lung", "resumed", ANN, bench.clock())


def test_whoever_dies_while_a_study_comes_leaves_it_to_the_next(bench: Bench) -> None:
    begin(bench, [FIRST])

    def die() -> None:
        archive(bench).on_retrieve = lambda: None
        raise KeyboardInterrupt

    archive(bench).on_retrieve = die
    with pytest.raises(KeyboardInterrupt):
        work(bench.site)
    assert states(bench) == [CohortState.ASKED]
    with bench.site.ledger.writing() as rows:
        rows.free_cohorts()
    round_after(bench)
    assert states(bench) == [CohortState.TAKEN]
    assert bench.study(FIRST).revision == 1


def test_a_study_that_workers_die_of_is_given_up(bench: Bench) -> None:
    begin(bench, [FIRST])

    def die() -> None:
        raise KeyboardInterrupt

    archive(bench).on_retrieve = die
    for _ in range(2):
        bench.clock.add(seconds=61)
        with pytest.raises(KeyboardInterrupt):
            work(bench.site)
        with bench.site.ledger.writing() as rows:
            rows.free_cohorts()
    round_after(bench)
    assert cohort(bench)[0].detail == "2 workers died of it"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": ""}, "--name"),
        ({"name": "../x"}, "--name"),
        ({"name": "x" * 65}, "--name"),
        ({"project": "a b"}, "--project"),
        ({"peer": ""}, "archive.peer names nobody"),
    ],
)
def test_what_is_no_campaign_is_refused(
    bench: Bench, changes: dict[str, object], told: str
) -> None:
    with pytest.raises(CampaignRefused, match=told):
        begin(bench, (FIRST,), **changes)
    assert events(bench) == []


def test_a_name_that_is_taken_is_refused(bench: Bench) -> None:
    begin(bench)
    with pytest.raises(CampaignRefused, match="choose another name"):
        begin(bench)


def test_an_unknown_campaign_is_told_from_the_known_ones(bench: Bench) -> None:
    begin(bench)
    with pytest.raises(CampaignRefused, match=r"no campaign 'x' \(campaigns: lung\)"):
        decide(bench.site.ledger, "x", "paused", ANN, bench.clock())
