"""Coded values of the audit: PS3.16 CID 400 to 405, and our own event types."""

from gateway.audit.message import Code
from gateway.people import PersonRole


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _ours(value: str, meaning: str) -> Code:
    return Code(value, "99MAIRAGW", meaning)


# Events, CID 400.
APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")

# Event types, CID 401.
APPLICATION_START = _dcm("110120", "Application Start")
APPLICATION_STOP = _dcm("110121", "Application Stop")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
RESTRICTED_FUNCTION = _dcm("110132", "Use of Restricted Function")

# Event types of this gateway: which step of a study's life it was.
CLOCK_SET = _ours("clock-set", "Clock of the machine set")
STUDY_COMPLETE = _ours("study-complete", "Study judged complete")
STUDY_MOVED = _ours("study-moved", "Study moved to its next state")
STUDY_DECLINED = _ours("study-declined", "Study declined")
STUDY_PARKED = _ours("study-parked", "Study parked")
STUDY_DECIDED = _ours("study-decided", "Person decided on a study")
STUDY_VIEWED = _ours("study-viewed", "Person looked at a study")
INSTANCE_QUARANTINED = _ours("instance-quarantined", "Instance quarantined")
TRANSFER_ENDED = _ours("transfer-ended", "Association with instances ended")
PRIOR_RETRIEVED = _ours("prior-retrieved", "Prior retrieved")
PRIOR_REFUSED = _ours("prior-refused", "Prior refused by the identity guard")
MESSAGE_RECEIVED = _ours("message-received", "HL7 message received")
SOURCE_QUERIED = _ours("source-queried", "Orders or reports asked for")
REPORT_WRITTEN = _ours("report-written", "Study read by a model")
RESULTS_CREATED = _ours("results-created", "Results created")
RESULTS_SENT = _ours("results-sent", "Results sent")
READ_BACK = _ours("read-back", "Results looked for at the destination")
COMMITMENT = _ours("storage-commitment", "Storage commitment result")
INTAKE_STOPPED = _ours("intake-stopped", "Intake stopped under a reserve")
INTAKE_RESUMED = _ours("intake-resumed", "Intake resumed above a reserve")
COMMITMENT_ASKED = _ours("commitment-asked", "Storage commitment asked of us")
COMMITMENT_GIVEN = _ours("commitment-given", "Storage commitment of ours reported")
RESEND_DECIDED = _ours("resend-decided", "Person had refused results sent again")
PEER_SILENT = _ours("peer-silent", "Node does not answer")
PEER_ANSWERS = _ours("peer-answers", "Node answers again")
REPOSITORY_FAILING = _ours("repository-failing", "Audit repository fails")
REPOSITORY_RESUMED = _ours("repository-resumed", "Audit repository takes messages")
REPOSITORY_SKIPPED = _ours("repository-skipped", "Audit message too long to send")

EVENTS = (
    APPLICATION_ACTIVITY,
    AUDIT_LOG_USED,
    INSTANCES_ACCESSED,
    INSTANCES_TRANSFERRED,
    STUDY_DELETED,
    QUERY,
    SECURITY_ALERT,
    APPLICATION_START,
    APPLICATION_STOP,
    NODE_AUTHENTICATION,
    RESTRICTED_FUNCTION,
    CLOCK_SET,
    STUDY_COMPLETE,
    STUDY_MOVED,
    STUDY_DECLINED,
    STUDY_PARKED,
    STUDY_DECIDED,
    STUDY_VIEWED,
    INSTANCE_QUARANTINED,
    TRANSFER_ENDED,
    PRIOR_RETRIEVED,
    PRIOR_REFUSED,
    MESSAGE_RECEIVED,
    SOURCE_QUERIED,
    REPORT_WRITTEN,
    RESULTS_CREATED,
    RESULTS_SENT,
    READ_BACK,
    COMMITMENT,
    INTAKE_STOPPED,
    INTAKE_RESUMED,
    COMMITMENT_ASKED,
    COMMITMENT_GIVEN,
    RESEND_DECIDED,
    PEER_SILENT,
    PEER_ANSWERS,
    REPOSITORY_FAILING,
    REPOSITORY_RESUMED,
    REPOSITORY_SKIPPED,
)
"""Every event and event type that a record of the log may have."""

# Roles of participants, CID 402.
APPLICATION = _dcm("110150", "Application")
DESTINATION = _dcm("110152", "Destination Role ID")
SOURCE = _dcm("110153", "Source Role ID")
# CID 402 is extensible and has no role of a person: those of this gateway.
PERSON_ROLES = {
    PersonRole.RADIOLOGIST: _ours("radiologist", "Radiologist"),
    PersonRole.PHYSICIAN: _ours("physician", "Physician"),
    PersonRole.RESEARCHER: _ours("researcher", "Researcher"),
    PersonRole.ADMINISTRATOR: _ours("administrator", "Administrator"),
}

# Types of object identifiers: CID 404, and those of PS3.15 A.5.1.2.4.
STUDY_INSTANCE_UID = _dcm("110180", "Study Instance UID")
SOP_CLASS_UID = _dcm("110181", "SOP Class UID")
NODE_ID = _dcm("110182", "Node ID")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
URI = Code("12", "RFC-3881", "URI")
