"""The library's own `generate`, on a folder of the official layout."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
)

from model.errors import CheckpointError
from model.maira2.auto import Maira2Processor, register
from model.maira2.configuration import Maira2Config, read_config
from model.maira2.modeling import (
    Attention,
    Maira2ForConditionalGeneration,
    Maira2Model,
)
from model.maira2.processing import read_processor
from model.maira2.weights import Placement, load_model
from model.report import Question, ReportInputs, Task
from tests.data.tiny_maira2 import IMAGE_TOKENS, SIDE, write_tiny

NEW = 12
ONE = "USER:  a<image> b  ASSISTANT: "
TWO = "USER:  a<image> and the longer<image> one  ASSISTANT: "


@pytest.fixture(scope="module", autouse=True)
def registered() -> None:
    register()
    register()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("snapshot"), domain=None)


@pytest.fixture(scope="module")
def processor(folder: Path) -> Maira2Processor:
    found = AutoProcessor.from_pretrained(folder)
    assert isinstance(found, Maira2Processor)
    return found


def picture(seed: int, rows: int = 60, columns: int = 50) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (rows, columns), np.uint8))


def generate(
    model: Maira2ForConditionalGeneration, inputs: dict[str, torch.Tensor], cache: str
) -> list[list[int]]:
    given = inputs["input_ids"].shape[1]
    answers = model.generate(
        **inputs,
        max_new_tokens=NEW,
        min_new_tokens=NEW,
        do_sample=False,
        pad_token_id=0,
        cache_implementation=cache,
        disable_compile=True,
    )
    return [row[given:].tolist() for row in answers]


def test_each_auto_class_gives_our_class_with_the_stored_weights(folder: Path) -> None:
    ours = load_model(folder, Placement()).state_dict()
    for auto in (AutoModelForImageTextToText, AutoModelForCausalLM):
        model = auto.from_pretrained(folder)
        assert type(model) is Maira2ForConditionalGeneration
        found = model.state_dict()
        assert found.keys() == ours.keys()
        assert all(torch.equal(found[name], ours[name]) for name in ours)
    assert isinstance(AutoModel.from_pretrained(folder), Maira2Model)


def test_generation_ends_at_the_end_token_of_the_language_model(folder: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder)
    assert model.generation_config.eos_token_id == model.config.text.eos_token_id


def test_the_configuration_is_read_strictly_by_the_library_too(folder: Path) -> None:
    assert isinstance(AutoConfig.from_pretrained(folder), Maira2Config)
    with pytest.raises(CheckpointError, match="vision_feature_layer"):
        Maira2Config.from_dict(read_config(folder).to_dict() | _WRONG)


_WRONG: dict[str, object] = {"vision_feature_layer": -2}


def test_a_configuration_that_is_saved_is_read_back(
    folder: Path, tmp_path: Path
) -> None:
    config = read_config(folder)
    config.save_pretrained(tmp_path)
    again = read_config(tmp_path)
    assert again.to_dict() == config.to_dict()


def test_the_default_configuration_is_the_official_one() -> None:
    config = Maira2Config()
    assert (config.patches, config.text.vocab_size) == (1369, 32207)
    assert config.text.rope_parameters["factor"] == 1.5
    assert Maira2Config.from_dict(config.to_dict()).to_dict() == config.to_dict()


def test_the_library_too_refuses_a_missing_tensor(folder: Path, tmp_path: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder)
    tensors = model.state_dict()
    del tensors["lm_head.weight"]
    model.save_pretrained(tmp_path, state_dict=tensors)
    with pytest.raises(CheckpointError, match=r"missing_keys: lm_head\.weight"):
        Maira2ForConditionalGeneration.from_pretrained(tmp_path)


def test_the_processor_gives_the_inputs_of_our_own(
    folder: Path, processor: Maira2Processor
) -> None:
    own = read_processor(folder, read_config(folder))
    frontal = picture(1)
    question = Question(
        task=Task.FINDINGS, inputs=ReportInputs(current_frontal=np.asarray(frontal))
    )
    wanted = own.encode_text(question, ONE)
    found = processor(images=[frontal], text=ONE, return_tensors="np")
    assert found["input_ids"][0].tolist() == wanted.input_ids.tolist()
    assert np.array_equal(found["pixel_values"], wanted.pixel_values)


@pytest.mark.parametrize("cache", ["dynamic", "static"])
@pytest.mark.parametrize("attention", list(Attention))
def test_a_left_padded_batch_is_generated_as_each_prompt_alone(
    folder: Path, processor: Maira2Processor, attention: Attention, cache: str
) -> None:
    model = AutoModelForImageTextToText.from_pretrained(
        folder, attn_implementation=attention.value
    ).eval()
    pictures = [[picture(1)], [picture(2), picture(3)]]
    texts = [ONE, TWO]
    alone = [
        generate(model, processor(images=i, text=t, return_tensors="pt"), cache)[0]
        for i, t in zip(pictures, texts, strict=True)
    ]
    batch = processor(images=pictures, text=texts, return_tensors="pt", padding=True)
    assert generate(model, batch, cache) == alone
    repeated = _by_whole_passes(model, processor(images=pictures[0], text=ONE))
    assert alone[0] == repeated


def _by_whole_passes(
    model: Maira2ForConditionalGeneration, inputs: dict[str, list[list[int]]]
) -> list[int]:
    """Continue greedily without any cache; the end token is not chosen."""
    ids = torch.tensor(inputs["input_ids"])
    pixels = torch.tensor(np.asarray(inputs["pixel_values"]))
    start = ids.shape[1]
    with torch.inference_mode():
        for _ in range(NEW):
            logits = model(ids, pixel_values=pixels, use_cache=False).logits[0, -1]
            logits[model.generation_config.eos_token_id] = -torch.inf
            ids = torch.cat([ids, logits.argmax()[None, None]], dim=1)
    return ids[0, start:].tolist()


def test_a_server_learns_the_tokens_of_each_picture(processor: Maira2Processor) -> None:
    data = processor._get_num_multimodal_tokens(image_sizes=[(10, 20), (30, 5)])
    assert data.num_image_tokens == [IMAGE_TOKENS, IMAGE_TOKENS]
    assert data.num_image_patches == [1, 1]


def test_a_server_learns_where_the_pictures_stand(processor: Maira2Processor) -> None:
    inputs = processor(
        images=[picture(1)],
        text=ONE,
        return_mm_token_type_ids=True,
        return_text_replacement_offsets=True,
    )
    kinds, ids = inputs["mm_token_type_ids"][0], inputs["input_ids"][0]
    assert [kind == 1 for kind in kinds] == [i == processor.image_token_id for i in ids]
    assert sum(kinds) == IMAGE_TOKENS
    assert len(inputs["text_replacement_offsets"][0]) == 1


def test_image_features_are_given_one_a_picture(folder: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder)
    pixels = torch.zeros(2, 3, SIDE, SIDE)
    found = model.get_image_features(pixels).pooler_output
    assert torch.equal(torch.stack(found), model.image_features(pixels))


def test_only_the_wanted_positions_get_logits(folder: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder)
    ids = torch.arange(10, 16)[None]
    whole = model(ids).logits
    found = model(ids, logits_to_keep=2).logits
    assert torch.allclose(found, whole[:, -2:], atol=1e-6)
    chosen = torch.tensor([0, 3])
    found = model(ids, logits_to_keep=chosen).logits
    assert torch.allclose(found, whole[:, chosen], atol=1e-6)


def test_ids_and_embeddings_together_are_refused(folder: Path) -> None:
    model = AutoModelForImageTextToText.from_pretrained(folder)
    with pytest.raises(ValueError, match="exactly one"):
        model()
