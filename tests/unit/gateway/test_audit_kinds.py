"""Each kind of audit message that the gateway writes."""

from base64 import b64decode
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import cast
from xml.etree import ElementTree as ET

import pytest
from pydicom.sr._concepts_dict import concepts

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
from gateway.audit import codes, kinds
from gateway.audit.message import AuditEntry, Code, Patient
from gateway.ledger import (
    CommitmentItemRecord,
    DeliveryRecord,
    DeliveryState,
    ResultRecord,
    Role,
)
from gateway.lifecycle import Event
from gateway.people import Decider, PersonRole
from model.engine import EngineIdentity
from model.options import Domain
from tests.data.ledgers import IMAGE_CLASS, NOW, STUDY_UID, new_instance
from tests.data.stages import answer

PATIENT_ID = "PHANTOM-7"
PATIENT = Patient(patient_id=PATIENT_ID)
DAY = timedelta(days=1)
THREE = StudyAnswers(studies=(answer("1.2.5"), answer("1.2.6"), answer("1.2.7")))
PRIOR_UID = "1.2.826.0.1.3680043.10.543.2"
DIGEST = "5d41402abc4b2a76b9719d911017c592" * 2
PACS = RemoteAE(name="pacs", title=AETitle("ORTHANC"), host="pacs.example", port=4242)
STORE = StoreFacts(
    association_id="a1",
    calling_title="MODALITY",
    called_title="MAIRA_GW",
    peer_address="192.0.2.7",
    peer=None,
    sop_class_uid=IMAGE_CLASS,
    sop_instance_uid=f"{STUDY_UID}.1.1",
    transfer_syntax_uid="1.2.840.10008.1.2.1",
    move_originator=None,
)
ASSOCIATION = AssociationFacts(
    association_id="a1",
    calling_title="STRANGER",
    called_title="MAIRA_GW",
    peer_address="192.0.2.9",
    peer=None,
    encrypted=False,
)
ENGINE = EngineIdentity(
    engine="local",
    model_name="phantom",
    model_manufacturer="maira-gateway",
    weights_digest=DIGEST,
    settings_digest=DIGEST,
    domain=Domain.PHANTOM,
)
UNASKED = "not awaited here"
ASKED = CommitmentRequest(
    transaction_uid="2.25.1",
    references=(
        InstanceReference(
            sop_class_uid=IMAGE_CLASS, sop_instance_uid=f"{STUDY_UID}.1.1"
        ),
    ),
    peer_name="modality",
    peer_title="MODALITY",
    peer_address="192.0.2.7",
)
ANN = Decider(name="ann", why="seen", role=PersonRole.RADIOLOGIST)
RESULT = ResultRecord(
    study_id=1,
    revision=1,
    kind="narrative",
    task="grounded findings",
    sop_class_uid="1.2.840.10008.5.1.4.1.1.88.33",
    sop_instance_uid=f"{STUDY_UID}.9.1",
    series_instance_uid=f"{STUDY_UID}.9",
    file_name="results/x",
    send=True,
    created_at=NOW,
)
DELIVERY = DeliveryRecord(
    id=1,
    study_id=1,
    revision=1,
    destination="pacs",
    sop_class_uid=RESULT.sop_class_uid,
    sop_instance_uid=RESULT.sop_instance_uid,
    file_name=RESULT.file_name,
    state=DeliveryState.STORED,
    attempts=1,
    first_tried_at=NOW,
    not_before=None,
    detail=None,
    transaction_uid=None,
    committed_how=None,
)


def referenced(study_uid: str, number: int) -> ReferencedInstance:
    return ReferencedInstance(
        study_instance_uid=study_uid,
        series_instance_uid=f"{study_uid}.1",
        sop_class_uid=IMAGE_CLASS,
        sop_instance_uid=f"{study_uid}.1.{number}",
    )


def evidence() -> Evidence:
    return Evidence(
        frontal=referenced(STUDY_UID, 1),
        lateral=referenced(STUDY_UID, 2),
        prior_images=(referenced(PRIOR_UID, 1),),
        frame=ImageFrame(columns=10, rows=10),
        rendering="as-trained",
    )


def sent(*verdicts: StoreVerdict) -> AuditEntry:
    outcomes = [
        StoreOutcome(
            sop_instance_uid=f"{STUDY_UID}.9.{number}",
            verdict=verdict,
            status=None,
            detail="as answered",
        )
        for number, verdict in enumerate(verdicts, 1)
    ]
    return kinds.results_sent(STUDY_UID, PACS, outcomes, NOW)


