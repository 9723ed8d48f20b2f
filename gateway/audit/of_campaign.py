"""Audit messages about campaigns: who started and paused what, and what came of it.

Sections are those of PS3.15 A.5.3.
"""

from collections.abc import Mapping
from datetime import datetime

from gateway.audit import codes, parts
from gateway.audit.message import Action, AuditEntry, Code, Outcome, Participant
from gateway.audit.parts import Happening
from gateway.people import Decider

_DECISIONS: Mapping[str, Code] = {
    "paused": codes.CAMPAIGN_PAUSED,
    "resumed": codes.CAMPAIGN_RESUMED,
    "cancelled": codes.CAMPAIGN_CANCELLED,
}


def campaign_queried(
    keys: Mapping[str, str], source: str, found: int, by: Decider, now: datetime
) -> AuditEntry:
    """Record that a person asked an archive for the studies of a campaign (A.5.3.10).

    `keys` are those of the questions; of patients nothing was asked.
    """
    what = Happening(
        event=codes.QUERY,
        event_type=codes.CAMPAIGN_QUERIED,
        action=Action.EXECUTE,
        at=now,
        detail=f"{found} studies named by {source}",
    )
    archive = parts.node(source, None, is_requestor=False, role=codes.SOURCE)
    us = parts.gateway(is_requestor=False, role=codes.DESTINATION)
    return parts.record(
        what, [*parts.deciders(by), us, archive], [parts.study_query(dict(keys))]
    )


def campaign_started(
    name: str, told: str, by: Decider, now: datetime, *, emit: bool
) -> AuditEntry:
    """Record that a person started a campaign, and whether its results leave."""
    leave = "are sent to the destinations" if emit else "stay here"
    detail = f"campaign {name}: {told}; results {leave}; by {by}: {by.why}"
    return _of_person(codes.CAMPAIGN_STARTED, detail, by, now)


def campaign_decided(
    name: str, decision: str, by: Decider, now: datetime
) -> AuditEntry:
    """Record that a person paused, resumed or cancelled a campaign."""
    detail = f"{decision} campaign {name} by {by}: {by.why}"
    return _of_person(_DECISIONS[decision], detail, by, now)


def campaign_study(
    study_instance_uid: str,
    source: str,
    told: str,
    now: datetime,
    *,
    came: bool,
) -> AuditEntry:
    """Record what became of a study that a campaign asked for."""
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.CAMPAIGN_STUDY,
        action=Action.CREATE,
        at=now,
        outcome=Outcome.SUCCESS if came else Outcome.MINOR_FAILURE,
        detail=told,
    )
    archive = parts.node(source, None, is_requestor=False, role=codes.SOURCE)
    return parts.record(
        what,
        [parts.gateway(is_requestor=True, role=codes.DESTINATION), archive],
        [parts.study(study_instance_uid)],
        study_instance_uid=study_instance_uid,
    )


def campaign_ended(name: str, told: str, now: datetime) -> AuditEntry:
    """Record that all studies of a campaign were asked for and are done."""
    what = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=codes.CAMPAIGN_ENDED,
        action=Action.EXECUTE,
        at=now,
        detail=f"campaign {name}: {told}",
    )
    return parts.record(what, [parts.application(is_requestor=True)])


def _of_person(kind: Code, detail: str, by: Decider, now: datetime) -> AuditEntry:
    what = Happening(
        event=codes.APPLICATION_ACTIVITY,
        event_type=kind,
        action=Action.EXECUTE,
        at=now,
        detail=detail,
    )
    us: list[Participant] = [parts.application(is_requestor=False)]
    return parts.record(what, [*parts.deciders(by), *us])
