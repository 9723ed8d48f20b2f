"""The Audit page: what happened, its histories and views, one record, and exports."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Form, HTTPException, Path, Request, Response
from fastapi.responses import RedirectResponse, StreamingResponse

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.audit.codes import EVENTS
from gateway.audit.message import Action, Outcome
from gateway.audit.parts import Person as Actor
from gateway.errors import BadQuestion
from gateway.ledger import AuditRecord
from gateway.log_keeping.exporting import export_bundle
from gateway.log_keeping.sealing import find_signer
from gateway.reviewing.asking import FAILED, View, of_text, to_text
from gateway.reviewing.desk import (
    COUNTED,
    Desk,
    desk_of,
    find_bulk,
    find_repeats,
    open_record,
    pseudonyms_of,
    reveal_record,
    search,
    who_did_what,
)
from gateway.reviewing.exports import Exported, Format, export
from gateway.reviewing.messages import hide_sealed, parts_of
from gateway.reviewing.sentences import kind_name, meaning_of, sentence, short_uid
from gateway.reviewing.standing import standing_of
from gateway.site import Site
from gateway.web.audit_query import OLDEST, PATH, Asked, asked_of
from gateway.web.guard import TheSite, needs
from gateway.web.pages import TEMPLATES, page

router = APIRouter()

Reader = Annotated[Person, needs(Permission.AUDIT_READ)]
Exporter = Annotated[Person, needs(Permission.AUDIT_EXPORT)]
Sequence = Annotated[int, Path(ge=1, le=2**53)]

VIEWS = {
    View.ALL: "Everything",
    View.PEOPLE: "People",
    View.OUT_OF_HOURS: "Out of hours",
    View.BREAK_GLASS: "Break-glass",
    View.FAILURES: "Failures",
    View.SETTINGS: "Changed settings",
}
ACTIONS = {
    Action.CREATE: "create",
    Action.READ: "read",
    Action.UPDATE: "update",
    Action.DELETE: "delete",
    Action.EXECUTE: "execute",
}
OUTCOMES = {
    str(Outcome.SUCCESS.value): "success",
    FAILED: "any failure",
    str(Outcome.MINOR_FAILURE.value): "minor failure",
    str(Outcome.SERIOUS_FAILURE.value): "serious failure",
    str(Outcome.MAJOR_FAILURE.value): "major failure",
}
_TONES = {
    Outcome.MINOR_FAILURE: "tone-wait",
    Outcome.SERIOUS_FAILURE: "tone-bad",
    Outcome.MAJOR_FAILURE: "tone-bad",
}


def actor_of(request: Request, person: Person) -> Actor:
    """Return who looks, as the audit names them."""
    address = request.client.host if request.client else None
    return Actor(name=person.name, role=person.role, address=address)


def desk_at(site: Site) -> Desk:
    """Return what reviewers of a site work with."""
    return desk_of(site.settings, site.ledger)


def asked_by(request: Request, desk: Desk) -> Asked:
    """Return what the address of a page asks."""
    return asked_of(request.query_params, desk.hours.zone)


NOTHING: Mapping[str, object] = {"found": None, "next": None, "tallies": []}
"""What a page shows of the log where nothing was looked up."""


@router.get(PATH)
def show_audit(request: Request, site: TheSite, person: Reader) -> Response:
    """Show a page of the log, and record who looked for what."""
    desk = desk_at(site)
    asked = asked_by(request, desk)
    if asked.refused is not None:
        return _listed(request, site, asked, NOTHING, 422)
    actor = actor_of(request, person)
    found = search(desk, asked.question, asked.page, actor, site.clock())
    values = {
        "found": found,
        "next": found.after and asked.next(found.after),
        "tallies": _tallies(desk, asked),
    }
    return _listed(request, site, asked, values)


def _listed(
    request: Request,
    site: Site,
    asked: Asked,
    values: Mapping[str, object],
    status: int = 200,
) -> Response:
    shown = {
        **common_values(site, asked),
        "saved": _saved(request, site),
        "patient_refused": None,
        "tab": asked.question.view.value,
    }
    return page(request, "audit.html", {**shown, **values}, status=status)


def common_values(site: Site, asked: Asked) -> dict[str, object]:
    """Return what every page of this area has."""
    desk = desk_at(site)
    return {
        "asked": asked,
        "fields": asked.fields,
        "question_text": to_text(asked.question),
        "standing": standing_of(site.ledger),
        "zone": desk.hours.zone,
        "desk": desk,
        "views": VIEWS,
        "actions": ACTIONS,
        "outcomes": OUTCOMES,
        "events": EVENTS,
        "counted_most": COUNTED,
        "oldest": OLDEST,
        "formats": list(Format),
    }


def _saved(request: Request, site: Site) -> object:
    with site.ledger.reading() as rows:
        return rows.saved_filters(request.state.person.name)


def _tallies(desk: Desk, asked: Asked) -> object:
    """Return the head of a history: of a patient, a study or a person."""
    wanted = asked.question.wanted
    of_whom = wanted.patient or wanted.study_instance_uid
    is_history = of_whom or (wanted.user and wanted.by_person)
    return who_did_what(desk, wanted) if is_history and not asked.page.after else []


@router.post(f"{PATH}/patient")
def find_patient(
    request: Request,
    site: TheSite,
    person: Reader,  # noqa: ARG001 - declares who may ask
    patient: Annotated[str, Form(max_length=128)] = "",
    question: Annotated[str, Form(max_length=4096)] = "",
) -> Response:
    """Lead to what was done with a patient; the Patient ID stands in no address."""
    desk = desk_at(site)
    asked = asked_of(_query_of(question), desk.hours.zone)
    found = pseudonyms_of(desk, patient)
    if len(found) == 1:
        return RedirectResponse(asked.link(patient=found[0]), 303)
    refused = found or "nobody in the log has this Patient ID"
    return _listed(request, site, asked, {**NOTHING, "patient_refused": refused}, 422)


def _query_of(question: str) -> Mapping[str, str]:
    return dict(parse_qsl(question.removeprefix("?")))


@router.get(f"{PATH}/bulk")
def show_bulk(request: Request, site: TheSite, person: Reader) -> Response:
    """Show who opened many patients within a short time."""
    return _counted(request, site, person, "bulk")


@router.get(f"{PATH}/repeats")
def show_repeats(request: Request, site: TheSite, person: Reader) -> Response:
    """Show which results a destination took more than once."""
    return _counted(request, site, person, "repeats")


def _counted(request: Request, site: Site, person: Person, tab: str) -> Response:
    desk = desk_at(site)
    asked = asked_by(request, desk)
    if asked.refused is not None:
        raise BadQuestion(asked.refused)
    find = find_bulk if tab == "bulk" else find_repeats
    rows = find(desk, asked.question.wanted, actor_of(request, person), site.clock())
    values = {**common_values(site, asked), "rows": rows, "tab": tab}
    return page(request, "audit_counts.html", values)


@router.get(f"{PATH}/records/{{sequence}}")
def show_record(
    request: Request, site: TheSite, person: Reader, sequence: Sequence
) -> Response:
    """Show one record with its message."""
    desk = desk_at(site)
    found = open_record(desk, sequence, actor_of(request, person), site.clock())
    return _record(request, site, found, is_revealed=False)


@router.post(f"{PATH}/records/{{sequence}}/reveal")
def show_patient(
    request: Request, site: TheSite, person: Reader, sequence: Sequence
) -> Response:
    """Show one record with its patient as it was; that is a record of its own."""
    desk = desk_at(site)
    found = reveal_record(desk, sequence, actor_of(request, person), site.clock())
    return _record(request, site, found, is_revealed=True)


def _record(
    request: Request, site: Site, record: AuditRecord | None, *, is_revealed: bool
) -> Response:
    if record is None:
        raise HTTPException(404, "the log has no such record")
    asked = asked_by(request, desk_at(site))
    values = {
        **common_values(site, asked),
        "record": record,
        "parts": parts_of(record.message),
        "xml": hide_sealed(record.message),
        "is_revealed": is_revealed,
        "tab": "",
    }
    return page(request, "audit_record.html", values)


@router.post(f"{PATH}/export")
def export_records(
    request: Request,
    site: TheSite,
    person: Exporter,
    format_: Annotated[Format, Form(alias="format")],
    question: Annotated[str, Form(max_length=4096)] = "",
) -> Response:
    """Give what a question finds as a file; it is recorded before and after."""
    wanted = Exported(
        question=of_text(question), by=actor_of(request, person), clock=site.clock
    )
    pieces = export(desk_at(site), wanted, format_)
    return StreamingResponse(
        _bytes(pieces),
        media_type=format_.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="audit.{format_.value}"'
        },
    )


@router.post(f"{PATH}/bundle")
def export_signed(
    request: Request,
    site: TheSite,
    person: Exporter,
    question: Annotated[str, Form(max_length=4096)] = "",
) -> Response:
    """Give what a question finds with its checkpoint and proofs, signed."""
    asked = of_text(question)
    if asked.view is View.OUT_OF_HOURS:
        raise BadQuestion("a bundle knows no hours: choose another view")
    signer = find_signer(site.settings.audit_key_path, site.ledger)
    actor, now = actor_of(request, person), site.clock()
    _, lines = export_bundle(site.ledger, signer, asked.wanted, actor, now)
    return StreamingResponse(
        _bytes(lines),
        media_type="application/jsonl",
        headers={"Content-Disposition": 'attachment; filename="audit-bundle.jsonl"'},
    )


def _bytes(pieces: Iterator[str]) -> Iterator[bytes]:
    for piece in pieces:
        yield piece.encode("utf-8")


def local_time(at: datetime, zone: ZoneInfo) -> str:
    """Return a time by the site's clock."""
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S}"


def outcome_tone(outcome: int) -> str:
    """Return the class of an outcome."""
    return (
        _TONES.get(Outcome(outcome), "tone-good") if outcome in _KNOWN else "tone-bad"
    )


def outcome_word(outcome: int) -> str:
    """Return what an outcome means."""
    return OUTCOMES.get(str(outcome), f"unknown outcome {outcome}")


def history_link(**fields: str) -> str:
    """Return the address of a history, such as that of a person."""
    return f"{PATH}?{urlencode(fields)}"


_KNOWN = frozenset(each.value for each in Outcome)

TEMPLATES.filters["sentence"] = sentence
TEMPLATES.filters["short_uid"] = short_uid
TEMPLATES.filters["meaning_of"] = meaning_of
TEMPLATES.filters["kind_name"] = kind_name
TEMPLATES.filters["local_time"] = local_time
TEMPLATES.filters["outcome_tone"] = outcome_tone
TEMPLATES.filters["outcome_word"] = outcome_word
TEMPLATES.globals["history_link"] = history_link