def commitment(*, committed: int, failed: int) -> CommitmentReport:
    return CommitmentReport(
        transaction_uid="2.25.1",
        committed=frozenset(f"1.2.{number}" for number in range(committed)),
        failed=tuple((f"1.3.{number}", 0x0112) for number in range(failed)),
        peer_title="ORTHANC",
        peer_address="192.0.2.8",
    )


def item(reason: int) -> CommitmentItemRecord:
    return CommitmentItemRecord(
        commitment_id=1,
        position=0,
        sop_class_uid=IMAGE_CLASS,
        sop_instance_uid=f"{STUDY_UID}.1.1",
        reason=reason,
        kept_here=False,
    )


ABOUT_A_STUDY: dict[str, tuple[Callable[[], AuditEntry], str, str, int]] = {
    # Name: how it is made, EventID, EventActionCode, EventOutcomeIndicator.
    "received": (
        lambda: kinds.instance_received(
            STORE, new_instance(), Role.CURRENT, NOW, patient=PATIENT
        ),
        "110104",
        "C",
        0,
    ),
    "quarantined": (
        lambda: kinds.instance_quarantined(new_instance(), "other content"),
        "110104",
        "C",
        8,
    ),
    "complete": (
        lambda: kinds.study_complete(STUDY_UID, "quiet for 30 s", NOW),
        "110103",
        "R",
        0,
    ),
    "declined": (
        lambda: kinds.study_declined(STUDY_UID, "no frontal", NOW),
        "110103",
        "R",
        0,
    ),
    "parked": (
        lambda: kinds.study_parked(STUDY_UID, "kept failing", NOW),
        "110103",
        "R",
        8,
    ),
    "decided": (
        lambda: kinds.study_decided(STUDY_UID, Event.RELEASED, ANN, NOW),
        "110103",
        "U",
        0,
    ),
    "viewed": (lambda: kinds.study_viewed(STUDY_UID, "ann", NOW), "110103", "R", 0),
    "purged": (lambda: kinds.study_purged(STUDY_UID, 4, NOW), "110105", "D", 0),
    "queried": (
        lambda: kinds.prior_queried(
            STUDY_UID, StudyQuery(patient_id=PATIENT_ID), "pacs", THREE, NOW
        ),
        "110112",
        "E",
        0,
    ),
    "prior refused": (
        lambda: kinds.prior_refused(
            STUDY_UID,
            StudyQuery(patient_id=PATIENT_ID),
            "pacs",
            [Rejection(what=PRIOR_UID, reason="birth-date: conflict")],
            NOW,
        ),
        "110112",
        "E",
        4,
    ),
    "retrieved": (
        lambda: kinds.prior_retrieved(STUDY_UID, "pacs", "c-get", 2, NOW),
        "110104",
        "C",
        0,
    ),
    "retrieved nothing": (
        lambda: kinds.prior_retrieved(STUDY_UID, "pacs", "c-get", 0, NOW),
        "110104",
        "C",
        4,
    ),
    "read by the model": (
        lambda: kinds.report_written(STUDY_UID, evidence(), ENGINE, [], NOW),
        "110103",
        "R",
        0,
    ),
    "results created": (
        lambda: kinds.results_created(STUDY_UID, [RESULT, RESULT], NOW),
        "110103",
        "C",
        0,
    ),
    "sent": (lambda: sent(StoreVerdict.STORED), "110104", "C", 0),
    "sent in part": (
        lambda: sent(StoreVerdict.WARNING, StoreVerdict.TRANSIENT),
        "110104",
        "C",
        4,
    ),
    "sent again": (
        lambda: kinds.results_resent(STUDY_UID, ["pacs", "vna"], 3, ANN, NOW),
        "110103",
        "U",
        0,
    ),
    "read back": (
        lambda: kinds.results_read_back(STUDY_UID, PACS, [DELIVERY], NOW),
        "110112",
        "E",
        0,
    ),
}

