"""The settings as types; config/default.toml documents each key.

Every model is frozen and refuses unknown keys. They are validated as JSON in strict
mode: text stands for what TOML has no type for (paths, networks, names of a fixed
list), and nothing else is converted. The methods hand out the option types that
`dicom_io` and `model` declare, so those never see a settings file.
"""

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
from dicom_io.ae import AETitle, LocalAE, Proof, RemoteAE, Retrieval, TlsOptions
from dicom_io.options import (
    AbsencePolicy,
    DecodeLimits,
    IdentityPolicy,
    PriorRules,
    Rendering,
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
    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    networks: tuple[Network, ...] = ()
    send_titles: tuple[Title, ...] = ()
    may_store: bool = True
    retrieval: Retrieval = Retrieval.AUTO
    proof: Proof = Proof.AUTO
    deadline_seconds: PositiveFloat = 60.0
    output: OutputProfile | Outputs = OutputProfile.GENERIC_PACS
    tls: Tls | None = None

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
    max_candidates: PositiveInt
    attempts: PositiveInt
    pause_seconds: PositiveFloat


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
    prior: PriorSettings
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
            max_candidates=self.prior.max_candidates,
        )

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
