"""Images and prompts to the model's inputs, as the official processor makes them.

Quirks included: min-max over the whole picture with truncation, and a centre crop
that loses the margins of the longer side. Since the three channels are always
equal, one is resized (the bytes are the same) and then repeated.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from model.errors import CheckpointError
from model.grounding import BOX_TAGS, COORDINATE_BINS, PHRASE_TAGS
from model.maira2.configuration import Maira2Config, read_json
from model.maira2.prompts import IMAGE, prompt_images, prompt_text
from model.maira2.tokenization import (
    PromptTokenizer,
    TokenIds,
    check_tokenizer,
    read_tokenizer,
)
from model.report import GreyImage, NormalizedBox, Question

PREPROCESSOR_FILE = "preprocessor_config.json"
PROCESSOR_FILE = "processor_config.json"

PixelValues = npt.NDArray[np.float32]

_PREPROCESSOR_CONSTANTS: Mapping[str, object] = {
    "do_center_crop": True,
    "do_convert_rgb": True,
    "do_normalize": True,
    "do_rescale": True,
    "do_resize": True,
    "resample": int(Image.Resampling.BICUBIC),
}
_PROCESSOR_CONSTANTS: Mapping[str, object] = {
    "image_token": IMAGE,
    "phrase_start_token": PHRASE_TAGS[0],
    "phrase_end_token": PHRASE_TAGS[1],
    "box_start_token": BOX_TAGS[0],
    "box_end_token": BOX_TAGS[1],
    "num_box_coord_bins": COORDINATE_BINS,
    "num_additional_image_tokens": 1,
    "vision_feature_select_strategy": "default",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preprocessing:
    """`preprocessor_config.json`: the crop's side in pixels and the grey scale."""

    side: int
    rescale_factor: float
    mean: float
    std: float


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelInput:
    """One prompt, ready for the model.

    `text` is the prompt before widening; `input_ids` : (length,) int64;
    `pixel_values` : (images, 3, side, side) float32, in prompt order.
    """

    text: str
    input_ids: TokenIds
    pixel_values: PixelValues


@dataclass(frozen=True, slots=True, kw_only=True)
class Processor:
    """Turns questions into model inputs."""

    tokenizer: PromptTokenizer
    preprocessing: Preprocessing
    image_tokens: int

    def encode(self, question: Question) -> ModelInput:
        """Write and tokenise the prompt, and prepare its images.

        Faithful: tags in a free text become control tokens, a constant image
        becomes zeros. `model.engines` keeps both away.
        """
        return self.encode_text(question, prompt_text(question))

    def encode_text(self, question: Question, text: str) -> ModelInput:
        """Tokenise a prompt written from the question, and prepare its images."""
        images = [getattr(question.inputs, name) for name in prompt_images(question)]
        crops = [crop_square(stretch(image), self.preprocessing) for image in images]
        return ModelInput(
            text=text,
            input_ids=self.tokenizer.encode(text, image_tokens=self.image_tokens),
            pixel_values=to_pixel_values(crops, self.preprocessing),
        )


def read_processor(folder: Path, config: Maira2Config) -> Processor:
    """Read a snapshot's tokenizer and image settings.

    Raises `CheckpointError` that names the file and the value which is missing,
    is not what this implementation does, or does not fit `config`.
    """
    tokenizer = read_tokenizer(folder)
    check_tokenizer(tokenizer, config)
    return Processor(
        tokenizer=tokenizer,
        preprocessing=read_image_settings(folder, config),
        image_tokens=config.patches,
    )


def read_image_settings(folder: Path, config: Maira2Config) -> Preprocessing:
    """Read both processor files. Raises `CheckpointError` as `read_processor`."""
    preprocessing = read_preprocessing(folder)
    if preprocessing.side != config.image_size:
        raise CheckpointError(
            f"{PREPROCESSOR_FILE}: crop_size is {preprocessing.side}, config.json's "
            f"vision_config.image_size is {config.image_size}"
        )
    _check_processor(read_json(folder / PROCESSOR_FILE), config)
    return preprocessing


def read_preprocessing(folder: Path) -> Preprocessing:
    """Read `preprocessor_config.json`. Raises `CheckpointError`."""
    values = read_json(folder / PREPROCESSOR_FILE)
    _check_constants(PREPROCESSOR_FILE, values, _PREPROCESSOR_CONSTANTS)
    side = _side(values)
    return Preprocessing(
        side=side,
        rescale_factor=_number(values, "rescale_factor"),
        mean=_channel(values, "image_mean"),
        std=_channel(values, "image_std"),
    )