ABOUT_A_NODE: dict[str, tuple[Callable[[], AuditEntry], str, str, int]] = {
    "started": (
        lambda: kinds.application_started(NOW, unclean_stop=False),
        "110100",
        "E",
        0,
    ),
    "started after a crash": (
        lambda: kinds.application_started(NOW, unclean_stop=True),
        "110100",
        "E",
        4,
    ),
    "stopped": (lambda: kinds.application_stopped(NOW), "110100", "E", 0),
    "stopped taking": (
        lambda: kinds.reserve_crossed("disk", NOW, is_below=True),
        *("110100", "E", 8),
    ),
    "taking again": (
        lambda: kinds.reserve_crossed("disk", NOW, is_below=False),
        *("110100", "E", 0),
    ),
    "clock": (lambda: kinds.clock_set(-DAY, NOW), "110113", "E", 0),
    "licence": (lambda: kinds.licence_acknowledged("ann", NOW), "110113", "E", 0),
    "refused": (
        lambda: kinds.association_refused(ASSOCIATION, "unknown title", NOW),
        "110113",
        "E",
        4,
    ),
    "delivery refused": (lambda: kinds.delivery_refused(STORE, NOW), "110113", "E", 4),
    "transfer ended": (
        lambda: kinds.transfer_ended(
            ASSOCIATION,
            (ClassCount(sop_class_uid=IMAGE_CLASS, received=2, refused=0),),
            NOW,
        ),
        "110104",
        "C",
        0,
    ),
    "committed": (
        lambda: kinds.commitment_reported(commitment(committed=2, failed=0), None, NOW),
        "110104",
        "R",
        0,
    ),
    "commitment failed": (
        lambda: kinds.commitment_reported(commitment(committed=1, failed=1), None, NOW),
        "110104",
        "R",
        4,
    ),
    "foreign commitment": (
        lambda: kinds.commitment_reported(
            commitment(committed=1, failed=0), UNASKED, NOW
        ),
        "110104",
        "R",
        4,
    ),
    "peer silent": (lambda: kinds.peer_silent("pacs", 3, NOW, NOW), "110113", "E", 8),
    "peer answers": (lambda: kinds.peer_answers("pacs", NOW, NOW), "110113", "E", 0),
    "commitment asked": (
        lambda: kinds.commitment_asked(ASKED, "taken", NOW, taken=True),
        "110104",
        "R",
        0,
    ),
    "commitment refused": (
        lambda: kinds.commitment_asked(ASKED, "refused", NOW, taken=False),
        "110104",
        "R",
        4,
    ),
    "commitment given": (
        lambda: kinds.commitment_given("2.25.1", "modality", [item(0)], NOW),
        "110104",
        "R",
        0,
    ),
    "commitment given in part": (
        lambda: kinds.commitment_given("2.25.1", "modality", [item(0), item(274)], NOW),
        "110104",
        "R",
        4,
    ),
    "commitment undelivered": (
        lambda: kinds.commitment_undelivered("2.25.1", "modality", "silent", NOW),
        "110104",
        "R",
        8,
    ),
    "audit used": (lambda: kinds.audit_used("ann", "list", NOW), "110101", "R", 0),
}

ALL = ABOUT_A_STUDY | ABOUT_A_NODE


def parsed(entry: AuditEntry) -> ET.Element:
    return ET.fromstring(entry.message)  # noqa: S314 - our own text


def object_ids(entry: AuditEntry) -> list[str | None]:
    objects = parsed(entry).findall("ParticipantObjectIdentification")
    return [found.get("ParticipantObjectID") for found in objects]


def details(entry: AuditEntry) -> dict[str, str]:
    found = parsed(entry).iter("ParticipantObjectDetail")
    pairs = [(detail.get("type"), detail.get("value")) for detail in found]
    return {str(kind): b64decode(value or "").decode() for kind, value in pairs}


@pytest.mark.parametrize("name", ALL)
def test_the_columns_and_the_message_agree(name: str) -> None:
    make, event, action, outcome = ALL[name]
    entry = make()
    described = parsed(entry).find("EventIdentification")
    assert described is not None
    event_id = described.find("EventID")
    assert event_id is not None
    assert event_id.get("csd-code") == entry.event == event
    assert described.get("EventActionCode") == entry.action == action
    assert described.get("EventOutcomeIndicator") == str(entry.outcome)
    assert entry.outcome == outcome
    assert entry.recorded_at == NOW


@pytest.mark.parametrize("name", ALL)
def test_the_schemas_required_parts_are_there(name: str) -> None:
    root = parsed(ALL[name][0]())
    event = root.find("EventIdentification")
    assert event is not None
    assert event.get("EventDateTime") == "2026-03-02T10:30:00.000+00:00"
    source = root.find("AuditSourceIdentification")
    assert source is not None
    assert source.get("AuditSourceID")
    participants = root.findall("ActiveParticipant")
    assert participants
    assert all(p.get("UserID") for p in participants)
    for found in root.findall("ParticipantObjectIdentification"):
        assert found.find("ParticipantObjectIDTypeCode") is not None
        name_or_query = ("ParticipantObjectName", "ParticipantObjectQuery")
        assert sum(child.tag in name_or_query for child in found) == 1


@pytest.mark.parametrize("name", ALL)
def test_one_participant_is_the_requestor(name: str) -> None:
    participants = parsed(ALL[name][0]()).findall("ActiveParticipant")
    asked = [
        p.get("UserID") for p in participants if p.get("UserIsRequestor") == "true"
    ]
    assert asked == [ALL[name][0]().user]


