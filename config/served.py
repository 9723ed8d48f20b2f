"""The table about servers of vLLM: where the gateway asks them."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat

from config.cluster import ProxyUrl
from config.values import Section, Variable, distinct, secret
from model.engines.vllmserve.plan import VllmPlace
from model.options import Domain, TokenLimits


class VllmSettings(Section):
    """Where the servers are, and what they are to serve."""

    servers: Annotated[
        tuple[ProxyUrl, ...], Field(min_length=1), AfterValidator(distinct)
    ]
    authorities: str
    key_variable: Variable
    reads: Domain
    connect_seconds: PositiveFloat

    def place(self, limits: TokenLimits) -> VllmPlace:
        """Return where the gateway asks, and for how many tokens."""
        return VllmPlace(
            servers=self.servers,
            domain=self.reads,
            token_limits=limits,
            key=secret(self.key_variable) or "",
            authorities=Path(self.authorities) if self.authorities else None,
            connect_seconds=self.connect_seconds,
        )
