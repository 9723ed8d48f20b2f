"""Safetensors of a snapshot folder: strict reading by key, and writing.

Reading goes shard by shard, straight to the target dtype and device, on a
skeleton without memory: the peak is the target's size and one shard. Each tensor is
copied, so that a shard rewritten under a running engine cannot change its weights.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

from model.errors import CheckpointError
from model.maira2.adapters import Adapter
from model.maira2.configuration import (
    ROPE_FACTOR,
    Maira2Config,
    read_config,
    read_json,
)
from model.maira2.modeling import Attention, Maira2ForConditionalGeneration
from model.maira2.names import official_name

INDEX_FILE = "model.safetensors.index.json"
SINGLE_FILE = "model.safetensors"
SHARD_BYTES = 5_000_000_000
"""Most bytes of tensors in one shard, as in the official snapshot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where the weights go; `device` as torch writes it ("cpu", "cuda")."""

    dtype: torch.dtype = torch.float32
    device: str = "cpu"
    attention: Attention = Attention.EAGER


@dataclass(frozen=True, slots=True, kw_only=True)
class TensorProblems:
    """How the tensors of a folder differ from what its `config.json` asks for."""

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[str, ...]

    def lines(self) -> tuple[str, ...]:
        """Say each difference in one line."""
        return (
            *(f"tensor {name} is missing" for name in self.missing),
            *(f"tensor {name} is not part of the model" for name in self.unexpected),
            *self.misshapen,
        )


def skeleton(
    config: Maira2Config, attention: Attention = Attention.EAGER
) -> Maira2ForConditionalGeneration:
    """Build the model without memory for its weights."""
    with torch.device("meta"):
        model = Maira2ForConditionalGeneration(config)
    model.use_attention(attention)
    return model


def load_model(
    folder: Path, placement: Placement, adapter: Adapter | None = None
) -> Maira2ForConditionalGeneration:
    """Load a snapshot folder for inference, with an adapter merged into it.

    Raises `CheckpointError` that names the missing file, the missing,
    unexpected or misshapen tensor, or the lost rotary scaling.
    """
    model = skeleton(read_config(folder), placement.attention)
    problems = tensor_problems(folder, model).lines()
    if problems:
        raise CheckpointError(f"{folder}: " + "; ".join(_capped(problems)))
    if adapter is not None:
        adapter.check(tensor_shapes(folder))
    _fill(model, _tensors(folder, adapter), placement)
    _restore_rotary(model, placement.device)
    model.eval()
    model.requires_grad_(requires_grad=False)
    return model


def tensor_problems(
    folder: Path, model: Maira2ForConditionalGeneration
) -> TensorProblems:
    """Compare the names and shapes in a folder with those of the model."""
    wanted = {official_name(k): tuple(v.shape) for k, v in model.state_dict().items()}
    found = tensor_shapes(folder)
    return TensorProblems(
        missing=tuple(sorted(wanted.keys() - found.keys())),
        unexpected=tuple(sorted(found.keys() - wanted.keys())),
        misshapen=tuple(
            f"tensor {name} has shape {list(found[name])}, expected {list(shape)}"
            for name, shape in sorted(wanted.items())
            if name in found and found[name] != shape
        ),
    )


def tensor_shapes(folder: Path) -> dict[str, tuple[int, ...]]:
    """Read the shapes of all tensors from the shards' headers alone."""
    shapes: dict[str, tuple[int, ...]] = {}
    for shard in shard_files(folder):
        with open_shard(shard) as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                shapes[name] = tuple(file.get_slice(name).get_shape())
    return shapes


def shard_files(folder: Path) -> tuple[Path, ...]:
    """List the weight files: those that the index names, or the single one."""
    single, index = folder / SINGLE_FILE, folder / INDEX_FILE
    if single.is_file():
        return (single,)
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, Mapping) or not weight_map:
        raise CheckpointError(f"{index}: weight_map is missing or empty")
    names = sorted({str(name) for name in weight_map.values()})
    return tuple(_shard(folder, name) for name in names)


