"""A peer is asked whether it is there, because a person wants to know."""

from dataclasses import dataclass, replace

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.errors import PeerFailure
from dicom_io.scu.peer import echo
from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.errors import NoSuchPeer
from gateway.ledger import ContactRecord, Ledger, Way
from gateway.site import Clock, Site

MOST_SECONDS = 10.0
"""A person waits for it, whatever the peer's own deadline is."""
_ANSWERED = "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Echoed:
    """What came of an echo; `detail` says why there was no answer."""

    peer: str
    ok: bool
    detail: str
    seconds: float


def echo_peer(site: Site, name: str, by: Person) -> Echoed:
    """Ask a peer whether it is there (C-ECHO, PS3.4 A.4); keep who wanted to know.

    Raises NoSuchPeer for a name that the settings do not have.
    """
    remote = _known(site, name)
    began = site.elapsed()
    detail = _failure(site.local, remote)
    echoed = Echoed(
        peer=name,
        ok=detail is None,
        detail=detail or _ANSWERED,
        seconds=site.elapsed() - began,
    )
    _keep(site.ledger, echoed, by, site.clock)
    return echoed


def _known(site: Site, name: str) -> RemoteAE:
    peer = site.settings.peers.get(name)
    if peer is None:
        known = ", ".join(sorted(site.settings.peers)) or "none"
        raise NoSuchPeer(f"no peer of that name; the settings have: {known}")
    remote = peer.remote(name)
    patience = min(remote.deadline_seconds, MOST_SECONDS)
    return replace(remote, deadline_seconds=patience)


def _failure(local: LocalAE, remote: RemoteAE) -> str | None:
    try:
        echo(local, remote)
    except PeerFailure as error:
        return str(error)
    return None


def _keep(ledger: Ledger, echoed: Echoed, by: Person, clock: Clock) -> None:
    now = clock()
    contact = ContactRecord(
        peer=echoed.peer,
        way=Way.ECHO,
        answered_at=now if echoed.ok else None,
        failed_at=None if echoed.ok else now,
        detail=echoed.detail,
    )
    entry = kinds.peer_echoed(echoed.peer, echoed.detail, by, now, ok=echoed.ok)
    with ledger.writing() as rows:
        rows.put_contact(contact)
        rows.append_audit(entry)
