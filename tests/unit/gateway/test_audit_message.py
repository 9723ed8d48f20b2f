"""The audit message: its structure after PS3.15 A.5.1, and hostile text in it."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.message import (
    TEXT_LIMIT,
    Action,
    AuditMessage,
    Code,
    ObjectRole,
    Outcome,
    Participant,
    ParticipantObject,
    entry,
    printable,
    to_xml,
)

QUERY = Code("110112", "DCM", "Query")
START = Code("110120", "DCM", "Application Start")
APPLICATION = Code("110150", "DCM", "Application")
PATIENT_NUMBER = Code("2", "RFC-3881", "Patient Number")
SOP_CLASS = Code("110181", "DCM", "SOP Class UID")
AT = datetime(2026, 3, 2, 10, 30, 0, 123456, tzinfo=UTC)

# Any code point, lone surrogates included, with those of markup made likely.
hostile = st.text(
    st.characters(exclude_categories=()) | st.sampled_from("<>&\"'\r\n\t\0]\x1b\ud800"),
    max_size=60,
)


def message_of(text: str = "text") -> AuditMessage:
    """Return a message that has every element, with `text` wherever text can be."""
    return AuditMessage(
        event=QUERY,
        event_type=START,
        action=Action.EXECUTE,
        outcome=Outcome.MINOR_FAILURE,
        outcome_description=text,
        occurred_at=AT,
        source_id=text,
        participants=(
            Participant(
                user_id=text,
                alternative_user_id=text,
                is_requestor=True,
                role=APPLICATION,
                network_address=text,
            ),
            Participant(user_id="PACS", is_requestor=False, network_address="::1"),
        ),
        objects=(
            ParticipantObject(
                object_id=text,
                id_type=PATIENT_NUMBER,
                role=ObjectRole.PATIENT,
                name=text,
                details=((text, text),),
                sop_classes=((text, 2), (None, 1)),
                accession_number=text,
            ),
            ParticipantObject(
                object_id="1.2.3",
                id_type=SOP_CLASS,
                role=ObjectRole.REPORT,
                query=text.encode("utf-8", "surrogatepass"),
            ),
        ),
    )


def parsed(message: AuditMessage) -> ET.Element:
    return ET.fromstring(to_xml(message))  # noqa: S314 - our own text


def test_the_children_come_in_the_order_of_the_schema() -> None:
    assert [child.tag for child in parsed(message_of())] == [
        "EventIdentification",
        "ActiveParticipant",
        "ActiveParticipant",
        "AuditSourceIdentification",
        "ParticipantObjectIdentification",
        "ParticipantObjectIdentification",
    ]


def test_the_event_says_what_when_and_how_it_ended() -> None:
    event = parsed(message_of("why"))[0]
    assert event.attrib == {
        "EventActionCode": "E",
        "EventDateTime": "2026-03-02T10:30:00.123+00:00",
        "EventOutcomeIndicator": "4",
    }
    assert [child.tag for child in event] == [
        "EventID",
        "EventTypeCode",
        "EventOutcomeDescription",
    ]
    assert event[0].attrib == {
        "csd-code": "110112",
        "codeSystemName": "DCM",
        "originalText": "Query",
    }
    assert event[2].text == "why"


def test_the_time_is_given_in_utc() -> None:
    local = AT.astimezone(timezone(timedelta(hours=-5)))
    message = AuditMessage(
        event=QUERY,
        action=Action.READ,
        outcome=Outcome.SUCCESS,
        occurred_at=local,
        source_id="host",
        participants=(),
    )
    assert 'EventDateTime="2026-03-02T10:30:00.123+00:00"' in to_xml(message)


def test_a_participant_has_its_address_and_role() -> None:
    first, second = parsed(message_of("pacs.example")).findall("ActiveParticipant")
    assert first.attrib == {
        "UserID": "pacs.example",
        "AlternativeUserID": "pacs.example",
        "UserIsRequestor": "true",
        "NetworkAccessPointID": "pacs.example",
        "NetworkAccessPointTypeCode": "1",
    }
    role = first.find("RoleIDCode")
    assert role is not None
    assert role.get("csd-code") == "110150"
    assert second.attrib == {
        "UserID": "PACS",
        "UserIsRequestor": "false",
        "NetworkAccessPointID": "::1",
        "NetworkAccessPointTypeCode": "2",
    }


def test_a_patient_is_a_person_in_the_role_of_a_patient() -> None:
    patient = parsed(message_of("ID-7")).findall("ParticipantObjectIdentification")[0]
    assert patient.attrib == {
        "ParticipantObjectID": "ID-7",
        "ParticipantObjectTypeCode": "1",
        "ParticipantObjectTypeCodeRole": "1",
    }
    assert [child.tag for child in patient] == [
        "ParticipantObjectIDTypeCode",
        "ParticipantObjectName",
        "ParticipantObjectDetail",
        "ParticipantObjectDescription",
    ]


def test_details_and_queries_are_base64() -> None:
    root = parsed(message_of("a=b"))
    detail = root.find("ParticipantObjectIdentification/ParticipantObjectDetail")
    query = root.find("ParticipantObjectIdentification/ParticipantObjectQuery")
    assert detail is not None
    assert query is not None
    assert (detail.get("type"), detail.get("value")) == ("a=b", "YT1i")
    assert query.text == "YT1i"


def test_the_description_counts_instances_by_class() -> None:
    found = parsed(message_of("1.2")).find(".//ParticipantObjectDescription")
    assert found is not None
    assert [(child.tag, child.attrib) for child in found] == [
        ("Accession", {"Number": "1.2"}),
        ("SOPClass", {"UID": "1.2", "NumberOfInstances": "2"}),
        ("SOPClass", {"NumberOfInstances": "1"}),
    ]


@given(hostile)
def test_hostile_text_keeps_the_message_well_formed_and_on_one_line(text: str) -> None:
    xml = to_xml(message_of(text))
    assert len(xml.splitlines()) == 1
    assert xml.encode("utf-8").decode("utf-8") == xml
    root = ET.fromstring(xml)  # noqa: S314 - our own text
    participant = root.find("ActiveParticipant")
    described = root.find(".//EventOutcomeDescription")
    query = root.find(".//ParticipantObjectQuery")
    assert participant is not None
    assert described is not None
    assert query is not None
    assert participant.get("UserID") == printable(text)
    assert (described.text or "") == printable(text)
    assert b64decode(query.text or "") == text.encode("utf-8", "surrogatepass")


@given(hostile)
def test_hostile_text_adds_no_element(text: str) -> None:
    tags = [element.tag for element in parsed(message_of(text)).iter()]
    assert tags == [element.tag for element in parsed(message_of()).iter()]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller \U0001d11e", "Müller \U0001d11e"),
        ("a\r\nb\x1b[31m", "a\ufffd\ufffdb\ufffd[31m"),
        ("\ud800\ufffe\x7f\u2028", "\ufffd\ufffd\ufffd\ufffd"),
        ("x" * 5000, "x" * TEXT_LIMIT),
    ],
)
def test_what_cannot_be_shown_is_replaced_or_cut(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_the_entry_has_the_columns_that_people_search() -> None:
    found = entry(message_of("who\n"), study_instance_uid="1.2.3")
    assert found.event == "110112"
    assert found.event_type == "110120"
    assert (found.action, found.outcome) == ("E", 4)
    assert found.study_instance_uid == "1.2.3"
    assert found.user == "who\ufffd"
    assert found.detail == "who\ufffd"
    assert found.recorded_at == AT
    assert found.message == to_xml(message_of("who\n"))
