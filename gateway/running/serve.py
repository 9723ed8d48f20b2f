"""The composition root: wires ledger, spool, engine, listener and recurring jobs.

`Gateway` is one process in all its roles. Nothing in memory is needed by another
process: jobs claim their work from the ledger, and each may meet its twin.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import TracebackType

from config.settings import Settings
from dicom_io.scp.listener import Listener, ListenerEvents, open_listener
from gateway.accounts import links
from gateway.accounts.forgetting import forget_ended
from gateway.campaigning import working as campaigning
from gateway.errors import LedgerFailure, NotReady
from gateway.failpoints import demand_known_failpoint, pass_failpoint
from gateway.forwarding import routes
from gateway.forwarding.forwarder import Route, drain
from gateway.lifecycle import State
from gateway.locking import hold_folder
from gateway.log_keeping import keeping
from gateway.receiving import association_audit, committing
from gateway.receiving.admitting import admission_rule
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_sent
from gateway.receiving.reserves import free_memory, reserves_of
from gateway.receiving.tallies import Tallies
from gateway.running import retention, timekeeping
from gateway.running.composition import close_engine, close_site, open_site
from gateway.running.rounds import Rounds
from gateway.running.signals import StopSignals, leave
from gateway.running.starting import (
    demand_sound_ledger,
    reconcile,
    record_start,
    record_stop,
)
from gateway.running.timekeeping import SteadyClock
from gateway.site import Site
from gateway.sources.ledger_messages import MessageIntake
from gateway.sources.mllp import MllpListener, MllpOptions
from gateway.stages import grounding, pipeline, reported
from gateway.stages.lines import lines_of
from gateway.stages.turn import Turns, take_turn
from gateway.trend import SAMPLE_SECONDS, Room
from gateway.watching.health import (
    Beats,
    Finding,
    Question,
    disk_finding,
    engine_finding,
    listener_finding,
)
from gateway.web.app import create_app
from gateway.web.serving import WebPort, port_options

logger = logging.getLogger(__name__)


STOP_SECONDS = 20.0
"""What the work under way gets at a stop; then its studies are given back."""

_INSTANCE_SECONDS = 8.0
"""What an instance that is arriving gets at a stop."""

ASKED_FOR_HEALTH = "health"


class Gateway:
    """A running gateway; use it as a context manager.

    hurry : set, while it stops, by whoever does not want to wait.
    """

    def __init__(self, site: Site, hurry: threading.Event | None = None) -> None:
        self._clock = SteadyClock(site.clock)
        self._site = site = replace(site, clock=self._clock)
        self._hurry = hurry or threading.Event()
        self._stop_by = float("inf")
        self.left_work = False
        self._listener: Listener | None = None
        self._beats = Beats(site.settings.work.longest_turn_seconds)
        self._reserves = reserves_of(site)
        self._ledger_question = Question("ledger", partial(_write, site))
        self._turns = Turns(self._due)
        self._messages: MllpListener | None = None
        self._closing = ExitStack()
        self._lines = lines_of(site.settings)
        self._rounds = Rounds()
        self._stopping = threading.Event()

    @property
    def site(self) -> Site:
        """What it works with."""
        return self._site

    @property
    def port(self) -> int:
        """The DICOM port that is bound."""
        if self._listener is None:
            raise NotReady("the gateway has not started")
        return self._listener.port

    @property
    def web_port(self) -> int:
        """The port of the console that is bound."""
        return self._web.port

    def first_link(self) -> str | None:
        """Return where the first administrator sets a password; None: there is one."""
        secret = links.first_link(self._site.ledger, self._site.clock())
        if secret is None:
            return None
        return links.address(self._site.settings.web, secret, self.web_port)

    def live(self) -> tuple[Finding, ...]:
        """Say whether it works at all; where not, a new start helps."""
        listener = self._listener
        is_accepting = listener is not None and listener.is_accepting
        # While it stops, neither a port nor workers are to be expected.
        if self._stopping.is_set():
            return ()
        return (listener_finding(is_accepting=is_accepting), self._beats.finding())

    def ready(self) -> tuple[Finding, ...]:
        """Say whether it takes studies and reads them."""
        if self._stopping.is_set():
            return (Finding(name="stopping", ok=False, detail="it is being stopped"),)
        return (
            *self.live(),
            self._ledger_question.finding(),
            disk_finding(self._site.spool),
            engine_finding(self._site.engine),
        )

    @property
    def hl7_port(self) -> int | None:
        """The port of HL7 messages that is bound; None: none is."""
        return None if self._messages is None else self._messages.port

    def __enter__(self) -> "Gateway":
        """Take the folder, reconcile it, open the port, start the jobs.

        Raises `NotReady` where another gateway works in the folder; nothing was
        changed then.
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
        site = self._site
        started.callback(close_site, site)
        started.callback(site.contacts.keep, site.ledger)
        demand_known_failpoint()
        started.enter_context(hold_folder(site.settings.storage.folder))
        demand_sound_ledger(site)
        site.ledger.demand_patient_key()
        found = reconcile(site)
        pass_failpoint("start:reconciled")
        if (wrong := keeping.compare_with_handed(site)) is not None:
            found.append(wrong)
        timekeeping.resume(site.ledger, site.clock)
        started.callback(self._ledger_question.close)
        self._open_web(started)
        intake = replace(sent_intake(site), reserves=self._reserves)
        self._listener = listener = open_listener(
            site.local,
            site.settings.remote_aes(),
            intake.receive,
            _events(site, intake.tallies),
        )
        record_start(site, found, listener.port)
        routes.enlist(site)
        pass_failpoint("start:recorded")
        started.callback(keeping.keep_last, site)
        started.callback(record_stop, site)
        self._messages = _listen_for_messages(site, started)
        self._add_jobs()
        _look(site)
        self._rounds.start()
        started.callback(self._end_work)
        started.callback(close_engine, site.engine)  # ends a reading in a process
        started.callback(listener.close, _INSTANCE_SECONDS, self._hurry.is_set)
        started.callback(self._begin_stop)

    def _open_web(self, started: ExitStack) -> None:
        app = create_app(self._site, self.live, self.ready)
        self._web = WebPort(app, port_options(self._site.settings.web))
        started.callback(self._web.close)

    def _begin_stop(self) -> None:
        self._stop_by = time.monotonic() + STOP_SECONDS
        self._stopping.set()

    def _end_work(self) -> None:
        """Let the turns under way end; what takes longer is given back untouched."""

        def is_over() -> bool:
            return self._hurry.is_set() or time.monotonic() > self._stop_by

        self.left_work = not self._turns.end_by(is_over)
        if self.left_work:
            logger.warning("work under way is left, and will be done at the next start")
            with suppress(LedgerFailure):
                self._turns.give_back(self._site)
        self._rounds.stop(wait=not self.left_work)

    def _add_jobs(self) -> None:
        site = self._site
        for line in self._lines:
            for number in range(line.workers):
                name, states = f"{line.name}-{number}", line.states
                self._beats.add(name)
                self._rounds.every(0.2, name, partial(self._drain, name, states))
        lease = site.settings.work.lease_seconds
        self._rounds.every(1.0, "clock", self._follow_clock)
        self._rounds.every(SAMPLE_SECONDS, "trend", lambda: _look(site))
        self._rounds.every(lease / 4, "renew", lambda: self._turns.renew(site))
        self._rounds.every(lease / 4, "expire", lambda: _expire_leases(site))
        self._rounds.every(3600.0, "purge", lambda: retention.purge(site))
        self._rounds.every(3600.0, "forget", self._forget)
        signing = site.settings.audit.checkpoint_seconds
        self._rounds.every(signing, "seal", lambda: keeping.keep(site))
        # A person waits for it at the screen.
        self._rounds.every(0.5, "ground", self._ground)
        for route in routes.routes_of(site):
            job = partial(self._hand_on, route)
            self._rounds.every(2.0, f"forward-{route.name}", job)
        # What was asked while it was on is answered though it is off by now.
        self._rounds.every(1.0, "commit", lambda: committing.work(site))
        stopping = self._stopping.is_set
        self._rounds.every(1.0, "campaigns", lambda: campaigning.work(site, stopping))

    def _follow_clock(self) -> None:
        timekeeping.follow(self._site.ledger, self._clock, self._turns.clock_set)

    def _forget(self) -> None:
        forget_ended(self._site.ledger, self._site.clock())

    def _hand_on(self, route: Route) -> None:
        site = self._site
        drain(route, site.ledger, site.clock, self._stopping.is_set)

    def _due(self, state: State, at: datetime) -> None:
        """Have the line of a state look for work at that time, and not only later."""
        seconds = (at - self._site.clock()).total_seconds()
        for line in self._lines:
            if state not in line.states:
                continue
            for number in range(line.workers):
                self._rounds.rouse(f"{line.name}-{number}", seconds=seconds)

    def _ground(self) -> None:
        # A turn: a stop waits for it as long as for any other, and no longer.
        if not self._stopping.is_set():
            with self._turns.owner(self._site.clock()):
                grounding.work(self._site)

    def _drain(self, name: str, states: tuple[State, ...]) -> None:
        with self._beats.at_work(name) as moved:
            while not self._stopping.is_set() and take_turn(
                self._site, pipeline.STAGES, states, self._turns
            ):
                moved()


