"""The tables about nodes: our own, and those that the site wrote down."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from config.values import (
    CertificateName,
    HttpUrl,
    Network,
    Outputs,
    PasscodeHash,
    Section,
    Title,
    UserName,
    Variable,
    distinct,
    secret,
)
from dicom_io.ae import (
    AETitle,
    Proof,
    RemoteAE,
    Retrieval,
    TlsOptions,
    UserIdentity,
    WebEndpoint,
    WebService,
)
from dicom_io.results.kinds import PROFILES, OutputProfile, ResultKind


class Tls(Section):
    """PEM files of a TLS connection."""

    certificate: Path
    key: Path
    authority: Path
    revocations: str = ""

    def options(self) -> TlsOptions:
        """Return what `dicom_io` takes."""
        return TlsOptions(
            certificate=self.certificate,
            key=self.key,
            authority=self.authority,
            revocations=Path(self.revocations) if self.revocations else None,
        )


class ListenerSettings(Section):
    """Our own AE."""

    title: Title
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    require_calling: bool
    require_called: bool
    max_associations: PositiveInt
    max_per_address: PositiveInt
    reserved_for_peers: NonNegativeInt
    max_pdu_bytes: Annotated[int, Field(ge=4096, le=1 << 30)]
    max_instance_bytes: PositiveInt
    pdu_deadline_seconds: PositiveFloat
    idle_seconds: PositiveFloat
    user_identity: UserIdentity
    users: dict[UserName, PasscodeHash] = Field(default_factory=dict)
    tls: Tls | None = None

    @model_validator(mode="after")
    def _users_are_hidden_from_the_network(self) -> Self:
        if self.user_identity is not UserIdentity.OFF and self.tls is None:
            raise ValueError(
                f'user_identity "{self.user_identity}" needs listener.tls: without it '
                "everybody on the way reads the passcodes"
            )
        if self.user_identity is UserIdentity.REQUIRED and not self.users:
            raise ValueError('user_identity "required" needs listener.users')
        return self


class Peer(Section):
    """A node that the site wrote down."""

    title: Title
    host: str = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    networks: tuple[Network, ...] = ()
    certificates: tuple[CertificateName, ...] = ()
    send_titles: tuple[Title, ...] = ()
    may_store: bool = True
    retrieval: Retrieval = Retrieval.AUTO
    proof: Proof = Proof.AUTO
    deadline_seconds: PositiveFloat = 60.0
    output: OutputProfile | Outputs = OutputProfile.GENERIC_PACS
    max_queries: PositiveInt = 2
    keep_open_seconds: NonNegativeFloat = 5.0
    web: "Web | None" = None
    tls: Tls | None = None

    @model_validator(mode="after")
    def _can_be_reached(self) -> Self:
        if bool(self.host) != bool(self.port):
            raise ValueError("give both host and port, or none")
        if not self.port and (
            self.web is None or {*self.web.services} != {*WebService}
        ):
            raise ValueError("without host and port, web must offer every service")
        if not self.port and self.proof is Proof.COMMITMENT:
            raise ValueError('proof "commitment" needs host and port: web has none')
        return self

    @property
    def kinds(self) -> frozenset[ResultKind]:
        """The result objects that it gets."""
        if isinstance(self.output, OutputProfile):
            return PROFILES[self.output]
        return frozenset(self.output)

    def remote(self, name: str) -> RemoteAE:
        """Return what `dicom_io` takes."""
        return RemoteAE(
            name=name,
            title=AETitle(self.title),
            host=self.host,
            port=self.port,
            tls=self.tls.options() if self.tls else None,
            networks=self.networks,
            certificates=frozenset(self.certificates),
            send_titles=tuple(AETitle(title) for title in self.send_titles),
            may_store=self.may_store,
            retrieval=self.retrieval,
            proof=self.proof,
            deadline_seconds=self.deadline_seconds,
            outputs=self.kinds,
            web=self.web.endpoint() if self.web else None,
            max_queries=self.max_queries,
            keep_open_seconds=self.keep_open_seconds,
        )


class Web(Section):
    """A peer's DICOMweb service."""

    url: HttpUrl
    services: Annotated[tuple[WebService, ...], AfterValidator(distinct)] = tuple(
        WebService
    )
    token_variable: Variable = ""
    authority: str = ""

    def endpoint(self) -> WebEndpoint:
        """Return what `dicom_io` takes; the token comes from the environment."""
        return WebEndpoint(
            url=self.url.rstrip("/"),
            services=frozenset(self.services),
            token=secret(self.token_variable),
            authority=Path(self.authority) if self.authority else None,
        )
