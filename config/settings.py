"""The settings as types; config/default.toml documents each key.

Every model is frozen and refuses unknown keys. They are validated as JSON in strict
mode: text stands for what TOML has no type for (paths, networks, names of a fixed
list), and nothing else is converted. The methods hand out the option types that
`dicom_io` and `model` declare, so those never see a settings file.
"""

import os
from datetime import date
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PlainValidator,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from config.urls import is_url
from dicom_io.ae import (
    AETitle,
    LocalAE,
    Proof,
    RemoteAE,
    Retrieval,
    TlsOptions,
    WebEndpoint,
    WebService,
)
from dicom_io.options import (
    AbsencePolicy,
    DecodeLimits,
    IdentityPolicy,
    Match,
    OrderSource,
    PriorRules,
    Rendering,
    ReportRules,
    ReportSource,
    ViewRules,
)
from dicom_io.results.kinds import PROFILES, SELECTABLE, OutputProfile, ResultKind
from model.options import PHANTOM_CHECKPOINT, EngineOptions, TokenLimits
from model.report import FlagKind, Task

Item = TypeVar("Item")


def _network(value: object) -> IPv4Network | IPv6Network:
    try:
        if isinstance(value, str):
            return ip_network(value)
    except ValueError as error:
        raise ValueError(f'a network, as "10.0.0.0/24": {error}') from error
    raise ValueError('a network, as "10.0.0.0/24"')


def _day(value: object) -> date | Literal[""]:
    if value == "":
        return ""
    try:
        return date.fromisoformat(str(value))
    except ValueError as error:
        raise ValueError('a day, as "2026-01-31", or ""') from error


def _distinct(items: tuple[Item, ...]) -> tuple[Item, ...]:
    repeated = sorted({str(item) for item in items if items.count(item) > 1})
    if repeated:
        raise ValueError(f"named more than once: {', '.join(map(repr, repeated))}")
    return items


def _http_url(text: str) -> str:
    if text and not text.startswith(("https://", "http://")):
        raise ValueError('a URL, as "https://host/path"')
    if "@" in text.split("//", 1)[-1].split("/", 1)[0]:
        raise ValueError("no password in a URL: name a variable of the environment")
    return text


def _variable(name: str) -> str:
    if name and not os.environ.get(name):
        raise ValueError("the environment has no such variable, or an empty one")
    return name


def _secret(variable: str) -> str | None:
    """Return a secret of the environment; None where no variable is named."""
    return os.environ[variable] if variable else None


def _url(text: str) -> str:
    if text and not is_url(text):
        raise ValueError('an SQLAlchemy URL, as "postgresql+psycopg://host/name"')
    return text


Title = Annotated[str, AfterValidator(AETitle)]
Network = Annotated[IPv4Network | IPv6Network, PlainValidator(_network)]


def _output(kind: ResultKind) -> ResultKind:
    if kind not in SELECTABLE:
        raise ValueError(f"{kind} is not sent by choice")
    return kind


def _something_said(kinds: tuple[ResultKind, ...]) -> tuple[ResultKind, ...]:
    if not {*kinds} - {ResultKind.REJECTION_NOTE}:
        raise ValueError("name an object that says what the model said")
    return _distinct(kinds)


Output = Annotated[ResultKind, AfterValidator(_output)]
Outputs = Annotated[tuple[Output, ...], AfterValidator(_something_said)]
Variable = Annotated[str, AfterValidator(_variable)]
Phrase = Annotated[str, Field(min_length=1, max_length=400)]


