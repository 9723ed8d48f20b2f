"""Options of the report engines. Light: importing this loads no torch."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PHANTOM_CHECKPOINT = Path(__file__).parent / "phantom" / "checkpoint"
"""The small checkpoint that the package carries."""


class Domain(StrEnum):
    """What an engine may read; the pipeline declines the rest."""

    PHANTOM = "phantom"
    """Images whose Quality Control Image (0028,0300) is YES."""
    RADIOGRAPH = "radiograph"
    """Films of people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLimits:
    """Most new tokens a task (MAIRA-2 model card)."""

    findings: int = 300
    grounded_findings: int = 450
    phrase_grounding: int = 150


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions:
    """Which checkpoint to run, and how.

    `device` is "auto", "cpu" or "cuda"; `dtype` is "auto", "float32",
    "bfloat16" or "float16" ("auto": float32 on a CPU, bfloat16 on CUDA).
    """

    checkpoint: Path = PHANTOM_CHECKPOINT
    device: str = "auto"
    dtype: str = "auto"
    token_limits: TokenLimits = TokenLimits()
    threads: int | None = None
