"""The interface of a report engine. No torch object crosses it."""

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