class Section(BaseModel):
    """A table of the settings file."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, allow_inf_nan=False
    )


class Tls(Section):
    """PEM files of a TLS connection."""

    certificate: Path
    key: Path
    authority: Path

    def options(self) -> TlsOptions:
        """Return what `dicom_io` takes."""
        return TlsOptions(
            certificate=self.certificate, key=self.key, authority=self.authority
        )


class Storage(Section):
    """Where files lie."""

    folder: Path
    reserve_bytes: NonNegativeInt


class LedgerSettings(Section):
    """Where the state lies."""

    url: Annotated[str, AfterValidator(_url)]


class ListenerSettings(Section):
    """Our own AE."""

    title: Title
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    require_calling: bool
    require_called: bool
    max_associations: PositiveInt
    max_pdu_bytes: Annotated[int, Field(ge=4096, le=1 << 30)]
    max_instance_bytes: PositiveInt
    pdu_deadline_seconds: PositiveFloat
    idle_seconds: PositiveFloat
    tls: Tls | None = None


class Peer(Section):
    """A node that the site wrote down."""

    title: Title
    host: str = ""
    port: Annotated[int, Field(ge=0, le=65535)] = 0
    networks: tuple[Network, ...] = ()
    send_titles: tuple[Title, ...] = ()
    may_store: bool = True
    retrieval: Retrieval = Retrieval.AUTO
    proof: Proof = Proof.AUTO
    deadline_seconds: PositiveFloat = 60.0
    output: OutputProfile | Outputs = OutputProfile.GENERIC_PACS
    max_queries: PositiveInt = 2
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
            send_titles=tuple(AETitle(title) for title in self.send_titles),
            may_store=self.may_store,
            retrieval=self.retrieval,
            proof=self.proof,
            deadline_seconds=self.deadline_seconds,
            outputs=self.kinds,
            web=self.web.endpoint() if self.web else None,
            max_queries=self.max_queries,
        )


class Web(Section):
    """A peer's DICOMweb service."""

    url: Annotated[str, AfterValidator(_http_url)]
    services: Annotated[tuple[WebService, ...], AfterValidator(_distinct)] = tuple(
        WebService
    )
    token_variable: Variable = ""
    authority: str = ""

    def endpoint(self) -> WebEndpoint:
        """Return what `dicom_io` takes; the token comes from the environment."""
        return WebEndpoint(
            url=self.url.rstrip("/"),
            services=frozenset(self.services),
            token=_secret(self.token_variable),
            authority=Path(self.authority) if self.authority else None,
        )


class Archive(Section):
    """Who is asked for priors."""

    peer: str


class Results(Section):
    """What is asked of the model, and who gets the answer."""

    destinations: Annotated[tuple[str, ...], AfterValidator(_distinct)]
    tasks: Annotated[
        tuple[Literal[Task.GROUNDED_FINDINGS, Task.FINDINGS], ...],
        AfterValidator(_distinct),
    ]
    phrases: Annotated[tuple[Phrase, ...], AfterValidator(_distinct)]
    send_phrases: bool
    hold_flags: tuple[FlagKind, ...]

    @model_validator(mode="after")
    def _something_is_asked(self) -> Self:
        if not self.tasks and not self.phrases:
            raise ValueError("name a task in tasks, or a sentence in phrases")
        return self


class Completeness(Section):
    """When a study is whole."""

    quiet_seconds: PositiveFloat
    max_wait_seconds: PositiveFloat
    ask_archive: bool


class PriorSettings(Section):
    """How the prior is looked for."""

    enabled: bool
    look_back_days: PositiveInt
    minimum_interval_hours: NonNegativeFloat
    max_candidates: PositiveInt
    modalities: Annotated[tuple[str, ...], Field(min_length=1)]
    body_part: Match
    view: Match
    institution: Match
    study_seconds: PositiveFloat
    cache_seconds: NonNegativeFloat
    attempts: PositiveInt
    pause_seconds: PositiveFloat


class ReportSettings(Section):
    """Where the text of the prior report comes from."""

    sources: Annotated[tuple[ReportSource, ...], AfterValidator(_distinct)]
    max_characters: Annotated[int, Field(ge=200, le=20_000)]
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")]


class OrderSettings(Section):
    """Where indication and history come from."""

    sources: Annotated[tuple[OrderSource, ...], AfterValidator(_distinct)]
    worklist: str


class ViewSettings(Section):
    """Which images of a study may be read."""

    minimum_age_years: NonNegativeInt


class Hl7Settings(Section):
    """The listener of HL7 v2 messages."""

    enabled: bool
    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    networks: tuple[Network, ...]
    max_connections: PositiveInt
    max_message_bytes: PositiveInt
    message_seconds: PositiveFloat
    idle_seconds: PositiveFloat
    keep_days: PositiveFloat


