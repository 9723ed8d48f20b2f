"""Questions to prompts; an image that several questions show is prepared once.

One channel is kept: the three are equal, so the model's three are repeated from it
where it is encoded. (Summing the kernel of the patch projection over its channels
instead would add in another order and change the last bits.)
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from model.maira2.prefix import PromptTokens
from model.maira2.processing import (
    PixelValues,
    Processor,
    crop_square,
    stretch,
    to_pixel_values,
)
from model.maira2.prompts import prompt_images, prompt_text
from model.report import GreyImage, Question


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PreparedImage:
    """An image as the model sees it: (side, side) float32, and its SHA-256."""

    pixels: PixelValues
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Prompt:
    """One prompt: `text` before widening, its tokens, its images in prompt order."""

    text: str
    tokens: PromptTokens
    images: tuple[PreparedImage, ...]


class Preparation:
    """Prepares the questions of one call."""

    def __init__(self, processor: Processor) -> None:
        self._processor = processor
        self._images: dict[int, tuple[GreyImage, PreparedImage]] = {}

    def prompt(self, question: Question) -> Prompt:
        """Write and tokenise the prompt of a question, and prepare its images."""
        processor, text = self._processor, prompt_text(question)
        names = prompt_images(question)
        images = tuple(self._image(getattr(question.inputs, name)) for name in names)
        patches = processor.image_tokens
        ids = processor.tokenizer.encode(text, image_tokens=patches)
        places = np.flatnonzero(ids == processor.tokenizer.image_id)
        tokens = PromptTokens(
            ids=ids,
            image_starts=tuple(int(place) for place in places[::patches]),
            image_digests=tuple(image.digest for image in images),
            image_tokens=patches,
        )
        return Prompt(text=text, tokens=tokens, images=images)

    def _image(self, image: GreyImage) -> PreparedImage:
        """Prepare an image, known by its identity; the array is held meanwhile."""
        if id(image) not in self._images:
            self._images[id(image)] = (image, self._prepare(image))
        return self._images[id(image)][1]

    def _prepare(self, image: GreyImage) -> PreparedImage:
        settings = self._processor.preprocessing
        crop = crop_square(stretch(image), settings)
        pixels = to_pixel_values([crop], settings)[0, 0]
        digest = hashlib.sha256(pixels.tobytes()).hexdigest()
        return PreparedImage(pixels=pixels, digest=digest)
