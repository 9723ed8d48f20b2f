"""What the work for a batch took, and the part of it that prompts share."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from model.maira2.decoding import token_embeddings
from model.maira2.modeling import Maira2ForConditionalGeneration
from model.maira2.preparing import PreparedImage
from model.report import Phase

IMAGES, PREFIX, PREFILL, DECODE = "images", "prefix", "prefill", "decode"
"""Phases: image tokens encoded, tokens taken from memory, tokens read, tokens made."""


class Work:
    """Seconds and tokens of the phases of one batch.

    CUDA works behind the program's back: a phase ends when it has finished.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure one stretch of a phase."""
        started = time.perf_counter()
        yield
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        spent = time.perf_counter() - started
        self._seconds[name] = self._seconds.get(name, 0.0) + spent

    def phases(self, tokens: Mapping[str, int], *, first: bool) -> tuple[Phase, ...]:
        """Build a row's phases; the seconds of a batch are the first row's."""
        return tuple(
            Phase(
                name=name,
                tokens=count,
                seconds=self._seconds.get(name, 0.0) if first else 0.0,
            )
            for name, count in tokens.items()
        )


class ImageFeatures:
    """The projected features of images, each encoded once and alone.

    Alone, so that they do not depend on what an image is shown with.
    """

    def __init__(self, model: Maira2ForConditionalGeneration) -> None:
        self._model = model
        self._known: dict[str, Tensor] = {}
        self.tokens = 0

    def get(self, image: PreparedImage) -> Tensor:
        """Return (patches, text width)."""
        if image.digest not in self._known:
            self._known[image.digest] = self._encode(image)
            self.tokens += len(self._known[image.digest])
        return self._known[image.digest]

    def _encode(self, image: PreparedImage) -> Tensor:
        weight = token_embeddings(self._model).weight
        pixels = torch.from_numpy(image.pixels).to(weight.device, weight.dtype)
        return self._model.image_features(pixels.expand(1, 3, *pixels.shape))[0]
