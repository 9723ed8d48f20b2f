"""A folder with the 522 tensors of the official snapshot, and what may be wrong."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.errors import CheckpointError
from model.maira2.configuration import read_config
from model.maira2.processing import read_processor
from model.maira2.snapshot import verify_snapshot
from model.maira2.weights import Placement, load_model, shard_files, tensor_shapes
from tests.data.tiny_maira2 import edited, write_official_layout

Q_PROJ = "language_model.model.layers.31.self_attn.q_proj.weight"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_official_layout(tmp_path)


def load_all(folder: Path) -> None:
    load_model(folder, Placement())
    read_processor(folder, read_config(folder))


def refusal(folder: Path) -> str:
    """The one line that loading and verifying both give."""
    with pytest.raises(CheckpointError) as raised:
        load_all(folder)
    (problem,) = verify_snapshot(folder).problems
    assert problem in str(raised.value)
    return problem


def replace(folder: Path, name: str, tensor: torch.Tensor | None) -> None:
    """Write a tensor anew in its shard, or leave it out."""
    for shard in shard_files(folder):
        tensors = load_file(shard)
        if name in tensors:
            del tensors[name]
            changed = tensors if tensor is None else tensors | {name: tensor}
            save_file(changed, shard, metadata={"format": "pt"})


def test_all_522_tensors_in_six_shards_load(folder: Path) -> None:
    assert len(tensor_shapes(folder)) == 522
    assert len(shard_files(folder)) == 6
    model = load_model(folder, Placement())
    assert not any(parameter.is_meta for parameter in model.parameters())
    check = verify_snapshot(folder)
    assert check.usable
    assert len(check.checks) == 5


def test_a_missing_tensor_is_named(folder: Path) -> None:
    replace(folder, Q_PROJ, None)
    assert refusal(folder) == f"tensor {Q_PROJ} is missing"


def test_a_wrong_shape_is_named(folder: Path) -> None:
    replace(folder, Q_PROJ, torch.zeros(16, 17))
    wanted = f"tensor {Q_PROJ} has shape [16, 17], expected [16, 16]"
    assert refusal(folder) == wanted


def test_a_truncated_shard_is_named(folder: Path) -> None:
    shard = shard_files(folder)[3]
    shard.write_bytes(shard.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match=f"{shard.name} is not readable"):
        load_model(folder, Placement())
    assert any(shard.name in line for line in verify_snapshot(folder).problems)


def test_a_wrong_tokenizer_is_named(folder: Path) -> None:
    with edited(folder / "tokenizer.json") as tokenizer:
        added = tokenizer["added_tokens"]
        assert isinstance(added, list)
        added.pop()
    assert refusal(folder).startswith("tokenizer.json has ")


def test_a_configuration_without_rotary_scaling_is_named(folder: Path) -> None:
    with edited(folder / "config.json") as config:
        text = config["text_config"]
        assert isinstance(text, dict)
        del text["rope_scaling"]
    assert refusal(folder).endswith("text_config.rope_scaling is missing")