def luma(image: Image.Image) -> GreyImage:
    """Convert a picture to 8-bit grey as Pillow does.

    16-bit pictures are clipped at 255, not scaled: upstream's behaviour.
    """
    return np.asarray(image.convert("L"))


def stretch(image: GreyImage) -> GreyImage:
    """Stretch the grey levels to 0..255, truncated; a constant image becomes zeros.

    image : (rows, columns) uint8. Returns the same shape.
    """
    shifted: GreyImage = image - image.min()
    highest = shifted.max()
    if highest == 0:
        return shifted
    stretched: GreyImage = (shifted / highest * 255).astype(np.uint8)
    return stretched


def crop_square(image: GreyImage, preprocessing: Preprocessing) -> GreyImage:
    """Resize the shorter side to the crop's side and cut out the middle.

    image : (rows, columns) uint8. Returns (side, side) uint8.
    """
    side = preprocessing.side
    rows, columns = image.shape
    shorter = min(rows, columns)
    height, width = int(side * rows / shorter), int(side * columns / shorter)
    picture = Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC)
    top, left = (height - side) // 2, (width - side) // 2
    return np.asarray(picture)[top : top + side, left : left + side]


def to_pixel_values(
    crops: list[GreyImage], preprocessing: Preprocessing
) -> PixelValues:
    """Scale, normalise and repeat crops: (images, 3, side, side) float32.

    The product is rounded to float32 before the mean is subtracted, as upstream.
    """
    scaled = np.stack(crops).astype(np.float64) * preprocessing.rescale_factor
    grey = scaled.astype(np.float32) - np.float32(preprocessing.mean)
    grey = grey / np.float32(preprocessing.std)
    return np.ascontiguousarray(np.repeat(grey[:, np.newaxis], 3, axis=1))


def adjust_box_for_original_image_size(
    box: NormalizedBox, width: int, height: int
) -> NormalizedBox:
    """Map a box from the crop to the whole image as upstream does, truncating.

    width, height : the frontal image in pixels. Returns shares of the whole image,
    each moved up to one pixel to the left or top. For parity alone; the product
    maps boxes in `dicom_io.coordinates`.
    """
    shorter = min(width, height)
    left, top = (width - shorter) // 2, (height - shorter) // 2
    return NormalizedBox(
        x_min=int(box.x_min * shorter + left) / width,
        y_min=int(box.y_min * shorter + top) / height,
        x_max=int(box.x_max * shorter + left) / width,
        y_max=int(box.y_max * shorter + top) / height,
    )


def _check_processor(values: Mapping[str, object], config: Maira2Config) -> None:
    _check_constants(PROCESSOR_FILE, values, _PROCESSOR_CONSTANTS)
    _check_constants(PROCESSOR_FILE, values, {"patch_size": config.patch_size})


def _check_constants(
    file: str, values: Mapping[str, object], wanted: Mapping[str, object]
) -> None:
    """Refuse a value that would ask for something else than what is done here."""
    for key, value in wanted.items():
        if values.get(key) != value:
            raise CheckpointError(
                f"{file}: {key} is {values.get(key)!r}, expected {value!r}"
            )


def _side(values: Mapping[str, object]) -> int:
    """Read the side of the square crop, to which the shorter side is resized."""
    size, crop = values.get("size"), values.get("crop_size")
    side = size.get("shortest_edge") if isinstance(size, dict) else None
    if not isinstance(side, int) or crop != {"height": side, "width": side}:
        raise CheckpointError(
            f"{PREPROCESSOR_FILE}: size {size!r} and crop_size {crop!r} are not one "
            "square"
        )
    return side


def _channel(values: Mapping[str, object], key: str) -> float:
    """Read a value given for each of three channels, which must be equal."""
    channels = values.get(key)
    if isinstance(channels, list) and len(channels) == 3:
        first = channels[0]
        if isinstance(first, float) and channels == [first] * 3:
            return first
    raise CheckpointError(
        f"{PREPROCESSOR_FILE}: {key} is {channels!r}, expected three equal numbers"
    )


def _number(values: Mapping[str, object], key: str) -> float:
    value = values.get(key)
    if not isinstance(value, float):
        raise CheckpointError(f"{PREPROCESSOR_FILE}: {key} is {value!r}, not a number")
    return value
