from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch

from model.maira2.answering import Answered, Answerer, FastPaths
from model.maira2.configuration import parse_config
from model.maira2.decoding import CompiledSteps, FixedDecoder, GrowingDecoder
from model.maira2.generation import continue_all, generate_greedy, pad_left
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.preparing import Preparation, Prompt
from model.maira2.processing import Processor, read_processor
from model.maira2.stopping import StopRule
from model.report import Question, ReportInputs, Task
from tests.data.tiny_maira2 import (
    IMAGE_TOKENS,
    tiny_documents,
    tiny_model,
    write_tiny,
)

RULE = StopRule(end_id=-1, max_new_tokens=14)
KEPT = FastPaths(prefix_memory_bytes=2**24)
PATHS = {
    "prefix": KEPT,
    "lookup": FastPaths(prompt_lookup=True),
    "fixed": FastPaths(backend="eager"),
    "all": replace(KEPT, prompt_lookup=True, backend="eager"),
}


@pytest.fixture(scope="module")
def model() -> Maira2ForConditionalGeneration:
    torch.set_num_threads(1)
    return tiny_model(tiny_documents())


@pytest.fixture(scope="module")
def processor(tmp_path_factory: pytest.TempPathFactory) -> Processor:
    folder = write_tiny(tmp_path_factory.mktemp("snapshot"))
    return read_processor(folder, parse_config(tiny_documents()["config.json"]))


def picture(seed: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (50, 60), dtype=np.uint8)


@pytest.fixture(scope="module")
def prompts(processor: Processor) -> list[Prompt]:
    """One study's tasks, and another study."""
    inputs = ReportInputs(
        current_frontal=picture(1),
        current_lateral=picture(2),
        prior_frontal=picture(3),
        prior_report="Small left effusion. No pneumothorax. Small left effusion.",
    )
    other = ReportInputs(current_frontal=picture(4), indication="cough")
    questions = [
        Question(inputs=inputs, task=Task.FINDINGS),
        Question(inputs=inputs, task=Task.PHRASE_GROUNDING, phrase="effusion"),
        Question(inputs=inputs, task=Task.GROUNDED_FINDINGS),
        Question(inputs=other, task=Task.FINDINGS),
        Question(inputs=inputs, task=Task.PHRASE_GROUNDING, phrase="left nodule"),
    ]
    preparation = Preparation(processor)
    return [preparation.prompt(question) for question in questions]


