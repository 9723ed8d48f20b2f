"""Greedy generation from embedded prompts, with the limit and its effect known.

Written out, so that no `generation_config.json` can add sampling or a length,
and so that only the last position's logits are computed. Prompts of different
lengths are padded on the left.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import DynamicCache

from model.maira2.modeling import Maira2Model, positions


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRule:
    """When generation ends: at `end_id`, or after `max_new_tokens`."""

    end_id: int
    max_new_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """New tokens of one prompt, the end token left out.

    `cut_off` tells that the limit came before the end token.
    """

    ids: tuple[int, ...]
    cut_off: bool


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
    model: Maira2Model, prompts: Prompts, rules: Sequence[StopRule]
) -> list[Generated]:
    """Continue each prompt with its most probable tokens; one rule a prompt."""
    decoder = _Decoder(model, prompts.attention_mask)
    logits = decoder.prefill(prompts.embeddings)
    answers: list[list[int]] = [[] for _ in rules]
    while True:
        chosen = logits.argmax(dim=-1)
        _append(answers, chosen.tolist(), rules)
        if all(map(_finished, answers, rules)):
            return [*map(_generated, answers, rules)]
        logits = decoder.step(chosen)


class _Decoder:
    """One batch under generation: the mask so far and the key-value cache."""

    def __init__(self, model: Maira2Model, attention_mask: Tensor) -> None:
        self._model = model
        self._mask = attention_mask
        self._cache = DynamicCache(config=model.config.text)

    def prefill(self, embeddings: Tensor) -> Tensor:
        """Read the prompts; returns the next logits (prompts, vocabulary)."""
        return self._run(embeddings, positions(self._mask))

    def step(self, tokens: Tensor) -> Tensor:
        """Read one token a prompt, (prompts,) int64; returns the next logits."""
        embed = self._model.language_model.get_input_embeddings()
        self._mask = torch.cat([self._mask, torch.ones_like(tokens)[:, None]], dim=1)
        return self._run(embed(tokens[:, None]), positions(self._mask)[:, -1:])

    def _run(self, embeddings: Tensor, position_ids: Tensor) -> Tensor:
        output = self._model.language_model(
            inputs_embeds=embeddings,
            attention_mask=self._mask,
            position_ids=position_ids,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: Tensor = output.logits[:, -1]
        return logits


def _append(
    answers: Sequence[list[int]], chosen: Sequence[int], rules: Sequence[StopRule]
) -> None:
    """Add each prompt's new token unless that prompt has finished."""
    for answer, token, rule in zip(answers, chosen, rules, strict=True):
        if not _finished(answer, rule):
            answer.append(token)


def _finished(answer: Sequence[int], rule: StopRule) -> bool:
    ended = bool(answer) and answer[-1] == rule.end_id
    return ended or len(answer) >= rule.max_new_tokens


def _generated(answer: Sequence[int], rule: StopRule) -> Generated:
    if answer and answer[-1] == rule.end_id:
        return Generated(ids=tuple(answer[:-1]), cut_off=False)
    return Generated(ids=tuple(answer), cut_off=True)
