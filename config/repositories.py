"""The tables about audit repositories, to which the audit is handed on."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, model_validator

from config.peers import Tls
from config.values import CertificateName, Section


class AuditRepository(Section):
    """A repository that takes the audit by syslog."""

    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)] = 6514
    transport: Literal["tls", "tcp", "udp"] = "tls"
    tls: Tls | None = None
    certificates: tuple[CertificateName, ...] = ()
    facility: Annotated[int, Field(ge=0, le=23)] = 10
    patients: Literal["encrypted", "clear"] = "encrypted"
    deadline_seconds: PositiveFloat = 30.0
    max_datagram_bytes: Annotated[int, Field(ge=480, le=65507)] = 8192

    @model_validator(mode="after")
    def _tls_has_its_files(self) -> Self:
        if self.transport == "tls" and self.tls is None:
            raise ValueError('transport "tls" needs the table tls')
        if self.transport != "tls" and self.tls is not None:
            raise ValueError(f'transport "{self.transport}" has no use for tls')
        if self.transport != "tls" and self.certificates:
            raise ValueError('certificates need transport "tls"')
        return self

    @model_validator(mode="after")
    def _patients_are_hidden_from_the_network(self) -> Self:
        if self.transport != "tls" and self.patients == "clear":
            raise ValueError(
                'patients "clear" needs transport "tls": without it everybody on the '
                "way reads who the patients are"
            )
        return self
