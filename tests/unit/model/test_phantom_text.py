import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from model.grounding import coordinate_bin, parse_findings
from model.maira2.prompts import prompt_images
from model.phantom.anatomy import Side
from model.phantom.findings import (
    SIDED,
    SIZED,
    ZONED,
    Change,
    Kind,
    Lesion,
    Size,
    Zone,
)
from model.phantom.generator import PhantomOptions, make_phantom
from model.phantom.sentences import (
    NEGATIVES,
    RESOLVED,
    negatives,
    read,
    sentence,
    without_change,
)
from model.phantom.text import (
    grounded_answer,
    plain_answer,
    question_of,
    to_crop,
    true_phrases,
)
from model.report import Task

LESIONS = st.builds(
    Lesion,
    kind=st.sampled_from(Kind),
    side=st.sampled_from(Side),
    zone=st.sampled_from(Zone),
    size=st.sampled_from(Size),
)


@given(LESIONS, st.none() | st.sampled_from(Change))
def test_a_sentence_is_read_back_as_its_finding(
    lesion: Lesion, change: Change | None
) -> None:
    assume(change is not Change.RESOLVED or lesion.kind in RESOLVED)
    said = read(sentence(lesion, change))
    assert said is not None
    assert said.kind is lesion.kind
    assert said.side is (lesion.side if lesion.kind in SIDED else None)
    assert said.zone is (lesion.zone if lesion.kind in ZONED else None)
    if change is not Change.RESOLVED:
        assert said.size is (lesion.size if lesion.kind in SIZED else None)
    assert said.change is change


@pytest.mark.parametrize("text", NEGATIVES)
def test_a_normal_statement_is_no_finding(text: str) -> None:
    assert read(text) is None


def test_a_present_finding_takes_its_normal_statement_away() -> None:
    effusion = Lesion(kind=Kind.EFFUSION, side=Side.LEFT, size=Size.SMALL)
    assert "No pleural effusion." not in negatives([effusion])
    assert "No pneumothorax." in negatives([effusion])


def test_words_of_comparison_can_be_taken_out() -> None:
    text = "There is a small left pneumothorax, which is new."
    assert without_change(text) == "There is a small left pneumothorax."
    assert without_change("No pneumothorax.") == "No pneumothorax."


def test_the_crop_of_a_portrait_image_loses_top_and_bottom() -> None:
    # 1000 rows, 800 columns: the crop is rows 100 to 900.
    box = to_crop((0.0, 100.0, 400.0, 500.0), rows=1000, columns=800)
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == (0.0, 0.0, 0.5, 0.5)


def test_a_box_that_reaches_out_of_the_crop_is_clipped_to_it() -> None:
    box = to_crop((0.0, 0.0, 800.0, 1000.0), rows=1000, columns=800)
    assert (box.x_min, box.y_min, box.x_max, box.y_max) == (0.0, 0.0, 1.0, 1.0)


@pytest.mark.parametrize("seed", range(12))
def test_the_grounded_answer_is_read_back_to_within_a_bin(seed: int) -> None:
    truth = true_phrases(make_phantom(seed, PhantomOptions(short_side=112)))
    reading = parse_findings(grounded_answer(truth))
    assert reading.flags == ()
    assert [phrase.text for phrase in reading.phrases] == [p.text for p in truth]
    for planted, found in zip(truth, reading.phrases, strict=True):
        for one, other in zip(planted.boxes, found.boxes, strict=True):
            assert coordinate_bin(one.x_min) == coordinate_bin(other.x_min)
            assert abs(one.y_max - other.y_max) <= 0.01


def test_the_plain_answer_holds_the_same_sentences() -> None:
    study = make_phantom(4, PhantomOptions(short_side=112))
    assert plain_answer(true_phrases(study)) == " ".join(study.sentences)


def test_a_request_shows_the_images_that_the_study_has() -> None:
    options = PhantomOptions(short_side=112, with_lateral=True, with_prior=True)
    question = question_of(make_phantom(1, options), Task.GROUNDED_FINDINGS)
    assert prompt_images(question) == (
        "current_frontal",
        "current_lateral",
        "prior_frontal",
    )