def serve(settings: Settings, ready: Callable[[Gateway], None] | None = None) -> None:
    """Run until SIGTERM or SIGINT; a second one does not wait, a third one kills.

    ready : called once the port is open. Raises `NotReady`, `InvalidSettings`,
    `CheckpointError`, `LedgerFailure` or `ListenerFailure` where it cannot start.
    """
    signals = StopSignals()
    with Gateway(open_site(settings), signals.hurry) as gateway:
        if ready is not None:
            ready(gateway)
        signals.wait(lambda: all(finding.ok for finding in gateway.live()))
    if gateway.left_work:
        leave()


def sent_intake(site: Site) -> Intake:
    """Return the intake of what peers send to the listener."""
    return Intake(
        ledger=site.ledger,
        spool=site.spool,
        clock=site.clock,
        role_of=role_of_sent,
        admit=admission_rule(site.settings),
    )


def _write(site: Site) -> str:
    """Write to the ledger; raises LedgerFailure."""
    with site.ledger.writing() as rows:
        rows.remember(ASKED_FOR_HEALTH, site.clock().isoformat())
    return "written"


def _look(site: Site) -> None:
    """Note how the gateway stands, and keep when peers last answered."""
    room = Room(disk=site.spool.free_bytes, memory=free_memory)
    site.trend.sample(site.ledger, room, site.clock())
    site.contacts.keep(site.ledger)


def _listen_for_messages(site: Site, started: ExitStack) -> MllpListener | None:
    """Open the port of HL7 messages, where the settings want one."""
    own = site.settings.hl7
    if not own.enabled:
        return None
    options = MllpOptions(**own.model_dump(exclude={"enabled", "keep_days"}))
    intake = MessageIntake(ledger=site.ledger, clock=site.clock)
    listener = MllpListener(options, intake.take, site.clock)
    started.callback(listener.close)
    return listener


def _expire_leases(site: Site) -> None:
    with site.ledger.writing() as rows:
        rows.expire_leases(site.clock())


def _events(site: Site, tallies: Tallies) -> ListenerEvents:
    audit = association_audit.AssociationAudit(
        ledger=site.ledger, clock=site.clock, tallies=tallies, contacts=site.contacts
    )
    return ListenerEvents(
        association_opened=audit.opened,
        association_refused=audit.refused,
        association_closed=audit.closed,
        commitment_reported=lambda report: reported.take_report(site, report),
        commitment_asked=lambda request: committing.take_request(site, request),
    )
