"""TLS by the BCP 195 RFC 8996 profile: 1.2 at least, forward secrecy, GCM."""

import ssl

from dicom_io.ae import TlsOptions

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
    return _context(ssl.PROTOCOL_TLS_SERVER, options)


def client_context(options: TlsOptions) -> ssl.SSLContext:
    """Connect to peers that show a certificate of `options.authority`.

    The authority is the site's own and names its nodes; host names are not
    compared, because device certificates rarely carry them. Raises OSError.
    """
    return _context(ssl.PROTOCOL_TLS_CLIENT, options)


def _context(protocol: int, options: TlsOptions) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_SUITES)
    context.load_cert_chain(options.certificate, options.key)
    context.load_verify_locations(options.authority)
    return context
