import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.grounding import ALL_TAGS
from model.maira2.prompts import prompt_text
from model.maira2.tokenization import PromptTokenizer
from model.phantom.generator import PhantomOptions, make_phantom
from model.phantom.text import grounded_answer, plain_answer, question_of, true_phrases
from model.phantom.tokenizer import UNUSED_TAGS, build_tokenizer
from model.report import Task

TOKENIZER = PromptTokenizer(build_tokenizer())


def test_building_it_twice_gives_the_same_file() -> None:
    assert build_tokenizer().to_str() == build_tokenizer().to_str()


@pytest.mark.parametrize("tag", [*ALL_TAGS, *UNUSED_TAGS, "<image>"])
def test_each_tag_is_one_token(tag: str) -> None:
    assert TOKENIZER.encode_answer(tag) == [TOKENIZER.token_id(tag)]


@pytest.mark.parametrize("seed", range(15))
def test_answers_come_back_with_their_blanks(seed: int) -> None:
    truth = true_phrases(make_phantom(seed, PhantomOptions(short_side=112)))
    for answer in (grounded_answer(truth), plain_answer(truth)):
        assert TOKENIZER.decode(TOKENIZER.encode_answer(answer)) == answer


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=60))
def test_any_text_comes_back(text: str) -> None:
    # The leading blank is the tokenizer's own mark of a beginning, as in Llama's;
    # that mark itself (U+2581) stands for a blank.
    assume(not text.startswith(" ") and "\u2581" not in text and "<" not in text)
    ids = TOKENIZER.encode_answer(text)
    assert TOKENIZER.decode(ids, keep_special=True) == text


def test_a_prompt_begins_with_the_begin_token_and_is_short() -> None:
    question = question_of(
        make_phantom(0, PhantomOptions(short_side=112)), Task.GROUNDED_FINDINGS
    )
    ids = TOKENIZER.encode(prompt_text(question), image_tokens=1)
    assert ids[0] == TOKENIZER.begin_id
    assert len(ids) < 60


def test_an_image_becomes_as_many_tokens_as_it_has_patches() -> None:
    ids = TOKENIZER.encode("a<image>b", image_tokens=64)
    assert int((ids == TOKENIZER.image_id).sum()) == 64
