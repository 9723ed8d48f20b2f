"""The audit read back by programs: IHE ITI-81, a search for AuditEvents of FHIR R4."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from dicom_io.product import MANUFACTURER, PRODUCT_NAME, RESEARCH_NOTICE
from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.audit import kinds
from gateway.audit.as_fhir import RESEARCH_ONLY, Json, event_of
from gateway.audit.message import Patient
from gateway.ledger import AuditFilter, AuditRecord, Reading
from gateway.site import Site
from gateway.web.failures import FHIR_JSON, outcome_of, say
from gateway.web.fhir_query import KNOWN, Misasked, Query, read_query
from gateway.web.guard import TheSite, needs, public
from model.version import VERSION

BASE = "/fhir"
_PUBLISHED = "2026-01-01"
_LARGEST = (1 << 63) - 1

router = APIRouter(prefix=BASE)

Auditor = Annotated[Person, needs(Permission.AUDIT_READ)]


@router.get("/AuditEvent")
def search(request: Request, site: TheSite, person: Auditor) -> Response:
    """Return a page of what was asked for; the search is recorded before."""
    preferred = request.headers.get("Prefer", "").replace(" ", "").lower()
    pairs = request.query_params.multi_items()
    with site.ledger.reading() as rows:
        try:
            query = read_query(
                pairs,
                lambda issuer, number: _pseudonyms(site, rows, issuer, number),
                is_strict="handling=strict" in preferred,
            )
        except Misasked as error:
            return say(request, 400, str(error))
        places = rows.find_audit(query.wanted, query.page)
        found = rows.audit_records([place.sequence for place in places])
    _record(site, person, query, len(found))
    return _answer(_bundle(_base(request), query, found))


@router.get("/AuditEvent/{sequence}")
def read(request: Request, site: TheSite, person: Auditor, sequence: str) -> Response:
    """Return one record by its number; that it was opened is recorded before."""
    number = int(sequence) if sequence.isascii() and sequence.isdecimal() else 0
    if not 0 < number <= _LARGEST:
        return say(request, 404, "there is no such AuditEvent")
    with site.ledger.writing() as rows:
        found = rows.audit(AuditFilter(after_sequence=number - 1, limit=1))
        if not found or found[0].sequence != number:
            return say(request, 404, "there is no such AuditEvent")
        rows.append_audit(kinds.audit_viewed(person.name, number, site.clock()))
    return _answer(event_of(found[0]))


@router.get("/metadata", dependencies=[Depends(public)])
def metadata(request: Request) -> Response:
    """Return what this server can do (FHIR R4, CapabilityStatement)."""
    return _answer(capabilities(_base(request)))


def capabilities(base: str) -> Json:
    """Return the statement of a server at an address."""
    kinds_of = {"date": "date", "_count": "number", "_format": "string"}
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _PUBLISHED,
        "publisher": MANUFACTURER,
        "description": RESEARCH_NOTICE,
        "kind": "instance",
        "software": {"name": PRODUCT_NAME, "version": VERSION},
        "implementation": {"description": RESEARCH_NOTICE, "url": base},
        "fhirVersion": "4.0.1",
        "format": ["json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "IHE ITI-81; date must give an interval",
                "resource": [
                    {
                        "type": "AuditEvent",
                        "interaction": [{"code": "read"}, {"code": "search-type"}],
                        "searchParam": [
                            {"name": name, "type": kinds_of.get(name, "token")}
                            for name in sorted(KNOWN - {"_cursor"})
                        ],
                    }
                ],
            }
        ],
    }


def _pseudonyms(
    site: Site, rows: Reading, issuer: str | None, number: str
) -> Sequence[str]:
    if issuer is None:
        return rows.pseudonyms(number)
    return [site.ledger.pseudonym(Patient(patient_id=number, issuer=issuer))]


def _record(site: Site, person: Person, query: Query, count: int) -> None:
    """Record who asked for what; a patient stands there by pseudonym."""
    wanted = query.wanted
    asked = [
        f"{column} {' or '.join(sorted(values)) or 'of nobody'}"
        for column, values in wanted.among
    ]
    ends = [end.isoformat() for end in (wanted.since, wanted.until) if end]
    how = ", ".join([f"FHIR: from {' until '.join(ends)}", *asked, f"{count} found"])
    with site.ledger.writing() as rows:
        rows.append_audit(kinds.audit_searched(person.name, how, site.clock()))


def _bundle(base: str, query: Query, found: Sequence[AuditRecord]) -> Json:
    address = f"{base}/AuditEvent"
    links = [{"relation": "self", "url": query.link(address)}]
    if len(found) == query.page.limit:
        links.append({"relation": "next", "url": query.link(address, after=found[-1])})
    entries: list[Json] = [
        {
            "fullUrl": f"{address}/{record.sequence}",
            "resource": event_of(record),
            "search": {"mode": "match"},
        }
        for record in found
    ]
    if query.ignored:
        said = "a parameter that is not known here was ignored; see the link self"
        outcome = outcome_of(400, said, "warning")
        entries.append({"resource": outcome, "search": {"mode": "outcome"}})
    bundle: Json = {
        "resourceType": "Bundle",
        "type": "searchset",
        "meta": {"tag": [RESEARCH_ONLY]},
        "link": links,
    }
    return bundle | ({"entry": entries} if entries else {})


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/") + BASE


def _answer(resource: Json) -> Response:
    return JSONResponse(resource, media_type=FHIR_JSON)
