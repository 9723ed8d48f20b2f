"""Sign-offs and saved filters of those who review the audit."""

from typing import Annotated

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, StringConstraints

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.ledger import Finding, SavedFilter
from gateway.reviewing.asking import of_text
from gateway.reviewing.signing import (
    LONGEST_NAME,
    LONGEST_NOTE,
    Verdict,
    drop_filter,
    not_reviewed,
    save_filter,
    scope_of,
    sign_off,
)
from gateway.web.audit import (
    Reader,
    actor_of,
    asked_by,
    common_values,
    desk_at,
)
from gateway.web.audit_query import PATH
from gateway.web.guard import TheSite, needs
from gateway.web.pages import page

router = APIRouter()

Reviewer = Annotated[Person, needs(Permission.AUDIT_REVIEW)]
QuestionText = Annotated[str, StringConstraints(max_length=4096)]

REVIEWS = f"{PATH}/reviews"
FILTERS = f"{PATH}/filters"


class SignOff(BaseModel):
    """The form of a sign-off."""

    question: QuestionText = ""
    outcome: Finding
    note: Annotated[str, StringConstraints(max_length=2 * LONGEST_NOTE)] = ""


class NamedFilter(BaseModel):
    """The form of a filter that is kept."""

    question: QuestionText = ""
    name: Annotated[str, StringConstraints(max_length=2 * LONGEST_NAME)]
    shared: bool = False


@router.get(REVIEWS)
def show_reviews(
    request: Request,
    site: TheSite,
    person: Reader,  # noqa: ARG001 - declares who may see it
) -> Response:
    """Show who signed off what, and which times nobody has."""
    desk = desk_at(site)
    asked = asked_by(request, desk)
    now = site.clock()
    until = min(asked.question.wanted.until or now, now)
    open_times = not_reviewed(
        desk, scope_of(asked.question), asked.question.wanted.since, until
    )
    with site.ledger.reading() as rows:
        reviews = rows.reviews()
    values = {
        **common_values(site, asked),
        "reviews": reviews,
        "gaps": open_times[::-1],
        "scope": scope_of(asked.question),
        "tab": "reviews",
    }
    return page(request, "audit_reviews.html", values)


@router.post(REVIEWS)
def sign(
    request: Request,
    site: TheSite,
    person: Reviewer,
    signed: Annotated[SignOff, Form()],
) -> Response:
    """Sign off what a question finds of a time."""
    sign_off(
        desk_at(site),
        of_text(signed.question),
        Verdict(outcome=signed.outcome, note=signed.note),
        actor_of(request, person),
        site.clock(),
    )
    return RedirectResponse(REVIEWS, 303)


@router.post(FILTERS)
def keep_filter(
    request: Request,
    site: TheSite,
    person: Reader,
    kept: Annotated[NamedFilter, Form()],
) -> Response:
    """Keep the question of a page under a name."""
    saved = SavedFilter(
        owner=person.name,
        name=kept.name,
        question=kept.question,
        shared=kept.shared,
        saved_at=site.clock(),
    )
    found = save_filter(desk_at(site), saved, actor_of(request, person))
    return RedirectResponse(f"{PATH}?{found.question}", 303)


@router.post(f"{FILTERS}/forget")
def forget_filter(
    request: Request,
    site: TheSite,
    person: Reader,
    name: Annotated[str, Form(max_length=LONGEST_NAME)],
) -> Response:
    """Forget a filter of one's own."""
    by = actor_of(request, person)
    drop_filter(desk_at(site), name, by, site.clock())
    return RedirectResponse(PATH, 303)
