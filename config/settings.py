"""The settings as types; config/default.toml documents each key.

Every model is frozen and refuses unknown keys. They are validated as JSON in strict
mode: text stands for what TOML has no type for (paths, networks, names of a fixed
list), and nothing else is converted. The methods hand out the option types that
`dicom_io` and `model` declare, so those never see a settings file.
"""

from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from config.cluster import RaySettings
from config.openid import OpenIdSettings
from config.peers import ListenerSettings, Peer
from config.queue import (
    CampaignSettings,
    ProjectName,
    ProjectSettings,
    QueueSettings,
)
from config.repositories import AuditRepository
from config.sections import (
    Archive,
    AuditSettings,
    Commitment,
    Completeness,
    Delivery,
    EngineSettings,
    FhirSettings,
    HealthSettings,
    Hl7Settings,
    Identity,
    LedgerSettings,
    Licence,
    OrderSettings,
    Pictures,
    PriorSettings,
    ReportSettings,
    Results,
    Retention,
    ReviewSettings,
    Storage,
    ViewSettings,
    WebSettings,
    Work,
)
from config.served import VllmSettings
from config.values import RepositoryName, Section
from dicom_io.ae import (
    AETitle,
    LocalAE,
    Proof,
    RemoteAE,
)
from dicom_io.options import (
    DecodeLimits,
    IdentityPolicy,
    PriorRules,
    ReportRules,
    ViewRules,
)
from dicom_io.results.kinds import PROFILES, OutputProfile, ResultKind
from model.options import PHANTOM_CHECKPOINT, EngineOptions, TokenLimits


class Settings(Section):
    """All settings of a site."""

    storage: Storage
    ledger: LedgerSettings
    listener: ListenerSettings
    peers: dict[str, Peer] = Field(default_factory=dict)
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
    ray: RaySettings
    vllm: VllmSettings
    licence: Licence
    work: Work
    queue: QueueSettings
    projects: dict[ProjectName, ProjectSettings] = Field(default_factory=dict)
    campaigns: CampaignSettings
    delivery: Delivery
    commitment: Commitment
    retention: Retention
    review: ReviewSettings
    audit: AuditSettings
    web: WebSettings
    health: HealthSettings
    openid: OpenIdSettings
    audit_repositories: dict[RepositoryName, AuditRepository] = Field(
        default_factory=dict
    )

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

    @model_validator(mode="after")
    def _calling_titles_tell_projects_apart(self) -> Self:
        owner: dict[str, str] = {}
        for name, project in self.projects.items():
            for title in project.titles:
                other = owner.setdefault(title, name)
                if other != name:
                    raise ValueError(
                        f"projects.{name}: {title!r} is a title of projects.{other} too"
                    )
        return self

    @model_validator(mode="after")
    def _certificates_tell_peers_apart(self) -> Self:
        owner: dict[str, str] = {}
        for name, peer in self.peers.items():
            if peer.certificates and self.listener.tls is None:
                raise ValueError(f"peers.{name}: certificates need listener.tls")
            for each in peer.certificates:
                other = owner.setdefault(each, name)
                if other != name:
                    raise ValueError(
                        f"peers.{name}: {each!r} is a certificate of peers.{other} too"
                    )
        return self

    @model_validator(mode="after")
    def _commitments_can_be_reported(self) -> Self:
        """Refuse a port that changes where archives must know it (PS3.4 J.3.3)."""
        waiting = [n for n, p in self.peers.items() if p.proof is Proof.COMMITMENT]
        if waiting and not self.listener.port:
            raise ValueError(
                f'listener.port: 0 is any port, and proof "commitment" of '
                f"peers.{waiting[0]} is reported to one that it knows: name one"
            )
        return self

    @model_validator(mode="after")
    def _commitments_have_a_keeper(self) -> Self:
        own = self.commitment
        if own.serve and own.keeper == "archive" and not self.archive.peer:
            raise ValueError(
                'commitment.serve: keeper "archive" needs archive.peer, which is '
                "asked whether it holds the instances"
            )
        return self

    @property
    def audit_key_path(self) -> Path:
        """File of the key that signs checkpoints of the audit."""
        own = self.audit.key
        return Path(own) if own else self.storage.folder.resolve() / "audit.key"

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
            max_per_address=own.max_per_address,
            reserved_for_peers=own.reserved_for_peers,
            max_pdu_bytes=own.max_pdu_bytes,
            max_instance_bytes=own.max_instance_bytes,
            pdu_deadline_seconds=own.pdu_deadline_seconds,
            idle_seconds=own.idle_seconds,
            user_identity=own.user_identity,
            users=own.users,
            commits=self.commitment.serve,
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
        own = self.views
        return ViewRules(
            minimum_age_years=own.minimum_age_years, disagreement=own.disagreement
        )

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
            cpu_fallback=own.cpu_fallback,
        )
