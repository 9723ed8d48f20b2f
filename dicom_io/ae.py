"""Application entities: ours and the others. Light: loads no DICOM library.

Titles follow PS3.5 6.2 (VR AE) and PS3.8 9.3.2.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from dicom_io.results.kinds import PROFILES, OutputProfile, ResultKind


class AETitle(str):
    """An application entity title: 1 to 16 printable ASCII characters.

    Leading and trailing spaces are not significant (PS3.5 6.2) and are
    removed; a backslash or a control character is refused with ValueError.
    """

    __slots__ = ()

    def __new__(cls, text: str) -> "AETitle":
        """Check and strip `text`."""
        title = text.strip(" ")
        printable = all(" " <= character <= "~" for character in title)
        if not 1 <= len(title) <= 16 or not printable or "\\" in title:
            raise ValueError(f"{text!r} is not an AE title (PS3.5 6.2)")
        return super().__new__(cls, title)


class Retrieval(StrEnum):
    """How instances are fetched from a peer."""

    AUTO = "auto"
    """C-GET, and C-MOVE to our own listener where the peer has no C-GET."""
    GET = "c-get"
    MOVE = "c-move"


class Proof(StrEnum):
    """How a destination proves that it keeps what we sent."""

    AUTO = "auto"
    """Storage commitment, and a C-FIND read-back where the peer has none."""
    COMMITMENT = "commitment"
    READ_BACK = "read-back"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsOptions:
    """Certificates of a TLS connection, PEM files.

    `authority` verifies the other side; a listener with it demands a client
    certificate (PS3.15 B.12). `revocations` are lists of the authority's revoked
    certificates (RFC 5280 5), None: nobody looks.
    """

    certificate: Path
    key: Path
    authority: Path
    revocations: Path | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file that is named."""
        named = (self.certificate, self.key, self.authority)
        return named if self.revocations is None else (*named, self.revocations)


_FINGERPRINT = re.compile(r"(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}")


def certificate_name(text: str) -> str:
    """Return a name of a certificate as the listener compares it.

    text : the SHA-256 of the certificate in hexadecimal digits, with or without
    colons; "cn:" and its common name; or "dns:" and an alternative name of it.
    Raises ValueError where it is neither.
    """
    kind, colon, name = text.partition(":")
    if _FINGERPRINT.fullmatch(text):
        return f"sha256:{text.replace(':', '').lower()}"
    if colon and kind == "cn" and name.strip():
        return f"cn:{name.strip()}"
    if colon and kind == "dns" and name.strip():
        return f"dns:{name.strip().lower()}"
    raise ValueError('a SHA-256 in hexadecimal digits, "cn:NAME" or "dns:NAME"')


class UserIdentity(StrEnum):
    """What becomes of a user identity in an association request (PS3.7 D.3.3.7)."""

    OFF = "off"
    """It is not looked at."""
    OPTIONAL = "optional"
    """A name or passcode that is given must be right."""
    REQUIRED = "required"
    """Who gives none is rejected."""


class WebService(StrEnum):
    """What is asked of a peer over DICOMweb instead of DIMSE (PS3.18)."""

    QUERY = "query"
    """QIDO-RS (PS3.18 10.6)."""
    RETRIEVE = "retrieve"
    """WADO-RS (PS3.18 10.4)."""
    STORE = "store"
    """STOW-RS (PS3.18 10.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebEndpoint:
    """A peer's DICOMweb service.

    `url` is the service root, without a trailing slash; `token` a bearer token,
    None for none; `authority` a PEM file that verifies an https server, None for
    the system's.
    """

    url: str
    services: frozenset[WebService] = frozenset(WebService)
    token: str | None = None
    authority: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalAE:
    """Our own application entity and where it listens.

    Sizes are bytes and times seconds. `require_calling` and `require_called`
    reject unknown calling titles and any called title but ours (PS3.8 9.3.4).
    `max_per_address`: associations of one address, of the `max_associations`;
    `reserved_for_peers`: so many of these are kept for peers that more than a title
    vouches for. `users`: names, and the hash of each one's passcode or "" for none.
    `commits`: others may ask us for storage commitment.
    """

    title: AETitle
    host: str
    port: int
    tls: TlsOptions | None = None
    require_calling: bool = True
    require_called: bool = True
    max_associations: int = 32
    max_per_address: int = 24
    reserved_for_peers: int = 8
    max_pdu_bytes: int = 1 << 20
    max_instance_bytes: int = 512 << 20
    pdu_deadline_seconds: float = 30.0
    idle_seconds: float = 60.0
    user_identity: UserIdentity = UserIdentity.OFF
    users: Mapping[str, str] = field(default_factory=dict)
    commits: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAE:
    """A node that the site wrote down.

    `networks`: addresses that it may connect from; empty means any. `certificates`:
    names of those that it may show to us, as `certificate_name` returns them; empty
    means any of the listener's authority that is no other peer's. `may_store`
    lets it send us instances. `send_titles`: calling titles that it uses when it
    sends to us; its own `title` is always one of them. `outputs`: the result objects
    that it gets as a destination. `web`: services that it is asked for over DICOMweb.
    `port` 0: it has no DIMSE service. `max_queries`: questions and retrievals that it
    is asked at one time. `keep_open_seconds`: how long an association for questions
    stays open for the next one; 0: it is released at once.
    """

    name: str
    title: AETitle
    host: str
    port: int
    tls: TlsOptions | None = None
    networks: tuple[IPv4Network | IPv6Network, ...] = ()
    certificates: frozenset[str] = frozenset()
    send_titles: tuple[AETitle, ...] = ()
    may_store: bool = True
    retrieval: Retrieval = Retrieval.AUTO
    proof: Proof = Proof.AUTO
    deadline_seconds: float = 60.0
    outputs: frozenset[ResultKind] = PROFILES[OutputProfile.GENERIC_PACS]
    web: WebEndpoint | None = None
    max_queries: int = 2
    keep_open_seconds: float = 0.0

    def uses_web_for(self, service: WebService) -> bool:
        """Whether a service is asked for over DICOMweb."""
        return self.web is not None and service in self.web.services

    @property
    def query_service(self) -> str:
        """Name what answers its questions: "QIDO-RS" or "C-FIND"."""
        return "QIDO-RS" if self.uses_web_for(WebService.QUERY) else "C-FIND"
