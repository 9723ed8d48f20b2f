import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from model.errors import CheckpointError
from model.maira2.adapters import read_adapter
from model.maira2.weights import Placement, load_model, tensor_shapes
from tests.data.tiny_maira2 import write_tiny

MODULE = "base_model.model.language_model.model.layers.0.self_attn.q_proj"
Q_PROJ = "language_model.model.layers.0.self_attn.q_proj.weight"
CONFIG: dict[str, object] = {
    "peft_type": "LORA",
    "r": 4,
    "lora_alpha": 8,
    "target_modules": ["q_proj", "v_proj"],
    "bias": "none",
    "use_rslora": False,
}


def write_adapter(
    folder: Path,
    tensors: dict[str, torch.Tensor] | None = None,
    **changes: object,
) -> Path:
    """An adapter of rank 4 for one module: A and B with a one in their first place."""
    if tensors is None:
        down, up = torch.zeros(4, 16), torch.zeros(16, 4)
        down[0, 2], up[5, 0] = 3.0, 0.5
        tensors = {f"{MODULE}.lora_A.weight": down, f"{MODULE}.lora_B.weight": up}
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps(CONFIG | changes))
    return folder


@pytest.mark.parametrize(
    ("stabilised", "wanted"),
    [
        (False, 3.0),  # 8 / 4 * (0.5 * 3.0)
        (True, 6.0),  # 8 / sqrt(4) * (0.5 * 3.0)
    ],
)
def test_the_product_is_added_with_the_scale_of_its_kind(
    tmp_path: Path, stabilised: bool, wanted: float
) -> None:
    adapter = read_adapter(write_adapter(tmp_path, use_rslora=stabilised))
    merged = adapter.merge(Q_PROJ, torch.ones(16, 16))
    expected = torch.ones(16, 16)
    expected[5, 2] = 1.0 + wanted
    assert torch.equal(merged, expected)


def test_a_tensor_that_is_not_adapted_stays_itself(tmp_path: Path) -> None:
    other = torch.ones(2, 2, dtype=torch.float16)
    adapter = read_adapter(write_adapter(tmp_path))
    assert adapter.merge("language_model.lm_head.weight", other) is other


def test_the_sum_is_made_in_float32_before_the_format_is_changed(
    tmp_path: Path,
) -> None:
    folder = write_tiny(tmp_path / "model")
    adapter = read_adapter(write_adapter(tmp_path / "adapter"))
    plain = load_model(folder, Placement())
    merged = load_model(folder, Placement(dtype=torch.bfloat16), adapter)
    before = plain.model.language_model.layers[0].self_attn.q_proj.weight
    after = merged.model.language_model.layers[0].self_attn.q_proj.weight
    added = torch.zeros(16, 16)
    added[5, 2] = 3.0
    assert torch.equal(after, (before + added).to(torch.bfloat16))


def test_the_names_of_transformers_5_are_taken_too(tmp_path: Path) -> None:
    module = "base_model.model.model.language_model.layers.0.self_attn.v_proj"
    tensors = {
        f"{module}.lora_A.weight": torch.ones(4, 16),
        f"{module}.lora_B.weight": torch.ones(16, 4),
    }
    adapter = read_adapter(write_adapter(tmp_path, tensors))
    assert [*adapter.pairs] == [Q_PROJ.replace("q_proj", "v_proj")]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("peft_type", "IA3"),
        ("r", 0),
        ("r", "4"),
        ("lora_alpha", None),
        ("target_modules", ["q_proj", "k_proj"]),
        ("target_modules", "all-linear"),
        ("bias", "all"),
        ("use_dora", True),
        ("rank_pattern", {"q_proj": 2}),
        ("modules_to_save", ["lm_head"]),
        ("init_lora_weights", "pissa"),
        ("init_lora_weights", "olora"),
        ("alora_invocation_tokens", [5, 6]),
    ],
)
def test_what_is_not_done_here_is_refused_by_its_key(
    tmp_path: Path, key: str, value: object
) -> None:
    with pytest.raises(CheckpointError, match=rf"adapter_config\.json: {key}"):
        read_adapter(write_adapter(tmp_path, None, **{key: value}))


def test_a_missing_half_is_named(tmp_path: Path) -> None:
    tensors = {f"{MODULE}.lora_A.weight": torch.ones(4, 16)}
    with pytest.raises(CheckpointError, match=r"lora_B of .*q_proj\.weight is missing"):
        read_adapter(write_adapter(tmp_path, tensors))


def test_a_wrong_rank_is_named_with_both_shapes(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"\[4, 16\] and \[16, 4\].*rank 2"):
        read_adapter(write_adapter(tmp_path, r=2))


def test_an_unknown_target_is_named(tmp_path: Path) -> None:
    key = f"{MODULE.replace('q_proj', 'o_proj')}.lora_A.weight"
    with pytest.raises(CheckpointError, match=r"o_proj\.lora_A\.weight is not adapted"):
        read_adapter(write_adapter(tmp_path, {key: torch.ones(4, 16)}))


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        (MODULE, r"gives \[20, 16\], the model has \[16, 16\]"),
        (MODULE.replace(".0.", ".7."), "the model has no tensor"),
    ],
)
def test_a_pair_that_does_not_fit_the_model_is_named(
    tmp_path: Path, module: str, wanted: str
) -> None:
    tensors = {
        f"{module}.lora_A.weight": torch.ones(4, 16),
        f"{module}.lora_B.weight": torch.ones(20, 4),
    }
    adapter = read_adapter(write_adapter(tmp_path / "adapter", tensors))
    with pytest.raises(CheckpointError, match=wanted):
        adapter.check(tensor_shapes(write_tiny(tmp_path / "model")))


def test_a_missing_or_empty_file_of_weights_is_named(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path)
    save_file({}, folder / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match="holds no tensor"):
        read_adapter(folder)
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"adapter_model.* is not readable"):
        read_adapter(folder)


def test_both_files_enter_the_digest(tmp_path: Path) -> None:
    first = read_adapter(write_adapter(tmp_path)).digest
    assert read_adapter(write_adapter(tmp_path)).digest == first
    assert read_adapter(write_adapter(tmp_path, lora_alpha=9)).digest != first
