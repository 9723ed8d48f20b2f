"""The System page: peers, queues, room, model, versions, charts, and what waits."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Request, Response
from fastapi.responses import RedirectResponse

from gateway.accounts.person import Person
from gateway.accounts.roles import Permission
from gateway.ledger import Sample, Way
from gateway.showing.study_rows import NEXT_STEP
from gateway.site import Site
from gateway.watching.echoing import echo_peer
from gateway.watching.health import Finding
from gateway.watching.system import system_standing
from gateway.web import wording
from gateway.web.charts import HEIGHT, WIDTH, Chart, Series, chart_of
from gateway.web.guard import TheSite, needs
from gateway.web.live import piece
from gateway.web.pages import page

if TYPE_CHECKING:
    from gateway.web.health_pages import Health

router = APIRouter()

PATH, LIVE_PATH = "/system", "/live/system"

Reader = Annotated[Person, needs(Permission.SYSTEM_READ)]


@router.get(PATH)
def show_system(request: Request, site: TheSite, person: Reader) -> Response:
    """Show how the gateway stands."""
    return page(request, "system.html", _values(request, site, person))


@router.get(LIVE_PATH)
def show_piece(request: Request, site: TheSite, person: Reader) -> Response:
    """Return what changes by itself, for a page that is open."""
    return piece(request, "system_parts.html", _values(request, site, person))


@router.post(PATH + "/peers/{name}/echo")
def echo(site: TheSite, person: Reader, name: str) -> Response:
    """Ask a peer whether it is there, and lead back to what came of it."""
    echo_peer(site, name, person.in_audit)
    return RedirectResponse(f"{PATH}#peers", 303)


def _values(request: Request, site: Site, person: Person) -> Mapping[str, object]:
    with site.ledger.reading() as rows:
        standing = system_standing(site, rows)
    return {
        "standing": standing,
        "findings": _findings(request),
        "charts": charts_of(standing.samples, site),
        "chart_width": WIDTH,
        "chart_height": HEIGHT,
        "now": site.clock(),
        "ways": {Way.ASKED: "asked", Way.SENT: "sent to us", Way.ECHO: "echo"},
        "next_step": NEXT_STEP,
        "may_read_studies": person.may(Permission.STUDIES_READ),
        "live_path": LIVE_PATH,
    }


def _findings(request: Request) -> Sequence[Finding]:
    """Return what the gateway says of its health; nothing where none is running."""
    health: Health = request.app.state.health
    return tuple(health.ready())


def charts_of(samples: Sequence[Sample], site: Site) -> list[Chart]:
    """Return the charts of the page."""
    own = site.settings.storage
    series = (
        Series(title="Studies received a minute", value=_received, word=_number),
        Series(title="Reports written a minute", value=_reported, word=_number),
        Series(title="Studies at work", value=_working, word=_number),
        Series(title="Waiting for a person", value=_waiting, word=_number),
        Series(title="Disk free", value=_disk, word=_bytes, reserve=own.reserve_bytes),
        Series(
            title="Memory free",
            value=_memory,
            word=_bytes,
            reserve=own.reserve_memory_bytes,
        ),
    )
    return [chart_of(each, samples) for each in series]


def _received(sample: Sample) -> float:
    return sample.received


def _reported(sample: Sample) -> float:
    return sample.reported


def _working(sample: Sample) -> float:
    return sample.working


def _waiting(sample: Sample) -> float:
    return sample.waiting


def _disk(sample: Sample) -> float:
    return sample.disk_free


def _memory(sample: Sample) -> float:
    return sample.memory_free


def _number(value: float) -> str:
    return f"{value:.0f}"


def _bytes(value: float) -> str:
    return wording.size(int(value))
