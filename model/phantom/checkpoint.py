"""The phantom checkpoint's shape, and its folder in the official layout."""

import json
from pathlib import Path

from model.grounding import BOX_TAGS, COORDINATE_BINS, PHRASE_TAGS
from model.maira2.configuration import (
    CONFIG_FILE,
    ROPE_FACTOR,
    Maira2Config,
    parse_config,
)
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.processing import PREPROCESSOR_FILE, PROCESSOR_FILE
from model.maira2.prompts import IMAGE
from model.maira2.tokenization import TOKENIZER_FILE, PromptTokenizer
from model.maira2.weights import save_weights
from model.options import DOMAIN_KEY, Domain
from model.phantom.dataset import IMAGE_SIDE, PREPROCESSING
from model.phantom.tokenizer import build_tokenizer

TEXT_WIDTH, TEXT_LAYERS, TEXT_HEADS, TEXT_INNER = 128, 4, 4, 352
VISION_WIDTH, VISION_LAYERS, VISION_HEADS = 96, 5, 4
PROJECTOR_LAYERS = 4
PATCH = 14
MAX_POSITIONS = 2048


def config_values(tokenizer: PromptTokenizer) -> dict[str, object]:
    """Return the content of `config.json`, keys as in the official snapshot."""
    return {
        "architectures": ["Maira2ForConditionalGeneration"],
        "model_type": "maira2",
        DOMAIN_KEY: Domain.PHANTOM.value,
        "hidden_size": TEXT_WIDTH,
        "image_token_index": tokenizer.image_id,
        "image_seq_length": (IMAGE_SIDE // PATCH) ** 2,
        "multimodal_projector_bias": True,
        "pad_token_id": 0,
        "projector_hidden_act": "gelu",
        "projector_n_layers": PROJECTOR_LAYERS,
        "text_config": _text_values(tokenizer),
        "vision_config": _vision_values(),
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "torch_dtype": "float32",
    }


def _text_values(tokenizer: PromptTokenizer) -> dict[str, object]:
    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": tokenizer.begin_id,
        "eos_token_id": tokenizer.end_id,
        "hidden_act": "silu",
        "hidden_size": TEXT_WIDTH,
        "initializer_range": 0.02,
        "intermediate_size": TEXT_INNER,
        "max_position_embeddings": MAX_POSITIONS,
        "mlp_bias": False,
        "num_attention_heads": TEXT_HEADS,
        "num_hidden_layers": TEXT_LAYERS,
        "num_key_value_heads": TEXT_HEADS,
        "pad_token_id": 0,
        "rms_norm_eps": 1e-5,
        "rope_scaling": {
            "factor": ROPE_FACTOR,
            "rope_type": "linear",
            "type": "linear",
        },
        "rope_theta": 10000.0,
        "tie_word_embeddings": False,
        "vocab_size": tokenizer.size,
    }


def _vision_values() -> dict[str, object]:
    last = f"stage{VISION_LAYERS}"
    return {
        "model_type": "dinov2",
        "architectures": ["Dinov2Model"],
        "apply_layernorm": True,
        "hidden_act": "gelu",
        "hidden_size": VISION_WIDTH,
        "image_size": IMAGE_SIDE,
        "layer_norm_eps": 1e-6,
        "layerscale_value": 1.0,
        "mlp_ratio": 4,
        "num_attention_heads": VISION_HEADS,
        "num_channels": 3,
        "num_hidden_layers": VISION_LAYERS,
        "out_features": [last],
        "out_indices": [VISION_LAYERS],
        "patch_size": PATCH,
        "qkv_bias": True,
        "reshape_hidden_states": False,
        "use_mask_token": True,
        "use_swiglu_ffn": False,
    }


def phantom_tokenizer() -> PromptTokenizer:
    """Return the checkpoint's tokenizer, trained anew."""
    return PromptTokenizer(build_tokenizer())


def phantom_config(tokenizer: PromptTokenizer) -> Maira2Config:
    """Return the checkpoint's configuration, as it will be read from its file."""
    return parse_config(config_values(tokenizer))


def write_checkpoint(folder: Path, model: Maira2ForConditionalGeneration) -> None:
    """Write the folder: weights, tokenizer and the four JSON files that are read."""
    tokenizer = build_tokenizer()
    prompt_tokenizer = PromptTokenizer(tokenizer)
    for path in save_weights(model, folder):
        path.chmod(0o644)
    tokenizer.save(str(folder / TOKENIZER_FILE), pretty=False)
    _write(folder / CONFIG_FILE, config_values(prompt_tokenizer))
    _write(folder / PREPROCESSOR_FILE, _preprocessor_values())
    _write(folder / PROCESSOR_FILE, _processor_values())


def _preprocessor_values() -> dict[str, object]:
    return {
        "image_processor_type": "BitImageProcessor",
        "crop_size": {"height": IMAGE_SIDE, "width": IMAGE_SIDE},
        "size": {"shortest_edge": IMAGE_SIDE},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [PREPROCESSING.mean] * 3,
        "image_std": [PREPROCESSING.std] * 3,
        "resample": 3,
        "rescale_factor": PREPROCESSING.rescale_factor,
    }


def _processor_values() -> dict[str, object]:
    return {
        "processor_class": "Maira2Processor",
        "image_token": IMAGE,
        "phrase_start_token": PHRASE_TAGS[0],
        "phrase_end_token": PHRASE_TAGS[1],
        "box_start_token": BOX_TAGS[0],
        "box_end_token": BOX_TAGS[1],
        "num_box_coord_bins": COORDINATE_BINS,
        "num_additional_image_tokens": 1,
        "patch_size": PATCH,
        "vision_feature_select_strategy": "default",
    }


def _write(path: Path, values: dict[str, object]) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
