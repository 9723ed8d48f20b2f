"""The role of a listener: what others send and ask comes in by its ports."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from dicom_io.scp.listener import Listener, ListenerEvents, open_listener
from gateway.errors import NotReady
from gateway.receiving import association_audit, committing
from gateway.receiving.admitting import admission_rule
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_sent
from gateway.receiving.reserves import reserves_of
from gateway.receiving.tallies import Tallies
from gateway.site import Site
from gateway.sources.ledger_messages import MessageIntake
from gateway.sources.mllp import MllpListener, MllpOptions
from gateway.stages import reported
from gateway.watching.health import Finding, disk_finding, listener_finding

_INSTANCE_SECONDS = 8.0
"""What an instance that is arriving gets at a stop."""


class Listening:
    """The ports of DICOM and HL7.

    hurry : tells, while it stops, that nobody wants to wait.
    """

    def __init__(self, site: Site, hurry: Callable[[], bool]) -> None:
        self._site, self._hurry = site, hurry
        self.reserves = reserves_of(site)
        self.listener: Listener | None = None
        self._messages: MllpListener | None = None

    @property
    def port(self) -> int:
        """The DICOM port that is bound."""
        if self.listener is None:
            raise NotReady("the gateway has not started")
        return self.listener.port

    @property
    def hl7_port(self) -> int | None:
        """The port of HL7 messages that is bound; None: none is."""
        return None if self._messages is None else self._messages.port

    def open(self) -> None:
        """Open the DICOM port."""
        site = self._site
        intake = replace(sent_intake(site), reserves=self.reserves)
        self.listener = open_listener(
            site.local,
            site.settings.remote_aes(),
            intake.receive,
            _events(site, intake.tallies),
        )

    def open_messages(self, started: ExitStack) -> None:
        """Open the port of HL7 messages, where the settings want one."""
        own = self._site.settings.hl7
        if not own.enabled:
            return
        options = MllpOptions(**own.model_dump(exclude={"enabled", "keep_days"}))
        intake = MessageIntake(ledger=self._site.ledger, clock=self._site.clock)
        self._messages = MllpListener(options, intake.take, self._site.clock)
        started.callback(self._messages.close)

    def close(self) -> None:
        """Take nothing more; what is arriving has its time."""
        if self.listener is not None:
            self.listener.close(_INSTANCE_SECONDS, self._hurry)

    def live(self) -> tuple[Finding, ...]:
        """Say whether the port takes connections."""
        listener = self.listener
        is_accepting = listener is not None and listener.is_accepting
        return (listener_finding(is_accepting=is_accepting),)

    def ready(self) -> tuple[Finding, ...]:
        """Say whether an instance would be begun."""
        return (disk_finding(self._site.spool),)


def sent_intake(site: Site) -> Intake:
    """Return the intake of what peers send to the listener."""
    return Intake(
        ledger=site.ledger,
        spool=site.spool,
        clock=site.clock,
        role_of=role_of_sent,
        admit=admission_rule(site.settings),
    )


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
