"""Every kind of audit message, made by the real functions with a given word.

The word stands wherever text from outside may stand.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.coordinates import ImageFrame
from dicom_io.evidence import Evidence, ReferencedInstance, Rejection
from dicom_io.identifiers import StudyAnswers, StudyQuery
from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.commitment import CommitmentRequest
from dicom_io.scp.session import ClassCount
from dicom_io.scu.commitment import CommitmentReport, InstanceReference
from dicom_io.scu.send import StoreOutcome
from dicom_io.sink import StoreFacts
from dicom_io.status import StoreVerdict
from gateway.audit import kinds
from gateway.audit.message import Action, AuditEntry, Patient
from gateway.audit.of_installation import Change
from gateway.audit.of_source import Question, Sender
from gateway.audit.parts import Person
from gateway.ledger import (
    CommitmentItemRecord,
    DeliveryRecord,
    DeliveryState,
    ProcessRecord,
    ResultRecord,
    Role,
)
from gateway.lifecycle import Event
from gateway.people import Decider, PersonRole
from model.engine import EngineIdentity
from model.options import Domain
from tests.data.ledgers import IMAGE_CLASS, NOW, STUDY_UID, new_instance

PACS = RemoteAE(name="pacs", title=AETitle("PACS"), host="pacs.example", port=104)
DIGEST = "5d41402abc4b2a76b9719d911017c592" * 2
UID = STUDY_UID

Example = Callable[[str], AuditEntry]


def by(word: str) -> Person:
    return Person(name=word, role=word, address=word)


def decider(word: str) -> Decider:
    return Decider(name=word, why=word, role=PersonRole.RADIOLOGIST)


def patient(word: str) -> Patient:
    return Patient(patient_id=word, issuer=word)


def stored(word: str) -> StoreFacts:
    return StoreFacts(
        association_id="a1",
        calling_title=word,
        called_title=word,
        peer_address=word,
        peer=None,
        sop_class_uid=IMAGE_CLASS,
        sop_instance_uid=f"{UID}.1.1",
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        move_originator=None,
        user=word,
    )


def association(word: str) -> AssociationFacts:
    return AssociationFacts(
        association_id="a1",
        calling_title=word,
        called_title=word,
        peer_address=word,
        peer=None,
        encrypted=False,
        user=word,
    )


def counts() -> tuple[ClassCount, ...]:
    return (ClassCount(sop_class_uid=IMAGE_CLASS, received=2, refused=1),)


def result() -> ResultRecord:
    return ResultRecord(
        study_id=1,
        revision=1,
        kind="narrative",
        task="grounded findings",
        sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33",
        sop_instance_uid=f"{UID}.9.1",
        series_instance_uid=f"{UID}.9",
        file_name="results/x",
        send=True,
        created_at=NOW,
    )


def delivery() -> DeliveryRecord:
    return DeliveryRecord(
        id=1,
        study_id=1,
        revision=1,
        destination="pacs",
        sop_class_uid=result().sop_class_uid,
        sop_instance_uid=result().sop_instance_uid,
        file_name="results/x",
        state=DeliveryState.STORED,
        attempts=1,
        first_tried_at=NOW,
        not_before=None,
        detail=None,
        transaction_uid=None,
        committed_how=None,
    )


def outcome(word: str, verdict: StoreVerdict) -> StoreOutcome:
    return StoreOutcome(
        sop_instance_uid=result().sop_instance_uid,
        verdict=verdict,
        status=None,
        detail=word,
    )


def evidence() -> Evidence:
    frontal = ReferencedInstance(
        study_instance_uid=UID,
        series_instance_uid=f"{UID}.1",
        sop_class_uid=IMAGE_CLASS,
        sop_instance_uid=f"{UID}.1.1",
    )
    frame = ImageFrame(columns=10, rows=10)
    return Evidence(frontal=frontal, frame=frame, rendering="as-trained")


def identity(word: str) -> EngineIdentity:
    return EngineIdentity(
        engine="local",
        model_name=word,
        model_manufacturer="maira-gateway",
        weights_digest=DIGEST,
        settings_digest=DIGEST,
        domain=Domain.PHANTOM,
    )


def question(word: str) -> StudyQuery:
    return StudyQuery(patient_id=word, issuer=word)


def process(word: str) -> ProcessRecord:
    return ProcessRecord(
        name=f"{word}:12:ab",
        host=word,
        pid=12,
        boot=word,
        roles="listener,worker",
        started_at=NOW,
        beat_at=NOW,
    )


def asked(word: str) -> CommitmentRequest:
    reference = InstanceReference(
        sop_class_uid=IMAGE_CLASS, sop_instance_uid=f"{UID}.1.1"
    )
    return CommitmentRequest(
        transaction_uid="2.25.1",
        references=(reference,),
        peer_name=word,
        peer_title=word,
        peer_address=word,
    )


def item(reason: int) -> CommitmentItemRecord:
    return CommitmentItemRecord(
        commitment_id=1,
        position=0,
        sop_class_uid=IMAGE_CLASS,
        sop_instance_uid=f"{UID}.1.1",
        reason=reason,
        kept_here=False,
    )


def reported(word: str) -> CommitmentReport:
    return CommitmentReport(
        transaction_uid="2.25.1",
        committed=frozenset({"1.2"}),
        failed=(("1.3", 0x0112),),
        peer_title=word,
        peer_address=word,
    )


def asked_source(word: str) -> Question:
    return Question(
        source=word,
        study_instance_uid=UID,
        keys={"AccessionNumber": word},
        patient=patient(word),
    )


def changed(word: str) -> list[Change]:
    return [
        Change(key=word, before=word, after=word),
        Change(key="k", before="", after="1"),
    ]


EXAMPLES: dict[str, tuple[Example, ...]] = {
    "account_changed": (lambda w: kinds.account_changed(w, w, by(w), NOW),),
    "account_created": (lambda w: kinds.account_created(w, w, by(w), NOW),),
    "account_disabled": (lambda w: kinds.account_disabled(w, w, by(w), NOW),),
    "account_enabled": (lambda w: kinds.account_enabled(w, w, by(w), NOW),),
    "application_started": (
        lambda w: kinds.application_started(NOW, unclean_stop=True, found=[w]),
        lambda _: kinds.application_started(NOW, unclean_stop=False),
    ),
    "application_stopped": (lambda _: kinds.application_stopped(NOW),),
    "association_refused": (
        lambda w: kinds.association_refused(association(w), w, NOW),
    ),
    "audit_exported": (lambda w: kinds.audit_exported(by(w), w, NOW),),
    "audit_pruned": (lambda _: kinds.audit_pruned(1, 5, 2190, NOW),),
    "audit_reviewed": (lambda w: kinds.audit_reviewed(by(w), 1, 5, w, NOW),),
    "audit_searched": (lambda w: kinds.audit_searched(by(w), w, NOW),),
    "audit_used": (lambda w: kinds.audit_used(w, w, NOW),),
    "audit_viewed": (lambda w: kinds.audit_viewed(by(w), 7, NOW),),
    "campaign_decided": (
        lambda w: kinds.campaign_decided(w, "paused", decider(w), NOW),
        lambda w: kinds.campaign_decided(w, "resumed", decider(w), NOW),
        lambda w: kinds.campaign_decided(w, "cancelled", decider(w), NOW),
    ),
    "campaign_ended": (lambda w: kinds.campaign_ended(w, w, NOW),),
    "campaign_queried": (
        lambda w: kinds.campaign_queried({"StudyDate": w}, w, 3, decider(w), NOW),
    ),
    "campaign_started": (
        lambda w: kinds.campaign_started(w, w, decider(w), NOW, emit=False),
        lambda w: kinds.campaign_started(w, w, decider(w), NOW, emit=True),
    ),
    "campaign_study": (
        lambda w: kinds.campaign_study(UID, w, w, NOW, came=True),
        lambda w: kinds.campaign_study(UID, w, w, NOW, came=False),
    ),
    "checkpoint_delivered": (lambda w: kinds.checkpoint_delivered(w, NOW),),
    "checkpoint_signed": (lambda w: kinds.checkpoint_signed(9, w, NOW),),
    "checkpoint_undelivered": (lambda w: kinds.checkpoint_undelivered(w, w, NOW),),
    "clock_set": (lambda _: kinds.clock_set(-timedelta(days=1), NOW),),
    "commitment_asked": (
        lambda w: kinds.commitment_asked(asked(w), w, NOW, taken=True),
        lambda w: kinds.commitment_asked(asked(w), w, NOW, taken=False),
    ),
    "commitment_given": (
        lambda w: kinds.commitment_given("2.25.1", w, [item(0), item(274)], NOW),
    ),
    "commitment_reported": (
        lambda w: kinds.commitment_reported(reported(w), w, NOW),
        lambda w: kinds.commitment_reported(reported(w), None, NOW),
    ),
    "commitment_undelivered": (
        lambda w: kinds.commitment_undelivered("2.25.1", w, w, NOW),
    ),
    "delivery_refused": (lambda w: kinds.delivery_refused(stored(w), NOW),),
    "emergency_begun": (lambda w: kinds.emergency_begun(UID, by(w), w, NOW),),
    "emergency_ended": (lambda w: kinds.emergency_ended(UID, by(w), w, NOW),),
    "filter_deleted": (lambda w: kinds.filter_deleted(by(w), w, NOW),),
    "filter_saved": (
        lambda w: kinds.filter_saved(by(w), w, w, NOW, shared=True),
        lambda w: kinds.filter_saved(by(w), w, "", NOW, shared=False),
    ),
    "forwarding_failed": (lambda w: kinds.forwarding_failed(w, w, 3, NOW),),
    "forwarding_resumed": (lambda w: kinds.forwarding_resumed(w, 3, NOW),),
    "forwarding_skipped": (lambda w: kinds.forwarding_skipped(w, 7, 9000, NOW),),
    "instance_quarantined": (lambda w: kinds.instance_quarantined(new_instance(), w),),
    "instance_received": (
        lambda w: kinds.instance_received(
            stored(w), new_instance(), Role.CURRENT, NOW, patient=patient(w)
        ),
        lambda w: kinds.instance_received(stored(w), new_instance(), Role.CURRENT, NOW),
    ),
    "key_changed": (lambda w: kinds.key_changed(w, w, NOW),),
    "licence_acknowledged": (lambda w: kinds.licence_acknowledged(w, NOW),),
    "logged_in": (lambda w: kinds.logged_in(by(w), w, NOW),),
    "logged_out": (lambda w: kinds.logged_out(by(w), w, NOW),),
    "login_failed": (
        lambda w: kinds.login_failed(by(w), w, NOW),
        lambda w: kinds.login_failed(by(w), w, NOW, locked=True),
    ),
    "message_received": (
        lambda w: kinds.message_received(Sender(name=w, address=w), w, patient(w), NOW),
        lambda w: kinds.message_received(Sender(name=w, address=w), w, None, NOW),
    ),
    "message_refused": (
        lambda w: kinds.message_refused(Sender(name=w, address=w), w, NOW),
    ),
    "network_joined": (lambda w: kinds.network_joined(w, 11112, NOW),),
    "network_left": (lambda w: kinds.network_left(w, NOW),),
    "network_settings_changed": (
        lambda w: kinds.network_settings_changed(changed(w), NOW),
    ),
    "patient_erased": (lambda w: kinds.patient_erased(DIGEST, w, by(w), NOW),),
    "patient_key_replaced": (lambda w: kinds.patient_key_replaced(3, w, by(w), NOW),),
    "peer_answers": (lambda w: kinds.peer_answers(w, NOW, NOW),),
    "peer_echoed": (
        lambda w: kinds.peer_echoed(w, w, by(w), NOW, ok=True),
        lambda w: kinds.peer_echoed(w, w, by(w), NOW, ok=False),
    ),
    "peer_silent": (lambda w: kinds.peer_silent(w, 3, NOW, NOW),),
    "permission_refused": (lambda w: kinds.permission_refused(by(w), w, NOW),),
    "phrase_grounded": (lambda w: kinds.phrase_grounded(UID, w, 2, by(w), NOW),),
    "phrase_refused": (lambda w: kinds.phrase_refused(UID, w, by(w), NOW),),
    "prior_queried": (
        lambda w: kinds.prior_queried(
            UID, question(w), w, StudyAnswers(studies=(), remarks=(w,)), NOW
        ),
    ),
    "prior_query_failed": (
        lambda w: kinds.prior_query_failed(UID, question(w), w, w, NOW),
    ),
    "prior_refused": (
        lambda w: kinds.prior_refused(
            UID, question(w), w, [Rejection(what="1.2.3", reason=w)], NOW
        ),
    ),
    "prior_retrieved": (
        lambda w: kinds.prior_retrieved(UID, w, w, 2, NOW),
        lambda w: kinds.prior_retrieved(UID, w, w, 0, NOW),
    ),
    "process_lost": (lambda w: kinds.process_lost(process(w), 2, NOW),),
    "receiving_begun": (
        lambda w: kinds.receiving_begun(stored(w), UID, patient(w), NOW),
    ),
    "report_written": (
        lambda w: kinds.report_written(UID, evidence(), identity(w), [], NOW),
    ),
    "reserve_crossed": (
        lambda w: kinds.reserve_crossed(w, NOW, is_below=True),
        lambda w: kinds.reserve_crossed(w, NOW, is_below=False),
    ),
    "results_created": (lambda _: kinds.results_created(UID, [result()], NOW),),
    "results_downloaded": (
        lambda w: kinds.results_downloaded(UID, [result()], by(w), NOW),
    ),
    "results_read_back": (
        lambda _: kinds.results_read_back(UID, PACS, [delivery()], NOW),
    ),
    "results_resent": (lambda w: kinds.results_resent(UID, [w], 3, decider(w), NOW),),
    "results_sent": (
        lambda w: kinds.results_sent(
            UID, PACS, [delivery()], [outcome(w, StoreVerdict.PERMANENT)], NOW
        ),
        lambda w: kinds.results_sent(
            UID, PACS, [delivery()], [outcome(w, StoreVerdict.STORED)], NOW
        ),
    ),
    "retrieving_begun": (lambda w: kinds.retrieving_begun(UID, w, NOW),),
    "role_changed": (lambda w: kinds.role_changed(w, w, w, by(w), NOW),),
    "security_settings_changed": (
        lambda w: kinds.security_settings_changed(changed(w), NOW),
    ),
    "sending_begun": (lambda _: kinds.sending_begun(UID, PACS, [delivery()], NOW),),
    "software_settings_changed": (
        lambda w: kinds.software_settings_changed(changed(w), NOW),
    ),
    "software_updated": (lambda w: kinds.software_updated(w, w, NOW),),
    "source_queried": (
        lambda w: kinds.source_queried(asked_source(w), 2, NOW),
        lambda w: kinds.source_queried(asked_source(w), 0, NOW, error=w),
    ),
    "strays_purged": (lambda _: kinds.strays_purged(3, NOW),),
    "studies_listed": (lambda w: kinds.studies_listed(by(w), w, NOW),),
    "study_complete": (lambda w: kinds.study_complete(UID, w, NOW),),
    "study_decided": (
        lambda w: kinds.study_decided(UID, Event.RELEASED, decider(w), NOW),
        lambda w: kinds.study_decided(
            UID, Event.RELEASED, replace(decider(w), entered_by=w), NOW
        ),
    ),
    "study_declined": (lambda w: kinds.study_declined(UID, w, NOW),),
    "study_moved": (lambda w: kinds.study_moved(UID, Event.VIEWS_CHOSEN, w, NOW),),
    "study_parked": (lambda w: kinds.study_parked(UID, w, NOW),),
    "study_purged": (lambda _: kinds.study_purged(UID, 4, NOW),),
    "study_received": (
        lambda w: kinds.study_received(
            association(w), UID, Action.CREATE, {IMAGE_CLASS: 2}, NOW
        ),
        lambda w: kinds.study_received(
            association(w), UID, Action.READ, {IMAGE_CLASS: 2}, NOW
        ),
    ),
    "study_viewed": (
        lambda w: kinds.study_viewed(UID, w, NOW),
        lambda w: kinds.study_viewed(UID, by(w), NOW),
    ),
    "token_made": (lambda w: kinds.token_made(w, w, w, by(w), NOW),),
    "token_revoked": (lambda w: kinds.token_revoked(w, w, by(w), NOW),),
    "transfer_ended": (lambda w: kinds.transfer_ended(association(w), counts(), NOW),),
    "verification_failed": (lambda w: kinds.verification_failed(w, NOW),),
}
"""Name of the kind: how it is made of a word, in each of its forms."""
