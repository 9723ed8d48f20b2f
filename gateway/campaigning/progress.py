"""How far a campaign is, in numbers; pure."""

from dataclasses import dataclass

from gateway.ledger import CampaignCounts, CohortState
from gateway.lifecycle import WORKING, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where the studies of a campaign are, in groups that people ask for.

    `waiting` : not asked for yet, or just now. `at_work` : here, and not done. `read` :
    results are made. `declined`, `parked` : as with every study; held ones wait for a
    person and count as parked. `known` : here before. `failed` : did not come.
    """

    total: int
    waiting: int
    at_work: int
    read: int
    declined: int
    parked: int
    known: int
    failed: int

    @property
    def done(self) -> int:
        """How many nothing more is done for by itself."""
        return self.total - self.waiting - self.at_work


_READ = (
    State.ENCODED,
    State.STORED,
    State.COMMITTED,
    State.KEPT,
    State.WITHDRAWN,
    State.PURGED,
)
_WITH_A_PERSON = (State.PARKED, State.HELD, State.REJECTED)


def progress_of(counts: CampaignCounts) -> Progress:
    """Return the counts in groups; a study that is being sent is read."""
    cohort, studies = counts.cohort, counts.studies

    def sum_of(states: tuple[State, ...]) -> int:
        return sum(studies.get(state, 0) for state in states)

    at_work = tuple(state for state in WORKING if state not in _READ)
    return Progress(
        total=counts.total,
        waiting=cohort.get(CohortState.WAITING, 0) + cohort.get(CohortState.ASKED, 0),
        at_work=sum_of(at_work),
        read=sum_of(_READ),
        declined=sum_of((State.DECLINED,)),
        parked=sum_of(_WITH_A_PERSON),
        known=cohort.get(CohortState.KNOWN, 0),
        failed=cohort.get(CohortState.FAILED, 0),
    )
