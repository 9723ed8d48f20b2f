"""The table about Ray Serve: where the gateway asks it, and what is deployed there."""

from pathlib import Path
from typing import Annotated, Self

from pydantic import (
    AfterValidator,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
    model_validator,
)

from config.sections import EngineSettings
from config.values import HttpUrl, Section, distinct
from model.engines.rayserve.plan import (
    GRACE_SECONDS,
    Batching,
    Deployment,
    Proxies,
    Replicas,
    ServePlace,
)
from model.options import Domain, EngineOptions

ProxyUrl = Annotated[HttpUrl, Field(pattern="^https?://[^/?#]+$")]

_NO_DEADLINE_SECONDS = 3600.0
"""What a copy gets to end its work where a reading has no bound."""


class RaySettings(Section):
    """Where the model's application is, and how `engine deploy` makes it."""

    proxies: Annotated[
        tuple[ProxyUrl, ...], Field(min_length=1), AfterValidator(distinct)
    ]
    authorities: str
    application: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{1,64}$")]
    reads: Domain
    connect_seconds: PositiveFloat
    cluster: Annotated[str, Field(pattern=r"^(auto|\S+:[0-9]{1,5})$")]
    host: Annotated[str, Field(min_length=1)]
    port: Annotated[int, Field(ge=1, le=65535)]
    certificate: str
    key: str
    least_replicas: PositiveInt
    most_replicas: PositiveInt
    replica_cpus: NonNegativeFloat
    replica_gpus: NonNegativeFloat
    replica_studies: PositiveInt
    target_studies: PositiveFloat
    upscale_seconds: NonNegativeFloat
    downscale_seconds: NonNegativeFloat
    surge_percent: Annotated[int, Field(ge=0, le=100)]
    waiting_studies: PositiveInt
    health_seconds: PositiveFloat
    health_timeout_seconds: PositiveFloat

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if self.least_replicas > self.most_replicas:
            raise ValueError("least_replicas are more than most_replicas")
        if self.target_studies > self.replica_studies:
            raise ValueError("target_studies are more than replica_studies")
        if self.replica_cpus == self.replica_gpus == 0:
            raise ValueError("a replica needs a share of a CPU or of a GPU")
        if self.replica_gpus > 1 and self.replica_gpus % 1:
            raise ValueError("replica_gpus above 1 are whole numbers")
        return self

    @model_validator(mode="after")
    def _tls_has_both_files(self) -> Self:
        if bool(self.certificate) != bool(self.key):
            raise ValueError("give both certificate and key, or none")
        return self

    def place(self) -> ServePlace:
        """Return where the gateway asks."""
        return ServePlace(
            proxies=self.proxies,
            application=self.application,
            domain=self.reads,
            authorities=Path(self.authorities) if self.authorities else None,
            connect_seconds=self.connect_seconds,
        )

    def deployment(self, options: EngineOptions, engine: EngineSettings) -> Deployment:
        """Return what `engine deploy` makes."""
        longest = engine.deadline_seconds or _NO_DEADLINE_SECONDS
        return Deployment(
            cluster=self.cluster,
            application=self.application,
            options=options,
            proxies=Proxies(
                host=self.host,
                port=self.port,
                certificate=self.certificate,
                key=self.key,
            ),
            replicas=self._replicas(),
            batching=Batching(
                seconds=engine.collect_milliseconds / 1000,
                tokens=engine.collect_tokens,
            ),
            drain_seconds=longest + GRACE_SECONDS,
            health_seconds=self.health_seconds,
            health_timeout_seconds=self.health_timeout_seconds,
        )

    def _replicas(self) -> Replicas:
        return Replicas(
            least=self.least_replicas,
            most=self.most_replicas,
            cpus=self.replica_cpus,
            gpus=self.replica_gpus,
            studies=self.replica_studies,
            target=self.target_studies,
            upscale_seconds=self.upscale_seconds,
            downscale_seconds=self.downscale_seconds,
            waiting=self.waiting_studies,
            surge_percent=self.surge_percent,
        )
