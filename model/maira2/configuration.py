"""`config.json` of a MAIRA-2 snapshot, read strictly.

Every dimension comes from the file, so that the official checkpoint and the small
phantom checkpoint are the same classes. What cannot be honoured is refused here:
a value that is silently dropped would degrade the text without any error.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from transformers import Dinov2Config, LlamaConfig

from model.errors import CheckpointError
from model.options import Domain

CONFIG_FILE = "config.json"
DOMAIN_KEY = "maira_gateway_domain"
"""Key of our own: "phantom" marks a checkpoint that reads only phantoms."""
ROPE_FACTOR = 1.5
"""Linear scaling of the rotary positions in MAIRA-2."""

JsonObject = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Maira2Config:
    """The composition: Dinov2 backbone, projector, Llama.

    `projector_layers` counts linear layers, with an activation between two.
    `image_token_id` marks the positions that image features replace. `image_size`
    and `patch_size` are sides in pixels.
    """

    text: LlamaConfig
    vision: Dinov2Config
    projector_layers: int
    projector_activation: str
    projector_bias: bool
    image_token_id: int
    image_size: int
    patch_size: int
    domain: Domain

    @property
    def patches(self) -> int:
        """Tokens of one image: patches of the square crop, without CLS."""
        return (self.image_size // self.patch_size) ** 2


def parse_config(values: JsonObject) -> Maira2Config:
    """Build the configuration from the object in `config.json`.

    Raises `CheckpointError` that names the key which is missing or which asks
    for something that this implementation does not do.
    """
    _require(values, "model_type", "maira2")
    _require(values, "vision_feature_layer", -1)
    _require(values, "vision_feature_select_strategy", "default")
    text, vision = _object(values, "text_config"), _object(values, "vision_config")
    domain = _domain(values)
    _check_rope(text, domain)
    return Maira2Config(
        text=_llama(text),
        vision=_dinov2(vision),
        projector_layers=_integer(values, "projector_n_layers"),
        projector_activation=_string(values, "projector_hidden_act"),
        projector_bias=values.get("multimodal_projector_bias", True) is True,
        image_token_id=_integer(values, "image_token_index"),
        image_size=_integer(vision, "image_size"),
        patch_size=_integer(vision, "patch_size"),
        domain=domain,
    )


def read_config(folder: Path) -> Maira2Config:
    """Read `config.json` of a snapshot folder. Raises `CheckpointError`."""
    return parse_config(read_json(folder / CONFIG_FILE))


def read_json(path: Path) -> dict[str, object]:
    """Read a JSON object. Raises `CheckpointError` that names the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.name} is missing in {path.parent}") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} does not hold a JSON object")
    return cast("dict[str, object]", values)


def _llama(values: JsonObject) -> LlamaConfig:
    """Build the language model's configuration; tied weights are refused."""
    _require(values, "model_type", "llama")
    config = LlamaConfig.from_dict(dict(values))
    if config.tie_word_embeddings:
        raise CheckpointError(f"{CONFIG_FILE}: text_config.tie_word_embeddings is set")
    return config


def _dinov2(values: JsonObject) -> Dinov2Config:
    """Build the tower's configuration; the last stage with LayerNorm is required.

    The feature map after the final LayerNorm is what MAIRA-2 was trained on;
    `hidden_states[-1]` lacks it and silently gives wrong text.
    """
    _require(values, "model_type", "dinov2")
    _require(values, "apply_layernorm", wanted=True)
    _require(values, "reshape_hidden_states", wanted=False)
    config = Dinov2Config.from_dict(dict(values))
    last = f"stage{config.num_hidden_layers}"
    if list(config.out_features) != [last]:
        raise CheckpointError(f"{CONFIG_FILE}: out_features is not [{last!r}]")
    return config


def _check_rope(text: JsonObject, domain: Domain) -> None:
    """Require linear rotary scaling by 1.5 wherever films of people are read."""
    scaling = text.get("rope_scaling", text.get("rope_parameters"))
    if not isinstance(scaling, dict):
        if domain is Domain.RADIOGRAPH:
            raise CheckpointError(f"{CONFIG_FILE}: text_config.rope_scaling is missing")
        return
    kind = scaling.get("rope_type", scaling.get("type"))
    if (kind, scaling.get("factor")) != ("linear", ROPE_FACTOR):
        raise CheckpointError(
            f"{CONFIG_FILE}: text_config.rope_scaling is {scaling!r}, "
            f"expected linear by {ROPE_FACTOR}"
        )


def _domain(values: JsonObject) -> Domain:
    """Tell what the checkpoint may read; without our own key: radiographs."""
    name = values.get(DOMAIN_KEY, Domain.RADIOGRAPH.value)
    try:
        return Domain(str(name))
    except ValueError as error:
        raise CheckpointError(f"{CONFIG_FILE}: {DOMAIN_KEY} is {name!r}") from error


def _require(values: JsonObject, key: str, wanted: object) -> None:
    if values.get(key) != wanted:
        raise CheckpointError(
            f"{CONFIG_FILE}: {key} is {values.get(key)!r}, expected {wanted!r}"
        )


def _object(values: JsonObject, key: str) -> JsonObject:
    value = values.get(key)
    if not isinstance(value, dict):
        raise CheckpointError(f"{CONFIG_FILE}: {key} is not an object")
    return cast("JsonObject", value)


def _integer(values: JsonObject, key: str) -> int:
    value = values.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        raise CheckpointError(f"{CONFIG_FILE}: {key} is {value!r}, not an integer")
    return value


def _string(values: JsonObject, key: str) -> str:
    value = values.get(key)
    if not isinstance(value, str):
        raise CheckpointError(f"{CONFIG_FILE}: {key} is {value!r}, not a string")
    return value
