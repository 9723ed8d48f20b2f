"""A MAIRA-2 snapshot of a few thousand random weights, with a tokenizer of its own.

Ids, image size and widths all differ from the official ones on purpose.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from string import ascii_letters, digits, punctuation
from typing import cast

import torch
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    pre_tokenizers,
    processors,
)

from model.grounding import ALL_TAGS
from model.maira2.configuration import parse_config
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.snapshot import write_snapshot

SIDE = 42
PATCH = 14
IMAGE_TOKENS = 9

Documents = dict[str, dict[str, object]]


def tiny_tokenizer() -> Tokenizer:
    """One token a character, then the special and the added tokens."""
    characters = ["▁", *ascii_letters, *digits, *punctuation, "\n"]
    vocabulary = {text: number for number, text in enumerate(characters)}
    unknown = "<unk>"
    vocabulary[unknown] = len(vocabulary)
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token=unknown))
    tokenizer.add_special_tokens([unknown, "<s>", "</s>"])
    tags = [*ALL_TAGS, "<image>", "<prev_im>", "<lat_image>"]
    tokenizer.add_tokens(
        [AddedToken(tag, normalized=True, special=False) for tag in tags]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement="▁", prepend_scheme="first", split=False
    )
    begin = ("<s>", cast("int", tokenizer.token_to_id("<s>")))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[begin]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


def tiny_documents(domain: str | None = "phantom") -> Documents:
    """The JSON files of the snapshot; without a domain it reads radiographs."""
    tokenizer = tiny_tokenizer()
    config: dict[str, object] = {
        "model_type": "maira2",
        "image_token_index": tokenizer.token_to_id("<image>"),
        "projector_n_layers": 2,
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "default",
        "text_config": _text_config(tokenizer.get_vocab_size()),
        "vision_config": _vision_config(),
    }
    if domain is not None:
        config["maira_gateway_domain"] = domain
    return {
        "config.json": config,
        "preprocessor_config.json": _preprocessor(),
        "processor_config.json": _processor(),
        "tokenizer.json": json.loads(tokenizer.to_str()),
    }


def tiny_model(documents: Documents, seed: int = 7) -> Maira2ForConditionalGeneration:
    """Random weights from a seed, wide enough that answers vary."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Maira2ForConditionalGeneration(parse_config(documents["config.json"]))
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.eval()
    return model


def write_tiny(
    folder: Path, *, domain: str | None = "phantom", shard_bytes: int = 10**9
) -> Path:
    """Write the whole snapshot and return its folder."""
    documents = tiny_documents(domain)
    write_snapshot(folder, tiny_model(documents), documents, shard_bytes=shard_bytes)
    return folder


def write_official_layout(folder: Path) -> Path:
    """Write a snapshot with the names of the official one: 522 tensors, six shards."""
    documents = tiny_documents(domain=None)
    config = with_key(documents["config.json"], "text_config.num_hidden_layers", 32)
    config = with_key(config, "vision_config.num_hidden_layers", 12)
    config = with_key(config, "vision_config.out_features", ["stage12"])
    documents["config.json"] = with_key(config, "projector_n_layers", 4)
    write_snapshot(folder, tiny_model(documents), documents, shard_bytes=82_000)
    return folder


@contextmanager
def edited(path: Path) -> Iterator[dict[str, object]]:
    """Edit a JSON file in place."""
    document = json.loads(path.read_text(encoding="utf-8"))
    yield document
    path.write_text(json.dumps(document), encoding="utf-8")


def with_key(
    document: Mapping[str, object], key: str, value: object
) -> dict[str, object]:
    """Copy a document with one key changed; a dot leads into an object."""
    copy = deepcopy(dict(document))
    *parents, last = key.split(".")
    target = copy
    for parent in parents:
        target = cast("dict[str, object]", target[parent])
    target[last] = value
    return copy


def _text_config(vocabulary: int) -> dict[str, object]:
    return {
        "model_type": "llama",
        "vocab_size": vocabulary,
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "rope_scaling": {"rope_type": "linear", "type": "linear", "factor": 1.5},
        "max_position_embeddings": 4096,
    }


def _vision_config() -> dict[str, object]:
    return {
        "model_type": "dinov2",
        "hidden_size": 12,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "mlp_ratio": 2,
        "image_size": SIDE,
        "patch_size": PATCH,
        "apply_layernorm": True,
        "reshape_hidden_states": False,
        "out_features": ["stage2"],
    }


def _preprocessor() -> dict[str, object]:
    return {
        "crop_size": {"height": SIDE, "width": SIDE},
        "size": {"shortest_edge": SIDE},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": [0.5307, 0.5307, 0.5307],
        "image_std": [0.2583, 0.2583, 0.2583],
        "resample": 3,
        "rescale_factor": 1 / 255,
    }


def _processor() -> dict[str, object]:
    return {
        "patch_size": PATCH,
        "image_token": "<image>",
        "phrase_start_token": "<obj>",
        "phrase_end_token": "</obj>",
        "box_start_token": "<box>",
        "box_end_token": "</box>",
        "num_box_coord_bins": 100,
        "num_additional_image_tokens": 1,
        "vision_feature_select_strategy": "default",
    }
