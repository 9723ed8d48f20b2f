"""Options of this package's stages. Light: importing this loads no library."""

from dataclasses import dataclass
from enum import StrEnum


class Rendering(StrEnum):
    """How stored values become the 8-bit picture that the model reads."""

    AS_TRAINED = "as-trained"
    """The full range of the image, min-max (facts of RAD-DINO's preprocessing)."""
    VOI = "voi"
    """The first window or VOI LUT, as a viewer shows it (PS3.3 C.11.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What one decoding process may use."""

    seconds: float = 30.0
    memory_bytes: int = 2 << 30
    max_pixels: int = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorRules:
    """Which earlier studies may serve as the prior."""

    look_back_days: int = 3650
    max_candidates: int = 3


class AbsencePolicy(StrEnum):
    """What it means that one side lacks an identity attribute."""

    REFUSE = "refuse"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPolicy:
    """What an attribute that is absent on one side means for the guard."""

    issuer: AbsencePolicy = AbsencePolicy.REFUSE
    birth_date: AbsencePolicy = AbsencePolicy.REFUSE
    sex: AbsencePolicy = AbsencePolicy.REFUSE
