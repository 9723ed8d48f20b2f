"""Which side a sentence is about. All sentences are made up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.sides import Side, named_side


@pytest.mark.parametrize(
    ("sentence", "side"),
    [
        ("There is a nodule in the right upper zone.", Side.RIGHT),
        ("Left pleural effusion.", Side.LEFT),
        ("LEFT basilar atelectasis.", Side.LEFT),
        ("Right-sided pneumothorax.", Side.RIGHT),
        ("Opacity at the left base.", Side.LEFT),
        ("Consolidation of the right middle lobe.", Side.RIGHT),
        ("Fracture of a left posterior rib.", Side.LEFT),
        ("Elevated right hemidiaphragm.", Side.RIGHT),
        ("Blunting of the left costophrenic angle.", Side.LEFT),
        ("The right hilum is enlarged.", Side.RIGHT),
        ("There is a left chest wall pacemaker.", Side.LEFT),
        ("Pleural thickening along the left lateral chest wall.", Side.LEFT),
        ("Mass in the right lung.", Side.RIGHT),
        ("No left pneumothorax.", Side.LEFT),
        ("Volume loss, right.", Side.RIGHT),
    ],
)
def test_a_sentence_about_one_side_names_it(sentence: str, side: Side) -> None:
    assert named_side(sentence) is side


@pytest.mark.parametrize(
    "sentence",
    [
        "The heart is enlarged.",
        "Bilateral effusions, left more than usual.",
        "Both lungs, in particular the left.",
        "Effusions, right greater than left.",
        "Bright opacity of the leftover lung.",
        "Trachea deviated to the right.",
        "Mediastinal shift toward the left.",
        "Denser than the left.",
        "Opacity that spares the right apex.",
        "Left ventricular enlargement.",
        "Right aortic arch.",
        "Right jugular catheter ends in the vena cava.",
        "Left-sided device with its tip over the atrium.",
        "Left PICC at the cavoatrial junction.",
        "The drain was left in place.",
        "Right-angled opacity.",
        "Left lateral decubitus radiograph.",
        "Scoliosis, convex right.",
        "Contralateral to the left lesion.",
        "",
    ],
)
def test_where_the_word_tells_no_place_no_side_is_named(sentence: str) -> None:
    assert named_side(sentence) is None


@given(st.text())
def test_any_text_can_be_asked_about(text: str) -> None:
    assert named_side(text) in (None, Side.LEFT, Side.RIGHT)
