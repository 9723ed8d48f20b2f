from pathlib import Path

import pytest

from model.errors import CheckpointError
from model.maira2.configuration import parse_config, read_config
from model.options import Domain
from tests.data.tiny_maira2 import IMAGE_TOKENS, tiny_documents, with_key

CONFIG = tiny_documents()["config.json"]


def test_the_domain_comes_from_our_own_key() -> None:
    assert parse_config(CONFIG).domain is Domain.PHANTOM


def test_a_checkpoint_without_our_key_reads_radiographs() -> None:
    config = tiny_documents(domain=None)["config.json"]
    assert parse_config(config).domain is Domain.RADIOGRAPH


def test_the_patches_of_an_image_follow_from_its_side() -> None:
    assert parse_config(CONFIG).patches == IMAGE_TOKENS


def test_a_radiograph_checkpoint_without_rotary_scaling_is_refused() -> None:
    config = tiny_documents(domain=None)["config.json"]
    with pytest.raises(CheckpointError, match="rope_scaling is missing"):
        parse_config(with_key(config, "text_config.rope_scaling", None))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model_type", "llava"),
        ("vision_feature_layer", [-1]),
        ("vision_feature_select_strategy", "full"),
        ("projector_n_layers", "4"),
        ("image_token_index", None),
        ("maira_gateway_domain", "cats"),
        ("text_config", None),
        ("text_config.tie_word_embeddings", True),
        ("text_config.rope_scaling", {"rope_type": "linear", "factor": 2.0}),
        ("text_config.rope_scaling", {"rope_type": "dynamic", "factor": 1.5}),
        ("vision_config.apply_layernorm", False),
        ("vision_config.reshape_hidden_states", True),
        ("vision_config.out_features", ["stage1"]),
        ("vision_config.image_size", [42, 42]),
    ],
)
def test_what_is_not_done_here_is_refused_by_its_key(key: str, value: object) -> None:
    with pytest.raises(CheckpointError, match=key.rpartition(".")[2]):
        parse_config(with_key(CONFIG, key, value))


def test_a_missing_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.json is missing"):
        read_config(tmp_path)


@pytest.mark.parametrize("content", ["{", "[]"])
def test_a_configuration_that_is_no_object_is_named(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_config(tmp_path)
