"""Each fault that a text can show, and right texts that come near it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.checks import LONGEST_TEXT, MOST_SENTENCES, check_report
from model.grounding import read_answer, write_findings
from model.phantom.generator import PhantomOptions, make_phantom
from model.phantom.text import plain_answer, question_of, true_phrases
from model.report import (
    Flag,
    FlagKind,
    GreyImage,
    GroundedPhrase,
    NormalizedBox,
    Question,
    ReportInputs,
    Task,
)

FILM: GreyImage = np.zeros((4, 4), np.uint8)
RIGHT_BASE = NormalizedBox(x_min=0.1, y_min=0.6, x_max=0.3, y_max=0.8)
LEFT_BASE = NormalizedBox(x_min=0.7, y_min=0.6, x_max=0.9, y_max=0.8)
MIDDLE = NormalizedBox(x_min=0.4, y_min=0.6, x_max=0.75, y_max=0.8)
PRIOR = (
    "Unremarkable bones. FINDINGS: "
    "There is a large mass in the right upper lobe near the hilum. "
    "A small effusion blunts the left costophrenic angle, as does scarring. "
    "No pneumothorax. The heart is normal in size."
)
MASS = "There is a large mass in the right upper lobe near the hilum."
BLUNTING = "A small effusion blunts the left costophrenic angle, as does scarring."


def question(
    task: Task = Task.GROUNDED_FINDINGS,
    *,
    with_prior: bool = False,
    prior_report: str | None = None,
) -> Question:
    inputs = ReportInputs(
        current_frontal=FILM,
        prior_frontal=FILM if with_prior else None,
        prior_report=prior_report,
    )
    phrase = "nodule" if task is Task.PHRASE_GROUNDING else None
    return Question(inputs=inputs, task=task, phrase=phrase)


def phrase(text: str, *boxes: NormalizedBox) -> GroundedPhrase:
    return GroundedPhrase(text=text, boxes=boxes)


def checked(asked: Question, *phrases: GroundedPhrase) -> tuple[Flag, ...]:
    return check_report(asked, phrases, write_findings(phrases))


def found(asked: Question, *phrases: GroundedPhrase) -> list[FlagKind]:
    return [flag.kind for flag in checked(asked, *phrases)]


def test_change_without_a_prior_names_sentence_and_words() -> None:
    flags = checked(
        question(), phrase("The lungs are clear."), phrase("A new, larger effusion.")
    )

    assert flags == (
        Flag(kind=FlagKind.CHANGE_WITHOUT_PRIOR, detail="sentence 2: new, larger"),
    )


def test_change_with_a_prior_is_what_is_asked_for() -> None:
    assert found(question(with_prior=True), phrase("A new effusion.")) == []


def test_sentences_of_plain_text_are_counted() -> None:
    said = phrase("The lungs are clear. The heart is unchanged.")

    (flag,) = check_report(question(Task.FINDINGS), (said,), said.text)

    assert flag.detail == "sentence 2: unchanged"


def test_the_words_of_an_asked_phrase_are_the_askers() -> None:
    asked = question(Task.PHRASE_GROUNDING)

    assert found(asked, phrase("New XXXX.", LEFT_BASE), phrase("New XXXX.")) == []


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        ("Right effusion.", (LEFT_BASE,)),
        ("Left effusion.", (RIGHT_BASE,)),
        ("Left-sided effusion.", (RIGHT_BASE, RIGHT_BASE)),
    ],
)
def test_a_box_on_the_other_side_is_told(
    text: str, boxes: tuple[NormalizedBox, ...]
) -> None:
    (flag,) = checked(question(), phrase(text, *boxes))

    side = text.split("-", maxsplit=1)[0].split(maxsplit=1)[0].lower()
    assert flag == Flag(kind=FlagKind.SIDE_MISMATCH, detail=f"sentence 1: {side}")


@pytest.mark.parametrize(
    ("text", "boxes"),
    [
        # radiological convention: the patient's right is on the image's left
        ("Right effusion.", (RIGHT_BASE,)),
        ("Left effusion.", (LEFT_BASE,)),
        ("Right effusion.", (MIDDLE,)),
        ("Right effusion.", (RIGHT_BASE, LEFT_BASE)),
        ("Bilateral effusions, right.", (LEFT_BASE,)),
        ("Left catheter tip.", (RIGHT_BASE,)),
        ("Right effusion.", ()),
    ],
)
def test_a_box_on_its_side_or_near_the_midline_is_right(
    text: str, boxes: tuple[NormalizedBox, ...]
) -> None:
    assert found(question(), phrase(text, *boxes)) == []


def test_the_side_of_an_asked_phrase_is_checked_against_its_box() -> None:
    asked = question(Task.PHRASE_GROUNDING)

    assert found(asked, phrase("Left nodule.", RIGHT_BASE)) == [FlagKind.SIDE_MISMATCH]


def test_a_box_over_the_whole_image_is_told() -> None:
    box = NormalizedBox(x_min=0.995, y_min=0.005, x_max=0.005, y_max=0.995)

    (flag,) = checked(question(), phrase("Clear.", box))

    # 0.99 * 0.99 = 0.9801, also with its corners in the wrong order
    assert flag.kind is FlagKind.BOX_OVER_WHOLE_IMAGE
    assert flag.detail == "sentence 1: 0.98 of the crop"


def test_a_box_over_nine_tenths_still_locates() -> None:
    box = NormalizedBox(x_min=0.0, y_min=0.0, x_max=0.9, y_max=1.0)

    assert found(question(), phrase("Edema.", box)) == []


@pytest.mark.parametrize("again", ["No effusion.", "NO  EFFUSION", "no effusion!"])
def test_a_sentence_that_stands_twice_is_told(again: str) -> None:
    flags = checked(
        question(), phrase("No effusion."), phrase("Clear lungs."), phrase(again)
    )

    assert flags == (Flag(kind=FlagKind.REPEATED_SENTENCE, detail="sentences 1 and 3"),)


def test_sentences_that_differ_in_a_word_are_not_the_same() -> None:
    assert found(question(), phrase("Left effusion."), phrase("Right effusion.")) == []


def test_a_text_without_words_is_no_repetition() -> None:
    assert found(question(), phrase("..."), phrase("...")) == []


@pytest.mark.parametrize(
    ("text", "long"),
    [
        ("a" * LONGEST_TEXT, False),
        ("a" * (LONGEST_TEXT + 1), True),
        (" ".join(f"Rib {n}." for n in range(MOST_SENTENCES)), False),
        (" ".join(f"Rib {n}." for n in range(MOST_SENTENCES + 1)), True),
    ],
)
def test_more_text_than_reports_have_is_told(text: str, long: bool) -> None:
    flags = check_report(question(Task.FINDINGS), (phrase(text),), text)

    assert [flag.kind for flag in flags] == ([FlagKind.OVER_LONG] if long else [])


def test_tags_do_not_make_a_text_long() -> None:
    assert found(question(), phrase("Edema.", *[RIGHT_BASE] * 100)) == []


@pytest.mark.parametrize(
    ("text", "mark"),
    [
        ("Comparison with ___.", "___"),
        ("Seen by Dr. [**Last Name**].", "[** **]"),
        ("The XXXX are clear.", "XXXX"),
        ("A <unk> opacity.", "<unk>"),
        ("Discussed with [redacted].", "[removed]"),
    ],
)
def test_a_mark_of_deidentification_is_told(text: str, mark: str) -> None:
    (flag,) = checked(question(with_prior=True), phrase(text))

    assert flag == Flag(kind=FlagKind.PLACEHOLDER, detail=f"sentence 1: {mark}")


@pytest.mark.parametrize("text", ["Grade XX.", "Snake_case.", "Up to [2] ribs."])
def test_what_looks_like_a_mark_is_none(text: str) -> None:
    assert found(question(), phrase(text)) == []


def test_telling_sentences_of_the_prior_report_are_a_copy() -> None:
    asked = question(with_prior=True, prior_report=PRIOR)

    flags = checked(asked, phrase(MASS), phrase(BLUNTING.upper()))

    assert flags == (Flag(kind=FlagKind.COPIED_PRIOR, detail="sentences 1, 2"),)


def test_three_sentences_in_a_row_are_a_copy_in_a_long_report() -> None:
    asked = question(with_prior=True, prior_report=PRIOR)
    own = [phrase(f"Rib number {n} shows a healed fracture in it.") for n in range(9)]
    copied = (phrase(MASS), phrase(BLUNTING), phrase("No pneumothorax."))

    assert found(asked, *own, *copied) == [FlagKind.COPIED_PRIOR]
    assert found(asked, *own, copied[1], copied[0], copied[2]) == []


def test_stock_sentences_are_nobodys() -> None:
    asked = question(with_prior=True, prior_report=PRIOR)
    said = ("Unremarkable bones.", "No pneumothorax.", "The heart is normal in size.")

    assert found(asked, *map(phrase, said)) == []


def test_one_sentence_is_no_copy() -> None:
    asked = question(with_prior=True, prior_report=PRIOR)

    assert found(asked, phrase(MASS)) == []


def test_the_prior_report_is_not_quoted() -> None:
    asked = question(with_prior=True, prior_report=PRIOR)

    (flag,) = checked(asked, phrase(MASS), phrase(BLUNTING))

    assert "mass" not in flag.detail


def test_an_empty_answer_has_no_fault_of_these() -> None:
    for task in Task:
        assert check_report(question(task), (), "") == ()


@pytest.mark.parametrize("with_prior", [False, True])
def test_true_reports_of_phantoms_have_no_flag(with_prior: bool) -> None:
    for seed in range(7_000_000, 7_000_060):
        study = make_phantom(seed, PhantomOptions(short_side=32, with_prior=with_prior))
        said = true_phrases(study)
        plain = (phrase(plain_answer(said)),)
        grounded = question_of(study, Task.GROUNDED_FINDINGS)
        assert checked(grounded, *said) == (), seed
        assert checked(replace(grounded, task=Task.FINDINGS), *plain) == (), seed


def test_mirrored_boxes_of_phantoms_are_told() -> None:
    for seed in range(7_000_000, 7_000_020):
        study = make_phantom(seed, PhantomOptions(short_side=32, normal=False))
        said = [
            GroundedPhrase(text=one.text, boxes=tuple(map(mirrored, one.boxes)))
            for one in true_phrases(study)
        ]
        sided = any(finding.side and finding.box for finding in study.findings)
        flagged = found(question_of(study, Task.GROUNDED_FINDINGS), *said)
        assert (FlagKind.SIDE_MISMATCH in flagged) == sided, seed


def mirrored(box: NormalizedBox) -> NormalizedBox:
    return replace(box, x_min=1 - box.x_max, x_max=1 - box.x_min)


@given(
    st.sampled_from(Task),
    st.text(),
    st.text(),
    st.lists(st.sampled_from(["<obj>", "</obj>", "<box>", "<x1><y2><x3><y4>", "A."])),
)
def test_no_text_makes_a_check_fail(
    task: Task, text: str, prior: str, tags: list[str]
) -> None:
    answer = text.join(tags) + text
    asked = question(task, with_prior=bool(prior), prior_report=prior)
    phrases = read_answer(task, answer).phrases

    flags = check_report(asked, phrases, answer)

    assert flags == check_report(asked, phrases, answer)
    assert len({flag.kind for flag in flags}) == len(flags)
