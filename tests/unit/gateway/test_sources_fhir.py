"""A FHIR server of our own on loopback; resources made by an independent library."""

import base64
import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.servicerequest import ServiceRequest

from dicom_io.header import PatientIdentity
from gateway.errors import SourceFailure
from gateway.sources.fhir import MAX_ANSWER_BYTES, FhirOrders, FhirReports, FhirServer
from gateway.sources.kinds import OrderKey, ReportKey

ACCESSION = "ACC-9"
TOKEN = "a-b-c"  # noqa: S105 - of the server below
NOBODY = PatientIdentity(
    patient_id="PAT1", issuer=None, birth_date=None, sex=None, name=None
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


@dataclass(kw_only=True)
class Server:
    """Answers by the path and the query; remembers what it was asked."""

    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def client(self) -> FhirServer:
        return FhirServer(url=f"http://127.0.0.1:{self.port}", token=TOKEN, seconds=5.0)


@pytest.fixture
def server() -> Iterator[Server]:
    known = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append((self.path, dict(self.headers)))
            body = known.answers.get(self.path.partition("?")[0], bundle())
            self.send_response(200 if body else 500)
            self.end_headers()
            try:
                self.wfile.write(body)
            except OSError:
                return  # the client has had enough

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            _ = format, args

    with HTTPServer(("127.0.0.1", 0), Handler) as http:
        known.port = http.server_port
        thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield known
        http.shutdown()
        thread.join()


def bundle(*resources: str, after: str = "") -> bytes:
    entries = [{"resource": json.loads(each)} for each in resources]
    link = [{"relation": "next", "url": after}] if after else []
    body = {"resourceType": "Bundle", "type": "searchset"}
    return json.dumps({**body, "entry": entries, "link": link}).encode()


def report(**changes: object) -> str:
    values: dict[str, object] = {
        "id": "r1",
        "status": "final",
        "identifier": [{"value": ACCESSION}],
        "code": {"text": "Chest"},
        "subject": {"reference": "Patient/p1"},
        "issued": "2026-03-02T08:00:00+01:00",
        "conclusion": "No change.",
    }
    return str(DiagnosticReport.model_validate({**values, **changes}).model_dump_json())


def ask(server: Server) -> list[str]:
    key = ReportKey(
        study_instance_uid="1.2", accession_number=ACCESSION, patient=NOBODY
    )
    return [each.text for each in FhirReports(server=server.client).find(key)]


def test_an_order_has_its_reason_and_its_patient(server: Server) -> None:
    request = ServiceRequest.model_validate(
        {
            "id": "s1",
            "status": "active",
            "intent": "order",
            "identifier": [{"value": ACCESSION}],
            "subject": {"reference": "Patient/p1"},
            "code": {"text": "XR chest"},
            "reasonCode": [{"text": "Cough"}, {"coding": [{"display": "Fever"}]}],
            "note": [{"text": "Smoker"}],
        }
    ).model_dump_json()
    server.answers["/ServiceRequest"] = bundle(request, PATIENT.model_dump_json())
    key = OrderKey(accession_number=ACCESSION, patient=NOBODY)
    (order,) = FhirOrders(server=server.client).find(key)
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
        bundle(after="http://127.0.0.2:1/elsewhere"),
    ],
    ids=["500", "html", "list", "outcome", "large", "elsewhere"],
)
def test_an_odd_answer_is_a_failure(server: Server, body: bytes) -> None:
    server.answers["/DiagnosticReport"] = body
    with pytest.raises(SourceFailure):
        ask(server)


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
    key = OrderKey(accession_number=ACCESSION, patient=NOBODY)
    with pytest.raises(SourceFailure):
        FhirOrders(server=nobody).find(key)
