import pytest
import torch

from model.maira2.generation import Generated, StopRule, generate_greedy, pad_left
from model.maira2.modeling import (
    Attention,
    Maira2ForConditionalGeneration,
    positions,
)
from model.maira2.stopping import Ending
from tests.data.tiny_maira2 import IMAGE_TOKENS, SIDE, tiny_documents, tiny_model

END = 5


@pytest.fixture(scope="module")
def model() -> Maira2ForConditionalGeneration:
    return tiny_model(tiny_documents())


def pixels(images: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(images)
    return torch.randn(images, 3, SIDE, SIDE, generator=generator)


def embedded(model: Maira2ForConditionalGeneration, length: int) -> torch.Tensor:
    """One prompt of that many text tokens after an image."""
    image = model.config.image_token_id
    ids = torch.tensor([[*[image] * IMAGE_TOKENS, *range(10, 10 + length)]])
    with torch.inference_mode():
        return model.embed(ids, model.image_features(pixels(1)))[0]


def test_image_features_take_the_places_of_the_image_tokens_in_order(
    model: Maira2ForConditionalGeneration,
) -> None:
    image = model.config.image_token_id
    ids = torch.tensor([[1, *[image] * IMAGE_TOKENS, 2, *[image] * IMAGE_TOKENS]])
    features = model.image_features(pixels(2))
    embeddings = model.embed(ids, features)
    first, second = embeddings[0, 1 : 1 + IMAGE_TOKENS], embeddings[0, -IMAGE_TOKENS:]
    assert torch.equal(torch.stack([first, second]), features)


def test_a_wrong_number_of_images_is_refused(
    model: Maira2ForConditionalGeneration,
) -> None:
    ids = torch.tensor([[1, model.config.image_token_id]])
    with pytest.raises(ValueError, match="1 image tokens for 1 images of 9 patches"):
        model.embed(ids, model.image_features(pixels(1)))


def test_features_carry_the_final_layer_norm(
    model: Maira2ForConditionalGeneration,
) -> None:
    norm = model.model.vision_tower.layernorm
    with torch.inference_mode():
        bare = (model.feature_map(pixels(1)) - norm.bias) / norm.weight
    assert bare.mean(dim=-1).abs().max() < 1e-3
    assert (bare.var(dim=-1, correction=0) - 1).abs().max() < 1e-2


def test_positions_do_not_count_padding() -> None:
    mask = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 0]])
    assert positions(mask).tolist() == [[0, 0, 0, 1], [0, 1, 2, 2]]


@pytest.mark.parametrize("attention", list(Attention))
def test_a_left_padded_batch_answers_as_each_prompt_alone(
    attention: Attention,
) -> None:
    model = tiny_model(tiny_documents())
    model.use_attention(attention)
    prompts = [embedded(model, length) for length in (3, 9, 5)]
    rules = [StopRule(end_id=END, max_new_tokens=limit) for limit in (12, 4, 8)]
    batch = generate_greedy(model, pad_left(prompts), rules)
    alone = [
        generate_greedy(model, pad_left([prompt]), [rule])[0]
        for prompt, rule in zip(prompts, rules, strict=True)
    ]
    assert batch == alone


def test_generation_equals_repeated_forward_passes(
    model: Maira2ForConditionalGeneration,
) -> None:
    sequence, wanted = embedded(model, 4)[None], []
    embed = model.get_input_embeddings()
    with torch.inference_mode():
        for _ in range(6):
            mask = torch.ones(sequence.shape[:2], dtype=torch.int64)
            token = (
                model(inputs_embeds=sequence, attention_mask=mask)
                .logits[:, -1]
                .argmax(dim=-1)
            )
            wanted.append(int(token))
            sequence = torch.cat([sequence, embed(token)[:, None]], dim=1)
    rule = StopRule(end_id=-1, max_new_tokens=6)
    answer = generate_greedy(model, pad_left([embedded(model, 4)]), [rule])[0]
    assert answer == Generated(ids=tuple(wanted), ending=Ending.TOKEN_LIMIT)


def test_the_end_token_stops_and_is_left_out(
    model: Maira2ForConditionalGeneration,
) -> None:
    prompt = pad_left([embedded(model, 4)])
    free = generate_greedy(model, prompt, [StopRule(end_id=-1, max_new_tokens=6)])[0]
    end = free.ids[2]
    first = free.ids.index(end)
    answer = generate_greedy(model, prompt, [StopRule(end_id=end, max_new_tokens=6)])
    assert answer == [Generated(ids=free.ids[:first], ending=Ending.END_TOKEN)]


def test_training_loss_reaches_every_part_on_right_padded_batches() -> None:
    model = tiny_model(tiny_documents())
    image = model.config.image_token_id
    ids = torch.tensor([[*[image] * IMAGE_TOKENS, 7, 8, 0]] * 2)
    mask = torch.ones_like(ids)
    mask[:, -1] = 0
    labels = ids.masked_fill((mask == 0) | (ids == image), -100)
    embeddings = model.embed(ids, model.image_features(pixels(2)))
    loss = model(inputs_embeds=embeddings, attention_mask=mask, labels=labels).loss
    assert loss is not None
    loss.backward()
    unused = {"model.vision_tower.embeddings.mask_token"}
    silent = {n for n, p in model.named_parameters() if p.grad is None}
    assert silent == unused
