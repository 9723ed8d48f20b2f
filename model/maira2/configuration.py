"""`config.json` of a MAIRA-2 snapshot, read strictly.

Every dimension comes from the file, so that the official checkpoint and the small
phantom checkpoint are the same classes. What cannot be honoured is refused here:
a value that is silently dropped would degrade the text without any error.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Self, cast

from transformers import Dinov2Config, LlamaConfig, PreTrainedConfig

from model.errors import CheckpointError
from model.options import DOMAIN_KEY, Domain

CONFIG_FILE = "config.json"
MODEL_TYPE = "maira2"
ROPE_FACTOR = 1.5
"""Linear scaling of the rotary positions in MAIRA-2."""

JsonObject = Mapping[str, object]

_TEXT: JsonObject = {
    "vocab_size": 32207,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096,
    "rope_parameters": {
        "rope_type": "linear",
        "factor": ROPE_FACTOR,
        "rope_theta": 10000.0,
    },
    "pad_token_id": 0,
}
_VISION: JsonObject = {
    "image_size": 518,
    "out_features": ["stage12"],
    "reshape_hidden_states": False,
}
"""What the official snapshot changes in the two parts; the rest is the library's."""


class Maira2Config(PreTrainedConfig):  # type: ignore[misc]  # untyped base
    """The composition: Dinov2 backbone, projector, Llama; by default the official one.

    `projector_n_layers` counts linear layers, with an activation between two.
    `image_token_id` marks the positions that image features replace. Reading raises
    `CheckpointError` for what this implementation does not do, and names the key.
    """

    model_type: ClassVar[str] = MODEL_TYPE
    attribute_map: ClassVar[dict[str, str]] = {"image_token_id": "image_token_index"}
    sub_configs: ClassVar[dict[str, type[PreTrainedConfig]]] = {
        "vision_config": Dinov2Config,
        "text_config": LlamaConfig,
    }

    vision_config: dict[str, object] | PreTrainedConfig | None = None
    text_config: dict[str, object] | PreTrainedConfig | None = None
    image_token_index: int = 32204
    projector_n_layers: int = 4
    projector_hidden_act: str = "gelu"
    multimodal_projector_bias: bool = True
    vision_feature_layer: int = -1
    vision_feature_select_strategy: str = "default"
    tie_word_embeddings: bool = False
    maira_gateway_domain: str = Domain.RADIOGRAPH.value

    def __post_init__(self, **kwargs: object) -> None:
        """Build the two parts; releases of the library before 5.21 do not."""
        self.vision_config = _part(Dinov2Config, self.vision_config, _VISION)
        self.text_config = _part(LlamaConfig, self.text_config, _TEXT)
        super().__post_init__(**kwargs)

    @classmethod
    def from_dict(cls, config_dict: JsonObject, **kwargs: object) -> Self:
        """Build from the object in `config.json`. Raises `CheckpointError`."""
        _check(config_dict)
        return cast("Self", super().from_dict(dict(config_dict), **kwargs))

    def to_diff_dict(self) -> dict[str, object]:
        """Write every key: what is asserted on reading must stand in the file."""
        return cast("dict[str, object]", self.to_dict())

    @property
    def text(self) -> LlamaConfig:
        """The language model's configuration."""
        return self.text_config

    @property
    def vision(self) -> Dinov2Config:
        """The tower's configuration."""
        return self.vision_config

    @property
    def image_size(self) -> int:
        """Side of the square crop in pixels."""
        return cast("int", self.vision.image_size)

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return cast("int", self.vision.patch_size)

    @property
    def patches(self) -> int:
        """Tokens of one image: patches of the square crop, without CLS."""
        return (self.image_size // self.patch_size) ** 2

    @property
    def domain(self) -> Domain:
        """What the checkpoint may read; without our own key: radiographs."""
        return Domain(self.maira_gateway_domain)


def parse_config(values: JsonObject) -> Maira2Config:
    """Build the configuration from the object in `config.json`.

    Raises `CheckpointError` that names the key which is missing or which asks
    for something that this implementation does not do.
    """
    return Maira2Config.from_dict(values)


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


def _part(
    kind: type[PreTrainedConfig],
    given: JsonObject | PreTrainedConfig | None,
    official: JsonObject,
) -> PreTrainedConfig:
    """Build a part from its object; without one it is the official snapshot's."""
    if isinstance(given, PreTrainedConfig):
        return given
    return kind(**(official if given is None else given))


def _check(values: JsonObject) -> None:
    """Refuse what is not done here, by its key."""
    _require(values, "model_type", MODEL_TYPE)
    _require(values, "vision_feature_layer", -1)
    _require(values, "vision_feature_select_strategy", "default")
    _typed(values, "projector_n_layers", int)
    _typed(values, "projector_hidden_act", str)
    _typed(values, "image_token_index", int)
    text, vision = _object(values, "text_config"), _object(values, "vision_config")
    _check_text(text)
    _check_rope(text, _domain(values))
    _check_vision(vision)


def _check_text(text: JsonObject) -> None:
    """Require a Llama without tied weights."""
    _require(text, "model_type", "llama")
    if text.get("tie_word_embeddings"):
        raise CheckpointError(f"{CONFIG_FILE}: text_config.tie_word_embeddings is set")


def _check_vision(vision: JsonObject) -> None:
    """Require the tower's last stage with LayerNorm.

    The feature map after the final LayerNorm is what MAIRA-2 was trained on;
    `hidden_states[-1]` lacks it and silently gives wrong text.
    """
    _require(vision, "model_type", "dinov2")
    _require(vision, "apply_layernorm", wanted=True)
    _require(vision, "reshape_hidden_states", wanted=False)
    _typed(vision, "image_size", int)
    _typed(vision, "patch_size", int)
    last = f"stage{vision.get('num_hidden_layers')}"
    if vision.get("out_features") != [last]:
        raise CheckpointError(f"{CONFIG_FILE}: out_features is not [{last!r}]")


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


def _typed(values: JsonObject, key: str, kind: type[int] | type[str]) -> None:
    value = values.get(key)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise CheckpointError(f"{CONFIG_FILE}: {key} is {value!r}, not {kind.__name__}")
