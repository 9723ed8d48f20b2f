"""Authorities and the certificates that they signed, revoked or let run out."""

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dicom_io.ae import TlsOptions
from tests.data.peers import require_peer

_SETTINGS = """
[ca]
default_ca = own
[own]
database = index.txt
rand_serial = yes
new_certs_dir = .
default_md = sha256
default_days = 2
default_crl_days = 2
policy = any
copy_extensions = copy
[any]
commonName = supplied
"""


@dataclass(frozen=True, kw_only=True)
class Authority:
    """A folder in which `openssl ca` is at home."""

    folder: Path
    algorithm: str = "ec"

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    def node(
        self, name: str, *, ended: bool = False, alternative: str | None = None
    ) -> TlsOptions:
        """Make a node's key, and a certificate that runs or has run out.

        alternative : its subjectAltName; None: NAME.example.
        """
        request = ["req", *self._key(name), "-subj", f"/CN={name}"]
        named = f"subjectAltName={alternative or f'DNS:{name}.example'}"
        _openssl(self.folder, [*request, "-addext", named, "-out", f"{name}.csr"])
        past = ["-startdate", "20200101000000Z", "-enddate", "20200201000000Z"]
        signed = [*("-in", f"{name}.csr"), *("-out", f"{name}.pem"), "-notext"]
        self._ca([*signed, *(past if ended else [])])
        return TlsOptions(
            certificate=self.folder / f"{name}.pem",
            key=self.folder / f"{name}.key",
            authority=self.certificate,
        )

    def self_signed(self, name: str) -> TlsOptions:
        """Make a certificate that nobody else signed."""
        subject = ["-subj", f"/CN={name}", "-out", f"{name}.pem"]
        _openssl(
            self.folder, ["req", "-x509", "-days", "2", *self._key(name), *subject]
        )
        return TlsOptions(
            certificate=self.folder / f"{name}.pem",
            key=self.folder / f"{name}.key",
            authority=self.certificate,
        )

    def revoke(self, *nodes: TlsOptions) -> Path:
        """Revoke certificates; return the list of all that are revoked."""
        for node in nodes:
            self._ca(["-revoke", str(node.certificate)])
        self._ca(["-gencrl", "-out", "crl.pem"])
        return self.folder / "crl.pem"

    def _ca(self, words: Sequence[str]) -> None:
        own = ["-batch", "-config", "ca.cnf", "-cert", "ca.pem", "-keyfile", "ca.key"]
        _openssl(self.folder, ["ca", *own, *words])

    def _key(self, name: str) -> list[str]:
        curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        kind = curve if self.algorithm == "ec" else ["-newkey", "rsa:2048"]
        return [*kind, "-nodes", "-keyout", f"{name}.key"]


def authority(folder: Path, algorithm: str = "ec") -> Authority:
    """Make an authority whose keys are "ec" or "rsa"."""
    folder.mkdir(exist_ok=True)
    (folder / "ca.cnf").write_text(_SETTINGS)
    (folder / "index.txt").write_text("")
    made = Authority(folder=folder, algorithm=algorithm)
    made.self_signed("ca")
    return made


def trusting(node: TlsOptions, other: Authority) -> TlsOptions:
    """Return a node's files, where it trusts another authority than its own."""
    return replace(node, authority=other.certificate)


def _openssl(folder: Path, words: Sequence[str]) -> None:
    command = [require_peer("openssl"), *words]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
