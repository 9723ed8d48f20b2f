"""Who may speak: titles, addresses, certificates and users. Pure but for scrypt.

A title is only a label. Networks and certificates that a site wrote down for a peer
vouch for more than it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address

from pynetdicom.pdu_primitives import UserIdentityNegotiation

from dicom_io.ae import LocalAE, RemoteAE, UserIdentity
from dicom_io.passcodes import fits, hash_passcode
from dicom_io.scp.negotiation import Rejection, Request

_USERNAME, _USERNAME_AND_PASSCODE = 1, 2
"""User-Identity-Type (PS3.7 Table D.3-14); 3 Kerberos, 4 SAML, 5 JSON Web Token."""

_IDENTITY_FAILED = (1, 1, 1)
"""PS3.7 D.3.3.7.2: a requestor whose identity is not accepted is rejected."""

_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class AssociationFacts:
    """Who asked for an association; empty titles: none was read.

    certificate : names of the certificate that the other side showed, as
    `dicom_io.tls.peer_names` returns them. user : who says to have started the other
    side; None: nobody, or it was not looked at.
    """

    association_id: str
    calling_title: str
    called_title: str
    peer_address: str
    peer: RemoteAE | None
    encrypted: bool
    certificate: frozenset[str] = frozenset()
    user: str | None = None

    @property
    def is_vouched_for(self) -> bool:
        """Whether more than a title says who it is, once it is admitted."""
        peer = self.peer
        return peer is not None and bool(peer.networks or peer.certificates)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identified:
    """What a user identity came to; `answered`: a positive response is owed."""

    user: str | None = None
    answered: bool = False


def find_peer(peers: Sequence[RemoteAE], title: str) -> RemoteAE | None:
    """Return the peer that calls itself `title` when it connects to us."""
    found = [each for each in peers if title in (each.title, *each.send_titles)]
    return found[0] if found else None


def judge(
    local: LocalAE, facts: AssociationFacts, peers: Sequence[RemoteAE] = ()
) -> Rejection | None:
    """Say why an association is not accepted; None: it is.

    Where a peer's networks are written down, the address must be in them too, and
    where its certificates are, one of them must have been shown. A certificate that
    is another peer's is never taken.
    """
    peer = facts.peer
    if local.require_called and facts.called_title != local.title:
        return Rejection(code=(1, 1, 7), reason="called AE title is not ours")
    if local.require_calling and peer is None:
        return Rejection(code=(1, 1, 3), reason="calling AE title is not known")
    if peer is not None and not _is_in_networks(facts.peer_address, peer):
        reason = f"address is not in the networks of {peer.name}"
        return Rejection(code=(1, 1, 3), reason=reason)
    return _judge_certificate(facts, peers)


def _judge_certificate(
    facts: AssociationFacts, peers: Sequence[RemoteAE]
) -> Rejection | None:
    peer, shown = facts.peer, facts.certificate
    if peer is not None and peer.certificates:
        if shown & peer.certificates:
            return None
        reason = f"certificate is not one of {peer.name}"
        return Rejection(code=(1, 1, 3), reason=reason)
    owner = next((each for each in peers if shown & each.certificates), None)
    if owner is None:
        return None
    reason = f"certificate is of {owner.name}, which has another title"
    return Rejection(code=(1, 1, 3), reason=reason)


def _is_in_networks(address: str, peer: RemoteAE) -> bool:
    if not peer.networks:
        return True
    where = ip_address(address.partition("%")[0])
    mapped = getattr(where, "ipv4_mapped", None)
    return any((mapped or where) in network for network in peer.networks)


def identify(local: LocalAE, request: Request) -> Identified | Rejection:
    """Check the user identity of a request (PS3.7 D.3.3.7), as the settings want it.

    Kerberos tickets, SAML assertions and JSON Web Tokens cannot be checked here: they
    are passed over where an identity is optional, and do not serve where it is
    required.
    """
    if local.user_identity is UserIdentity.OFF:
        return Identified()
    item = _identity_of(request)
    if item is None or item.user_identity_type not in (
        _USERNAME,
        _USERNAME_AND_PASSCODE,
    ):
        if local.user_identity is UserIdentity.OPTIONAL:
            return Identified()
        reason = "user identity of a kind that is not checked here"
        missing = "no user identity" if item is None else reason
        return Rejection(code=_IDENTITY_FAILED, reason=missing)
    return _checked(local, item)


def _checked(local: LocalAE, item: UserIdentityNegotiation) -> Identified | Rejection:
    name = (item.primary_field or b"").decode("utf-8", "replace")[:_LONGEST_NAME]
    passcode = None
    if item.user_identity_type == _USERNAME_AND_PASSCODE:
        passcode = item.secondary_field or b""
    if not _is_known(local.users.get(name), passcode):
        return Rejection(
            code=_IDENTITY_FAILED, reason="user identity failed", user=name
        )
    return Identified(user=name, answered=bool(item.positive_response_requested))


def _is_known(kept: str | None, passcode: bytes | None) -> bool:
    """Compare with what is kept of a user: "" for one who needs no passcode."""
    if passcode is None:
        return kept == ""
    # A name that nobody has, or that needs no passcode, takes as long as any.
    is_right = fits(passcode, kept or _nobodys())
    return is_right and bool(kept)


@cache
def _nobodys() -> str:
    return hash_passcode(b"nobody has this passcode")


def _identity_of(request: Request) -> UserIdentityNegotiation | None:
    found = (
        each
        for each in request.primitive.user_information
        if isinstance(each, UserIdentityNegotiation)
    )
    return next(found, None)
