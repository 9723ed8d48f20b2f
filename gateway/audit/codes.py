"""Coded values of the audit: PS3.16 CID 400 to 405, and our own event types."""

from gateway.audit.message import Code


def _dcm(value: str, meaning: str) -> Code:
    return Code(value, "DCM", meaning)


def _ours(value: str, meaning: str) -> Code:
    return Code(value, "99MAIRAGW", meaning)


# Events, CID 400.
APPLICATION_ACTIVITY = _dcm("110100", "Application Activity")
AUDIT_LOG_USED = _dcm("110101", "Audit Log Used")
TRANSFER_BEGUN = _dcm("110102", "Begin Transferring DICOM Instances")
INSTANCES_ACCESSED = _dcm("110103", "DICOM Instances Accessed")
INSTANCES_TRANSFERRED = _dcm("110104", "DICOM Instances Transferred")
STUDY_DELETED = _dcm("110105", "DICOM Study Deleted")
EXPORT = _dcm("110106", "Export")
NETWORK_ENTRY = _dcm("110108", "Network Entry")
QUERY = _dcm("110112", "Query")
SECURITY_ALERT = _dcm("110113", "Security Alert")
USER_AUTHENTICATION = _dcm("110114", "User Authentication")

# Event types, CID 401.
APPLICATION_START = _dcm("110120", "Application Start")
APPLICATION_STOP = _dcm("110121", "Application Stop")
LOGIN = _dcm("110122", "Login")
LOGOUT = _dcm("110123", "Logout")
ATTACH = _dcm("110124", "Attach")
DETACH = _dcm("110125", "Detach")
NODE_AUTHENTICATION = _dcm("110126", "Node Authentication")
EMERGENCY_STARTED = _dcm("110127", "Emergency Override Started")
NETWORK_CONFIGURATION = _dcm("110128", "Network Configuration")
SECURITY_CONFIGURATION = _dcm("110129", "Security Configuration")
SOFTWARE_CONFIGURATION = _dcm("110131", "Software Configuration")
RESTRICTED_FUNCTION = _dcm("110132", "Use of Restricted Function")
SECURITY_ROLES_CHANGED = _dcm("110136", "Security Roles Changed")
USER_ATTRIBUTES_CHANGED = _dcm("110137", "User Security Attributes Changed")
EMERGENCY_STOPPED = _dcm("110138", "Emergency Override Stopped")

# Event types of this gateway: which step of a study's life it was.
LOG_KEY_CHANGED = _ours("log-key-changed", "Key of the audit changed")
CHECKPOINT_UNDELIVERED = _ours("checkpoint-undelivered", "Checkpoint not handed out")
CHECKPOINT_DELIVERED = _ours("checkpoint-delivered", "Checkpoints handed out again")
CLOCK_SET = _ours("clock-set", "Clock of the machine set")
PROCESS_LOST = _ours("process-lost", "Process ended without a stop")
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

CAMPAIGN_QUERIED = _ours("campaign-queried", "Studies of a campaign asked for by name")
CAMPAIGN_STARTED = _ours("campaign-started", "Person started a campaign")
CAMPAIGN_PAUSED = _ours("campaign-paused", "Person paused a campaign")
CAMPAIGN_RESUMED = _ours("campaign-resumed", "Person resumed a campaign")
CAMPAIGN_CANCELLED = _ours("campaign-cancelled", "Person cancelled a campaign")
CAMPAIGN_STUDY = _ours("campaign-study", "Study asked for by a campaign")
CAMPAIGN_ENDED = _ours("campaign-ended", "Campaign ended")

