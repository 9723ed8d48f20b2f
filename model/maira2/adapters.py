"""Low-rank adapters (LoRA, arXiv 2106.09685) in the layout of the PEFT library.

An adapter is merged while the weights are read: W + alpha / r * B A, or with
alpha / sqrt(r) for rank-stabilised adapters (arXiv 2312.03732), in float32.
"""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from model.errors import CheckpointError
from model.maira2.configuration import read_json
from model.maira2.names import official_name

ADAPTER_CONFIG = "adapter_config.json"
ADAPTER_WEIGHTS = "adapter_model.safetensors"
TARGETS = frozenset({"q_proj", "v_proj"})
"""Modules that may be adapted: those of the published fine-tunes of MAIRA-2."""

_REFUSED: Mapping[str, tuple[object, ...]] = {
    "bias": (None, "none"),
    "use_dora": (None, False),
    "modules_to_save": (None, []),
    "fan_in_fan_out": (None, False),
    "rank_pattern": (None, {}),
    "alpha_pattern": (None, {}),
    "layer_replication": (None, []),
    "trainable_token_indices": (None, [], {}),
    "lora_bias": (None, False),
    "init_lora_weights": (None, True, False, "gaussian", "eva"),
    "alora_invocation_tokens": (None, []),
}
"""Keys that change the arithmetic, with the values that leave it as it is.

Other beginnings (PiSSA, OLoRA, CorDA, LoftQ) take their part out of the weights, so the
sum with unchanged weights is another model."""
_KEY = re.compile(
    r"base_model\.model\.(?P<module>.+\.self_attn\.(?P<target>\w+))"
    r"\.lora_(?P<part>[AB])\.weight"
)

_Pairs = dict[str, dict[str, Tensor]]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Adapter:
    """A set of low-rank changes, each named by the official tensor it belongs to.

    `pairs` : A, (rank, inputs), and B, (outputs, rank), float32; `scale` : the factor
    of their product; `digest` : SHA-256 of both files, for the engine's identity.
    """

    name: str
    rank: int
    scale: float
    pairs: Mapping[str, tuple[Tensor, Tensor]]
    digest: str

    def check(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        """Compare with the checkpoint's tensors. Raises `CheckpointError`."""
        for name, (down, up) in sorted(self.pairs.items()):
            wanted = (up.shape[0], down.shape[1])
            if name not in shapes:
                raise CheckpointError(
                    f"{ADAPTER_WEIGHTS}: the model has no tensor {name}"
                )
            if shapes[name] != wanted:
                raise CheckpointError(
                    f"{ADAPTER_WEIGHTS}: the pair of {name} gives {list(wanted)}, "
                    f"the model has {list(shapes[name])}"
                )

    def merge(self, name: str, stored: Tensor) -> Tensor:
        """Return the tensor of that official name, changed in float32 if adapted."""
        pair = self.pairs.get(name)
        if pair is None:
            return stored
        down, up = pair
        return stored.to(torch.float32) + self.scale * (up @ down)


def read_adapter(folder: Path) -> Adapter:
    """Read an adapter's folder.

    Raises `CheckpointError` that names the file and the key or the tensor which is
    missing, of another shape, or asks for what is not done here.
    """
    values = read_json(folder / ADAPTER_CONFIG)
    rank, scale = _rank_and_scale(values)
    _check_values(values)
    pairs = _pairs(_read_tensors(folder / ADAPTER_WEIGHTS), rank)
    return Adapter(
        name=folder.name,
        rank=rank,
        scale=scale,
        pairs=pairs,
        digest=_digest(folder / ADAPTER_CONFIG, folder / ADAPTER_WEIGHTS),
    )


def _rank_and_scale(values: Mapping[str, object]) -> tuple[int, float]:
    rank, alpha = values.get("r"), values.get("lora_alpha")
    if not isinstance(rank, int) or isinstance(rank, bool) or rank < 1:
        raise CheckpointError(f"{ADAPTER_CONFIG}: r is {rank!r}, not a rank")
    if not isinstance(alpha, int | float) or isinstance(alpha, bool):
        raise CheckpointError(f"{ADAPTER_CONFIG}: lora_alpha is {alpha!r}")
    stabilised = values.get("use_rslora", False) is True
    return rank, alpha / (math.sqrt(rank) if stabilised else rank)


def _check_values(values: Mapping[str, object]) -> None:
    """Refuse another kind of adapter, other targets, and other arithmetic."""
    if values.get("peft_type") != "LORA":
        raise CheckpointError(
            f"{ADAPTER_CONFIG}: peft_type is {values.get('peft_type')!r}, not 'LORA'"
        )
    targets = values.get("target_modules")
    if not isinstance(targets, list) or not targets or not TARGETS.issuperset(targets):
        raise CheckpointError(
            f"{ADAPTER_CONFIG}: target_modules is {targets!r}, expected of "
            f"{sorted(TARGETS)}"
        )
    for key, allowed in _REFUSED.items():
        if values.get(key) not in allowed:
            raise CheckpointError(f"{ADAPTER_CONFIG}: {key} is {values[key]!r}")


def _read_tensors(path: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(path)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{path} is not readable: {error}") from error
    return tensors


def _pairs(
    tensors: Mapping[str, Tensor], rank: int
) -> dict[str, tuple[Tensor, Tensor]]:
    """Join A and B of each module. Raises `CheckpointError` for what is odd."""
    found: _Pairs = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None or match["target"] not in TARGETS:
            raise CheckpointError(f"{ADAPTER_WEIGHTS}: {key} is not adapted here")
        name = official_name(f"{match['module']}.weight")
        found.setdefault(name, {})[match["part"]] = tensor.to(torch.float32)
    if not found:
        raise CheckpointError(f"{ADAPTER_WEIGHTS} holds no tensor")
    return {name: _pair(name, parts, rank) for name, parts in found.items()}


def _pair(name: str, parts: Mapping[str, Tensor], rank: int) -> tuple[Tensor, Tensor]:
    for part in "AB":
        if part not in parts:
            raise CheckpointError(
                f"{ADAPTER_WEIGHTS}: lora_{part} of {name} is missing"
            )
    down, up = parts["A"], parts["B"]
    ranks = (down.shape[0], up.shape[-1])
    if (down.dim(), up.dim(), *ranks) != (2, 2, rank, rank):
        raise CheckpointError(
            f"{ADAPTER_WEIGHTS}: the pair of {name} has the shapes {list(down.shape)} "
            f"and {list(up.shape)}, {ADAPTER_CONFIG} says rank {rank}"
        )
    return down, up


def _digest(*files: Path) -> str:
    """Digest the sorted lines "name sha256" of the files, as for a snapshot."""
    lines: Iterable[str] = sorted(
        f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n"
        for path in files
    )
    return hashlib.sha256("".join(lines).encode()).hexdigest()
