"""HL7 v2 messages, made by an independent library, as values."""

import random
from datetime import UTC, date, datetime

import pytest

from gateway.sources.acknowledging import Acknowledgement, Answer
from gateway.sources.hl7 import Fault, Keep, Refused, read_envelope, read_message
from tests.data.ledgers import NOW
from tests.data.messages import ACCESSION, STUDY_UID, order, result


def kept(data: bytes) -> Keep:
    content = read_message(data).content
    assert isinstance(content, Keep), content
    return content


def refused(data: bytes) -> Fault:
    content = read_message(data).content
    assert isinstance(content, Refused), content
    return content.fault


def test_a_result_becomes_a_report() -> None:
    (report,) = kept(result()).reports
    assert (report.document, report.accession_number) == ("FL1^PACS", ACCESSION)
    assert report.study_instance_uid == STUDY_UID
    assert report.text == "FINDINGS:\nHeart normal.\nIMPRESSION:\nNo change."
    assert report.is_final
    assert not report.written_by_device
    assert report.written_at == datetime(2026, 3, 2, 7, tzinfo=UTC)
    patient = report.patient
    assert (patient.patient_id, patient.issuer) == ("PAT1", "HOSP")
    assert (patient.birth_date, patient.sex) == (date(1950, 1, 2), "F")
    assert patient.name == "Müller^Anna^B^Dr^III"


def test_escapes_of_formatted_text_are_resolved() -> None:
    # \X41\ is the letter A, \T\ the subcomponent separator, \.br\ a new line.
    escaped = result().replace(b"Heart normal.", rb"One\.br\Two \T\ \X41\\H\x\N\ ")
    (report,) = kept(escaped).reports
    assert report.text.startswith("FINDINGS:\nOne\nTwo & Ax\n")


@pytest.mark.parametrize(("status", "final"), [("C", True), ("A", True), ("P", False)])
def test_the_status_says_whether_a_report_is_final(status: str, final: bool) -> None:
    (report,) = kept(result(status)).reports
    assert report.is_final is final


@pytest.mark.parametrize("status", ["D", "W", "X"])
def test_a_withdrawn_report_is_dropped(status: str) -> None:
    content = kept(result(status))
    assert (content.reports, content.dropped_reports) == ((), ("FL1^PACS",))


def test_an_order_says_reason_history_and_procedure() -> None:
    (found,) = kept(order()).orders
    assert (found.document, found.accession_number) == ("PL1^RIS", ACCESSION)
    assert (found.reason, found.reason_codes) == ("Cough and fever", "Cough")
    assert (found.history, found.procedure) == ("Smoker", "XR Chest 2 views")


def test_an_imaging_order_is_read_and_its_ipc_names_the_accession() -> None:
    imaging = order().replace(b"ORM^O01^ORM_O01", b"OMI^O23^OMI_O23")
    (found,) = kept(imaging + b"\rIPC|ACC-IPC|RP1|1.2.3|SPS1").orders
    assert found.accession_number == "ACC-IPC"


@pytest.mark.parametrize(
    ("found", "put", "urgent"),
    [
        (b"", b"", False),
        (b"|PL1^RIS", b"|PL1^RIS|||||^^^^^S", True),  # ORC-7.6
        (b"|PL1^RIS", b"|PL1^RIS|||||^^^^^R", False),
        (b"OBR|", b"TQ1|1||||||||ASAP\rOBR|", True),
        (b"OBR|", b"TQ1|1||||||||R\rOBR|", False),
    ],
)
def test_an_order_says_whether_it_is_urgent(
    found: bytes, put: bytes, urgent: bool
) -> None:
    (read,) = kept(order().replace(found, put, 1)).orders
    assert read.urgent is urgent


@pytest.mark.parametrize("control", ["CA", "OC", "DC"])
def test_a_cancelled_order_is_dropped(control: str) -> None:
    assert kept(order(control)).dropped_orders == ("PL1^RIS",)


def test_the_header_says_in_which_language_a_report_is() -> None:
    german = result().replace(b"|UNICODE UTF-8", b"|UNICODE UTF-8|de^German^ISO639")
    (report,) = kept(german).reports
    assert report.language == "de"


def test_latin_text_is_read_as_its_header_says() -> None:
    latin = result().decode().replace("UNICODE UTF-8", "8859/1").encode("latin-1")
    (report,) = kept(latin).reports
    assert report.patient.name == "Müller^Anna^B^Dr^III"


def test_bytes_outside_of_the_character_set_are_refused() -> None:
    assert refused(result().replace(b"UNICODE UTF-8", b"ASCII")) is Fault.UNREADABLE


def test_another_type_is_not_taken() -> None:
    assert refused(result().replace(b"ORU^R01", b"ADT^A01")) is Fault.MESSAGE_TYPE


def test_two_patients_in_one_message_are_refused() -> None:
    assert refused(result() + b"\rPID|||PAT2^^^HOSP^MR") is Fault.MISSING


def test_equipment_without_a_person_is_a_device() -> None:
    lines = result().decode().split("\r")
    marked = [
        "|".join([*(each.split("|") + [""] * 18)[:18], "AI^1"])
        if each.startswith("OBX|1")
        else each
        for each in lines
    ]
    (report,) = kept("\r".join(marked).encode()).reports
    assert report.written_by_device


def test_a_refusal_names_the_message_that_it_answers() -> None:
    envelope = read_message(result(text="a\0b")).envelope
    assert (envelope.control_id, envelope.sender) == ("CTRL-7", "RIS")


def test_an_answer_escapes_our_separator_where_the_sender_has_another() -> None:
    other = b"MSH#^~\\&#RIS####20260302##ORU^R01#C|7#P#2.5"
    answer = Acknowledgement(answer=Answer.REJECT).encode(read_envelope(other), NOW)
    assert rb"MSA|AR|C\F\7" in answer.split(b"\r")


def test_of_several_reports_each_has_the_study_behind_its_request() -> None:
    lines = [each for each in result().split(b"\r") if STUDY_UID.encode() not in each]
    second = [each for each in lines if each[:3] in (b"OBR", b"OBX")]
    told = b"\r".join([*lines, b"ZDS|1.2.3^RIS^Application^DICOM", *second])
    assert [r.study_instance_uid for r in kept(told).reports] == ["1.2.3", None]


@pytest.mark.parametrize("seed", range(50))
def test_a_mutated_message_is_read_or_refused_without_its_text(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - mutations, not secrets
    data = bytearray(chance.choice((result(), order())))
    for _ in range(chance.randint(1, 40)):
        at = chance.randrange(len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 30)]
            case _:
                data[at:at] = chance.choice((b"|" * 50, b"\r", b"\\X", b"MSH|", b"~^&"))
    content = read_message(bytes(data)).content
    if isinstance(content, Refused):
        assert "PAT1" not in content.reason
        assert "Anna" not in content.reason


def test_a_message_of_separators_costs_little() -> None:
    assert refused(result().partition(b"\rPID")[0] + b"\rOBX|" + b"|^&~" * 250_000)
