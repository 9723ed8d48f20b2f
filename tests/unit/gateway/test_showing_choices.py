"""What a person may choose about a study, and that it is carried out as it was seen."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.errors import LostRace, NoSuchStudy, RoleNotStated
from gateway.ledger import Ledger
from gateway.lifecycle import Event, State
from gateway.people import Decider, PersonRole
from gateway.showing.choices import (
    IN_A_ROLE,
    WHAT_FOLLOWS,
    Choice,
    Seen,
    choices_of,
    choose,
)
from gateway.showing.review import study_detail
from tests.data.ledgers import NOW, url_of

UID = "1.2.3"
ANNA = Decider(name="anna", why="looked at it", role=PersonRole.RADIOLOGIST)
HELD = (
    Event.QUIET_PERIOD_ENDED,
    Event.VIEWS_CHOSEN,
    Event.PRIOR_SETTLED,
    Event.REPORT_HELD,
)
KEPT = (
    *HELD[:3],
    Event.REPORT_WRITTEN,
    Event.RESULTS_ENCODED,
    Event.RESULTS_KEPT,
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    yield opened
    opened.close()


def bring_to(ledger: Ledger, *events: Event) -> None:
    with ledger.writing() as rows:
        study = rows.open_study(UID, "MODALITY", NOW)
        for event in events:
            study = rows.move(study, event, NOW)


def choices(ledger: Ledger, *, is_sent: bool = True) -> tuple[Choice, ...]:
    with ledger.reading() as rows:
        return choices_of(study_detail(rows, UID), is_sent=is_sent)


def seen(state: State, revision: int = 1) -> Seen:
    return Seen(study_instance_uid=UID, state=state, revision=revision)


def test_a_held_study_is_released_or_rejected(ledger: Ledger) -> None:
    bring_to(ledger, *HELD)
    assert choices(ledger) == (Choice.RELEASE, Choice.REJECT)


def test_a_study_at_work_leaves_nothing_to_choose(ledger: Ledger) -> None:
    bring_to(ledger, *HELD[:2])
    assert choices(ledger) == ()


def test_what_is_kept_is_sent_only_where_somebody_is_to_get_it(ledger: Ledger) -> None:
    bring_to(ledger, *KEPT)
    assert choices(ledger) == (Choice.RETRY, Choice.RERUN)
    assert choices(ledger, is_sent=False) == (Choice.RERUN,)


def test_every_choice_says_what_follows() -> None:
    assert set(WHAT_FOLLOWS) == set(Choice)
    assert set(Choice) > IN_A_ROLE


def test_a_choice_is_carried_out(ledger: Ledger) -> None:
    bring_to(ledger, *HELD)
    moved = choose(ledger, seen(State.HELD), Choice.RELEASE, ANNA, NOW)
    assert moved.state is State.REPORTED


@pytest.mark.parametrize("what", [seen(State.KEPT), seen(State.HELD, 2)])
def test_what_has_moved_since_it_was_seen_is_not_decided(
    ledger: Ledger, what: Seen
) -> None:
    bring_to(ledger, *HELD)
    with pytest.raises(LostRace, match="held by now, in revision 1: look at it again"):
        choose(ledger, what, Choice.RELEASE, ANNA, NOW)
    with ledger.reading() as rows:
        study = rows.study(UID)
    assert study
    assert study.state is State.HELD


@pytest.mark.parametrize("choice", sorted(IN_A_ROLE))
def test_what_leaves_is_decided_in_a_role(ledger: Ledger, choice: Choice) -> None:
    bring_to(ledger, *HELD)
    nobody = Decider(name="anna", why="")
    with pytest.raises(RoleNotStated):
        choose(ledger, seen(State.HELD), choice, nobody, NOW)


def test_a_study_that_is_not_there_leaves_nothing_to_choose(ledger: Ledger) -> None:
    with pytest.raises(NoSuchStudy):
        choose(ledger, seen(State.HELD), Choice.RELEASE, ANNA, NOW)
