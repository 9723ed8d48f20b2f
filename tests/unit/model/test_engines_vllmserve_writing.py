"""What is asked, and whether what was read is what was written."""

from pathlib import Path

import pytest

from model.engines.vllmserve.writing import CONTROL_TOKENS, is_widened
from model.maira2.tokenization import PromptTokenizer, read_tokenizer
from model.options import PHANTOM_CHECKPOINT
from tests.data.tiny_maira2 import write_tiny

WRITTEN = [1, 5, 5, 9, 6, 9, 4]


def test_the_control_tokens_are_all_added_tokens_of_a_checkpoint(
    tmp_path: Path,
) -> None:
    for folder in (PHANTOM_CHECKPOINT, write_tiny(tmp_path / "tiny")):
        tokenizer: PromptTokenizer = read_tokenizer(folder)
        assert tokenizer.control_tokens == CONTROL_TOKENS


def test_widened_pictures_are_the_only_difference() -> None:
    assert is_widened(WRITTEN, [1, 5, 5, *[9] * 4, 6, *[9] * 4, 4], pictures=2)


@pytest.mark.parametrize(
    ("read", "pictures"),
    [
        ([], 2),
        (WRITTEN, 2),
        ([1, 5, 5, *[9] * 4, 6, *[9] * 4, 4], 1),
        ([1, 5, 5, *[9] * 4, 6, *[9] * 3, 4], 2),
        ([1, 5, 5, *[9] * 4, 6, 9, 4], 2),
        ([1, 5, *[9] * 4, 6, *[9] * 4, 4], 2),
        ([1, 1, 5, 5, *[9] * 4, 6, *[9] * 4, 4], 2),
        ([1, 5, 5, *[9] * 4, 6, *[9] * 4, 4, 8], 2),
        ([1, 5, 5, *[8] * 4, 6, *[8] * 4, 4], 2),
    ],
    ids=[
        *("nothing", "as-written", "too-many", "unequal", "one-of-two", "shorter"),
        *("begun-twice", "longer", "another"),
    ],
)
def test_any_other_difference_is_another_prompt(read: list[int], pictures: int) -> None:
    assert not is_widened(WRITTEN, read, pictures)
