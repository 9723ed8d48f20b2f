"""Weights of eight bits for the language model, by torchao, where a site asks for it.

Half the bytes of bfloat16, so up to twice the speed where reading them is what takes
the time; not lossless. The tower and the projector keep their format.
"""

from collections.abc import Iterable
from typing import Protocol

from torch import nn

from model.errors import EngineUnavailable

INT8 = "int8 (torchao)"
"""How a report's provenance names these weights."""


class Quantize(Protocol):
    """The signature of torchao's `quantize_` as it is used here."""

    def __call__(self, model: nn.Module, config: object) -> None:
        """Replace the linear layers' weights."""


def quantise_int8(parts: Iterable[nn.Module]) -> None:
    """Store the weights of all linear layers as int8, one scale an output channel.

    Raises `EngineUnavailable` where torchao is not installed.
    """
    try:
        from torchao.quantization import (  # noqa: PLC0415 - an optional extra
            Int8WeightOnlyConfig,
            quantize_,
        )
    except ImportError as error:
        raise EngineUnavailable(
            "weights int8 need torchao: install maira-gateway[quantised]"
        ) from error
    quantize: Quantize = quantize_
    for part in parts:
        quantize(part, Int8WeightOnlyConfig())
