"""Our DICOM port as seen from outside the process: free, or answering.

Light: imports no DICOM library, so that a health check costs little.
"""

import socket
import ssl

from dicom_io.ae import LocalAE, TlsOptions

_SECONDS = 5.0
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


def is_answering(local: LocalAE) -> bool:
    """Whether the port takes a connection, with TLS its handshake too.

    Nothing is asked, so the listener has nothing to record.
    """
    host = _EVERYWHERE.get(local.host, local.host)
    try:
        with socket.create_connection((host, local.port), timeout=_SECONDS) as plain:
            if local.tls is not None:
                _client(local.tls).wrap_socket(plain).close()
    except OSError:
        return False
    return True


def _client(own: TlsOptions) -> ssl.SSLContext:
    """Return a client that shows our own certificate to ourselves."""
    context = ssl.create_default_context(cafile=str(own.authority))
    context.check_hostname = False
    context.load_cert_chain(own.certificate, own.key)
    return context
