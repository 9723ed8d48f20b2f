"""A FHIR server on loopback; resources made by an independent library."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer

from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.servicerequest import ServiceRequest

from dicom_io.header import PatientIdentity
from gateway.sources.fhir import FhirOrders, FhirReports
from gateway.sources.fhir_search import FhirServer
from gateway.sources.kinds import OrderKey, ReportKey

ACCESSION = "ACC-9"
TOKEN = "a-b-c"  # noqa: S105 - of the server below
NOBODY = PatientIdentity(
    patient_id="PAT1", issuer=None, birth_date=None, sex=None, name=None
)


@dataclass(kw_only=True)
class Server:
    """Answers by the path and the query; remembers what it was asked."""

    answers: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    port: int = 0

    @property
    def client(self) -> FhirServer:
        """Return how it is asked."""
        return FhirServer(
            url=f"http://127.0.0.1:{self.port}", token=TOKEN, seconds=30.0
        )

    def orders(self) -> FhirOrders:
        """Return it as a source of orders."""
        return FhirOrders(server=self.client)

    def reports(self) -> FhirReports:
        """Return it as a source of reports."""
        return FhirReports(server=self.client)


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server that has nothing yet for the length of a with block."""
    known = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known.asked.append((self.path, dict(self.headers)))
            body = known.answers.get(self.path)
            if body is None:
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
    """Return a page of JSON resources; `after`: where the next one is."""
    link = [{"relation": "next", "url": after}] if after else []
    body = {"resourceType": "Bundle", "type": "searchset", "link": link}
    entries = ", ".join(f'{{"resource": {each}}}' for each in resources)
    return f'{json.dumps(body)[:-1]}, "entry": [{entries}]}}'.encode()


def report(**changes: object) -> str:
    """Return a final report as JSON."""
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


def request(**changes: object) -> str:
    """Return an active order as JSON."""
    values: dict[str, object] = {
        "id": "s1",
        "status": "active",
        "intent": "order",
        "identifier": [{"value": ACCESSION}],
        "subject": {"reference": "Patient/p1"},
    }
    return str(ServiceRequest.model_validate({**values, **changes}).model_dump_json())


def order_key() -> OrderKey:
    """Ask for the orders of `ACCESSION`."""
    return OrderKey(accession_number=ACCESSION, patient=NOBODY)


def report_key() -> ReportKey:
    """Ask for the reports of `ACCESSION`."""
    return ReportKey(
        study_instance_uid="1.2", accession_number=ACCESSION, patient=NOBODY
    )
