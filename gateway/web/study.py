"""The page of one study, its pictures, its downloads, and what a person does there."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Path, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from starlette.exceptions import HTTPException

from dicom_io.errors import NotEncodable, Unreadable, UnsupportedImage
from dicom_io.pictures.pixels import ShownPicture
from dicom_io.pictures.showing import LARGEST
from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.audit.parts import Person as Taker
from gateway.lifecycle import State
from gateway.people import Decider, PersonRole
from gateway.showing import study_page, taking
from gateway.showing.choices import Choice, Seen, choices_of, choose
from gateway.site import Site
from gateway.stages import grounding
from gateway.web.guard import TheSite, needs
from gateway.web.pages import page
from gateway.web.study_values import page_values, result_name, waiting_values

router = APIRouter(prefix="/studies/{uid}")

Uid = Annotated[str, Path(pattern=r"^[0-9.]{1,64}$")]
"""A UID (PS3.5 9.1), as far as a path may hold one."""
Reader = Annotated[Person, needs(Permission.STUDIES_READ)]
Sayable = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]

_DICOM, _PNG = "application/dicom", "image/png"
_NOT_KEPT = {"Cache-Control": "no-store"}
"""Pictures of a patient stay in no browser's folder; the gateway keeps them a while."""


class AskedGreys(BaseModel):
    """A window and a size, as a path asks for them; both of a window or none."""

    model_config = ConfigDict(extra="forbid")

    center: Sayable | None = None
    width: Annotated[Sayable, Field(ge=1.0)] | None = None
    whole: bool = False

    @model_validator(mode="after")
    def _both_or_none(self) -> "AskedGreys":
        if (self.center is None) is not (self.width is None):
            raise ValueError("a window has a center and a width")
        return self


class Choosing(BaseModel):
    """What a person chose, about the study in the state that was shown."""

    form_token: str = ""
    choice: Choice
    state: State
    revision: Annotated[int, Field(ge=1)]
    role: PersonRole | Literal[""] = ""
    why: Annotated[str, Field(max_length=400)] = ""


@router.get("")
def show(request: Request, site: TheSite, person: Reader, uid: Uid) -> Response:
    """Show a study; that it was looked at is recorded."""
    shown = study_page.open_page(site, uid, person.in_audit, site.clock())
    is_sent = bool(site.settings.results.destinations)
    choices = choices_of(shown.detail, is_sent=is_sent)
    if not person.may(Permission.STUDIES_DECIDE):
        choices = ()
    return page(request, "study.html", **page_values(shown, choices))


@router.get("/pictures/{sop_uid}.png")
def picture(
    site: TheSite,
    person: Reader,
    uid: Uid,
    sop_uid: Uid,
    asked: Annotated[AskedGreys, Query()],
) -> Response:
    """Return an image of the study as a PNG, in the window that is asked for."""
    shown = _picture(site, person, _asked(uid, sop_uid, asked))
    return Response(shown.png, media_type=_PNG, headers=_NOT_KEPT)


@router.get("/pictures/{sop_uid}.json")
def greys(
    site: TheSite,
    person: Reader,
    uid: Uid,
    sop_uid: Uid,
    asked: Annotated[AskedGreys, Query()],
) -> Response:
    """Return in which greys an image is shown, and which it has."""
    shown = _picture(site, person, _asked(uid, sop_uid, asked))
    found = shown.greys
    said = {
        "rows": shown.rows,
        "columns": shown.columns,
        "center": found.center,
        "width": found.width,
        "low": found.low,
        "high": found.high,
        "inverted": found.inverted,
        "by_table": found.by_table,
    }
    return JSONResponse(said, headers=_NOT_KEPT)


@router.get("/results/{sop_uid}.dcm")
def result(site: TheSite, person: Reader, uid: Uid, sop_uid: Uid) -> Response:
    """Hand a result object over as it is kept; that it was taken is recorded."""
    record, path = taking.take_result(site, uid, sop_uid, _taker(person))
    name = result_name(record)
    return FileResponse(path, media_type=_DICOM, filename=name, headers=_NOT_KEPT)


@router.get("/report.json")
def detail(site: TheSite, person: Reader, uid: Uid) -> Response:
    """Hand over what the ledger holds about the study; recorded."""
    body = taking.take_detail(site, uid, _taker(person))
    return _attached(body, "application/json", "report.json")


@router.get("/report-{number}.png")
def drawing(
    site: TheSite,
    person: Reader,
    uid: Uid,
    number: Annotated[int, Path(ge=1, le=1000)],
) -> Response:
    """Hand over the film with a report drawn on it and the research mark; recorded."""
    try:
        png = taking.take_drawing(site, uid, number - 1, _taker(person))
    except (NotEncodable, Unreadable, OSError) as error:
        raise HTTPException(422, "this image cannot be drawn any more") from error
    return _attached(png, _PNG, f"report-{number}.png")


@router.post("/choose")
def decide(
    site: TheSite,
    person: Annotated[Person, needs(Permission.STUDIES_DECIDE)],
    uid: Uid,
    form: Annotated[Choosing, Form()],
) -> Response:
    """Carry out a choice about the study as the person saw it."""
    seen = Seen(study_instance_uid=uid, state=form.state, revision=form.revision)
    by = Decider(name=person.name, why=form.why, role=form.role or None)
    choose(site.ledger, seen, form.choice, by, site.clock())
    return RedirectResponse(f"/studies/{uid}", 303)


@router.post("/groundings")
def ground(
    site: TheSite,
    person: Annotated[Person, needs(Permission.STUDIES_GROUND)],
    uid: Uid,
    phrase: Annotated[str, Form(max_length=4000)],
) -> Response:
    """Have the model look for a phrase; the page shows what comes of it."""
    grounding.ask(site.ledger, uid, phrase, person.name, site.clock())
    return RedirectResponse(f"/studies/{uid}#ground-title", 303)


@router.get("/groundings")
def groundings(request: Request, site: TheSite, person: Reader, uid: Uid) -> Response:
    """Return the phrases of a study alone, for a page that waits for an answer."""
    shown = study_page.open_groundings(site, uid, person.in_audit, site.clock())
    return page(request, "study_waiting.html", **waiting_values(shown))


def _asked(uid: str, sop_uid: str, asked: AskedGreys) -> taking.AskedPicture:
    window = None
    if asked.center is not None and asked.width is not None:
        window = (asked.center, asked.width)
    return taking.AskedPicture(
        study_instance_uid=uid,
        sop_instance_uid=sop_uid,
        window=window,
        whole=asked.whole,
    )


def _picture(site: Site, person: Person, asked: taking.AskedPicture) -> ShownPicture:
    try:
        return taking.open_picture(site, asked, person.in_audit, site.clock())
    except (Unreadable, UnsupportedImage) as error:
        raise HTTPException(422, "this image cannot be shown as a picture") from error


def _taker(person: Person) -> Taker:
    return Taker(name=person.name, role=person.role)


def _attached(body: bytes, media_type: str, name: str) -> Response:
    attached = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(body, media_type=media_type, headers={**_NOT_KEPT, **attached})
