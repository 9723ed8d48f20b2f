"""The life of a study: states, events, and every legal move; pure.

A state says what is durably true, never what is under way. `TRANSITIONS` is the
whole machine: a pair that is not in it raises `IllegalMove` and changes nothing.
The diagram in docs/lifecycle.md is generated from this table.
"""

from enum import StrEnum
from itertools import product

from gateway.errors import IllegalMove


class State(StrEnum):
    """What is durably true of a study."""

    RECEIVING = "receiving"
    """At least one current image is on disk; more may come."""
    COMPLETE = "complete"
    """Judged whole by the completeness rule."""
    SELECTED = "selected"
    """Frontal and lateral are chosen and recorded with their reasons."""
    GATHERED = "gathered"
    """The prior is on disk, or it is recorded why there is none."""
    REPORTED = "reported"
    """Reports, provenance and evidence are in the ledger."""
    ENCODED = "encoded"
    """The result objects are on disk."""
    STORED = "stored"
    """Every destination has answered success for every result."""
    COMMITTED = "committed"
    """Every destination has proved that it keeps the results. Final."""
    KEPT = "kept"
    """The results stay here: the site wrote down no destination. Final."""
    DECLINED = "declined"
    """The study is not one that the engine reads; the reason is recorded. Final."""
    HELD = "held"
    """A flag of the report waits for a person to release or reject it."""
    REJECTED = "rejected"
    """A person decided that no result leaves. Final."""
    WITHDRAWN = "withdrawn"
    """A person withdrew results that had left; who had them has been told. Final."""
    PARKED = "parked"
    """It kept failing; the reason is recorded and a person may retry it."""
    PURGED = "purged"
    """The files are deleted after their retention; the records remain. Final."""


class Event(StrEnum):
    """What happened to a study."""

    IMAGE_ARRIVED = "image-arrived"
    """A current image that was not known: opens a revision."""
    QUIET_PERIOD_ENDED = "quiet-period-ended"
    VIEWS_CHOSEN = "views-chosen"
    STUDY_DECLINED = "study-declined"
    PRIOR_SETTLED = "prior-settled"
    REPORT_WRITTEN = "report-written"
    REPORT_HELD = "report-held"
    RELEASED = "released"
    REJECTED = "rejected"
    RESULTS_ENCODED = "results-encoded"
    RESULTS_STORED = "results-stored"
    RESULTS_KEPT = "results-kept"
    RESULTS_COMMITTED = "results-committed"
    COMMITMENT_FAILED = "commitment-failed"
    """A destination does not hold what it had answered success for."""
    GAVE_UP = "gave-up"
    """The attempts are used up, or a peer refused for good."""
    RETRIED = "retried"
    """A person asked for the study to be read again from its files."""
    SENDING_RETRIED = "sending-retried"
    """A person asked for the same results to be sent again."""
    RETRACTED = "retracted"
    """A person withdraws the results: opens a revision that says so."""
    RERUN = "rerun"
    """A person has a finished study read anew: opens a revision."""
    WITHDRAWAL_COMMITTED = "withdrawal-committed"
    """Whoever had the results has proved that it keeps the withdrawal."""
    WITHDRAWAL_KEPT = "withdrawal-kept"
    """Nobody had the results: the withdrawal stays here."""
    FILES_PURGED = "files-purged"


WORKING = (
    State.RECEIVING,
    State.COMPLETE,
    State.SELECTED,
    State.GATHERED,
    State.REPORTED,
    State.ENCODED,
    State.STORED,
)
"""States with a next stage: a worker may claim a study in one of them."""

FINAL = (
    State.COMMITTED,
    State.KEPT,
    State.DECLINED,
    State.REJECTED,
    State.WITHDRAWN,
    State.PURGED,
)
"""States that only a person, a new image or the retention time ends."""

WAITING_FOR_A_PERSON = (State.HELD, State.PARKED)

TRANSITIONS: dict[tuple[State, Event], State] = {
    # The way of a study that is read and sent.
    (State.RECEIVING, Event.QUIET_PERIOD_ENDED): State.COMPLETE,
    (State.COMPLETE, Event.VIEWS_CHOSEN): State.SELECTED,
    (State.SELECTED, Event.PRIOR_SETTLED): State.GATHERED,
    (State.GATHERED, Event.REPORT_WRITTEN): State.REPORTED,
    (State.REPORTED, Event.RESULTS_ENCODED): State.ENCODED,
    (State.ENCODED, Event.RESULTS_STORED): State.STORED,
    (State.ENCODED, Event.RESULTS_KEPT): State.KEPT,
    (State.STORED, Event.RESULTS_COMMITTED): State.COMMITTED,
    (State.STORED, Event.COMMITMENT_FAILED): State.ENCODED,
    # Refusals: by the header, or by the decoded picture.
    (State.COMPLETE, Event.STUDY_DECLINED): State.DECLINED,
    (State.GATHERED, Event.STUDY_DECLINED): State.DECLINED,
    # A flag whose policy is `hold`.
    (State.GATHERED, Event.REPORT_HELD): State.HELD,
    (State.HELD, Event.RELEASED): State.REPORTED,
    (State.HELD, Event.REJECTED): State.REJECTED,
    # A person moves what stopped.
    (State.PARKED, Event.RETRIED): State.COMPLETE,
    (State.PARKED, Event.SENDING_RETRIED): State.ENCODED,
    (State.PARKED, Event.REJECTED): State.REJECTED,
    (State.DECLINED, Event.RETRIED): State.COMPLETE,
    (State.KEPT, Event.SENDING_RETRIED): State.ENCODED,
    # A person has a finished study read anew, as by another checkpoint or with a prior
    # that has come since; its SRs name those of the revision before.
    (State.COMMITTED, Event.RERUN): State.COMPLETE,
    (State.KEPT, Event.RERUN): State.COMPLETE,
    (State.REJECTED, Event.RERUN): State.COMPLETE,
    (State.WITHDRAWN, Event.RERUN): State.COMPLETE,
    # A person withdraws what may have left; the revision that says so is sent as
    # any other, and ends apart.
    (State.ENCODED, Event.RETRACTED): State.REPORTED,
    (State.STORED, Event.RETRACTED): State.REPORTED,
    (State.COMMITTED, Event.RETRACTED): State.REPORTED,
    (State.KEPT, Event.RETRACTED): State.REPORTED,
    (State.PARKED, Event.RETRACTED): State.REPORTED,
    # of an earlier revision
    (State.DECLINED, Event.RETRACTED): State.REPORTED,
    (State.REJECTED, Event.RETRACTED): State.REPORTED,
    (State.ENCODED, Event.WITHDRAWAL_KEPT): State.WITHDRAWN,
    (State.STORED, Event.WITHDRAWAL_COMMITTED): State.WITHDRAWN,
    # Retention.
    (State.COMMITTED, Event.FILES_PURGED): State.PURGED,
    (State.KEPT, Event.FILES_PURGED): State.PURGED,
    (State.DECLINED, Event.FILES_PURGED): State.PURGED,
    (State.REJECTED, Event.FILES_PURGED): State.PURGED,
    (State.WITHDRAWN, Event.FILES_PURGED): State.PURGED,
    # Whatever keeps failing is parked.
    **{(state, Event.GAVE_UP): State.PARKED for state in WORKING},
    # A new current image always opens the study (again).
    **dict.fromkeys(product(State, [Event.IMAGE_ARRIVED]), State.RECEIVING),
}


def next_state(state: State, event: Event) -> State:
    """Return the state after `event`; raise `IllegalMove` where there is none."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalMove(f"a study that is {state} has no move {event}") from None