class FhirSettings(Section):
    """The FHIR server that is asked for orders and reports."""

    url: Annotated[str, AfterValidator(_http_url)]
    token_variable: Variable
    authority: str
    deadline_seconds: PositiveFloat

    @property
    def token(self) -> str | None:
        """The bearer token, from the environment."""
        return _secret(self.token_variable)


class Identity(Section):
    """What is done with an identity attribute that one side lacks."""

    issuer: AbsencePolicy
    birth_date: AbsencePolicy
    sex: AbsencePolicy


class Pictures(Section):
    """Grey values and limits of decoding."""

    rendering: Rendering
    decode_seconds: PositiveFloat
    decode_memory_bytes: PositiveInt
    decode_max_pixels: PositiveInt


class TokenLimitSettings(Section):
    """Most new tokens a task."""

    findings: PositiveInt
    grounded_findings: PositiveInt
    phrase_grounding: PositiveInt


class EngineSettings(Section):
    """Which checkpoint, and how it runs."""

    kind: Literal["local", "process"]
    checkpoint: str
    device: Literal["auto", "cpu", "cuda"]
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    threads: NonNegativeInt
    deadline_seconds: NonNegativeFloat
    readers: PositiveInt
    collect_milliseconds: NonNegativeFloat
    collect_tokens: PositiveInt
    adapter: str
    attention: Literal["auto", "eager", "sdpa"]
    weights: Literal["as-stored", "int8"]
    prefix_memory_bytes: NonNegativeInt
    prompt_lookup: bool
    batch_rows: PositiveInt
    batch_tokens: NonNegativeInt
    compile_steps: Literal["auto", "off"]
    token_limits: TokenLimitSettings


class Licence(Section):
    """Who acknowledged the research-only licence of the weights, and when."""

    acknowledged_by: str
    acknowledged_on: Annotated[date | Literal[""], PlainValidator(_day)]

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if bool(self.acknowledged_by.strip()) != (self.acknowledged_on != ""):
            raise ValueError("give both acknowledged_by and acknowledged_on, or none")
        return self

    @property
    def acknowledged(self) -> bool:
        """Whether somebody did."""
        return self.acknowledged_on != ""


class Work(Section):
    """Leases and repetitions of the stages."""

    lease_seconds: PositiveFloat
    longest_turn_seconds: PositiveFloat
    max_attempts: PositiveInt
    first_pause_seconds: PositiveFloat
    max_pause_seconds: PositiveFloat


class Delivery(Section):
    """Repetitions of sending, and how long a commitment is waited for."""

    first_pause_seconds: PositiveFloat
    max_pause_seconds: PositiveFloat
    give_up_days: PositiveFloat
    commitment_wait_seconds: PositiveFloat


class Retention(Section):
    """How long the files of a finished study stay."""

    days: PositiveFloat