@pytest.fixture(scope="module")
def greedy(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> list[tuple[int, ...]]:
    """Each prompt alone, embedded whole: what the fast paths must repeat."""
    return [alone(model, prompt) for prompt in prompts]


@torch.inference_mode()
def alone(model: Maira2ForConditionalGeneration, prompt: Prompt) -> tuple[int, ...]:
    pixels = np.stack([image.pixels for image in prompt.images])[:, None]
    values = torch.from_numpy(pixels).expand(-1, 3, -1, -1)
    ids = torch.from_numpy(prompt.tokens.ids)[None]
    embedded = model.embed(ids, model.image_features(values))[0]
    return generate_greedy(model, pad_left([embedded]), [RULE])[0].ids


def answer(answerer: Answerer, prompts: Sequence[Prompt]) -> list[Answered]:
    rules = [RULE] * len(prompts)
    return answerer.answer(prompts, rules, answerer.features())


def tokens(answered: Answered) -> dict[str, int]:
    return {phase.name: phase.tokens for phase in answered.phases}


@pytest.mark.parametrize("rows", [1, 2, 5])
@pytest.mark.parametrize("path", PATHS)
def test_every_fast_path_has_the_ids_of_greedy_decoding(
    path: str,
    rows: int,
    model: Maira2ForConditionalGeneration,
    prompts: list[Prompt],
    greedy: list[tuple[int, ...]],
) -> None:
    answerer = Answerer(model, PATHS[path])
    for _ in range(2):
        ids = [
            one.generated.ids
            for start in range(0, len(prompts), rows)
            for one in answer(answerer, prompts[start : start + rows])
        ]
        assert ids == greedy


def test_a_study_asked_again_is_read_from_memory(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    answerer = Answerer(model, KEPT)
    ((first,), (phrase,), (again,)) = (
        answer(answerer, [prompts[place]]) for place in (0, 1, 0)
    )
    assert tokens(first)["prefix"] == 0
    assert tokens(first)["images"] == 3 * IMAGE_TOKENS
    assert tokens(phrase)["prefix"] > IMAGE_TOKENS
    assert tokens(phrase)["images"] == 0
    assert tokens(again)["prefill"] == 1


def test_tasks_of_one_study_share_the_images_and_the_prior_report(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    answerer = Answerer(model, KEPT)
    answer(answerer, [prompts[0]])
    (grounded,) = answer(answerer, [prompts[2]])
    shown = prompts[0].tokens.images_end
    assert tokens(grounded)["prefix"] > shown + len("PRIOR_REPORT: Small left effusion")


def test_an_image_is_encoded_once_for_a_batch(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    answered = answer(Answerer(model, KEPT), prompts)
    assert [tokens(one)["images"] for one in answered] == [4 * IMAGE_TOKENS, 0, 0, 0, 0]
    assert all(one.rows == len(prompts) for one in answered)


@pytest.mark.parametrize("places", [1.5, 4])
def test_a_batch_is_read_once_also_where_memory_holds_only_a_part_of_it(
    places: float, model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    batch, size = [prompts[0], prompts[3]], len(prompts[0].tokens.ids)
    read: list[int] = []

    def count(_: object, __: object, given: dict[str, torch.Tensor]) -> None:
        read.append(given["inputs_embeds"].shape[:2].numel())

    language_model = model.model.language_model
    hook = language_model.register_forward_pre_hook(count, with_kwargs=True)
    budget = int(Answerer(model, KEPT).token_bytes * size * places)
    answerer = Answerer(model, FastPaths(prefix_memory_bytes=budget))
    rule = replace(RULE, max_new_tokens=1)
    answerer.answer(batch, [rule] * 2, answerer.features())
    hook.remove()
    assert sum(read) <= len(batch) * size + len(batch)


def test_shared_seconds_are_counted_with_the_first(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    first, second = answer(Answerer(model, KEPT), prompts[:2])
    assert sum(phase.seconds for phase in first.phases) > 0
    assert sum(phase.seconds for phase in second.phases) == 0


def test_without_a_budget_nothing_is_kept(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    answerer = Answerer(model, FastPaths())
    answer(answerer, prompts)
    assert answerer.kept_bytes == 0


def test_memory_keeps_to_its_budget_and_is_given_back(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    budget = Answerer(model, KEPT).token_bytes * len(prompts[0].tokens.ids)
    answerer = Answerer(model, FastPaths(prefix_memory_bytes=budget))
    answer(answerer, prompts)
    assert 0 < answerer.kept_bytes <= budget
    answerer.release()
    assert answerer.kept_bytes == 0


@torch.inference_mode()
def test_what_a_prompt_left_in_the_memory_of_the_steps_reaches_no_other(
    model: Maira2ForConditionalGeneration,
) -> None:
    embedded = model.get_input_embeddings()(torch.arange(5, 25))[None]
    steps, answers = CompiledSteps(model, "eager"), []
    for _ in range(2):
        growing = GrowingDecoder(model, [20], RULE.max_new_tokens)
        first = growing.prefill(embedded)
        decoder = FixedDecoder(steps, growing, RULE.max_new_tokens)
        answers.append(continue_all(decoder, first, [RULE])[0].ids)
        for layer in steps.memory(1, 20 + RULE.max_new_tokens).layers:
            layer.keys.fill_(torch.nan)
            layer.values.fill_(torch.nan)
    assert answers[0] == answers[1]


def test_rows_of_a_batch_end_by_their_own_rules(
    model: Maira2ForConditionalGeneration,
    prompts: list[Prompt],
    greedy: list[tuple[int, ...]],
) -> None:
    rules = [replace(RULE, max_new_tokens=limit) for limit in (3, 9)]
    answerer = Answerer(model, FastPaths())
    answered = answerer.answer(prompts[:2], rules, answerer.features())
    assert [one.generated.ids for one in answered] == [greedy[0][:3], greedy[1][:9]]


def test_guesses_are_counted(
    model: Maira2ForConditionalGeneration, prompts: list[Prompt]
) -> None:
    answerer = Answerer(model, FastPaths(prompt_lookup=True))
    (one,) = answer(answerer, prompts[:1])
    assert one.guesses is not None
    assert one.guesses.proposed >= one.guesses.accepted >= 0
    assert answer(answerer, prompts[:2])[0].guesses is None
