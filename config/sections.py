"""The tables of the settings file that are about no node."""

from pathlib import Path
from typing import Annotated, Literal, Self

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
    Clock,
    DatabaseUrl,
    Day,
    HttpUrl,
    Network,
    Phrase,
    Section,
    TimeZone,
    Variable,
    Weekday,
    distinct,
    is_loopback,
    secret,
)
from dicom_io.options import (
    AbsencePolicy,
    Disagreement,
    Match,
    OrderSource,
    Rendering,
    ReportSource,
)
from model.report import FlagKind, Task


class Storage(Section):
    """Where files lie."""

    folder: Path
    reserve_bytes: NonNegativeInt
    reserve_memory_bytes: NonNegativeInt


class LedgerSettings(Section):
    """Where the state lies."""

    url: DatabaseUrl
    password_file: str


class Archive(Section):
    """Who is asked for priors."""

    peer: str


class Results(Section):
    """What is asked of the model, and who gets the answer."""

    destinations: Annotated[tuple[str, ...], AfterValidator(distinct)]
    tasks: Annotated[
        tuple[Literal[Task.GROUNDED_FINDINGS, Task.FINDINGS], ...],
        AfterValidator(distinct),
    ]
    phrases: Annotated[tuple[Phrase, ...], AfterValidator(distinct)]
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
    settle_seconds: NonNegativeFloat
    cache_seconds: NonNegativeFloat
    attempts: PositiveInt
    pause_seconds: PositiveFloat


class ReportSettings(Section):
    """Where the text of the prior report comes from."""

    sources: Annotated[tuple[ReportSource, ...], AfterValidator(distinct)]
    max_characters: Annotated[int, Field(ge=200, le=20_000)]
    language: Annotated[str, Field(pattern="^[a-z]{2,3}$")]


class OrderSettings(Section):
    """Where indication and history come from."""

    sources: Annotated[tuple[OrderSource, ...], AfterValidator(distinct)]
    worklist: str


class ViewSettings(Section):
    """Which images of a study may be read."""

    minimum_age_years: NonNegativeInt
    disagreement: Disagreement


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

    url: HttpUrl
    token_variable: Variable
    authority: str
    deadline_seconds: PositiveFloat

    @property
    def token(self) -> str | None:
        """The bearer token, from the environment."""
        return secret(self.token_variable)


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

    kind: Literal["local", "process", "ray", "vllm"]
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
    cpu_fallback: bool
    token_limits: TokenLimitSettings


class Licence(Section):
    """Who acknowledged the research-only licence of the weights, and when."""

    acknowledged_by: str
    acknowledged_on: Day

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
    failures_in_a_row: PositiveInt
    commitment_wait_seconds: PositiveFloat


class WebSettings(Section):
    """The console, and the pages of health."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]
    names: Annotated[tuple[str, ...], AfterValidator(distinct)]
    certificate: str
    key: str
    proxies: tuple[Network, ...]
    max_connections: PositiveInt
    max_request_bytes: PositiveInt
    request_seconds: PositiveFloat
    session_idle_minutes: PositiveFloat
    session_hours: PositiveFloat

    @model_validator(mode="after")
    def _is_seen_by_nobody_else(self) -> Self:
        """Refuse a page with patients on it that goes over a network in the clear."""
        if bool(self.certificate) != bool(self.key):
            raise ValueError("give both certificate and key, or none")
        if not (is_loopback(self.host) or self.certificate or self.proxies):
            raise ValueError(
                f"host: {self.host!r} is not of this machine alone: give certificate "
                "and key, or name the proxies that do TLS; otherwise use 127.0.0.1"
            )
        return self

    def host_names(self) -> frozenset[str]:
        """Return the names by which a browser may ask for it, in lower case."""
        here = {"localhost", "127.0.0.1", "[::1]", self.host, f"[{self.host}]"}
        return frozenset(name.lower() for name in (*here, *self.names))


class HealthSettings(Section):
    """Where a process without the console says how it is."""

    host: str
    port: Annotated[int, Field(ge=0, le=65535)]


class Commitment(Section):
    """Storage commitment that we give to others."""

    serve: bool
    keeper: Literal["archive", "here"]
    max_references: PositiveInt
    decide_seconds: PositiveFloat


class AuditSettings(Section):
    """How the audit log is signed, and how long it is kept."""

    checkpoint_seconds: PositiveFloat
    key: str
    checkpoint_folder: str
    checkpoint_command: tuple[Annotated[str, Field(min_length=1)], ...]
    command_seconds: PositiveFloat
    retention_days: PositiveFloat
    refuse_rolled_back: bool


class Retention(Section):
    """How long the files of a finished study stay."""

    days: PositiveFloat


class ReviewSettings(Section):
    """What reviewers of the audit take for usual at this site."""

    days: Annotated[tuple[Weekday, ...], AfterValidator(distinct)]
    opens: Clock
    closes: Clock
    zone: TimeZone
    bulk_patients: PositiveInt
    bulk_minutes: PositiveFloat

    @model_validator(mode="after")
    def _closes_later(self) -> Self:
        if self.closes != "00:00" and self.closes <= self.opens:
            raise ValueError('closes after it opens; "00:00" is midnight')
        return self
