"""The audit messages of this gateway, one function a kind.

Each returns an entry for the ledger. Its `detail` names no patient; the message
does where the patient is known.
"""

from gateway.audit.of_node import (
    application_started,
    application_stopped,
    association_refused,
    audit_used,
    clock_set,
    licence_acknowledged,
    reserve_crossed,
)
from gateway.audit.of_peer import (
    commitment_asked,
    commitment_given,
    commitment_undelivered,
    peer_answers,
    peer_silent,
    results_resent,
)
from gateway.audit.of_prior import (
    prior_queried,
    prior_query_failed,
    prior_refused,
    prior_retrieved,
)
from gateway.audit.of_repository import (
    repository_failing,
    repository_resumed,
    repository_skipped,
)
from gateway.audit.of_source import (
    message_received,
    message_refused,
    source_queried,
)
from gateway.audit.of_study import (
    report_written,
    results_created,
    strays_purged,
    study_complete,
    study_decided,
    study_declined,
    study_moved,
    study_parked,
    study_purged,
    study_viewed,
)
from gateway.audit.of_transfer import (
    commitment_reported,
    delivery_refused,
    instance_quarantined,
    instance_received,
    results_read_back,
    results_sent,
    transfer_ended,
)

__all__ = [
    "application_started",
    "application_stopped",
    "association_refused",
    "audit_used",
    "clock_set",
    "commitment_asked",
    "commitment_given",
    "commitment_reported",
    "commitment_undelivered",
    "delivery_refused",
    "instance_quarantined",
    "instance_received",
    "licence_acknowledged",
    "message_received",
    "message_refused",
    "peer_answers",
    "peer_silent",
    "prior_queried",
    "prior_query_failed",
    "prior_refused",
    "prior_retrieved",
    "report_written",
    "repository_failing",
    "repository_resumed",
    "repository_skipped",
    "reserve_crossed",
    "results_created",
    "results_read_back",
    "results_resent",
    "results_sent",
    "source_queried",
    "strays_purged",
    "study_complete",
    "study_decided",
    "study_declined",
    "study_moved",
    "study_parked",
    "study_purged",
    "study_viewed",
    "transfer_ended",
]
