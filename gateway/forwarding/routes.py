"""The ways to the repositories that the settings name."""

import socket

from config.repositories import AuditRepository
from gateway.away import LONGEST_SECONDS
from gateway.forwarding.forwarder import Pauses, Route
from gateway.forwarding.syslog import Origin
from gateway.forwarding.transports import Address, Transport
from gateway.site import Site


def enlist(site: Site) -> None:
    """Know the repositories of the settings, and no others."""
    named = site.settings.audit_repositories
    with site.ledger.reading() as rows:
        known = {backlog.repository.name for backlog in rows.backlogs()}
    if known != {*named}:
        with site.ledger.writing() as rows:
            rows.enlist_repositories(named)


def routes_of(site: Site) -> tuple[Route, ...]:
    """Return the way to each repository."""
    named = site.settings.audit_repositories
    return tuple(_route(site, name, wanted) for name, wanted in named.items())


def _route(site: Site, name: str, wanted: AuditRepository) -> Route:
    delivery = site.settings.delivery
    return Route(
        name=name,
        address=address_of(wanted),
        origin=Origin(
            host=socket.gethostname(),
            installation=site.device_uid,
            facility=wanted.facility,
        ),
        pauses=Pauses(
            first=delivery.first_pause_seconds,
            most=min(delivery.max_pause_seconds, LONGEST_SECONDS),
            failures_in_a_row=delivery.failures_in_a_row,
        ),
        in_clear=wanted.patients == "clear",
        max_datagram_bytes=wanted.max_datagram_bytes,
    )


def address_of(wanted: AuditRepository) -> Address:
    """Return where a repository is, and who it must be."""
    return Address(
        host=wanted.host,
        port=wanted.port,
        transport=Transport(wanted.transport),
        tls=wanted.tls.options() if wanted.tls else None,
        names=frozenset(wanted.certificates),
        seconds=wanted.deadline_seconds,
    )
