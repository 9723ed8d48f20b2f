"""The list of studies: what is here, where it stands, and what waits for somebody."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.audit import kinds
from gateway.ledger import Reading, Said
from gateway.lifecycle import State
from gateway.showing.study_rows import TITLES, list_page
from gateway.site import Site
from gateway.web import wording  # noqa: F401 - its filters are those of the templates
from gateway.web.guard import TheSite, needs
from gateway.web.live import piece
from gateway.web.pages import page
from gateway.web.study_query import (
    Asked,
    described,
    filter_of,
    group_asked,
    place_of,
    place_text,
)

router = APIRouter()

PATH, LIVE_PATH = "/studies", "/live/studies"

SAID_WORDS = {
    Said.FINDINGS: "with findings",
    Said.NOTHING: "nothing found",
    Said.FLAGGED: "flagged",
    Said.UNREAD: "not read yet",
}

Reader = Annotated[Person, needs(Permission.STUDIES_READ)]
Wanted = Annotated[Asked, Query()]


@router.get(PATH)
def show_studies(
    request: Request, site: TheSite, person: Reader, asked: Wanted
) -> Response:
    """Show a page of the list, and record who looked and what was asked."""
    entry = kinds.studies_listed(person.in_audit, described(asked), site.clock())
    values = _look(site, asked)
    with site.ledger.writing() as rows:
        rows.append_audit(entry)
    return page(request, "studies.html", values)


@router.get(LIVE_PATH)
def show_rows(
    request: Request,
    site: TheSite,
    person: Reader,  # noqa: ARG001 - declares who may see it
    asked: Wanted,
) -> Response:
    """Return the rows alone, for a page that is open: its opening was recorded."""
    return piece(request, "studies_rows.html", _look(site, asked))


def _look(site: Site, asked: Asked) -> Mapping[str, object]:
    with site.ledger.reading() as rows:
        return _values(site, rows, asked)


def _values(site: Site, rows: Reading, asked: Asked) -> Mapping[str, object]:
    group = group_asked(asked)
    now = site.clock()
    found = list_page(rows, filter_of(asked), place_of(asked), now)
    return {
        "now": now,
        "asked": asked,
        "group": group,
        "titles": TITLES,
        "found": found,
        "rows": found.studies,
        "newer": place_text(found.newer),
        "older": place_text(found.older),
        "live_path": asked.link(LIVE_PATH, after=asked.after, before=asked.before),
        "senders": _senders(site),
        "states": list(State),
        "said_words": SAID_WORDS,
        "path_of_list": PATH,
    }


def _senders(site: Site) -> list[str]:
    """Return the titles that the settings know; others may be typed."""
    peers = site.settings.peers.values()
    titles = {
        title for p in peers if p.may_store for title in (p.title, *p.send_titles)
    }
    return sorted(titles)
