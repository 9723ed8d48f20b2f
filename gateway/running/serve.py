"""The composition root: one process of the gateway, in its roles.

A process opens only what its roles need (`listening`, `working`, `scheduling`, and here
the console). Nothing that it has in memory is needed by another: work is claimed from
the ledger, what is done once for all is held there, and so it is known who lives.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import TracebackType

from config.settings import Settings
from gateway.accounts import links
from gateway.errors import NotReady
from gateway.failpoints import demand_known_failpoint, pass_failpoint
from gateway.forwarding import routes
from gateway.locking import hold_folder
from gateway.log_keeping import keeping
from gateway.running import timekeeping
from gateway.running.composition import NoEngine, close_engine, close_site, open_site
from gateway.running.listening import Listening
from gateway.running.membership import Membership, new_name
from gateway.running.process_roles import ALL_ROLES, ProcessRole, Roles, words_of
from gateway.running.rounds import Rounds
from gateway.running.scheduling import Scheduling, look
from gateway.running.signals import StopSignals, leave
from gateway.running.spool_identity import demand_own_spool
from gateway.running.starting import (
    demand_sound_ledger,
    reconcile,
    record_start,
    record_stop,
)
from gateway.running.timekeeping import SteadyClock
from gateway.running.working import Working
from gateway.site import Site
from gateway.watching.health import Finding, Question
from gateway.web.app import create_app
from gateway.web.health_app import create_health_app, health_options
from gateway.web.serving import WebPort, port_options

logger = logging.getLogger(__name__)

ASKED_FOR_HEALTH = "health"

_CONTACTS_SECONDS = 60.0


class Gateway:
    """A running process of the gateway; use it as a context manager.

    hurry : tells, while it stops, that nobody wants to wait. roles : what it does;
    a part of it that no role needs is None.
    """

    def __init__(
        self,
        site: Site,
        hurry: Callable[[], bool] = lambda: False,
        roles: Roles = ALL_ROLES,
    ) -> None:
        self._clock = SteadyClock(site.clock)
        self._site = site = replace(site, clock=self._clock)
        self._roles = roles
        self.left_work = False
        self._stopping = threading.Event()
        self._member = Membership(site, roles, name := new_name())
        self._listening = (
            Listening(site, hurry) if ProcessRole.LISTENER in roles else None
        )
        self._working = (
            Working(site, name, self._stopping, hurry)
            if ProcessRole.WORKER in roles
            else None
        )
        self._scheduling = (
            Scheduling(site, name, self._stopping.is_set)
            if ProcessRole.SCHEDULER in roles
            else None
        )
        self._ledger_question = Question("ledger", partial(_write, site))
        self._rounds = Rounds()
        self._closing = ExitStack()

    @property
    def site(self) -> Site:
        """What it works with."""
        return self._site

    @property
    def port(self) -> int:
        """The DICOM port that is bound; raises NotReady where none is."""
        if self._listening is None:
            raise NotReady("this process has no DICOM port: it is no listener")
        return self._listening.port

    @property
    def hl7_port(self) -> int | None:
        """The port of HL7 messages that is bound; None: none is."""
        return None if self._listening is None else self._listening.hl7_port

    @property
    def web_port(self) -> int:
        """The port of the console, or of the health of a process without one."""
        return self._web.port

    def first_link(self) -> str | None:
        """Return where the first administrator sets a password; None: there is one."""
        if ProcessRole.WEB not in self._roles:
            return None
        secret = links.first_link(self._site.ledger, self._site.clock())
        if secret is None:
            return None
        return links.address(self._site.settings.web, secret, self.web_port)

    def told(self) -> Iterator[str]:
        """Yield what whoever started it is told once it works."""
        if self._listening is not None:
            yield f"{self._site.local.title} listens on port {self.port}"
        if ProcessRole.WEB not in self._roles:
            yield f"{words_of(self._roles)}: health is on port {self.web_port}"
        link = self.first_link()
        if link is not None:
            yield f"Nobody administers it: within 24 hours, once: {link}"

    def live(self) -> tuple[Finding, ...]:
        """Say whether it works at all; where not, a new start helps."""
        # While it stops, neither a port nor workers are to be expected.
        if self._stopping.is_set():
            return ()
        parts = (self._listening, self._working)
        return tuple(each for part in parts if part for each in part.live())

    def ready(self) -> tuple[Finding, ...]:
        """Say whether it does what its roles want."""
        if self._stopping.is_set():
            return (Finding(name="stopping", ok=False, detail="it is being stopped"),)
        return (*self.live(), self._ledger_question.finding(), *self._at_hand())

    def _at_hand(self) -> tuple[Finding, ...]:
        parts = (self._listening, self._working, self._scheduling)
        return tuple(each for part in parts if part for each in part.ready())

    def __enter__(self) -> "Gateway":
        """Take the folder, reconcile it, open the ports, start the jobs.

        Raises `NotReady` where another gateway works in the folder, or it is not the
        ledger's; nothing was changed then.
        """
        with ExitStack() as started:
            self._start(started)
            self._closing = started.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take nothing more, let the running work end, note the clean stop."""
        self._closing.close()

    def _start(self, started: ExitStack) -> None:
        """Do what a start does, in order; each step says how a stop undoes it."""
        site = self._site
        started.callback(close_site, site)
        started.callback(site.contacts.keep, site.ledger)
        demand_known_failpoint()
        self._take_folder(started)
        found = self._join(started)
        started.callback(self._ledger_question.close)
        self._open_web(started)
        if self._listening is not None:
            self._listening.open()
        unclean = self._joined.dead > 0
        record_start(site, found, self._roles, self._dicom_port(), unclean=unclean)
        self._prepare_schedule(started)
        pass_failpoint("start:recorded")
        started.callback(record_stop, site, self._roles, self._member)
        if self._listening is not None:
            self._listening.open_messages(started)
        self._add_jobs()
        self._rounds.start()
        self._arrange_stop(started)

    def _take_folder(self, started: ExitStack) -> None:
        """Let in whom the ledger can tell apart, and nobody who has another spool."""
        site = self._site
        folder = site.settings.storage.folder
        started.enter_context(hold_folder(folder, shared=not self._is_alone))
        demand_sound_ledger(site)
        demand_own_spool(site)
        site.ledger.demand_patient_key()

    @property
    def _is_alone(self) -> bool:
        """Whether no other process is let in: it has all roles, on a ledger in a file.

        One that the site named by its URL may have processes of other hosts.
        """
        return self._site.settings.ledger_path is not None and self._roles == ALL_ROLES

    def _join(self, started: ExitStack) -> list[str]:
        """Be one of those at work; return what was not as it should be."""
        site = self._site
        timekeeping.resume(site.ledger, self._clock)
        self._joined = joined = self._member.join(started)
        found: list[str] = []
        if self._scheduling is not None:
            before = None if self._is_alone else joined.before
            found = reconcile(site, before, joined.freed)
            pass_failpoint("start:reconciled")
            if (wrong := keeping.compare_with_handed(site)) is not None:
                found.append(wrong)
        return found

    def _dicom_port(self) -> int | None:
        return None if self._listening is None else self._listening.port

    def _open_web(self, started: ExitStack) -> None:
        own = self._site.settings
        if ProcessRole.WEB in self._roles:
            app = create_app(self._site, self.live, self.ready)
            self._web = WebPort(app, port_options(own.web))
        else:
            app = create_health_app(self.live, self.ready)
            self._web = WebPort(app, health_options(own.health))
        started.callback(self._web.close)

    def _prepare_schedule(self, started: ExitStack) -> None:
        if self._scheduling is None:
            return
        routes.enlist(self._site)
        self._scheduling.renew()
        started.callback(self._scheduling.give_back)
        started.callback(self._scheduling.sign_last)
        if self._scheduling.leases.holds("trend"):
            look(self._site)

    def _add_jobs(self) -> None:
        site, rounds = self._site, self._rounds
        rounds.every(1.0, "clock", self._follow_clock)
        rounds.every(site.settings.work.lease_seconds / 4, "beat", self._beat)
        keep = partial(site.contacts.keep, site.ledger)
        rounds.every(_CONTACTS_SECONDS, "contacts", keep)
        for part in (self._working, self._scheduling):
            if part is not None:
                part.add_jobs(rounds)
        self._tell_of_us()

    def _arrange_stop(self, started: ExitStack) -> None:
        """Say in what order a stop ends what is at work: the last is the first."""
        started.callback(self._end_work)
        started.callback(close_engine, self._site.engine)  # ends a reading in a process
        if self._listening is not None:
            started.callback(self._listening.close)
        started.callback(self._begin_stop)

    def _begin_stop(self) -> None:
        if self._working is not None:
            self._working.begin_stop()
        self._stopping.set()

    def _end_work(self) -> None:
        """Let the turns under way end; what takes longer is given back untouched."""
        if self._working is not None:
            self.left_work = self._working.end_work()
        self._rounds.stop(wait=not self.left_work)

    def _beat(self) -> None:
        """Hold longer what is ours, and say that we live."""
        if self._working is not None:
            self._working.turns.renew(self._site)
        if self._scheduling is not None:
            self._scheduling.renew()
        self._tell_of_us()

    def _tell_of_us(self) -> None:
        engine = None if self._working is None else self._working.engine()
        self._member.beat(engine, (*self.live(), *self._at_hand()))

    def _follow_clock(self) -> None:
        working = self._working
        tell = (lambda _: None) if working is None else working.turns.clock_set
        timekeeping.follow(self._site.ledger, self._clock, tell)


def serve(
    settings: Settings,
    ready: Callable[[Gateway], None] | None = None,
    roles: Roles = ALL_ROLES,
) -> None:
    """Run until SIGTERM or SIGINT; a second one does not wait, a third one kills.

    ready : called once the ports are open. Raises `NotReady`, `InvalidSettings`,
    `CheckpointError`, `LedgerFailure` or `ListenerFailure` where it cannot start.
    """
    signals = StopSignals()
    engine = None if ProcessRole.WORKER in roles else NoEngine()
    site = open_site(settings, engine)
    with Gateway(site, signals.is_hurried, roles) as gateway:
        if ready is not None:
            ready(gateway)
        signals.wait(lambda: all(finding.ok for finding in gateway.live()))
    if gateway.left_work:
        leave()


def _write(site: Site) -> str:
    """Write to the ledger; raises LedgerFailure."""
    with site.ledger.writing() as rows:
        rows.remember(ASKED_FOR_HEALTH, site.clock().isoformat())
    return "written"
