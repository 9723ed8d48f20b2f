"""Second stage of training: prompts and true answers as token sequences."""

import string
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from model.grounding import COORDINATE_BINS
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.prompts import prompt_text
from model.maira2.tokenization import PromptTokenizer
from model.phantom.dataset import Example
from model.phantom.findings import Change, Kind
from model.phantom.sentences import (
    CLEAR_LUNGS,
    INDICATIONS,
    LUNG_KINDS,
    NEGATIVES,
    Statement,
    read,
    without_change,
)
from model.phantom.text import grounded_answer, plain_answer
from model.report import GreyImage, GroundedPhrase, Question, ReportInputs, Task

NOT_LEARNED = -100
_CHARACTERS = f"{string.ascii_letters}{string.digits} .,:;-/()\n"
_STUB: GreyImage = np.zeros((1, 1), np.uint8)
_BIN_SPREAD = 1.0
"""Standard deviation, in bins, of the target around a true coordinate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """One prompt with its answer.

    `places` names the crops in the prompt's order: 0 current frontal, 1 lateral,
    2 prior frontal. `labels` are `ids` where they are learned, else `NOT_LEARNED`.
    """

    places: tuple[int, ...]
    ids: list[int]
    labels: list[int]


def without_prior(example: Example) -> Example:
    """Return the study as it would be reported had there been no prior."""
    kept = tuple(
        replace(phrase, text=without_change(phrase.text))
        for phrase in example.phrases
        if (said := read(phrase.text)) is None or said.change is not Change.RESOLVED
    )
    return replace(example, has_prior=False, prior_report=None, phrases=kept)


def without_lateral(example: Example) -> Example:
    """Return the study as it would be reported from the frontal view alone."""
    said = [(phrase, read(phrase.text)) for phrase in example.phrases]
    kept = [phrase for phrase, one in said if not _is(one, Kind.RETROCARDIAC_NODULE)]
    present = {one.kind for _, one in said if one is not None and _present(one)}
    lost = Kind.RETROCARDIAC_NODULE in present
    if lost and not present & (LUNG_KINDS - {Kind.RETROCARDIAC_NODULE}):
        place = sum(1 for phrase in kept if phrase.text not in NEGATIVES)
        kept.insert(place, GroundedPhrase(text=CLEAR_LUNGS))
    return replace(example, has_lateral=False, phrases=tuple(kept))


def report_lesson(
    example: Example, tokenizer: PromptTokenizer, rng: np.random.Generator
) -> Lesson:
    """Return a findings task on the study, grounded more often than plain."""
    if example.has_prior and rng.random() < 0.2:
        example = without_prior(example)
    if example.has_lateral and rng.random() < 0.3:
        example = without_lateral(example)
    if rng.random() < 0.75:
        task, answer = Task.GROUNDED_FINDINGS, grounded_answer(example.phrases)
    else:
        task, answer = Task.FINDINGS, plain_answer(example.phrases)
    return _lesson(Question(inputs=_inputs(example, rng), task=task), answer, tokenizer)


def phrase_lesson(
    example: Example, tokenizer: PromptTokenizer, rng: np.random.Generator
) -> Lesson | None:
    """Return a phrase grounding task on one of the study's boxed findings."""
    boxed = [phrase for phrase in example.phrases if phrase.boxes]
    if not boxed:
        return None
    phrase = boxed[int(rng.integers(len(boxed)))]
    if rng.random() < 0.6:
        phrase = replace(phrase, text=without_change(phrase.text))
    question = Question(
        inputs=ReportInputs(current_frontal=_STUB),
        task=Task.PHRASE_GROUNDING,
        phrase=phrase.text,
    )
    return _lesson(question, grounded_answer((phrase,)), tokenizer)


def _inputs(example: Example, rng: np.random.Generator) -> ReportInputs:
    return ReportInputs(
        current_frontal=_STUB,
        current_lateral=_STUB if example.has_lateral else None,
        prior_frontal=_STUB if example.has_prior else None,
        prior_report=_varied(_laid_out(example.prior_report, rng), rng),
        indication=_varied(example.indication, rng),
        technique=_varied(example.technique, rng),
        comparison=_varied(example.comparison, rng),
    )


