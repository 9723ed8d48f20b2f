"""One batch of prompts under generation: the language model, called step by step.

The only place where answers call the language model. Written out, so that no
`generation_config.json` can add sampling or a length. Rows end at one column, so
shorter prompts are padded on the left; only logits that are looked at are computed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch._dynamo import config as dynamo_config
from transformers import Cache, StaticCache

from model.maira2.memory import KeyValues, ReservedCache
from model.maira2.modeling import Maira2ForConditionalGeneration

STEP_TOKENS = 8
"""Most tokens that a compiled step reads for one row beside the first."""
_COLUMNS = 1024
"""Compiled memory comes in multiples of this, so that few shapes are compiled."""
_HELD_SHAPES = 3
"""How many shapes keep their memory: a graph is bound to its addresses."""
_COMPILED_SHAPES = 64
"""How many shapes may be compiled: rows (powers of two), columns, tokens a step."""


class Decoder(Protocol):
    """Reads tokens behind the prompts and says what follows."""

    def step(self, tokens: Sequence[Sequence[int]]) -> list[list[int]]:
        """Read tokens, equally many a row; returns the most probable after each."""
        ...

    def forget(self, count: int) -> None:
        """Take back the last tokens that were read."""
        ...


class GrowingDecoder:
    """The decoder whose work grows with what was read: nothing is computed in vain.

    lengths : tokens of each prompt; room : tokens that may be read after them.
    """

    def __init__(
        self, model: Maira2ForConditionalGeneration, lengths: Sequence[int], room: int
    ) -> None:
        self._model = model
        self._embed = token_embeddings(model)
        self._like: Tensor = self._embed.weight
        self.length = max(lengths)
        self.pads = [self.length - length for length in lengths]
        self.cache = ReservedCache(
            model.config.text, len(lengths), self.length + room, self._like
        )
        self._pads = torch.tensor(self.pads, device=self._like.device)[:, None]

    def restore(self, row: int, memory: KeyValues, tokens: int, *, read: int) -> None:
        """Take over the first tokens of a row's prompt.

        read : columns of all rows that `prefill` will read.
        """
        self.cache.use(self.length - read)
        self.cache.write(row, self.pads[row], memory, tokens)

    def prefill(self, embeddings: Tensor) -> list[int]:
        """Read the last columns of the prompts: (rows, columns, text width).

        Returns the first token of each answer.
        """
        self.cache.use(self.length - embeddings.shape[1])
        chosen = self._run(embeddings, keep=1)[:, -1]
        return [int(token) for token in chosen.tolist()]

    def step(self, tokens: Sequence[Sequence[int]]) -> list[list[int]]:
        """Read tokens, equally many a row; returns the most probable after each."""
        ids = torch.tensor(tokens, device=self._like.device)
        chosen: list[list[int]] = self._run(self._embed(ids), keep=0).tolist()
        return chosen

    def forget(self, count: int) -> None:
        """Take back the last tokens that were read."""
        self.cache.use(self.used - count)

    @property
    def used(self) -> int:
        """Count the columns that were read."""
        return int(self.cache.get_seq_length())

    def _run(self, embeddings: Tensor, *, keep: int) -> Tensor:
        """Read embeddings; returns the most probable ids after the last `keep`."""
        start, end = self.used, self.used + embeddings.shape[1]
        columns = torch.arange(end, device=embeddings.device)[None]
        output = self._model(
            inputs_embeds=embeddings,
            attention_mask=(columns >= self._pads).long() if any(self.pads) else None,
            position_ids=(columns[:, start:] - self._pads).clamp(min=0),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=keep,
        )
        chosen: Tensor = output.logits.argmax(dim=-1)
        return chosen


NextTokens = Callable[[Tensor, Tensor, Tensor, Cache], Tensor]


class CompiledSteps:
    """Steps of fixed shapes, compiled once a shape; on CUDA replayed as graphs.

    At one row the launches of an eager step cost several times the reading of the
    weights (facts: gpt-fast, 25 against 105 tokens a second on one A100).
    """

    def __init__(
        self, model: Maira2ForConditionalGeneration, backend: str = "inductor"
    ) -> None:
        def next_tokens(
            tokens: Tensor, mask: Tensor, position_ids: Tensor, cache: Cache
        ) -> Tensor:
            output = model(
                input_ids=tokens,
                attention_mask=mask,
                position_ids=position_ids,
                past_key_values=cache,
                use_cache=True,
            )
            chosen: Tensor = output.logits.argmax(dim=-1)
            return chosen

        dynamo_config.recompile_limit = _COMPILED_SHAPES
        mode = "reduce-overhead" if backend == "inductor" else None
        self.run: NextTokens = torch.compile(
            next_tokens, backend=backend, fullgraph=True, dynamic=False, mode=mode
        )
        self._config = model.config.text
        self._held: dict[tuple[int, int], StaticCache] = {}

    def memory(self, rows: int, columns: int) -> StaticCache:
        """Reserve memory, or take that which was used for the same shape before."""
        shape = (_power_of_two(rows), -(-columns // _COLUMNS) * _COLUMNS)
        cache = self._held.pop(shape, None)
        if cache is None:
            while len(self._held) >= _HELD_SHAPES:
                del self._held[next(iter(self._held))]
            cache = StaticCache(config=self._config, max_cache_len=shape[1])
        self._held[shape] = cache
        return cache

    def release(self) -> None:
        """Give all memory back."""
        self._held.clear()


class FixedDecoder:
    """The decoder of fixed shapes, continuing what a growing one has prefilled.

    Rows are filled up to a power of two, columns to a multiple of 1024, so that a
    compiled step serves many prompts; what is filled up is masked.
    """

    def __init__(
        self, steps: CompiledSteps, prefilled: GrowingDecoder, room: int
    ) -> None:
        self._steps = steps
        self._used = prefilled.used
        rows = len(prefilled.pads)
        most = self._used + room + STEP_TOKENS + 1
        self._cache = steps.memory(rows, most)
        first = prefilled.cache.layers[0].keys
        self._fill(prefilled.cache, _power_of_two(rows))
        self._dtype, device = first.dtype, first.device
        self._columns = torch.arange(self._cache.get_max_length(), device=device)
        pads = [*prefilled.pads, *[0] * (_power_of_two(rows) - rows)]
        self._pads = torch.tensor(pads, device=device)[:, None]

    def step(self, tokens: Sequence[Sequence[int]]) -> list[list[int]]:
        """Read tokens, equally many a row; returns the most probable after each.

        One token a row, or up to `STEP_TOKENS` more: these are filled up to that
        number, so that there are two shapes.
        """
        asked = len(tokens[0])
        width = 1 if asked == 1 else STEP_TOKENS + 1
        ids = [[*row, *[0] * (width - asked)] for row in tokens]
        ids.extend([[0] * width] * (len(self._pads) - len(ids)))
        chosen = self._run(torch.tensor(ids, device=self._pads.device))
        self._used += width
        self.forget(width - asked)
        return [row[:asked] for row in chosen.tolist()][: len(tokens)]

    def forget(self, count: int) -> None:
        """Take back the last tokens: their columns are written over."""
        if count:
            self._used -= count
            for layer in self._cache.layers:
                layer.cumulative_length.sub_(count)

    def _run(self, ids: Tensor) -> Tensor:
        width = ids.shape[1]
        places = self._columns[self._used : self._used + width]
        seen = (self._columns >= self._pads)[:, None, None]
        seen = seen & (self._columns <= places[:, None])
        lowest = torch.finfo(self._dtype).min
        mask = torch.zeros(seen.shape, dtype=self._dtype, device=ids.device)
        mask = mask.masked_fill(~seen, lowest)
        return self._steps.run(ids, mask, places - self._pads, self._cache)

    def _fill(self, source: ReservedCache, rows: int) -> None:
        """Copy the prefilled columns and clear those behind them.

        These are masked, but a mask does not stop a NaN which other prompts left.
        """
        for layer, read in zip(self._cache.layers, source.layers, strict=True):
            if not layer.is_initialized:
                shape = (rows, *read.keys.shape[1:])
                layer.lazy_initialization(
                    read.keys.new_zeros(shape), read.values.new_zeros(shape)
                )
            used = read.keys.shape[-2]
            layer.keys[: len(read.keys), :, :used] = read.keys
            layer.values[: len(read.values), :, :used] = read.values
            layer.keys[:, :, used:].zero_()
            layer.values[:, :, used:].zero_()
            layer.cumulative_length.fill_(used)


def token_embeddings(model: Maira2ForConditionalGeneration) -> nn.Embedding:
    """Return the table of token embeddings; its weight tells device and dtype."""
    return cast("nn.Embedding", model.get_input_embeddings())


def _power_of_two(count: int) -> int:
    return 1 << (count - 1).bit_length()