def save_weights(
    model: nn.Module, folder: Path, *, shard_bytes: int = SHARD_BYTES
) -> tuple[Path, ...]:
    """Write the weights under official names, as the loader reads them.

    One `model.safetensors` where everything fits into `shard_bytes`, else
    numbered shards and their index. Returns the files written.
    """
    tensors = {
        official_name(name): tensor.detach().cpu().contiguous()
        for name, tensor in model.state_dict().items()
    }
    folder.mkdir(parents=True, exist_ok=True)
    shards = list(_packed(tensors, shard_bytes))
    names = _shard_names(len(shards))
    for name, shard in zip(names, shards, strict=True):
        save_file(shard, folder / name, metadata={"format": "pt"})
    if len(shards) > 1:
        _write_index(folder / INDEX_FILE, dict(zip(names, shards, strict=True)))
    return tuple(folder / name for name in names)


def _tensors(folder: Path, adapter: Adapter | None) -> Iterator[tuple[str, Tensor]]:
    """Read each tensor under its official name, one shard open at a time."""
    for shard in shard_files(folder):
        with open_shard(shard) as file:
            for name in file.keys():  # noqa: SIM118 - not a mapping
                stored: Tensor = file.get_tensor(name)
                yield name, stored if adapter is None else adapter.merge(name, stored)


def _fill(
    model: Maira2ForConditionalGeneration,
    tensors: Iterator[tuple[str, Tensor]],
    placement: Placement,
) -> None:
    """Give each parameter its tensor, one after the other."""
    ours = {official_name(name): name for name in model.state_dict()}
    for name, stored in tensors:
        placed = stored.to(placement.device, placement.dtype, copy=True)
        model.load_state_dict({ours[name]: placed}, strict=False, assign=True)


def _restore_rotary(model: Maira2ForConditionalGeneration, device: str) -> None:
    """Compute the rotary frequencies, which no snapshot stores, and check them.

    Losing the linear factor degrades the text without any error.
    """
    config = model.config.text
    rotary = LlamaRotaryEmbedding(config).to(device)
    model.model.language_model.rotary_emb = rotary
    scaled = (config.rope_parameters or {}).get("rope_type") == "linear"
    first = float(rotary.inv_freq[0])
    if abs(first - (1 / ROPE_FACTOR if scaled else 1.0)) > 1e-6:
        raise CheckpointError(f"rotary scaling was lost: first frequency {first}")


def open_shard(shard: Path) -> safe_open:
    """Open a shard; its tensors are read one by one. Raises `CheckpointError`."""
    try:
        return safe_open(shard, framework="pt", device="cpu")
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"{shard} is not readable: {error}") from error


def _shard(folder: Path, name: str) -> Path:
    """Find a shard that the index names; a name is never a path out of here."""
    path = folder / name
    if path.name != name:
        raise CheckpointError(f"{INDEX_FILE} names {name!r}, which is not a file name")
    if not path.is_file():
        raise CheckpointError(f"{name} is missing in {folder}")
    return path


def _packed(tensors: Mapping[str, Tensor], limit: int) -> Iterator[dict[str, Tensor]]:
    """Group tensors in order so that each group has at most `limit` bytes."""
    group: dict[str, Tensor] = {}
    size = 0
    for name, tensor in tensors.items():
        if group and size + tensor.nbytes > limit:
            yield group
            group, size = {}, 0
        group[name] = tensor
        size += tensor.nbytes
    yield group


def _shard_names(count: int) -> tuple[str, ...]:
    if count == 1:
        return (SINGLE_FILE,)
    return tuple(
        f"model-{number:05d}-of-{count:05d}.safetensors"
        for number in range(1, count + 1)
    )


def _write_index(path: Path, shards: Mapping[str, Mapping[str, Tensor]]) -> None:
    total = sum(t.nbytes for shard in shards.values() for t in shard.values())
    weight_map = {name: file for file, shard in shards.items() for name in shard}
    document = {
        "metadata": {"total_size": total},
        "weight_map": dict(sorted(weight_map.items())),
    }
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")


def _capped(lines: tuple[str, ...], most: int = 8) -> tuple[str, ...]:
    """Keep a message readable: the first lines and how many follow."""
    if len(lines) <= most:
        return lines
    return (*lines[:most], f"and {len(lines) - most} more")