# Event types of the console and of the log itself.
PHRASE_GROUNDED = _ours("phrase-grounded", "Person had a phrase grounded")
RESULTS_DOWNLOADED = _ours("results-downloaded", "Person took results away")
ACCOUNT_CREATED = _ours("account-created", "Account created")
ACCOUNT_DISABLED = _ours("account-disabled", "Account disabled")
ACCOUNT_ENABLED = _ours("account-enabled", "Account enabled again")
TOKEN_MADE = _ours("token-made", "API token made")
TOKEN_REVOKED = _ours("token-revoked", "API token revoked")
SOFTWARE_UPDATED = _ours("software-updated", "Another version of the gateway")
AUDIT_SEARCHED = _ours("audit-searched", "Audit log searched")
AUDIT_VIEWED = _ours("audit-viewed", "Audit message opened")
AUDIT_EXPORTED = _ours("audit-exported", "Audit log exported")
AUDIT_REVIEWED = _ours("audit-reviewed", "Audit log reviewed")
AUDIT_FILTER_SAVED = _ours("audit-filter-saved", "Filter of the audit saved")
AUDIT_FILTER_DELETED = _ours("audit-filter-deleted", "Filter of the audit deleted")
AUDIT_PRUNED = _ours("audit-pruned", "Audit records deleted after their time")
CHECKPOINT_SIGNED = _ours("checkpoint-signed", "Checkpoint of the audit signed")
VERIFICATION_FAILED = _ours("verification-failed", "Audit differs from a checkpoint")
FORWARDING_FAILED = _ours("forwarding-failed", "Audit repository takes nothing")
FORWARDING_RESUMED = _ours("forwarding-resumed", "Audit repository takes messages")
FORWARDING_SKIPPED = _ours("forwarding-skipped", "Audit message too long to send")
PATIENT_ERASED = _ours("patient-erased", "Patient made unreadable in the audit")
PATIENT_KEY_REPLACED = _ours("patient-key-replaced", "Patient key given up")
STUDIES_LISTED = _ours("studies-listed", "Person looked at the list of studies")
PEER_ECHOED = _ours("peer-echoed", "Person had a node asked whether it is there")

EVENTS = (
    APPLICATION_ACTIVITY,
    AUDIT_LOG_USED,
    TRANSFER_BEGUN,
    INSTANCES_ACCESSED,
    INSTANCES_TRANSFERRED,
    STUDY_DELETED,
    EXPORT,
    NETWORK_ENTRY,
    QUERY,
    SECURITY_ALERT,
    USER_AUTHENTICATION,
    APPLICATION_START,
    APPLICATION_STOP,
    LOGIN,
    LOGOUT,
    ATTACH,
    DETACH,
    NODE_AUTHENTICATION,
    EMERGENCY_STARTED,
    NETWORK_CONFIGURATION,
    SECURITY_CONFIGURATION,
    SOFTWARE_CONFIGURATION,
    RESTRICTED_FUNCTION,
    SECURITY_ROLES_CHANGED,
    USER_ATTRIBUTES_CHANGED,
    EMERGENCY_STOPPED,
    LOG_KEY_CHANGED,
    CHECKPOINT_UNDELIVERED,
    CHECKPOINT_DELIVERED,
    CLOCK_SET,
    PROCESS_LOST,
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
    CAMPAIGN_QUERIED,
    CAMPAIGN_STARTED,
    CAMPAIGN_PAUSED,
    CAMPAIGN_RESUMED,
    CAMPAIGN_CANCELLED,
    CAMPAIGN_STUDY,
    CAMPAIGN_ENDED,
    PHRASE_GROUNDED,
    RESULTS_DOWNLOADED,
    ACCOUNT_CREATED,
    ACCOUNT_DISABLED,
    ACCOUNT_ENABLED,
    TOKEN_MADE,
    TOKEN_REVOKED,
    SOFTWARE_UPDATED,
    AUDIT_SEARCHED,
    AUDIT_VIEWED,
    AUDIT_EXPORTED,
    AUDIT_REVIEWED,
    AUDIT_FILTER_SAVED,
    AUDIT_FILTER_DELETED,
    AUDIT_PRUNED,
    CHECKPOINT_SIGNED,
    VERIFICATION_FAILED,
    FORWARDING_FAILED,
    FORWARDING_RESUMED,
    FORWARDING_SKIPPED,
    PATIENT_ERASED,
    PATIENT_KEY_REPLACED,
    STUDIES_LISTED,
    PEER_ECHOED,
)
"""Every event and event type that a record of the log may have."""

# Roles of participants, CID 402.
APPLICATION = _dcm("110150", "Application")
DESTINATION = _dcm("110152", "Destination Role ID")
SOURCE = _dcm("110153", "Source Role ID")
DESTINATION_MEDIA = _dcm("110154", "Destination Media")


def role_of_person(role: str) -> Code:
    """Return the role in which a person acted: CID 402 has none, and is extensible."""
    return _ours(role, role.capitalize())


# Types of object identifiers: CID 404, and those of PS3.15 A.5.1.2.4.
STUDY_INSTANCE_UID = _dcm("110180", "Study Instance UID")
SOP_CLASS_UID = _dcm("110181", "SOP Class UID")
NODE_ID = _dcm("110182", "Node ID")
USER_IDENTIFIER = Code("11", "RFC-3881", "User Identifier")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
URI = Code("12", "RFC-3881", "URI")
