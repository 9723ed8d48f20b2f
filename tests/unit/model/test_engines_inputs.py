import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.engines.inputs import (
    check_images,
    clean_question,
    image_digest,
    neutralise,
)
from model.errors import ConstantImage, RefusedRequest
from model.grounding import ALL_TAGS
from model.report import Flag, FlagKind, GreyImage, Question, ReportInputs, Task

CONTROL = frozenset({*ALL_TAGS, "<image>", "<lat_image>", "<s>", "</s>", "<unk>"})
IMAGE = np.array([[0, 1]], dtype=np.uint8)
FRAGMENTS = st.one_of(st.sampled_from(sorted(CONTROL)), st.text(max_size=4))


def inputs(**texts: str) -> ReportInputs:
    return ReportInputs(
        current_frontal=IMAGE,
        prior_report=texts.get("prior_report"),
        indication=texts.get("indication"),
        technique=texts.get("technique"),
        comparison=texts.get("comparison"),
    )


@given(st.lists(FRAGMENTS).map("".join))
def test_no_control_token_is_left(text: str) -> None:
    cleaned = neutralise(text, CONTROL)
    assert not any(token in cleaned for token in CONTROL)


def test_a_token_put_together_by_the_removal_of_another_cannot_arise() -> None:
    assert neutralise("<o<obj>bj> <im<s>age>", CONTROL) == "<o bj> <im age>"


def test_other_angle_brackets_are_kept() -> None:
    text = "SpO2 <90% and > 5 mm <x100> <OBJ>"
    assert neutralise(text, CONTROL) == text


@pytest.mark.parametrize(
    "name", ["prior_report", "indication", "technique", "comparison"]
)
def test_a_cleaned_input_is_flagged_by_its_name(name: str) -> None:
    question = Question(
        inputs=inputs(**{name: "dry <image> cough"}), task=Task.FINDINGS
    )
    cleaned = clean_question(question, CONTROL)
    assert getattr(cleaned.question.inputs, name) == "dry   cough"
    assert cleaned.flags == (Flag(kind=FlagKind.NEUTRALISED_INPUT, detail=name),)


def test_a_clean_question_is_unchanged_and_has_no_flag() -> None:
    question = Question(inputs=inputs(indication=" cough\n"), task=Task.FINDINGS)
    cleaned = clean_question(question, CONTROL)
    assert cleaned.question.inputs.indication == " cough\n"
    assert cleaned.flags == ()


def test_a_text_of_nothing_but_tokens_does_not_exist_afterwards() -> None:
    question = Question(inputs=inputs(indication="<obj></s>"), task=Task.FINDINGS)
    assert clean_question(question, CONTROL).question.inputs.indication is None


def test_a_cleaned_phrase_is_flagged() -> None:
    question = Question(
        inputs=inputs(), task=Task.PHRASE_GROUNDING, phrase="effusion<box>"
    )
    cleaned = clean_question(question, CONTROL)
    assert cleaned.question.phrase == "effusion "
    assert [flag.detail for flag in cleaned.flags] == ["phrase"]


@pytest.mark.parametrize("phrase", ["", " ", "<obj><box>"])
def test_a_phrase_that_says_nothing_is_refused(phrase: str) -> None:
    question = Question(inputs=inputs(), task=Task.PHRASE_GROUNDING, phrase=phrase)
    with pytest.raises(RefusedRequest, match="phrase"):
        clean_question(question, CONTROL)


def test_a_constant_image_is_refused_by_its_name() -> None:
    flat = ReportInputs(
        current_frontal=IMAGE, current_lateral=np.full((3, 3), 128, dtype=np.uint8)
    )
    check_images(flat, ["current_frontal"])
    with pytest.raises(ConstantImage, match="current_lateral are 128"):
        check_images(flat, ["current_frontal", "current_lateral"])


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((0, 4), dtype=np.uint8),
        np.zeros((4, 4, 3), dtype=np.uint8),
        np.arange(16, dtype=np.uint16).reshape(4, 4),
    ],
)
def test_an_array_that_is_no_grey_image_is_refused(image: GreyImage) -> None:
    with pytest.raises(RefusedRequest, match="current_frontal"):
        check_images(ReportInputs(current_frontal=image), ["current_frontal"])


def test_an_image_digest_covers_the_shape() -> None:
    # One row of two columns, little endian, then the two pixels.
    content = bytes([1, 0, 0, 0, 2, 0, 0, 0, 0, 1])
    assert image_digest(IMAGE) == hashlib.sha256(content).hexdigest()
    assert image_digest(IMAGE) != image_digest(IMAGE.T)
