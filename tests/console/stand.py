"""A gateway that has read phantoms, its console on a port, and a browser to look at it.

The words of others that reach a page are hostile here: whoever shows one without
escaping it draws an element that no page has.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

from playwright.sync_api import BrowserContext, Page, Playwright
from pydicom import dcmread

from dicom_io.archive import Archive, open_archive
from dicom_io.scu.send import store_instances
from gateway.accounts.roles import AccountRole
from gateway.audit.parts import Person
from gateway.ledger import AuditFilter, Finding, Way
from gateway.lifecycle import State
from gateway.log_keeping import keeping as log_keeping
from gateway.receiving.reserves import free_memory
from gateway.reviewing.asking import Question
from gateway.reviewing.desk import desk_of
from gateway.reviewing.signing import Verdict, sign_off
from gateway.running.composition import open_site
from gateway.running.serve import Gateway
from gateway.site import Site
from gateway.trend import Room, sample
from model.engine import EngineIdentity, ReportEngine
from model.errors import RefusedRequest
from model.options import Domain
from model.report import Flag, FlagKind, GroundedReport, ReportRequest
from tests.data.console import PASSWORD, add_accounts
from tests.data.engines import CannedEngine
from tests.data.ledgers import given_campaign
from tests.data.phantoms import Phantom, phantom_files
from tests.data.sites import MODALITY, Running, archive_peer, site_settings
from tests.viewers.ohif import BROWSER_OPTIONS

XSS = '<img src=x onerror="window.broken=1">'
"""What must be shown as it is written."""
SHORT_XSS = '"><b>x</b>'
"""The same for an Accession Number, which has 16 characters."""

READ = (State.COMMITTED, State.HELD, State.PARKED)


@dataclass(kw_only=True)
class Scripted:
    """An engine that adds `flags` to what another says, or fails when it is told to."""

    inner: ReportEngine
    flags: tuple[Flag, ...] = ()
    failures: list[Exception] = field(default_factory=list)

    @property
    def identity(self) -> EngineIdentity:
        return self.inner.identity

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        if requests and self.failures:
            raise self.failures.pop(0)
        return [
            tuple(replace(said, flags=(*said.flags, *self.flags)) for said in reports)
            for reports in self.inner.generate(requests)
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What others wrote: an Accession Number, why an engine refused, a sender."""

    accession: str
    refusal: str
    sender: str


HOSTILE = Words(accession=SHORT_XSS, refusal=f"it says {XSS}", sender=SHORT_XSS)
TAME = Words(
    accession="A-2026-0005",
    refusal="a picture without contrast cannot be read",
    sender="PORTABLE-3",
)


@dataclass(kw_only=True)
class Stand:
    """A console at work; `uids` are the studies in the order in which they came."""

    url: str
    gateway: Running
    engine: Scripted
    archive: Archive
    folder: Path
    uids: list[str]

    def send(self, seed: int, *, accession: str = "") -> str:
        """Send a phantom as a modality does; return its study's UID."""
        phantom = self._phantom(seed)
        if accession:
            for path in phantom.current:
                ds = dcmread(path)
                ds.AccessionNumber = accession
                ds.save_as(path)
        store_instances(MODALITY, self.gateway.remote, phantom.current)
        self.uids.append(phantom.study_instance_uid)
        return phantom.study_instance_uid

    def send_and_wait(self, seed: int, *, accession: str = "") -> str:
        """Send a phantom, and wait until no worker goes on with it."""
        uid = self.send(seed, accession=accession)
        self.gateway.wait_for(uid, *READ, seconds=180)
        return uid

    def _phantom(self, seed: int) -> Phantom:
        phantom = phantom_files(self.folder / f"phantom-{seed}", seed=seed)
        for path in phantom.prior:
            self.archive.put(path)
        return phantom


@contextmanager
def running_stand(
    folder: Path, inner: ReportEngine | None = None, words: Words = HOSTILE
) -> Iterator[Stand]:
    """Run a gateway with an archive and a console, with five studies in it.

    inner : who reads; None: an engine with given answers.
    """
    engine = Scripted(inner=inner or CannedEngine(domain=Domain.PHANTOM))
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        settings = site_settings(
            folder / "data",
            {
                **archive_peer("ARCHIVE", archive.port),
                "results": {"destinations": ["archive"], "hold_flags": ["cut-off"]},
            },
        )
        site = open_site(settings, engine)
        add_accounts(site)
        with Gateway(site) as gateway:
            stand = Stand(
                url=f"http://127.0.0.1:{gateway.web_port}",
                gateway=Running(gateway=gateway),
                engine=engine,
                archive=archive,
                folder=folder,
                uids=[],
            )
            fill(stand, words)
            yield stand


def fill(stand: Stand, words: Words) -> None:
    """Have five phantoms read: three committed, one held, one parked."""
    engine, site = stand.engine, stand.gateway.site
    looked(stand)
    stand.send_and_wait(3, accession="A-2026-0003")
    looked(stand)
    stand.send_and_wait(5, accession=words.accession)
    looked(stand)
    stand.send_and_wait(7, accession="A-2026-0007")
    engine.flags = (Flag(kind=FlagKind.CUT_OFF),)
    stand.send_and_wait(9, accession="A-2026-0009")
    engine.flags = ()
    looked(stand)
    engine.failures.append(RefusedRequest(words.refusal))
    stand.send_and_wait(11, accession="A-2026-0011")
    looked(stand)
    site.contacts.answered(words.sender, Way.SENT, site.clock())
    site.contacts.keep(site.ledger)
    log_keeping.keep(site)
    reviewed(site)
    with site.ledger.writing() as rows:
        given_campaign(rows, ["1.2.3"], peer="elsewhere")


def reviewed(site: Site) -> None:
    """Have an auditor sign off the hours before."""
    now = site.clock()
    wanted = AuditFilter(since=now - timedelta(hours=3), until=now)
    desk, by = desk_of(site.settings, site.ledger), Person(name="auditor")
    verdict = Verdict(outcome=Finding.FOLLOWED_UP, note="a peer without a name: asked")
    sign_off(desk, Question(wanted=wanted), verdict, by, now)


def looked(stand: Stand) -> None:
    """Take a sample for the charts now, not when a minute is over."""
    site = stand.gateway.site
    room = Room(disk=site.spool.free_bytes, memory=free_memory)
    sample(site.ledger, room, site.clock())


@contextmanager
def opened_browser(
    playwright: Playwright, chromium: str, profile: Path
) -> Iterator[BrowserContext]:
    """Start Debian's browser with a profile of its own."""
    context = playwright.chromium.launch_persistent_context(
        profile,
        executable_path=chromium,
        args=BROWSER_OPTIONS,
        viewport={"width": 1280, "height": 900},
    )
    yield context
    context.close()


def sign_in(page: Page, url: str, role: AccountRole) -> None:
    """Sign in by the form."""
    page.goto(f"{url}/login")
    page.fill("#name", role.value)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_url(lambda at: "/login" not in at)
