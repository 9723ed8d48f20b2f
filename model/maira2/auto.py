"""MAIRA-2 for the library's auto classes, and for servers built on them.

`register()` is called by whoever wants that; importing this registers nothing. The
official folder then loads by `AutoModelForImageTextToText` and `AutoProcessor`: by
the classes here, never by the Python files of a folder. Our own engine does not need
any of it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self, cast

import numpy as np
from PIL import Image
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoProcessor,
    AutoTokenizer,
    BatchFeature,
    BitImageProcessorPil,
    PreTrainedTokenizerFast,
    ProcessorMixin,
)
from transformers.conversion_mapping import (
    WeightRenaming,
    register_checkpoint_conversion_mapping,
)
from transformers.image_utils import make_flat_list_of_images
from transformers.processing_utils import MultiModalData

from model.maira2.configuration import MODEL_TYPE, Maira2Config, read_config, read_json
from model.maira2.modeling import Maira2ForConditionalGeneration, Maira2Model
from model.maira2.names import renamed_prefixes
from model.maira2.processing import (
    PREPROCESSOR_FILE,
    Preprocessing,
    crop_square,
    luma,
    read_processor,
    stretch,
    to_pixel_values,
)
from model.maira2.prompts import BEGIN, END, IMAGE
from model.maira2.tokenization import TOKENIZER_FILE

CHAT_TEMPLATE_FILE = "chat_template.json"
UNKNOWN = "<unk>"


class Maira2ImageProcessor(BitImageProcessorPil):  # type: ignore[misc]  # untyped base
    """Pictures to pixel values by `model.maira2.processing`, quirks included.

    The library's part alone would leave out the grey stretch of each picture.
    """

    def preprocess(
        self,
        images: object,
        *_: object,
        return_tensors: str | None = None,
        **__: object,
    ) -> BatchFeature:
        """Return `pixel_values` (images, 3, side, side), float32, in their order."""
        wanted = self._preprocessing()
        flat = cast("list[object]", make_flat_list_of_images(images))
        crops = [crop_square(stretch(luma(_picture(one))), wanted) for one in flat]
        values = {"pixel_values": to_pixel_values(crops, wanted)}
        return BatchFeature(values, tensor_type=return_tensors)

    def _preprocessing(self) -> Preprocessing:
        return Preprocessing(
            side=int(self.crop_size["height"]),
            rescale_factor=float(self.rescale_factor),
            mean=float(self.image_mean[0]),
            std=float(self.image_std[0]),
        )


class Maira2Processor(ProcessorMixin):  # type: ignore[misc]  # untyped base
    """Texts and pictures to the model's inputs, for `generate` and for servers.

    Every `<image>` of a text is widened to the tokens of one picture. Batches are
    padded on the left, as generation needs it.
    """

    def __init__(
        self,
        image_processor: Maira2ImageProcessor,
        tokenizer: PreTrainedTokenizerFast,
        *,
        patch_size: int,
        chat_template: str | None = None,
        image_token: str = IMAGE,
        **_: object,
    ) -> None:
        self.patch_size = patch_size
        self.image_token = image_token
        self.image_token_id = tokenizer.convert_tokens_to_ids(image_token)
        super().__init__(image_processor, tokenizer, chat_template=chat_template)

    @classmethod
    def from_pretrained(
        cls, pretrained_model_name_or_path: str | Path, **_: object
    ) -> Self:
        """Read a snapshot folder on this machine. Raises `CheckpointError`."""
        folder = Path(pretrained_model_name_or_path)
        config = read_config(folder)
        read_processor(folder, config)
        settings = read_json(folder / PREPROCESSOR_FILE)
        return cls(
            Maira2ImageProcessor(**{key: settings[key] for key in _IMAGE_KEYS}),
            read_fast_tokenizer(folder),
            patch_size=config.patch_size,
            chat_template=_chat_template(folder),
        )

    @property
    def tokens_of_an_image(self) -> int:
        """Count the tokens of one picture: its patches, without CLS."""
        side = int(self.image_processor.crop_size["height"])
        return (side // self.patch_size) ** 2

    def replace_image_token(self, *_: object, **__: object) -> str:
        """Return what stands in a text in place of one `<image>`."""
        return self.image_token * self.tokens_of_an_image

    def _get_num_multimodal_tokens(
        self, image_sizes: Sequence[Sequence[int]] | None = None, **_: object
    ) -> MultiModalData:
        """Count tokens for pictures of these (rows, columns): all have the same."""
        if image_sizes is None:
            return MultiModalData()
        return MultiModalData(
            num_image_tokens=[self.tokens_of_an_image for _ in image_sizes],
            num_image_patches=[1 for _ in image_sizes],
        )


_IMAGE_KEYS = (
    "crop_size",
    "do_center_crop",
    "do_convert_rgb",
    "do_normalize",
    "do_rescale",
    "do_resize",
    "image_mean",
    "image_std",
    "resample",
    "rescale_factor",
    "size",
)


def register() -> None:
    """Make MAIRA-2 known to the library's auto classes; again is harmless."""
    AutoConfig.register(MODEL_TYPE, Maira2Config, exist_ok=True)
    AutoModel.register(Maira2Config, Maira2Model, exist_ok=True)
    for kind in (AutoModelForImageTextToText, AutoModelForCausalLM):
        kind.register(Maira2Config, Maira2ForConditionalGeneration, exist_ok=True)
    AutoProcessor.register(Maira2Config, Maira2Processor, exist_ok=True)
    AutoTokenizer.register(
        Maira2Config, tokenizer_class=PreTrainedTokenizerFast, exist_ok=True
    )
    register_checkpoint_conversion_mapping(
        MODEL_TYPE,
        [
            WeightRenaming(rf"^{theirs.replace('.', chr(92) + '.')}", ours)
            for theirs, ours in renamed_prefixes()
        ],
        overwrite=True,
    )


def read_fast_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """Read `tokenizer.json` as the library's class.

    By the file alone: the library's way by `tokenizer_config.json` would build a
    Llama tokenizer anew, and may ask on stdin whether to run the folder's code.
    """
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / TOKENIZER_FILE),
        bos_token=BEGIN,
        eos_token=END,
        unk_token=UNKNOWN,
        pad_token=UNKNOWN,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def _chat_template(folder: Path) -> str | None:
    """Read the template of a conversation; None where the folder has none."""
    path = folder / CHAT_TEMPLATE_FILE
    if not path.is_file():
        return None
    return cast("str | None", read_json(path).get("chat_template"))


def _picture(image: object) -> Image.Image:
    """Take a Pillow picture, or an array (rows, columns[, channels]) of uint8."""
    if isinstance(image, Image.Image):
        return image
    return Image.fromarray(np.asarray(image))
