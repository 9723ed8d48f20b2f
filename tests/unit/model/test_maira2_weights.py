import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.errors import CheckpointError
from model.maira2.modeling import Attention
from model.maira2.weights import (
    Placement,
    load_model,
    official_name,
    save_weights,
    shard_files,
    tensor_shapes,
)
from tests.data.tiny_maira2 import edited, tiny_documents, tiny_model, write_tiny

INDEX = "model.safetensors.index.json"


def rewrite(folder: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, folder / "model.safetensors")


@pytest.mark.parametrize("shard_bytes", [10**9, 20_000])
def test_what_is_saved_is_loaded_bit_for_bit(tmp_path: Path, shard_bytes: int) -> None:
    folder = write_tiny(tmp_path, shard_bytes=shard_bytes)
    saved, loaded = tiny_model(tiny_documents()), load_model(folder, Placement())
    pairs = zip(saved.state_dict().items(), loaded.state_dict().items(), strict=True)
    assert all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)
    assert (len(shard_files(folder)) > 1) is (shard_bytes < 10**9)


def test_the_tower_attention_has_official_names() -> None:
    ours = "vision_tower.encoder.layer.0.attention.{}.weight"
    names = [official_name(ours.format(part)) for part in ("q_proj", "o_proj")]
    assert names == [
        "vision_tower.encoder.layer.0.attention.attention.query.weight",
        "vision_tower.encoder.layer.0.attention.output.dense.weight",
    ]


def test_the_language_model_keeps_its_names() -> None:
    name = "language_model.model.layers.0.self_attn.q_proj.weight"
    assert official_name(name) == name


def test_weights_are_loaded_in_the_wanted_format(tmp_path: Path) -> None:
    placement = Placement(dtype=torch.bfloat16, attention=Attention.SDPA)
    model = load_model(write_tiny(tmp_path), placement)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad or p.is_meta for p in model.parameters())


def test_rotary_frequencies_are_divided_by_the_factor(tmp_path: Path) -> None:
    model = load_model(write_tiny(tmp_path), Placement())
    # head of 8: 10000 ** (0, 2, 4, 6 / 8) = 1, 10, 100, 1000, each times 1.5
    frequencies = model.language_model.model.rotary_emb.inv_freq
    assert frequencies.tolist() == pytest.approx(
        [1 / 1.5, 0.1 / 1.5, 1e-2 / 1.5, 1e-3 / 1.5]
    )


def test_a_missing_tensor_is_named(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    del tensors["language_model.lm_head.weight"]
    rewrite(folder, tensors)
    with pytest.raises(CheckpointError, match=r"lm_head\.weight is missing"):
        load_model(folder, Placement())


def test_an_unexpected_tensor_is_named(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    rewrite(folder, tensors | {"adapter.weight": torch.zeros(1)})
    with pytest.raises(CheckpointError, match=r"adapter\.weight is not part"):
        load_model(folder, Placement())


def test_a_tensor_of_another_shape_is_named_with_both_shapes(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    tensors = load_file(folder / "model.safetensors")
    name = "multi_modal_projector.layers.2.bias"
    rewrite(folder, tensors | {name: torch.zeros(3)})
    with pytest.raises(CheckpointError, match=r"shape \[3\], expected \[16\]"):
        load_model(folder, Placement())


def test_a_truncated_shard_is_named(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    shard = folder / "model.safetensors"
    shard.write_bytes(shard.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"model\.safetensors is not readable"):
        load_model(folder, Placement())


def test_a_shard_that_the_index_names_but_is_missing_is_named(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path, shard_bytes=20_000)
    shard_files(folder)[1].unlink()
    with pytest.raises(CheckpointError, match=r"model-00002-of-.* is missing"):
        load_model(folder, Placement())


def test_a_folder_without_weights_names_the_index(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=INDEX):
        shard_files(tmp_path)


def test_an_index_cannot_lead_out_of_the_folder(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path, shard_bytes=20_000)
    with edited(folder / INDEX) as index:
        index["weight_map"] = {"a": "../other.safetensors"}
    with pytest.raises(CheckpointError, match="not a file name"):
        shard_files(folder)


def test_the_index_lists_every_tensor_and_the_total_size(tmp_path: Path) -> None:
    model = tiny_model(tiny_documents())
    save_weights(model, tmp_path, shard_bytes=20_000)
    index = json.loads((tmp_path / INDEX).read_text())
    assert index["weight_map"].keys() == tensor_shapes(tmp_path).keys()
    assert index["metadata"]["total_size"] == sum(
        tensor.nbytes for tensor in model.state_dict().values()
    )
