"""As what a study is opened that a peer sends: its priority and its project."""

from collections.abc import Callable
from datetime import datetime

from config.settings import Settings
from dicom_io.sink import StoreFacts
from gateway.fairness import NO_PROJECT, Group, Priority
from gateway.ledger import Writing
from gateway.ledger.records import ORDINARY, Admission

AdmissionRule = Callable[[str], Admission]
"""Decides by the calling AE title."""


def admit_as_ordinary(_title: str) -> Admission:
    """Admit whoever sends as everybody else."""
    return ORDINARY


def asked_by_campaign(
    rows: Writing, facts: StoreFacts, study_instance_uid: str, now: datetime
) -> Admission | None:
    """Return as what a campaign has a study brought that it asked for lately.

    None: no campaign did, or it comes from somebody else, who wants it read.
    """
    asked = rows.asked_by_campaign(study_instance_uid, now)
    if asked is None:
        return None
    peer, admission = asked
    is_of_peer = facts.peer is not None and facts.peer.name == peer
    return admission if is_of_peer or facts.move_originator is not None else None


def admission_rule(settings: Settings) -> AdmissionRule:
    """Return the rule of a site's settings."""
    queue = settings.queue
    priorities = {
        **dict.fromkeys(queue.urgent_titles, Priority.URGENT),
        **dict.fromkeys(queue.back_fill_titles, Priority.BACK_FILL),
    }
    projects = {
        title: name
        for name, project in settings.projects.items()
        for title in project.titles
    }

    def admit(title: str) -> Admission:
        priority = priorities.get(title, Priority.ROUTINE)
        project = projects.get(title, NO_PROJECT)
        return Admission(group=Group(priority=priority, project=project))

    return admit
