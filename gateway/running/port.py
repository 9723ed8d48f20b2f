"""Our DICOM port as seen from outside the process: free, or answering.

Light: imports no DICOM library, so that a health check costs little.
"""

import socket
import ssl

from dicom_io.ae import LocalAE, TlsOptions

_SECONDS = 5.0
_RELEASE_REQUEST = bytes((0x05, 0, 0, 0, 0, 4, 0, 0, 0, 0))
_ABORT = 0x07
"""Types of PDU (PS3.8 9.3.6, 9.3.8)."""
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - looked up, not bound


def is_free(local: LocalAE) -> bool:
    """Whether the port can be bound; port 0 always can."""
    family = socket.AF_INET6 if ":" in local.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((local.host, local.port))
        except OSError:
            return False
    return True


def loopback(host: str) -> str:
    """Return where this machine reaches a listener on `host`."""
    return _EVERYWHERE.get(host, host)


def is_answering(local: LocalAE) -> bool:
    """Whether a DICOM node holds the port, by TLS where we have it.

    A release that was never asked for must be answered by an abort (PS3.8 9.2,
    Sta2, AA-1). No association is asked for, so the node has nothing to record.
    """
    address = (loopback(local.host), local.port)
    try:
        with socket.create_connection(address, timeout=_SECONDS) as plain:
            if local.tls is None:
                return _aborts(plain)
            with _client(local.tls).wrap_socket(plain) as secured:
                return _aborts(secured)
    except OSError:
        return False


def _aborts(connection: socket.socket) -> bool:
    connection.sendall(_RELEASE_REQUEST)
    return connection.recv(1)[:1] == bytes((_ABORT,))


def _client(own: TlsOptions) -> ssl.SSLContext:
    """Return a client that shows our own certificate to ourselves."""
    context = ssl.create_default_context(cafile=str(own.authority))
    context.check_hostname = False
    context.load_cert_chain(own.certificate, own.key)
    return context
