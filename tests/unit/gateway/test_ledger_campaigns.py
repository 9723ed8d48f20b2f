"""Claims by group, and what the ledger keeps of campaigns."""

from collections.abc import Iterator
from contextlib import suppress

import pytest

from gateway.errors import LostRace
from gateway.fairness import NO_PROJECT, PLAIN, Group, Priority
from gateway.ledger import (
    Admission,
    CampaignRecord,
    CampaignState,
    CohortRecord,
    CohortState,
    Ledger,
    StudyRecord,
    Writing,
)
from gateway.lifecycle import WORKING, Event, State
from tests.data.ledgers import NOW, STUDY_UID, at, given_campaign, url_of

URGENT = Group(priority=Priority.URGENT)
LUNG = Group(priority=Priority.BACK_FILL, project="lung")
UIDS = ("1.2.1", "1.2.2", "1.2.3")


class _Undone(Exception):  # noqa: N818 - says what is meant
    """Ends a test: nothing of it is kept."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path_factory.mktemp("ledger")))
    yield ledger
    ledger.close()


@pytest.fixture
def rows(ledger: Ledger) -> Iterator[Writing]:
    with suppress(_Undone), ledger.writing() as rows:
        yield rows
        raise _Undone


def opened(rows: Writing, uid: str, group: Group, seconds: float = 0) -> StudyRecord:
    admission = Admission(group=group)
    return rows.open_study(uid, "MODALITY", at(seconds), None, admission)


def claimed(rows: Writing, group: Group | None, seconds: float = 60) -> str | None:
    study = rows.claim(WORKING, at(seconds), f"{seconds}", 60.0, group)
    return None if study is None else study.study_instance_uid


def ask(
    rows: Writing, campaign: CampaignRecord, seconds: float = 0
) -> CohortRecord | None:
    return rows.claim_cohort(
        campaign, at(seconds), until=at(seconds + 600), next_at=at(seconds)
    )


def test_a_claim_takes_of_its_group_what_is_due_the_longest(rows: Writing) -> None:
    opened(rows, "1.1", PLAIN, 0)
    opened(rows, "1.2", URGENT, 2)
    opened(rows, "1.3", URGENT, 1)
    assert [claimed(rows, URGENT) for _ in range(3)] == ["1.3", "1.2", None]
    assert claimed(rows, LUNG) is None
    assert claimed(rows, PLAIN) == "1.1"


def test_groups_wait_that_a_claim_finds_something_of(rows: Writing) -> None:
    assert rows.waiting_groups(WORKING, at(9)) == []
    opened(rows, "1.1", URGENT)
    study = opened(rows, "1.2", LUNG)
    assert set(rows.waiting_groups(WORKING, at(9))) == {URGENT, LUNG}
    assert rows.waiting_groups([State.COMPLETE], at(9)) == []
    rows.postpone(study, not_before=at(100), reason="later", attempts=0)
    assert rows.waiting_groups(WORKING, at(9)) == [URGENT]
    assert rows.claim(WORKING, at(9), "worker", 60.0, URGENT)
    assert rows.waiting_groups(WORKING, at(9)) == []
    assert set(rows.waiting_groups(WORKING, at(100))) == {URGENT, LUNG}


def test_what_is_postponed_is_due_when_it_was_put_off_to(rows: Writing) -> None:
    first, _ = opened(rows, "1.1", PLAIN), opened(rows, "1.2", PLAIN, 1)
    rows.postpone(first, not_before=at(2), reason="later", attempts=0)
    assert [claimed(rows, PLAIN, 9) for _ in range(2)] == ["1.2", "1.1"]


def test_a_study_that_became_urgent_is_claimed_as_such(rows: Writing) -> None:
    study = opened(rows, "1.1", LUNG)
    rows.regroup(study.id, Group(priority=Priority.URGENT, project="lung"))
    assert claimed(rows, LUNG) is None
    (group,) = rows.waiting_groups(WORKING, at(9))
    assert (group.priority, group.project) == (Priority.URGENT, "lung")


def test_a_study_that_is_let_out_is_lost_to_who_keeps_it_back(rows: Writing) -> None:
    study = rows.open_study("1.1", "ARCHIVE", NOW, None, Admission(emit=False))
    mine = rows.claim(WORKING, at(1), "worker", 60.0)
    assert mine is not None
    assert not study.emit
    rows.let_out(study.id)
    assert rows.study_by_id(study.id).emit
    with pytest.raises(LostRace):
        rows.move(mine, Event.QUIET_PERIOD_ENDED, at(2))


def test_others_wait_for_the_engine_but_no_back_fill_does(rows: Writing) -> None:
    opened(rows, "1.1", LUNG)
    assert not rows.others_wait([State.RECEIVING])
    opened(rows, "1.2", PLAIN)
    assert rows.others_wait([State.RECEIVING])
    assert not rows.others_wait([State.COMPLETE])


def test_a_campaign_is_kept_with_its_studies_in_order(rows: Writing) -> None:
    campaign = given_campaign(rows, UIDS)
    assert rows.campaign("lung") == campaign
    assert (campaign.state, campaign.started_by) == (CampaignState.RUNNING, "ann")
    found = rows.campaign_cohort(campaign.id, [CohortState.WAITING], 10)
    assert [each.study_instance_uid for each in found] == list(UIDS)
    counts = rows.campaign_counts(campaign.id)
    assert (counts.total, counts.cohort) == (3, {CohortState.WAITING: 3})


def test_more_studies_than_one_statement_takes_are_kept(rows: Writing) -> None:
    campaign = given_campaign(rows, [f"1.2.{n}" for n in range(2345)])
    assert rows.campaign_counts(campaign.id).total == 2345


def test_a_name_is_taken_once_and_nothing_of_the_second_is_kept(rows: Writing) -> None:
    given_campaign(rows, UIDS)
    with pytest.raises(LostRace, match="there is a campaign"):
        given_campaign(rows, ["1.9"])
    assert len(rows.campaigns()) == 1


def test_studies_are_asked_for_in_order_each_once(rows: Writing) -> None:
    campaign = given_campaign(rows, UIDS)
    asked = [ask(rows, campaign, n) for n in range(4)]
    assert [each and each.study_instance_uid for each in asked] == [*UIDS, None]
    assert rows.campaign_in_flight(campaign.id, 10) == 3
    assert rows.campaign_in_flight(campaign.id, 2) == 2


def test_nothing_is_asked_for_before_the_pace_allows_it(rows: Writing) -> None:
    campaign = given_campaign(rows, UIDS)
    assert rows.claim_cohort(campaign, NOW, until=at(600), next_at=at(60))
    assert ask(rows, campaign, 59) is None
    rows.delay_campaign(campaign.id, at(90))
    rows.delay_campaign(campaign.id, at(30))
    assert ask(rows, campaign, 60) is None
    assert ask(rows, campaign, 90)


@pytest.mark.parametrize("state", [CampaignState.PAUSED, CampaignState.CANCELLED])
def test_nothing_is_asked_for_while_a_campaign_does_not_run(
    rows: Writing, state: CampaignState
) -> None:
    campaign = given_campaign(rows, UIDS)
    rows.set_campaign(campaign, state, at(1))
    assert ask(rows, campaign, 2) is None


def test_a_campaign_is_changed_as_it_was_read(rows: Writing) -> None:
    campaign = given_campaign(rows, UIDS)
    paused = rows.set_campaign(campaign, CampaignState.PAUSED, at(1))
    assert (paused.state, paused.changed_at) == (CampaignState.PAUSED, at(1))
    with pytest.raises(LostRace, match="no longer running"):
        rows.set_campaign(campaign, CampaignState.CANCELLED, at(2))


def test_who_dies_while_asking_is_seen_and_the_study_asked_for_again(
    rows: Writing,
) -> None:
    campaign = given_campaign(rows, UIDS[:1])
    assert ask(rows, campaign)
    assert ask(rows, campaign, 599) is None
    again = ask(rows, campaign, 601)
    assert again is not None
    assert again.attempts == 1


def test_a_start_takes_up_at_once_what_was_asked_for(rows: Writing) -> None:
    campaign = given_campaign(rows, UIDS[:1])
    first = ask(rows, campaign)
    assert first is not None
    rows.free_cohorts()
    assert ask(rows, campaign, 1)
    with pytest.raises(LostRace):
        rows.settle_cohort(first, CohortState.TAKEN, None)


def test_a_study_that_is_put_off_holds_up_no_other(rows: Writing) -> None:
    campaign = given_campaign(rows, UIDS)
    first = ask(rows, campaign)
    assert first is not None
    rows.postpone_cohort(first, at(100), "refused", 1)
    asked = [ask(rows, campaign, seconds) for seconds in (1, 2, 3, 100)]
    uids = [each and each.study_instance_uid for each in asked]
    assert uids == ["1.2.2", "1.2.3", None, "1.2.1"]


def test_a_campaign_is_over_when_nothing_is_to_be_asked_for_or_read(
    rows: Writing,
) -> None:
    campaign = given_campaign(rows, UIDS[:1])
    assert not rows.campaign_is_over(campaign.id)
    asked = ask(rows, campaign)
    assert asked is not None
    assert not rows.campaign_is_over(campaign.id)
    admission = Admission(group=LUNG, campaign_id=campaign.id)
    study = rows.open_study(UIDS[0], "ARCHIVE", NOW, None, admission)
    rows.settle_cohort(asked, CohortState.TAKEN, None)
    assert not rows.campaign_is_over(campaign.id)
    rows.move(study, Event.GAVE_UP, at(1))
    assert rows.campaign_is_over(campaign.id)
    assert rows.campaign_counts(campaign.id).studies == {State.PARKED: 1}


def test_what_a_campaign_asked_for_lately_comes_as_its_own(rows: Writing) -> None:
    campaign = given_campaign(rows, [STUDY_UID], project="lung")
    assert rows.asked_by_campaign(STUDY_UID, NOW) is None
    assert ask(rows, campaign)
    found = rows.asked_by_campaign(STUDY_UID, at(3599))
    assert found is not None
    peer, admission = found
    assert (peer, admission.group, admission.emit) == ("archive", LUNG, False)
    assert admission.campaign_id == campaign.id
    assert rows.asked_by_campaign(STUDY_UID, at(3601)) is None


def test_what_did_not_come_is_nobodys(rows: Writing) -> None:
    campaign = given_campaign(rows, [STUDY_UID])
    asked = ask(rows, campaign)
    assert asked is not None
    rows.settle_cohort(asked, CohortState.FAILED, "unknown")
    assert rows.asked_by_campaign(STUDY_UID, at(1)) is None


def test_studies_of_no_project_are_a_group_of_their_own(rows: Writing) -> None:
    opened(rows, "1.1", PLAIN)
    (group,) = rows.waiting_groups(WORKING, at(1))
    assert group.project == NO_PROJECT
