"""The JSON API, version 1: the same functions and permissions as the pages.

A program shows a token (`Authorization: Bearer ...`); a page of ours has its session.
"""

from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query, Request
from fastapi.openapi.utils import get_openapi
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.ledger import AuditPage, AuditRecord, StudyRecord
from gateway.lifecycle import State
from gateway.people import Decider, PersonRole
from gateway.reviewing.asking import (
    KEYS,
    Question,
    View,
    place_of,
    place_text,
    read_question,
)
from gateway.reviewing.desk import desk_of, search
from gateway.showing import review
from gateway.watching.metrics import Metrics, collect
from gateway.web.guard import TheSite, anybody_signed_in, needs
from model.version import VERSION

router = APIRouter(prefix="/api/v1", tags=["v1"])

StudyUid = Annotated[str, Path(max_length=64, pattern=r"^[0-9.]+$")]
Limit = Annotated[int, Query(ge=1, le=1000)]
Words = Annotated[str, Field(max_length=200)]

_LARGEST = 2**31 - 1


class DecisionWanted(BaseModel):
    """What a person decides about a study, why, and in what capacity."""

    decision: review.Decision
    why: str = Field(min_length=1, max_length=400)
    role: PersonRole | None = None


class AuditWanted(BaseModel):
    """Which audit records, asked as on the *Audit* page: all that is named holds.

    `after` is what an earlier answer named as where the next begins.
    """

    model_config = ConfigDict(extra="forbid")

    view: View = View.ALL
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    patient: Words | None = None
    study: Words | None = None
    user: Words | None = None
    event: Words | None = None
    action: Words | None = None
    node: Words | None = None
    address: Words | None = None
    text: Words | None = None
    outcome: Words | None = None
    newest_first: bool = True
    limit: int = Field(default=100, ge=1, le=1000)
    after: Words | None = None

    def question(self) -> Question:
        """Return what is asked; raises BadQuestion for what can find nothing."""
        given = self.model_dump(mode="json", include=set(KEYS), exclude_none=True)
        return read_question(given)

    def page(self) -> AuditPage:
        """Return which part is wanted; raises BadQuestion."""
        place = None if self.after is None else place_of(self.after)
        return AuditPage(newest_first=self.newest_first, limit=self.limit, after=place)


class AuditAnswer(BaseModel):
    """Audit records; `after` is where the next begin, None: these are the last."""

    records: list[AuditRecord]
    after: str | None


class SystemState(BaseModel):
    """The gateway's version and its counts."""

    version: str
    studies: dict[State, int]
    readings: int
    commitments_owed: int
    peer_failures: dict[str, int]


@router.get("/studies")
def list_studies(
    site: TheSite,
    _person: Annotated[Person, needs(Permission.STUDIES_READ)],
    state: Annotated[list[State] | None, Query()] = None,
    limit: Limit = 100,
    offset: Annotated[int, Query(ge=0, le=_LARGEST)] = 0,
) -> list[StudyRecord]:
    """Return studies, the newest change first."""
    with site.ledger.reading() as rows:
        return rows.studies(states=state, limit=limit, offset=offset)


@router.get("/studies/{study_instance_uid}")
def show_study(
    site: TheSite,
    person: Annotated[Person, needs(Permission.STUDIES_READ)],
    study_instance_uid: StudyUid,
) -> review.StudyDetail:
    """Return what is known of a study; that it was looked at is recorded."""
    by = person.in_audit
    return review.open_study(site.ledger, study_instance_uid, by, site.clock())


@router.post("/studies/{study_instance_uid}/decisions")
def decide(
    site: TheSite,
    person: Annotated[Person, needs(Permission.STUDIES_DECIDE)],
    study_instance_uid: StudyUid,
    wanted: DecisionWanted,
) -> StudyRecord:
    """Carry out a decision about a study that stopped."""
    by = Decider(name=person.name, why=wanted.why, role=wanted.role)
    return review.decide(
        site.ledger, study_instance_uid, wanted.decision, by, site.clock()
    )


@router.get("/audit")
def list_audit(
    site: TheSite,
    person: Annotated[Person, needs(Permission.AUDIT_READ)],
    wanted: Annotated[AuditWanted, Query()],
) -> AuditAnswer:
    """Return audit records; that they were asked for is recorded."""
    desk, by = desk_of(site.settings, site.ledger), person.in_audit
    found = search(desk, wanted.question(), wanted.page(), by, site.clock())
    after = None if found.after is None else place_text(found.after)
    return AuditAnswer(records=found.records, after=after)


@router.get("/system")
def show_system(
    site: TheSite, _person: Annotated[Person, needs(Permission.SYSTEM_READ)]
) -> SystemState:
    """Return how the gateway stands."""
    with site.ledger.reading() as rows:
        found = collect(rows)
    return _state(found)


@router.get("/openapi.json", include_in_schema=False)
def describe(
    request: Request, _person: Annotated[Person, anybody_signed_in()]
) -> dict[str, object]:
    """Return the description of this API."""
    return description(request.app)


def description(app: FastAPI) -> dict[str, object]:
    """Return the API as OpenAPI has it."""
    found = get_openapi(title="maira-gateway", version=VERSION, routes=app.routes)
    found["paths"] = {
        path: each for path, each in found["paths"].items() if path.startswith("/api/")
    }
    return found


def _state(found: Metrics) -> SystemState:
    return SystemState(
        version=VERSION,
        studies=dict(found.studies),
        readings=found.readings,
        commitments_owed=found.commitments,
        peer_failures=dict(found.silences),
    )
