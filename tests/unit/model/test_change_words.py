"""Words of change, and words that look like them. All sentences are made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.change_words import words_of_change


@pytest.mark.parametrize(
    ("sentence", "words"),
    [
        ("The right effusion is unchanged.", ("unchanged",)),
        ("There is a NEW nodule.", ("new",)),
        ("No new focal consolidation.", ("new",)),
        ("Stable cardiomediastinal silhouette.", ("stable",)),
        ("The tube is in stable position.", ("stable",)),
        ("The effusion has increased.", ("increased",)),
        ("Increased left pleural effusion.", ("increased",)),
        ("Slight decrease in the left effusion.", ("decrease in",)),
        ("A pneumothorax, which is larger.", ("larger",)),
        ("The nodule is smaller than before.", ("smaller", "than before")),
        ("The opacity has resolved.", ("resolved",)),
        ("Clear compared to the prior study.", ("compared", "prior study")),
        ("Again seen is a basilar opacity.", ("again",)),
        ("Interval placement of a chest tube.", ("interval",)),
        ("Worsening pulmonary edema.", ("worsening",)),
        ("The pneumothorax is no longer seen.", ("no longer",)),
        ("Cardiomegaly persists.", ("persists",)),
        ("The heart remains enlarged.", ("remains",)),
        ("No significant interval change.", ("no significant interval change",)),
        ("The tube has been removed.", ("has been removed",)),
        ("The cardiac silhouette has enlarged.", ("has enlarged",)),
        ("Larger than on the previous radiograph.", ("larger", "previous radiograph")),
        ("Hemodynamically stable, new effusion.", ("new",)),
        ("New and new\nagain.", ("new", "again")),
    ],
)
def test_a_sentence_that_compares_with_an_earlier_image_is_heard(
    sentence: str, words: tuple[str, ...]
) -> None:
    assert words_of_change(sentence) == words


@pytest.mark.parametrize(
    "sentence",
    [
        "The lungs are clear.",
        "The heart is enlarged.",
        "The patient is hemodynamically stable.",
        "Unstable fracture of a rib.",
        "Renewed imaging is advised.",
        "Opacity against the left hilum.",
        "Increased interstitial markings.",
        "Decreased lung volumes.",
        "Increased retrosternal lucency.",
        "Degenerative changes of the spine.",
        "No acute osseous changes.",
        "Right effusion larger than the left.",
        "More prominent in the lower lobes.",
        "Compared with the left, the right hilum is dense.",
        "A small effusion, similar to that on the left.",
        "No prior study is available.",
        "There are no prior images for comparison.",
        "Comparison: none.",
        "Prior median sternotomy.",
        "Previous rib fractures, healed.",
        "Short-interval follow-up is advised.",
        "Radiograph in a 6-month interval is advised.",
        "Pneumonia remains a possibility.",
        "The remainder of the lungs is clear.",
        "Progressive massive fibrosis.",
        "",
    ],
)
def test_a_sentence_about_one_image_is_not_heard(sentence: str) -> None:
    assert words_of_change(sentence) == ()


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert words_of_change(text) == words_of_change(text)


@pytest.mark.parametrize(
    "sentence",
    [
        "The opacity has increased in density.",
        "The mass has grown.",
        "Stability of the nodule.",
        "Development of a left effusion.",
    ],
)
def test_a_course_is_heard_where_a_state_would_not_be(sentence: str) -> None:
    assert words_of_change(sentence)


def test_increased_density_is_a_state() -> None:
    assert words_of_change("There is increased density at the right base.") == ()
