"""The interface of a report engine. No torch object crosses it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from model.options import Domain
from model.report import GroundedReport, ReportRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineIdentity:
    """Who answers: enters result UIDs, the SR and the audit.

    `weights_digest` is the lowercase hexadecimal SHA-256 over the checkpoint's
    files; `settings_digest` is that of every option that can change an answer.
    """

    engine: str
    model_name: str
    model_manufacturer: str
    weights_digest: str
    settings_digest: str
    domain: Domain


class ReportEngine(Protocol):
    """Turns requests into reports.

    Raises `RefusedRequest` for a request that can never be answered,
    `EngineUnavailable` where a later try may succeed and `EngineAway` where nobody
    began with it. No requests are no work: they ask whether an engine is there.
    """

    @property
    def identity(self) -> EngineIdentity:
        """Say who answers."""
        ...

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Answer each request, in order: one report a question of the request."""
        ...


class ReplicatedEngine(ABC):
    """A `ReportEngine` of several replicas, which differ while a new one is rolled out.

    Its `identity` is that of the replica that answered last, and raises `EngineAway`
    where none did yet.
    """

    @property
    @abstractmethod
    def domain(self) -> Domain:
        """What all of them may read."""

    @abstractmethod
    def author(self, report: GroundedReport) -> EngineIdentity:
        """Return which replica wrote a report that this engine gave."""


def author_of(engine: ReportEngine, report: GroundedReport) -> EngineIdentity:
    """Return who wrote a report that an engine gave."""
    if isinstance(engine, ReplicatedEngine):
        return engine.author(report)
    return engine.identity


def domain_of(engine: ReportEngine) -> Domain:
    """Return what an engine may read, also while nobody is there to say so."""
    if isinstance(engine, ReplicatedEngine):
        return engine.domain
    return engine.identity.domain
