from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from model.errors import CheckpointError
from model.maira2.configuration import parse_config, read_config
from model.maira2.processing import (
    Preprocessing,
    adjust_box_for_original_image_size,
    crop_square,
    luma,
    read_processor,
    stretch,
    to_pixel_values,
)
from model.report import GreyImage, NormalizedBox, Question, ReportInputs, Task
from tests.data.tiny_maira2 import (
    IMAGE_TOKENS,
    SIDE,
    edited,
    tiny_documents,
    with_key,
    write_tiny,
)

SETTINGS = Preprocessing(side=SIDE, rescale_factor=1 / 255, mean=0.5307, std=0.2583)


def noise(rows: int, columns: int, seed: int = 1) -> GreyImage:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, columns), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny(tmp_path_factory.mktemp("snapshot"))


def test_colours_become_grey_by_fixed_weights() -> None:
    # 10, 200, 30 by 19595, 38470, 7471 of 65536, rounded: 123.8 gives 124
    picture = Image.new("RGB", (1, 1), (10, 200, 30))
    assert luma(picture).tolist() == [[124]]


def test_sixteen_bit_pictures_are_clipped_not_scaled() -> None:
    picture = Image.fromarray(np.array([[7, 255, 256, 4095]], dtype=np.uint16))
    assert luma(picture).tolist() == [[7, 255, 255, 255]]


def test_grey_levels_are_stretched_and_truncated() -> None:
    # thirds of 255 are 85 and 170; a thirty-first is 8.2, truncated to 8
    assert stretch(np.array([[100, 101, 102, 103]], dtype=np.uint8)).tolist() == [
        [0, 85, 170, 255]
    ]
    assert stretch(np.array([[100, 101, 131]], dtype=np.uint8)).tolist() == [
        [0, 8, 255]
    ]


def test_a_constant_image_becomes_zeros() -> None:
    assert not stretch(np.full((2, 3), 9, dtype=np.uint8)).any()


@given(st.integers(SIDE - 20, 90), st.integers(SIDE - 20, 90), st.integers(0, 9))
def test_one_channel_gives_the_bytes_of_three(
    rows: int, columns: int, seed: int
) -> None:
    image = noise(rows, columns, seed)
    shorter = min(rows, columns)
    size = (int(SIDE * columns / shorter), int(SIDE * rows / shorter))
    colour = Image.fromarray(np.repeat(image[..., np.newaxis], 3, axis=2))
    resized = np.asarray(colour.resize(size, Image.Resampling.BICUBIC))
    top, left = (size[1] - SIDE) // 2, (size[0] - SIDE) // 2
    wanted = resized[top : top + SIDE, left : left + SIDE]
    crop = crop_square(image, SETTINGS)
    assert all(np.array_equal(wanted[..., channel], crop) for channel in range(3))


def test_the_crop_keeps_the_middle_of_the_long_side() -> None:
    image = np.zeros((SIDE, SIDE + 11), dtype=np.uint8)
    image[:, 5] = 255
    # 11 columns are lost, 11 // 2 = 5 of them on the left
    assert crop_square(image, SETTINGS)[:, 0].tolist() == [255] * SIDE


def test_pixel_values_are_three_equal_normalised_channels() -> None:
    crop = np.full((SIDE, SIDE), 255, dtype=np.uint8)
    pixels = to_pixel_values([crop, crop // 255], SETTINGS)
    assert pixels.shape == (2, 3, SIDE, SIDE)
    assert pixels.dtype == np.float32
    # White is 1 and the darkest grey 1/255; less the mean, over the deviation.
    assert pixels[0].ravel() == pytest.approx(1.8168796, abs=1e-6)
    assert pixels[1].ravel() == pytest.approx(-2.0394056, abs=1e-6)


def test_each_image_takes_one_token_a_patch(folder: Path) -> None:
    processor = read_processor(folder, read_config(folder))
    inputs = ReportInputs(
        current_frontal=noise(50, 60), current_lateral=noise(70, 44, 2)
    )
    prompt = processor.encode(Question(inputs=inputs, task=Task.FINDINGS))
    slots = prompt.input_ids == processor.tokenizer.image_id
    assert int(slots.sum()) == 2 * IMAGE_TOKENS
    assert prompt.input_ids[0] == processor.tokenizer.begin_id
    assert prompt.pixel_values.shape == (2, 3, SIDE, SIDE)


def test_the_end_token_is_left_out_of_a_decoded_answer_and_tags_stay(
    folder: Path,
) -> None:
    tokenizer = read_processor(folder, read_config(folder)).tokenizer
    ids = [*tokenizer.encode_answer("<obj>a b<box><x1>"), tokenizer.end_id]
    assert tokenizer.decode(ids) == "<obj>a b<box><x1>"
    assert tokenizer.decode(ids, keep_special=True).endswith("</s>")


@pytest.mark.parametrize(
    ("file", "key", "value"),
    [
        ("preprocessor_config.json", "resample", 2),
        ("preprocessor_config.json", "do_center_crop", False),
        ("preprocessor_config.json", "image_mean", [0.5, 0.6, 0.5]),
        ("preprocessor_config.json", "rescale_factor", None),
        ("preprocessor_config.json", "crop_size", {"height": 1, "width": 2}),
        ("processor_config.json", "patch_size", 16),
        ("processor_config.json", "num_box_coord_bins", 50),
        ("tokenizer.json", "model", None),
        ("tokenizer.json", "added_tokens", []),
    ],
)
def test_another_setting_is_refused_by_its_file(
    tmp_path: Path, file: str, key: str, value: object
) -> None:
    folder = write_tiny(tmp_path)
    with edited(folder / file) as document:
        document[key] = value
    with pytest.raises(CheckpointError, match=file):
        read_processor(folder, read_config(folder))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("text_config.vocab_size", 32207),
        ("image_token_index", 5),
        ("vision_config.image_size", 518),
    ],
)
def test_a_tokenizer_or_size_of_another_model_is_refused(
    folder: Path, key: str, value: object
) -> None:
    config = with_key(tiny_documents()["config.json"], key, value)
    with pytest.raises(CheckpointError, match=key.rpartition(".")[2]):
        read_processor(folder, parse_config(config))


def test_the_official_box_mapping_truncates() -> None:
    # 600 x 812: shorter 600, top (812 - 600) // 2 = 106; edges 106 and 706 of 812
    whole = NormalizedBox(x_min=0.0, y_min=0.0, x_max=1.0, y_max=1.0)
    mapped = adjust_box_for_original_image_size(whole, 600, 812)
    assert (mapped.y_min, mapped.y_max) == (106 / 812, 706 / 812)
    # 0.333 * 10 = 3.33 -> 3
    third = NormalizedBox(x_min=0.333, y_min=0.333, x_max=0.999, y_max=0.999)
    mapped = adjust_box_for_original_image_size(third, 10, 10)
    assert mapped == NormalizedBox(x_min=0.3, y_min=0.3, x_max=0.9, y_max=0.9)