class Settings(Section):
    """All settings of a site."""

    storage: Storage
    ledger: LedgerSettings
    listener: ListenerSettings
    peers: dict[str, Peer] = {}
    archive: Archive
    results: Results
    completeness: Completeness
    views: ViewSettings
    prior: PriorSettings
    prior_report: ReportSettings
    order: OrderSettings
    hl7: Hl7Settings
    fhir: FhirSettings
    identity: Identity
    pictures: Pictures
    engine: EngineSettings
    licence: Licence
    work: Work
    delivery: Delivery
    retention: Retention

    @model_validator(mode="after")
    def _peers_are_written_down(self) -> Self:
        known = ", ".join(sorted(self.peers)) or "none"
        named = [("archive.peer", self.archive.peer)] if self.archive.peer else []
        named += (
            [("order.worklist", self.order.worklist)] if self.order.worklist else []
        )
        named += [("results.destinations", name) for name in self.results.destinations]
        for key, name in named:
            if name not in self.peers:
                raise ValueError(f"{key}: {name!r} is not a peer (peers: {known})")
        return self

    @model_validator(mode="after")
    def _calling_titles_tell_peers_apart(self) -> Self:
        owner: dict[str, str] = {}
        for name, peer in self.peers.items():
            for title in {peer.title, *peer.send_titles}:
                other = owner.setdefault(title, name)
                if other != name:
                    raise ValueError(
                        f"peers.{name}: {title!r} is a title of peers.{other} too; "
                        "a calling title must tell whose association it is"
                    )
        return self

    @property
    def ledger_url(self) -> str:
        """SQLAlchemy URL of the ledger."""
        return self.ledger.url or f"sqlite:///{self._own_ledger}"

    @property
    def ledger_path(self) -> Path | None:
        """File of the ledger; None: the site named a URL of its own."""
        return None if self.ledger.url else self._own_ledger

    @property
    def _own_ledger(self) -> Path:
        return self.storage.folder / "ledger.sqlite"

    def local_ae(self) -> LocalAE:
        """Return our own AE."""
        own = self.listener
        return LocalAE(
            title=AETitle(own.title),
            host=own.host,
            port=own.port,
            tls=own.tls.options() if own.tls else None,
            require_calling=own.require_calling,
            require_called=own.require_called,
            max_associations=own.max_associations,
            max_pdu_bytes=own.max_pdu_bytes,
            max_instance_bytes=own.max_instance_bytes,
            pdu_deadline_seconds=own.pdu_deadline_seconds,
            idle_seconds=own.idle_seconds,
        )

    def remote_aes(self) -> tuple[RemoteAE, ...]:
        """Return every peer."""
        return tuple(peer.remote(name) for name, peer in self.peers.items())

    def archive_ae(self) -> RemoteAE | None:
        """Return the peer that is asked for priors; None: nobody."""
        name = self.archive.peer
        return self.peers[name].remote(name) if name else None

    def destination_aes(self) -> tuple[RemoteAE, ...]:
        """Return the peers that get the results."""
        return tuple(self.peers[n].remote(n) for n in self.results.destinations)

    def wanted_kinds(self) -> frozenset[ResultKind]:
        """Return the result objects that some destination gets.

        Without a destination they are those of a general archive, kept here.
        """
        if not self.results.destinations:
            return PROFILES[OutputProfile.GENERIC_PACS]
        named = [self.peers[name].kinds for name in self.results.destinations]
        return frozenset().union(*named)

    def prior_rules(self) -> PriorRules:
        """Return which earlier studies may be used."""
        return PriorRules(
            look_back_days=self.prior.look_back_days,
            minimum_interval_hours=self.prior.minimum_interval_hours,
            max_candidates=self.prior.max_candidates,
            modalities=frozenset(self.prior.modalities),
            body_part=self.prior.body_part,
            view=self.prior.view,
            institution=self.prior.institution,
        )

    def view_rules(self) -> ViewRules:
        """Return which images may be read; for films, until an engine says else."""
        return ViewRules(minimum_age_years=self.views.minimum_age_years)

    def report_rules(self) -> ReportRules:
        """Return which texts may serve as the prior report."""
        own = self.prior_report
        return ReportRules(
            sources=own.sources,
            max_characters=own.max_characters,
            language=own.language,
        )

    def worklist_ae(self) -> RemoteAE | None:
        """Return the peer whose modality worklist is asked; None: nobody."""
        name = self.order.worklist
        return self.peers[name].remote(name) if name else None

    def identity_policy(self) -> IdentityPolicy:
        """Return what an absent identity attribute means."""
        own = self.identity
        return IdentityPolicy(issuer=own.issuer, birth_date=own.birth_date, sex=own.sex)

    def decode_limits(self) -> DecodeLimits:
        """Return the limits of one decoding process."""
        return DecodeLimits(
            seconds=self.pictures.decode_seconds,
            memory_bytes=self.pictures.decode_memory_bytes,
            max_pixels=self.pictures.decode_max_pixels,
        )

    def engine_options(self) -> EngineOptions:
        """Return how the report engine runs."""
        own = self.engine
        return EngineOptions(
            checkpoint=Path(own.checkpoint) if own.checkpoint else PHANTOM_CHECKPOINT,
            device=own.device,
            dtype=own.dtype,
            token_limits=TokenLimits(**own.token_limits.model_dump()),
            threads=own.threads or None,
            adapter=Path(own.adapter) if own.adapter else None,
            attention=own.attention,
            weights=own.weights,
            prefix_memory_bytes=own.prefix_memory_bytes,
            prompt_lookup=own.prompt_lookup,
            batch_rows=own.batch_rows,
            batch_tokens=own.batch_tokens,
            compile_steps=own.compile_steps,
        )
