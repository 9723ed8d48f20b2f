"""Keys and values of the language model's attention, in memory reserved once.

The library's own growing cache copies everything for each new token; here a token is
written behind the others, and taking tokens back costs nothing.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Cache, LlamaConfig
from transformers.cache_utils import DynamicLayer


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class KeyValues:
    """Keys and values of some tokens of one prompt.

    One pair a layer, each (key-value heads, tokens, head width).
    """

    layers: tuple[tuple[Tensor, Tensor], ...]

    @property
    def nbytes(self) -> int:
        """Count the bytes of the tensors."""
        return sum(keys.nbytes + values.nbytes for keys, values in self.layers)


class ReservedLayer(DynamicLayer):  # type: ignore[misc]  # the library has no types
    """One layer's keys and values: the used part of a larger piece of memory.

    shape : (rows, key-value heads, most tokens, head width).
    """

    def __init__(self, shape: tuple[int, int, int, int], like: Tensor) -> None:
        super().__init__()
        self._all_keys = like.new_zeros(shape)
        self._all_values = like.new_zeros(shape)
        self.dtype, self.device = like.dtype, like.device
        self.is_initialized = True
        self.use(0)

    def use(self, tokens: int) -> None:
        """Say how many columns are in use."""
        self.keys = self._all_keys[:, :, :tokens]
        self.values = self._all_values[:, :, :tokens]

    def update(
        self, key_states: Tensor, value_states: Tensor, *_: object, **__: object
    ) -> tuple[Tensor, Tensor]:
        """Write new columns behind the used ones; returns all that are used."""
        start = self.get_seq_length()
        end = start + key_states.shape[-2]
        self._all_keys[:, :, start:end] = key_states
        self._all_values[:, :, start:end] = value_states
        self.use(end)
        return self.keys, self.values


class ReservedCache(Cache):  # type: ignore[misc]  # the library has no types
    """All layers' memory for some rows of at most `most_tokens` columns.

    like : a tensor of the dtype and on the device of the memory.
    """

    def __init__(
        self, config: LlamaConfig, rows: int, most_tokens: int, like: Tensor
    ) -> None:
        heads, width = config.num_key_value_heads, config.head_dim
        shape = (rows, heads, most_tokens, width)
        count = config.num_hidden_layers
        super().__init__(layers=[ReservedLayer(shape, like) for _ in range(count)])

    def use(self, tokens: int) -> None:
        """Say how many columns are in use, in every layer."""
        for layer in self.layers:
            layer.use(tokens)

    def write(self, row: int, column: int, source: KeyValues, tokens: int) -> None:
        """Copy the first tokens of a prompt to a row, from a column on."""
        end = column + tokens
        for layer, (keys, values) in zip(self.layers, source.layers, strict=True):
            layer.keys[row, :, column:end] = keys[:, :tokens]
            layer.values[row, :, column:end] = values[:, :tokens]

    def read(self, row: int, column: int) -> KeyValues:
        """Copy a row's used columns from one on; later changes do not reach it."""
        return KeyValues(
            layers=tuple(
                (
                    layer.keys[row, :, column:].clone(),
                    layer.values[row, :, column:].clone(),
                )
                for layer in self.layers
            )
        )


def token_bytes(config: LlamaConfig, dtype: torch.dtype) -> int:
    """Count the bytes of one token's keys and values over all layers."""
    heads, width = config.num_key_value_heads, config.head_dim
    return int(2 * config.num_hidden_layers * heads * width * dtype.itemsize)