@pytest.mark.parametrize("name", ABOUT_A_STUDY)
def test_what_concerns_a_study_names_it_in_column_and_message(name: str) -> None:
    entry = ABOUT_A_STUDY[name][0]()
    assert entry.study_instance_uid == STUDY_UID
    assert STUDY_UID in object_ids(entry)


@pytest.mark.parametrize("name", ALL)
def test_no_column_for_lists_names_the_patient(name: str) -> None:
    entry = ALL[name][0]()
    assert PATIENT_ID not in f"{entry.user} {entry.detail}"


def test_a_received_instance_names_the_patient_in_the_message() -> None:
    entry = ABOUT_A_STUDY["received"][0]()
    assert object_ids(entry) == [STUDY_UID, PATIENT_ID]


def test_a_received_instance_names_both_nodes() -> None:
    sender, receiver = parsed(ABOUT_A_STUDY["received"][0]()).findall(
        "ActiveParticipant"
    )
    assert sender.get("UserID") == "MODALITY"
    assert sender.get("NetworkAccessPointID") == "192.0.2.7"
    assert "AETITLES=MAIRA_GW" in str(receiver.get("AlternativeUserID"))


def test_a_query_is_kept_in_the_message() -> None:
    entry = kinds.prior_queried(
        STUDY_UID, StudyQuery(patient_id=PATIENT_ID, issuer="SITE"), "pacs", THREE, NOW
    )
    query = parsed(entry).find(".//ParticipantObjectQuery")
    assert query is not None
    text = b64decode(query.text or "").decode()
    assert text == "PatientID=PHANTOM-7\nIssuerOfPatientID=SITE"


def test_what_the_model_read_names_the_weights_and_every_study() -> None:
    entry = ABOUT_A_STUDY["read by the model"][0]()
    assert object_ids(entry) == [STUDY_UID, PRIOR_UID]
    assert details(entry)["WeightsDigest"] == DIGEST
    counts = [s.get("NumberOfInstances") for s in parsed(entry).iter("SOPClass")]
    assert counts == ["2", "1"]


def test_a_failed_sending_says_which_result_failed_where() -> None:
    entry = sent(StoreVerdict.STORED, StoreVerdict.PERMANENT)
    assert entry.detail == f"pacs: 1 of 2 stored. {STUDY_UID}.9.2: as answered"


def test_a_decision_names_the_person_and_what_was_decided() -> None:
    entry = ABOUT_A_STUDY["decided"][0]()
    assert entry.user == "ann"
    assert entry.detail == "released by ann (radiologist): seen"
    assert details(entry) == {"Decision": "released"}


@pytest.mark.parametrize("role", PersonRole)
def test_the_role_of_a_decision_is_that_of_its_participant(role: PersonRole) -> None:
    by = Decider(name="ann", why="seen", role=role)
    entry = kinds.study_decided(STUDY_UID, Event.REJECTED, by, NOW)
    person, _ = parsed(entry).iter("ActiveParticipant")
    code = person.find("RoleIDCode")
    assert person.get("UserID") == "ann"
    assert code is not None
    assert (code.get("csd-code"), code.get("codeSystemName")) == (role, "99MAIRAGW")


def test_who_states_no_role_has_none_in_the_message() -> None:
    by = Decider(name="ann", why="repaired")
    entry = kinds.study_decided(STUDY_UID, Event.RETRIED, by, NOW)
    person = next(parsed(entry).iter("ActiveParticipant"))
    assert entry.detail == "retried by ann: repaired"
    assert person.find("RoleIDCode") is None


def test_the_codes_have_the_meanings_of_the_standard() -> None:
    """Compared with pydicom's dictionary of PS3.16 Annex D."""
    dcm = cast("dict[str, dict[str, tuple[str, list[int]]]]", concepts["DCM"])
    known = {
        value: meaning
        for entries in dcm.values()
        for value, (meaning, _) in entries.items()
    }
    ours = [c for c in vars(codes).values() if isinstance(c, Code)]
    used = {code.value: code.meaning for code in ours if code.scheme == "DCM"}
    assert used == {value: known[value] for value in used}


def test_no_two_codes_share_a_value() -> None:
    ours = [c for c in vars(codes).values() if isinstance(c, Code)]
    ours += [codes.role_of_person(role) for role in PersonRole]
    assert len({(code.scheme, code.value) for code in ours}) == len(ours)


def test_who_identified_himself_takes_part_and_the_node_stays_the_requestor() -> None:
    named = replace(ASSOCIATION, user="alice")
    refused = kinds.association_refused(named, "user identity failed", NOW)
    ended = kinds.transfer_ended(named, (), NOW)
    for entry in (refused, ended):
        assert 'UserID="alice"' in entry.message
        assert entry.user == "STRANGER"
