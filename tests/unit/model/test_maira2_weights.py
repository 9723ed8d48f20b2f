import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.errors import CheckpointError
from model.maira2.modeling import Attention
from model.maira2.names import official_name
from model.maira2.snapshot import write_snapshot
from model.maira2.weights import (
    Placement,
    load_model,
    save_weights,
    shard_files,
    tensor_shapes,
)
from tests.data.tiny_maira2 import (
    edited,
    tiny_documents,
    tiny_model,
    with_key,
    write_tiny,
)

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
    ours = "model.vision_tower.encoder.layer.0.attention.{}.weight"
    names = [official_name(ours.format(part)) for part in ("q_proj", "o_proj")]
    assert names == [
        "vision_tower.encoder.layer.0.attention.attention.query.weight",
        "vision_tower.encoder.layer.0.attention.output.dense.weight",
    ]


def test_the_language_model_has_official_names() -> None:
    ours = "model.language_model.layers.0.self_attn.q_proj.weight"
    name = "language_model.model.layers.0.self_attn.q_proj.weight"
    assert official_name(ours) == name
    assert official_name("lm_head.weight") == "language_model.lm_head.weight"


def test_weights_are_loaded_in_the_wanted_format(tmp_path: Path) -> None:
    placement = Placement(dtype=torch.bfloat16, attention=Attention.SDPA)
    model = load_model(write_tiny(tmp_path), placement)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert not any(p.requires_grad or p.is_meta for p in model.parameters())


def test_rotary_frequencies_are_divided_by_the_factor(tmp_path: Path) -> None:
    model = load_model(write_tiny(tmp_path), Placement())
    # head of 8: 10000 ** (0, 2, 4, 6 / 8) = 1, 10, 100, 1000, each times 1.5
    frequencies = model.model.language_model.rotary_emb.inv_freq
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


LOADING = """
import sys
from pathlib import Path
import torch
from model.maira2.weights import Placement, load_model

def measured(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(one.split()[1]) * 1024 for one in lines if one.startswith(key))

load_model(Path(sys.argv[1]), Placement())
Path("/proc/self/clear_refs").write_text("5")
before = measured("VmRSS")
load_model(Path(sys.argv[2]), Placement(dtype=torch.bfloat16))
print(measured("VmHWM") - before)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux")
def test_loading_needs_no_more_than_the_target_and_one_shard(tmp_path: Path) -> None:
    small, large = write_tiny(tmp_path / "small"), tmp_path / "large"
    documents = tiny_documents()
    config = with_key(documents["config.json"], "text_config.hidden_size", 512)
    config = with_key(config, "text_config.intermediate_size", 4096)
    documents["config.json"] = with_key(config, "text_config.num_hidden_layers", 4)
    model = tiny_model(documents)
    write_snapshot(large, model, documents, shard_bytes=2 * 10**7)
    shards = [path.stat().st_size for path in shard_files(large)]
    target = sum(parameter.nbytes for parameter in model.parameters()) // 2
    command = [sys.executable, "-c", LOADING, str(small), str(large)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert len(shards) > 5
    allowance = 8 * 2**20  # the allocator's own
    assert int(done.stdout) <= target + max(shards) + allowance
    assert int(done.stdout) < sum(shards)


def test_a_shard_written_anew_does_not_change_a_loaded_model(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path)
    model = load_model(folder, Placement())
    before = model.lm_head.weight.clone()
    shard = folder / "model.safetensors"
    size = shard.stat().st_size
    with shard.open("r+b") as file:
        file.seek(size // 2)
        file.write(bytes(size - size // 2))
    assert torch.equal(model.lm_head.weight, before)