def _laid_out(report: str | None, rng: np.random.Generator) -> str | None:
    """Lay a prior report out as different report systems do."""
    if report is None:
        return None
    drawn = rng.random()
    if drawn < 0.15:
        return f"FINDINGS: {report}"
    if drawn < 0.30:
        lines = report.replace(". ", ".\n")
        return f"Findings:\n{lines}"
    if drawn < 0.40:
        sentences = report.split(". ")
        return f"Findings: {report}\nImpression: {sentences[0].rstrip('.')}."
    return report


def _varied(text: str | None, rng: np.random.Generator) -> str | None:
    """Drop or replace a free text now and then, so that none is relied upon."""
    drawn = rng.random()
    if drawn < 0.08:
        return None
    if drawn < 0.14:
        return "".join(rng.choice(list(_CHARACTERS), int(rng.integers(3, 20))))
    if drawn < 0.18:
        return INDICATIONS[int(rng.integers(len(INDICATIONS)))]
    return text


def _lesson(question: Question, answer: str, tokenizer: PromptTokenizer) -> Lesson:
    inputs = question.inputs
    given = (inputs.current_frontal, inputs.current_lateral, inputs.prior_frontal)
    places = tuple(place for place, image in enumerate(given) if image is not None)
    prompt = tokenizer.encode(prompt_text(question), image_tokens=1).tolist()
    learned = [*tokenizer.encode_answer(answer), tokenizer.end_id]
    return Lesson(
        places=places,
        ids=[*prompt, *learned],
        labels=[NOT_LEARNED] * len(prompt) + learned,
    )


def _is(said: Statement | None, kind: Kind) -> bool:
    return said is not None and said.kind is kind


def _present(said: Statement) -> bool:
    return said.change is not Change.RESOLVED


def soft_targets(tokenizer: PromptTokenizer) -> Tensor:
    """Return for each id what is learned in its place: (vocabulary, vocabulary).

    A coordinate's neighbours are nearly right; every other token is itself.
    """
    targets = torch.eye(tokenizer.size)
    places = torch.arange(COORDINATE_BINS, dtype=torch.float32)
    near = torch.exp(-(((places[:, None] - places[None]) / _BIN_SPREAD) ** 2) / 2)
    near = near / near.sum(dim=1, keepdim=True)
    for axis in "xy":
        ids = torch.tensor(
            [tokenizer.token_id(f"<{axis}{n}>") for n in range(COORDINATE_BINS)]
        )
        targets[ids[:, None], ids[None]] = near
    return targets


def answer_loss(logits: Tensor, labels: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy of answers: logits (tokens, vocabulary)."""
    return functional.cross_entropy(logits, targets[labels])


def initialise_language(
    model: Maira2ForConditionalGeneration, tokenizer: PromptTokenizer
) -> None:
    """Start projector and language model so that they learn in few steps.

    The library's start suits wide models: at this width its signals nearly vanish.
    Here each layer keeps the scale of what it gets, and what a block adds to the
    stream starts small.
    """
    for name, parameter in model.named_parameters():
        if name.startswith("model.vision_tower."):
            continue
        if "layers." in name and parameter.ndim == 2:
            added = name.endswith(("o_proj.weight", "down_proj.weight"))
            nn.init.xavier_uniform_(parameter, gain=0.35 if added else 1.0)
    for layer in model.model.multi_modal_projector.layers:
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight, gain=1.4)
            nn.init.zeros_(layer.bias)
    with torch.no_grad():
        for part, scale in (
            (model.model.language_model.embed_tokens, 0.5),
            (model.lm_head, 0.05),
        ):
            nn.init.normal_(part.weight, std=scale)
            _smooth_coordinates(part.weight.detach(), tokenizer)


def _smooth_coordinates(rows: Tensor, tokenizer: PromptTokenizer) -> None:
    """Start the coordinates' rows, in place, as smooth functions of their place.

    rows : (vocabulary, width). Neighbouring bins begin as neighbours.
    """
    width = rows.shape[1]
    waves = torch.arange(1, width // 2 + 1, dtype=torch.float32)
    middle = (torch.arange(COORDINATE_BINS) + 0.5)[:, None] / COORDINATE_BINS
    phase = torch.pi * middle * waves
    decay = 1.0 / (1.0 + waves / 4.0)
    curves = torch.cat([phase.cos() * decay, phase.sin() * decay], dim=1)
    curves = curves * (rows.std() / curves.std())
    for axis in "xy":
        turned = curves @ nn.init.orthogonal_(torch.empty(width, width))
        for place in range(COORDINATE_BINS):
            rows[tokenizer.token_id(f"<{axis}{place}>")] = turned[place]
