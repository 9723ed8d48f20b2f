"""What happened, as one sentence of plain English a record; pure.

The words come from the columns of the record alone. Whatever the network could put
into them stays text: who prints a sentence escapes it as it escapes anything.
"""

from collections.abc import Mapping

from dicom_io.product import PRODUCT_NAME
from gateway.audit.codes import EVENTS
from gateway.audit.message import ANY_PERSON
from gateway.ledger import AuditRecord

_MEANINGS = {code.value: code.meaning for code in EVENTS}

_SENTENCES: Mapping[str, str] = {
    "110120": "{who} started",
    "110121": "{who} stopped",
    "110122": "{who} signed in",
    "110123": "{who} signed out",
    "110124": "{node} joined the network",
    "110125": "{node} left the network",
    "110126": "{who} was refused",
    "110127": "{who} broke the glass to see study {study}",
    "110128": "{who} changed the settings of the network",
    "110129": "{who} changed the settings of security",
    "110131": "{who} changed the settings of the software",
    "110132": "{who} used a restricted function",
    "110136": "{who} changed somebody's role",
    "110137": "{who} changed an account",
    "110138": "{who} no longer sees study {study} by an emergency",
    "account-created": "{who} made an account",
    "account-disabled": "{who} closed an account",
    "account-enabled": "{who} opened an account again",
    "audit-exported": "{who} exported the audit log",
    "audit-filter-deleted": "{who} deleted a filter of the audit log",
    "audit-filter-saved": "{who} saved a filter of the audit log",
    "audit-pruned": "{who} deleted old records of the audit log",
    "audit-reviewed": "{who} signed off a review of the audit log",
    "audit-searched": "{who} searched the audit log",
    "audit-viewed": "{who} opened a message of the audit log",
    "campaign-cancelled": "{who} cancelled a campaign",
    "campaign-ended": "a campaign has ended",
    "campaign-paused": "{who} paused a campaign",
    "campaign-queried": "{who} asked {node} for the studies of a campaign",
    "campaign-resumed": "{who} resumed a campaign",
    "campaign-started": "{who} started a campaign",
    "campaign-study": "{who} asked {node} for study {study} of a campaign",
    "checkpoint-signed": "{who} signed a checkpoint of the audit log",
    "checkpoint-delivered": "checkpoints reach their place again",
    "checkpoint-undelivered": "a checkpoint did not reach its place",
    "log-key-changed": "{who} changed the key of the audit log",
    "clock-set": "the clock of the machine was set",
    "commitment-asked": "{who} asked us to commit to instances",
    "commitment-given": "{who} told a node what we commit to",
    "forwarding-failed": "the audit repository takes no messages",
    "forwarding-resumed": "the audit repository takes messages again",
    "forwarding-skipped": "a message was too long for the audit repository",
    "instance-quarantined": "an instance of study {study} from {who} was set aside",
    "intake-resumed": "{who} takes instances again",
    "intake-stopped": "{who} takes no instances for want of room",
    "message-received": "{who} sent an HL7 message",
    "patient-erased": "{who} made a patient unreadable in the audit log",
    "patient-key-replaced": "{who} gave up the patient key",
    "peer-answers": "a node answers again",
    "peer-silent": "a node does not answer",
    "phrase-grounded": "{who} had a phrase looked for in study {study}",
    "prior-refused": "a prior for study {study} was refused by the identity guard",
    "prior-retrieved": "{who} retrieved a prior for study {study}",
    "process-lost": "a process of the gateway ended without a stop",
    "read-back": "{who} looked for results of study {study} at {node}",
    "report-written": "{who} had the model read study {study}",
    "resend-decided": "{who} had results of study {study} sent again",
    "results-created": "{who} made results of study {study}",
    "results-downloaded": "{who} took results of study {study} away",
    "results-sent": "{who} sent results of study {study} to {node}",
    "software-updated": "another version of the gateway started",
    "source-queried": "{who} asked for orders or reports of study {study}",
    "storage-commitment": "{who} reported what it commits to",
    "studies-listed": "{who} looked at the list of studies",
    "peer-echoed": "{who} asked a node whether it answers",
    "study-complete": "{who} judged study {study} complete",
    "study-declined": "{who} declined study {study}",
    "study-moved": "{who} took study {study} on",
    "study-parked": "{who} parked study {study}: a person must look",
    "study-viewed": "{who} opened study {study}",
    "token-made": "{who} made a token for programs",
    "token-revoked": "{who} revoked a token",
    "transfer-ended": "{who} ended an association with instances",
    "verification-failed": "the audit log differs from a checkpoint",
}
"""By the type of the event, else by the event."""

_EVENTS: Mapping[str, str] = {
    "110101": "{who} looked into the audit log",
    "110102": "{who} began to send instances to {node}",
    "110103": "{who} accessed study {study}",
    "110104": "{who} sent an instance of study {study}",
    "110105": "{who} deleted the files of study {study}",
    "110106": "{who} exported study {study}",
    "110112": "{who} queried {node} for study {study}",
}

_DECISIONS: Mapping[str, str] = {
    "released": "released study {study}",
    "rejected": "rejected the results of study {study}",
    "retried": "had study {study} read again",
    "reread": "had study {study} read anew",
    "sending-retried": "had results of study {study} sent again",
}

_SHOWN = 12
"""Last characters of a UID: its beginning is the same for a whole site."""


def sentence(record: AuditRecord) -> str:
    """Return what happened, in one sentence without a full stop."""
    if record.event_type == "study-decided":
        words = _decision(record)
    else:
        words = _words(record)
    return words.format(
        who=_who(record),
        study=short_uid(record.study_instance_uid),
        node=_node(record),
    )


def short_uid(uid: str | None) -> str:
    """Return the last components of a UID; an unknown one is said to be."""
    if uid is None:
        return "unknown"
    if len(uid) <= _SHOWN:
        return uid
    end = uid[-_SHOWN:]
    return f"…{end.partition('.')[2] or end}"


def meaning_of(record: AuditRecord) -> str:
    """Return the name that the standard, or this gateway, gives the event."""
    return kind_name(record.event_type or record.event)


def kind_name(code: str) -> str:
    """Return the name of an event or of a type of events."""
    return _MEANINGS.get(code, code)


def _words(record: AuditRecord) -> str:
    if record.event_type == "110122" and record.outcome:
        return "{who} was not let in"
    if record.event_type == "phrase-grounded" and record.outcome:
        return "{who} had a phrase for study {study} refused"
    known = _SENTENCES.get(record.event_type or "") or _EVENTS.get(record.event)
    # A name of an event that is not known here may hold braces.
    return known or "{who}: " + meaning_of(record).replace("{", "{{").replace("}", "}}")


def _decision(record: AuditRecord) -> str:
    decision = (record.detail or "").partition(" by ")[0]
    return "{who} " + _DECISIONS.get(decision, "decided on study {study}")


def _node(record: AuditRecord) -> str:
    """Return the other node; who sends to us is the only one that a record names."""
    if record.event == "110102" and record.node == record.user:
        return "the gateway"
    return record.node or "another node"


def _who(record: AuditRecord) -> str:
    if record.user == PRODUCT_NAME:
        return "the gateway"
    if record.person_role is None:
        return f"node {record.user}" if record.node == record.user else record.user
    if record.person_role == ANY_PERSON:
        return record.user
    return f"{record.person_role} {record.user}"
