"""Greedy generation from embedded prompts, and the loop that ends it."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from model.maira2.decoding import Decoder, GrowingDecoder
from model.maira2.lookup import Drafting, count_accepted
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.stopping import (
    Ending,
    Generated,
    StopRule,
    extend,
    finished,
)

__all__ = ["Generated", "Prompts", "StopRule", "generate_greedy", "pad_left"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompts:
    """Embedded prompts, padded on the left.

    `embeddings` : (prompts, length, text width); `attention_mask` : (prompts,
    length) int64, 0 where padded.
    """

    embeddings: Tensor
    attention_mask: Tensor


def pad_left(embeddings: Sequence[Tensor]) -> Prompts:
    """Join prompts, each (length, text width), into one batch of zeros-padded rows."""
    longest = max(len(prompt) for prompt in embeddings)
    batch = embeddings[0].new_zeros((len(embeddings), longest, embeddings[0].shape[-1]))
    mask = torch.zeros(batch.shape[:2], dtype=torch.int64, device=batch.device)
    for row, prompt in enumerate(embeddings):
        batch[row, longest - len(prompt) :] = prompt
        mask[row, longest - len(prompt) :] = 1
    return Prompts(embeddings=batch, attention_mask=mask)


@torch.inference_mode()
def generate_greedy(
    model: Maira2ForConditionalGeneration, prompts: Prompts, rules: Sequence[StopRule]
) -> list[Generated]:
    """Continue each prompt with its most probable tokens; one rule a prompt."""
    lengths = [int(length) for length in prompts.attention_mask.sum(dim=1).tolist()]
    room = max(rule.max_new_tokens for rule in rules)
    decoder = GrowingDecoder(model, lengths, room)
    first = decoder.prefill(prompts.embeddings)
    return continue_all(decoder, first, rules)


def continue_all(
    decoder: Decoder, first: Sequence[int], rules: Sequence[StopRule]
) -> list[Generated]:
    """Go on until every row has ended; `first` holds each answer's first token.

    A row that has ended is read along, and nothing of it is kept.
    """
    answers: list[list[int]] = [[] for _ in rules]
    endings: list[Ending | None] = [None for _ in rules]
    chosen = [[token] for token in first]
    while True:
        now = time.monotonic()
        for row, (answer, rule) in enumerate(zip(answers, rules, strict=True)):
            if endings[row] is None:
                endings[row] = extend(answer, chosen[row], rule, now)
        ended = [ending for ending in endings if ending is not None]
        if len(ended) == len(rules):
            return [*map(finished, answers, ended)]
        chosen = decoder.step(chosen)


def continue_drafted(
    decoder: Decoder, first: int, rule: StopRule, drafting: Drafting
) -> Generated:
    """Go on with one row, reading guesses along: the same ids, in fewer steps."""
    answer: list[int] = []
    new = [first]
    while True:
        ending = extend(answer, new, rule, time.monotonic())
        if ending is not None:
            return finished(answer, ending)
        room = rule.max_new_tokens - len(answer) - 1
        new = _drafted_step(decoder, answer, drafting, room)


def _drafted_step(
    decoder: Decoder, answer: list[int], drafting: Drafting, room: int
) -> list[int]:
    """Read the last token and guesses at the next; returns what the model chose."""
    draft = drafting.propose(answer)[: max(room, 0)]
    started = time.perf_counter()
    chosen = decoder.step([[answer[-1], *draft]])[0]
    accepted = count_accepted(draft, chosen)
    decoder.forget(len(draft) - accepted)
    drafting.record(len(draft), accepted, time.perf_counter() - started)
    return chosen[: accepted + 1]
