"""Orders and reports of a FHIR R4 server, asked by accession number.

Only our own server is asked: redirects and links to another origin are not followed,
for each request carries the site's token.
"""

import logging
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import httpx2
from pydantic import ValidationError

from dicom_io.header import PatientIdentity
from dicom_io.identity import is_exact_key
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport
from gateway.errors import SourceFailure
from gateway.sources.fhir_resources import (
    Bundle,
    DiagnosticReport,
    Patient,
    Resource,
    ServiceRequest,
)
from gateway.sources.kinds import OrderKey, ReportKey

logger = logging.getLogger(__name__)

MAX_ANSWER_BYTES = 4 << 20
MAX_PAGES = 4
_MAX_RESOURCES = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirServer:
    """A server and what a question to it may cost.

    `url`: its base, without a trailing slash. `token`: a bearer token, None: none.
    `authority`: a PEM file, None: the system's. `seconds`: for one request.
    """

    url: str
    token: str | None = None
    authority: Path | None = None
    seconds: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirOrders:
    """Orders as ServiceRequest resources."""

    server: FhirServer

    @property
    def source(self) -> OrderSource:
        """FHIR."""
        return OrderSource.FHIR

    @property
    def name(self) -> str:
        """Name the server's kind."""
        return "fhir"

    def find(self, key: OrderKey) -> list[Order]:
        """Ask by identifier; raises SourceFailure."""
        accession = key.accession_number
        found = _search(self.server, "ServiceRequest", "identifier", accession)
        requests = _resources(found, "ServiceRequest", ServiceRequest)
        return [
            _order(each, found, accession)
            for each in requests
            if each.status not in ("revoked", "entered-in-error")
            and accession in {i.value for i in each.identifier}
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class FhirReports:
    """Reports as DiagnosticReport resources."""

    server: FhirServer

    @property
    def source(self) -> ReportSource:
        """FHIR."""
        return ReportSource.FHIR

    @property
    def name(self) -> str:
        """Name the server's kind."""
        return "fhir"

    def find(self, key: ReportKey) -> list[OutsideReport]:
        """Ask by identifier, then by the order's; raises SourceFailure."""
        accession = key.accession_number
        if accession is None:
            return []
        for parameter in ("identifier", "based-on:identifier"):
            found = _search(self.server, "DiagnosticReport", parameter, accession)
            reports = [
                _report(each, found, accession)
                for each in _resources(found, "DiagnosticReport", DiagnosticReport)
                if each.status in _FINAL | _PRELIMINARY and _names(each, accession)
            ]
            with_text = [each for each in reports if each.text]
            if with_text:
                return sorted(with_text, key=_age, reverse=True)
        return []


_FINAL = frozenset({"final", "amended", "corrected", "appended"})
_PRELIMINARY = frozenset({"partial", "preliminary"})
"""Value set diagnostic-report-status; the others are not reports to read."""


def _names(report: DiagnosticReport, accession: str) -> bool:
    own = {each.value for each in report.identifier}
    return accession in own | {each.identifier.value for each in report.basedOn}


def _age(report: OutsideReport) -> float:
    return 0.0 if report.written_at is None else report.written_at.timestamp()


def _report(
    report: DiagnosticReport, found: list[dict[str, object]], accession: str
) -> OutsideReport:
    forms = [each.language for each in report.presentedForm if each.language]
    return OutsideReport(
        source=ReportSource.FHIR,
        document=f"DiagnosticReport/{report.id}",
        patient=_patient(report, found),
        accession_number=accession,
        study_instance_uid=report.study_instance_uid,
        text=report.words,
        is_final=report.status in _FINAL,
        written_at=report.issued_at,
        written_by_device=report.is_by_device,
        language=report.language or next(iter(forms), None),
    )


def _order(
    request: ServiceRequest, found: list[dict[str, object]], accession: str
) -> Order:
    notes = "; ".join(each.text for each in request.note if each.text)
    return Order(
        source=OrderSource.FHIR,
        document=f"ServiceRequest/{request.id}",
        accession_number=accession,
        patient=_patient(request, found),
        reason=request.reason,
        reason_codes=request.reason_codes,
        history=notes or None,
        procedure=request.code.text or request.code.meaning or None,
    )


def _patient(resource: Resource, found: list[dict[str, object]]) -> PatientIdentity:
    """Return the subject, contained or included; nobody where it is not there."""
    reference = resource.subject.reference
    if reference.startswith("#"):
        candidates, wanted = list(resource.contained), reference[1:]
    else:
        candidates, wanted = found, reference.rpartition("Patient/")[2]
    patients = _resources(candidates, "Patient", Patient)
    return next((p for p in patients if p.id == wanted), Patient()).identity()


Read = TypeVar("Read", Patient, DiagnosticReport, ServiceRequest)


def _resources(
    found: list[dict[str, object]], name: str, kind: type[Read]
) -> list[Read]:
    """Return the resources of one kind that can be read."""
    read: list[Read] = []
    for each in found:
        if each.get("resourceType") != name:
            continue
        try:
            read.append(kind.model_validate(each))
        except ValidationError as error:
            logger.warning("fhir: a %s has %d faults", name, error.error_count())
    return read


def _search(
    server: FhirServer, kind: str, parameter: str, accession: str
) -> list[dict[str, object]]:
    """Return the resources of an answer and its next pages."""
    if not is_exact_key(accession):
        raise SourceFailure("the accession number is not one exact value: nothing sent")
    found: list[dict[str, object]] = []
    with _client(server) as client:
        asked = httpx2.QueryParams(
            {parameter: _escaped(accession), "_include": f"{kind}:subject"}
        )
        url: httpx2.URL | None = httpx2.URL(f"{server.url}/{kind}", params=asked)
        for _ in range(MAX_PAGES):
            if url is None or len(found) > _MAX_RESOURCES:
                break
            page = _page(client, server, url)
            found += [each.resource for each in page.entry]
            url = _next(page, url)
    return found[:_MAX_RESOURCES]


def _escaped(value: str) -> str:
    """Escape what has a meaning in a search (FHIR R4, search, 3.1.1.4.0.1)."""
    return "".join(f"\\{each}" if each in "$,|" else each for each in value)


def _next(page: Bundle, current: httpx2.URL) -> httpx2.URL | None:
    """Return the next page, where it is on the same server."""
    link = next((each.url for each in page.link if each.relation == "next"), "")
    if not link:
        return None
    try:
        url = current.join(link)
    except httpx2.InvalidURL as error:
        raise SourceFailure("fhir: the next page has no valid address") from error
    if (url.scheme, url.host, url.port) != (
        current.scheme,
        current.host,
        current.port,
    ):
        raise SourceFailure("fhir: the next page is on another server")
    return url


def _client(server: FhirServer) -> httpx2.Client:
    headers = {"Accept": "application/fhir+json", "Accept-Encoding": "identity"}
    if server.token is not None:
        headers["Authorization"] = f"Bearer {server.token}"
    authority = None if server.authority is None else str(server.authority)
    try:
        context = ssl.create_default_context(cafile=authority)
    except OSError as error:
        raise SourceFailure(f"fhir: fhir.authority cannot be read: {error}") from error
    return httpx2.Client(
        headers=headers,
        timeout=server.seconds,
        verify=context,
        follow_redirects=False,
        trust_env=False,
    )


def _page(client: httpx2.Client, server: FhirServer, url: httpx2.URL) -> Bundle:
    try:
        with client.stream("GET", url) as response:
            if response.status_code != 200:
                raise SourceFailure(f"fhir: status {response.status_code}")
            body = b"".join(_capped(response, server))
        page = Bundle.model_validate_json(body)
    except httpx2.HTTPError as error:
        raise SourceFailure(f"fhir: {type(error).__name__}") from error
    except ValidationError as error:
        raise SourceFailure("fhir: the answer is no Bundle") from error
    if page.resourceType != "Bundle":
        raise SourceFailure("fhir: the answer is no Bundle")
    return page


def _capped(response: httpx2.Response, server: FhirServer) -> Iterator[bytes]:
    """Yield the body as sent, within the cap and the deadline of a request."""
    end, size = time.monotonic() + server.seconds, 0
    for chunk in response.iter_raw():
        size += len(chunk)
        if size > MAX_ANSWER_BYTES:
            raise SourceFailure(f"fhir: longer than {MAX_ANSWER_BYTES} bytes")
        if time.monotonic() > end:
            raise SourceFailure(f"fhir: not whole within {server.seconds:g} s")
        yield chunk
