"""Answers of a FHIR server on loopback become orders and reports, or failures."""

import base64
import json
from collections.abc import Iterator
from datetime import date

import pytest
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.patient import Patient

from dicom_io.header import PatientIdentity
from gateway.errors import SourceFailure
from gateway.sources.fhir import FhirOrders
from gateway.sources.fhir_search import MAX_ANSWER_BYTES, MAX_RESOURCES, FhirServer
from tests.data.fhir import (
    TOKEN,
    Server,
    bundle,
    order_key,
    report,
    report_key,
    request,
    serving,
)

PATIENT = Patient.model_validate(
    {
        "id": "p1",
        "identifier": [{"value": "PAT1", "assigner": {"display": "HOSP"}}],
        "gender": "female",
        "birthDate": "1950-01-02",
        "name": [{"family": "Müller", "given": ["Anna", "B"]}],
    }
)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as opened:
        yield opened


def ask(server: Server) -> list[str]:
    return [each.text for each in server.reports().find(report_key())]


def test_an_order_has_its_reason_and_its_patient(server: Server) -> None:
    asked = request(
        code={"text": "XR chest"},
        reasonCode=[{"text": "Cough"}, {"coding": [{"display": "Fever"}]}],
        note=[{"text": "Smoker"}],
    )
    server.answers["/ServiceRequest"] = bundle(asked, PATIENT.model_dump_json())
    (order,) = server.orders().find(order_key())
    assert (order.reason, order.reason_codes) == ("Cough", "Fever")
    assert (order.history, order.procedure) == ("Smoker", "XR chest")
    assert order.patient == PatientIdentity(
        patient_id="PAT1",
        issuer="HOSP",
        birth_date=date(1950, 1, 2),
        sex="F",
        name="Müller^Anna^B",
    )
    path, headers = server.asked[0]
    assert "identifier=ACC-9" in path
    assert headers["Authorization"] == f"Bearer {TOKEN}"


def test_the_form_comes_before_the_conclusion(server: Server) -> None:
    data = base64.b64encode(b"<p>Heart &amp; lungs</p><p>normal</p>").decode()
    form = [{"contentType": "text/html", "data": data}]
    server.answers["/DiagnosticReport"] = bundle(report(presentedForm=form))
    assert ask(server) == ["Heart & lungs\nnormal"]
    server.answers["/DiagnosticReport"] = bundle(report())
    assert ask(server) == ["No change."]


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered"])
def test_a_report_that_is_none_is_passed_over(server: Server, status: str) -> None:
    server.answers["/DiagnosticReport"] = bundle(report(status=status))
    assert ask(server) == []


def test_another_accession_is_passed_over(server: Server) -> None:
    other = report(identifier=[{"value": "ACC-99"}])
    server.answers["/DiagnosticReport"] = bundle(other)
    assert ask(server) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b'{"resourceType": "OperationOutcome"}',
        b'{"resourceType": "Bundle", "x": "' + b"y" * MAX_ANSWER_BYTES + b'"}',
    ],
    ids=["500", "html", "list", "outcome", "large"],
)
def test_an_odd_answer_is_a_failure(server: Server, body: bytes) -> None:
    server.answers["/DiagnosticReport"] = body
    with pytest.raises(SourceFailure):
        ask(server)


@pytest.mark.parametrize(
    "after",
    [
        "http://127.0.0.2:1/elsewhere",
        "https://127.0.0.1:{port}/DiagnosticReport",
        "http://127.0.0.1:1/DiagnosticReport",
        "http://other.invalid:{port}/DiagnosticReport",
        "http://name:word@127.0.0.1:{port}/DiagnosticReport",
        "//127.0.0.2/DiagnosticReport",
        "file:///etc/passwd",
        "http://[::1",
    ],
)
def test_a_page_elsewhere_is_not_asked_for(server: Server, after: str) -> None:
    page = bundle(report(), after=after.format(port=server.port))
    server.answers["/DiagnosticReport"] = page
    with pytest.raises(SourceFailure, match="next page"):
        ask(server)
    assert len(server.asked) == 1


def test_the_next_page_is_asked_for(server: Server) -> None:
    server.answers["/DiagnosticReport"] = bundle(after="/pages/2")
    server.answers["/pages/2"] = bundle(report())
    assert ask(server) == ["No change."]
    assert [path.partition("?")[0] for path, _ in server.asked] == [
        "/DiagnosticReport",
        "/pages/2",
    ]


def test_more_resources_than_the_cap_are_left_out(server: Server) -> None:
    many = [report(id=f"r{n}") for n in range(MAX_RESOURCES + 50)]
    server.answers["/DiagnosticReport"] = bundle(*many, after="/DiagnosticReport")
    assert len(ask(server)) == MAX_RESOURCES
    assert len(server.asked) == 1


CONDITION: dict[str, object] = {
    "resourceType": "Condition",
    "id": "c1",
    "subject": {"reference": "Patient/p1"},
    "code": {"text": "Suspected pneumonia", "coding": [{"display": "Pneumonia"}]},
}


def reasons(server: Server, **changes: object) -> tuple[str | None, str | None]:
    condition = Condition.model_validate({**CONDITION, **changes})
    asked = request(
        contained=[json.loads(condition.model_dump_json())],
        reasonReference=[{"reference": "#c1"}, {"reference": "#c1"}],
    )
    server.answers["/ServiceRequest"] = bundle(asked)
    (order,) = server.orders().find(order_key())
    return order.reason, order.reason_codes


def test_a_contained_condition_is_the_reason(server: Server) -> None:
    assert reasons(server) == ("Suspected pneumonia", "Pneumonia")


@pytest.mark.parametrize(
    "changes",
    [
        {"verificationStatus": {"coding": [{"code": "refuted"}]}},
        {"verificationStatus": {"coding": [{"code": "entered-in-error"}]}},
        {"subject": {"reference": "Patient/p2"}},
        {"id": "c2"},
    ],
    ids=["refuted", "error", "another patient", "another condition"],
)
def test_a_condition_that_is_none_of_the_order_is_no_reason(
    server: Server, changes: dict[str, object]
) -> None:
    assert reasons(server, **changes) == (None, None)


def test_pages_without_end_are_ended(server: Server) -> None:
    server.answers["/DiagnosticReport"] = bundle(after="/DiagnosticReport?page=2")
    assert ask(server) == []
    assert len(server.asked) == 8  # two questions of four pages


def test_a_broken_resource_costs_only_itself(server: Server) -> None:
    broken = json.dumps({"resourceType": "DiagnosticReport", "conclusion": 7})
    server.answers["/DiagnosticReport"] = bundle(broken, report())
    assert ask(server) == ["No change."]


def test_nobody_there_is_a_failure() -> None:
    nobody = FhirServer(url="http://127.0.0.1:1", seconds=1.0)
    with pytest.raises(SourceFailure):
        FhirOrders(server=nobody).find(order_key())
