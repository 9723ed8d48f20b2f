"""Options of the report engines. Light: importing this loads no torch."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

PHANTOM_CHECKPOINT = Path(__file__).parent / "phantom" / "checkpoint"
"""The small checkpoint that the package carries."""
DOMAIN_KEY = "maira_gateway_domain"
"""Key of our own: "phantom" marks a checkpoint that reads only phantoms."""


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
    "bfloat16" or "float16" ("auto": float32 on a CPU, bfloat16 on CUDA). `weights`
    is "as-stored" or "int8" (torchao; not lossless).

    `prefix_memory_bytes` is kept of prompts that were read, so that what several
    begin with is read once; 0: nothing. `prompt_lookup` reads guesses along.
    `batch_rows` and `batch_tokens` bound what is answered together on CUDA, padding
    included; 0 tokens: what the free memory holds. `compile_steps` is "auto" (on
    CUDA), "off", or the name of a backend of torch.

    `adapter` is a folder with a low-rank adapter in PEFT's layout, merged into the
    weights as they are read. `attention` is "auto" (eager for float32 on a CPU, as
    the golden answers were made, else sdpa), "eager" or "sdpa".

    `cpu_fallback` lets the CPU answer a prompt for which CUDA has no memory even
    alone; the model is then loaded a second time, and stays.
    """

    checkpoint: Path = PHANTOM_CHECKPOINT
    device: str = "auto"
    dtype: str = "auto"
    token_limits: TokenLimits = TokenLimits()
    threads: int | None = None
    weights: str = "as-stored"
    prefix_memory_bytes: int = 6 * 2**30
    prompt_lookup: bool = True
    batch_rows: int = 16
    batch_tokens: int = 0
    compile_steps: str = "auto"
    adapter: Path | None = None
    attention: str = "auto"
    cpu_fallback: bool = False
