"""What a person may do about a study as it stands; pure, and carried out as seen."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.errors import IllegalMove, LostRace, NoSuchStudy
from gateway.ledger import Ledger, StudyRecord
from gateway.lifecycle import TRANSITIONS, Event, State
from gateway.people import Decider
from gateway.showing.resending import PARKED, Wanted, resend
from gateway.showing.review import Decision, StudyDetail, decide, event_of
from gateway.stages.withdrawal import retract


class Choice(StrEnum):
    """What a person may choose."""

    RELEASE = "release"
    REJECT = "reject"
    RETRY = "retry"
    RERUN = "rerun"
    RETRACT = "retract"
    RESEND = "resend"


WHAT_FOLLOWS = {
    Choice.RELEASE: "Its results are made and sent to every destination.",
    Choice.REJECT: "No result leaves; the study ends here.",
    Choice.RETRY: "What failed is done again: read anew, or the same results sent.",
    Choice.RERUN: "The model reads the study anew; the new results name the present "
    "ones as their predecessors and are sent.",
    Choice.RETRACT: "Whoever may have got results is told that they are withdrawn.",
    Choice.RESEND: "What a destination refused is sent to it again.",
}
"""What a person is told before a choice; one for each."""

IN_A_ROLE = frozenset({Choice.RELEASE, Choice.REJECT, Choice.RERUN, Choice.RETRACT})
"""Choices about whether results leave: whoever makes one states a role."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A study as the person saw it who chooses."""

    study_instance_uid: str
    state: State
    revision: int


def choices_of(detail: StudyDetail, *, is_sent: bool) -> tuple[Choice, ...]:
    """Return what may be chosen about a study just now, the usual first.

    is_sent : the site names a destination; without one nothing is sent again.
    """
    nobody = detail.study.state is State.KEPT and not is_sent
    return tuple(
        each
        for each in Choice
        if _is_open(each, detail) and not (nobody and each is Choice.RETRY)
    )


def _is_open(choice: Choice, detail: StudyDetail) -> bool:
    state = detail.study.state
    match choice:
        case Choice.RESEND:
            return any(row.state in PARKED for row in detail.deliveries)
        case Choice.RETRACT:
            return (state, Event.RETRACTED) in TRANSITIONS and bool(detail.results)
        case _:
            return _decides(state, Decision(choice.value), detail)


def _decides(state: State, decision: Decision, detail: StudyDetail) -> bool:
    try:
        event_of(state, decision, has_results=bool(detail.results))
    except IllegalMove:
        return False
    return True


def choose(
    ledger: Ledger, seen: Seen, choice: Choice, by: Decider, now: datetime
) -> StudyRecord:
    """Carry out what a person chose about a study that is still as it was seen.

    Raises LostRace where it has moved since: what the person saw is not what would be
    decided. Raises as `decide`, `retract` and `resend` do.
    """
    uid = seen.study_instance_uid
    _demand_unmoved(ledger, seen)
    match choice:
        case Choice.RETRACT:
            return retract(ledger, uid, by, now)
        case Choice.RESEND:
            resend(ledger, Wanted(study_instance_uid=uid), by, now)
            return _study(ledger, uid)
        case _:
            return decide(ledger, uid, Decision(choice.value), by, now)


def _demand_unmoved(ledger: Ledger, seen: Seen) -> None:
    study = _study(ledger, seen.study_instance_uid)
    if (study.state, study.revision) != (seen.state, seen.revision):
        raise LostRace(
            f"the study is {study.state} by now, in revision {study.revision}: look "
            "at it again"
        )


def _study(ledger: Ledger, study_instance_uid: str) -> StudyRecord:
    with ledger.reading() as rows:
        study = rows.study(study_instance_uid)
    if study is None:
        raise NoSuchStudy(f"no study {study_instance_uid[:64]!r}")
    return study
