"""TLS by the BCP 195 RFC 8996 profile: 1.2 at least, forward secrecy, GCM."""

import hashlib
import logging
import socket
import ssl
from threading import Lock
from typing import TYPE_CHECKING, cast

from dicom_io.ae import TlsOptions

if TYPE_CHECKING:
    from collections.abc import Sequence

LOGGER = logging.getLogger(__name__)

_SUITES = ":".join(
    f"ECDHE-{key}-AES{bits}-GCM-SHA{digest}"
    for bits, digest in ((128, 256), (256, 384))
    for key in ("ECDSA", "RSA")
)
"""The TLS 1.2 suites of the profile (PS3.15 B.12); those of 1.3 are not chosen."""


def server_context(options: TlsOptions) -> ssl.SSLContext:
    """Accept peers that show a certificate of `options.authority`.

    Raises OSError (ssl.SSLError is one) where a file is missing or broken.
    """
    context = _context(ssl.PROTOCOL_TLS_SERVER, options)
    # A session that is resumed would not have its certificate looked at again.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    return context


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Connect to peers that show a certificate of `options.authority`.

    The authority is the site's own and names its nodes; host names are not
    compared, because device certificates rarely carry them. Raises OSError.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, options)


class RenewedContext:
    """A server's context that follows its files; used by all threads.

    Raises OSError where they are missing or broken at first. Later such files leave
    the context in force that there is, and the log says so, once for each change.
    """

    def __init__(self, options: TlsOptions) -> None:
        self._options = options
        self._lock = Lock()
        self._seen = _marks(options)
        self._context = server_context(options)

    def current(self) -> ssl.SSLContext:
        """Return the context for a new connection."""
        with self._lock:
            marks = _marks(self._options)
            if marks != self._seen:
                self._seen = marks
                self._renew()
            return self._context

    def _renew(self) -> None:
        try:
            self._context = server_context(self._options)
        except OSError as error:
            why = failure_of(error)
            # No traceback: the words say all there is.
            LOGGER.error(  # noqa: TRY400
                "new TLS files are broken, the old stay in force: %s", why
            )
        else:
            LOGGER.warning("TLS files were renewed: %s", self._options.certificate)


def peer_names(connected: socket.socket) -> frozenset[str]:
    """Return the names of the other side's certificate; none without TLS.

    They are "sha256:" of its bytes, "cn:" and "dns:" (`dicom_io.ae.certificate_name`).
    """
    if not isinstance(connected, ssl.SSLSocket):
        return frozenset()
    encoded, shown = connected.getpeercert(binary_form=True), connected.getpeercert()
    if encoded is None or not shown:
        return frozenset()
    names = {f"sha256:{hashlib.sha256(encoded).hexdigest()}"}
    subject = cast("Sequence[Sequence[tuple[str, str]]]", shown.get("subject", ()))
    for part in subject:
        names |= {f"cn:{value}" for key, value in part if key == "commonName"}
    alternatives = cast("Sequence[tuple[str, str]]", shown.get("subjectAltName", ()))
    names |= {f"dns:{value.lower()}" for kind, value in alternatives if kind == "DNS"}
    return frozenset(names)


def failure_of(error: OSError) -> str:
    """Say what failed, in OpenSSL's own words: none of them are the other side's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, FileNotFoundError):
        return f"no file {error.filename}" if error.filename else "a file is missing"
    return type(error).__name__


def _context(protocol: int, options: TlsOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.load_cert_chain(options.certificate, options.key, _no_passphrase)
    context.load_verify_locations(options.authority)
    if options.revocations is not None:
        context.load_verify_locations(options.revocations)
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF
    return context


def _no_passphrase() -> str:
    """Answer nothing: OpenSSL would ask on the terminal, and nobody is there."""
    return ""


def _marks(options: TlsOptions) -> tuple[object, ...]:
    """Return what changes when a file does; None for one that is missing."""
    marks: list[object] = []
    for path in options.files:
        try:
            found = path.stat()
        except OSError:
            marks.append(None)
            continue
        marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
    return tuple(marks)
