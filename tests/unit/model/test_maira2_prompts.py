"""The wanted texts are copied from what the official chat template rendered."""

from dataclasses import replace

import numpy as np
import pytest

from model.maira2.prompts import answered_text, prompt_images, prompt_text
from model.report import Question, ReportInputs, Task

IMAGE = np.zeros((2, 2), dtype=np.uint8)
HEAD = (
    "You are an expert radiology assistant tasked with interpreting a chest X-ray "
    "study.  USER:  "
)
FINDINGS = (
    " Provide a description of the findings in the radiology study in comparison to "
    "the prior frontal image. INDICATION: N/A TECHNIQUE: N/A COMPARISON: N/A"
)
TAIL = "  ASSISTANT: "


def question(
    task: Task = Task.FINDINGS, inputs: ReportInputs | None = None
) -> Question:
    phrase = "effusion {x}" if task is Task.PHRASE_GROUNDING else None
    made = inputs or ReportInputs(current_frontal=IMAGE)
    return Question(inputs=made, task=task, phrase=phrase)


def with_inputs(
    *, lateral: bool = False, prior: bool = False, report: str | None = None
) -> ReportInputs:
    return ReportInputs(
        current_frontal=IMAGE,
        current_lateral=IMAGE if lateral else None,
        prior_frontal=IMAGE if prior else None,
        prior_report=report,
    )


@pytest.mark.parametrize(
    ("inputs", "images"),
    [
        (with_inputs(), "Given the current frontal image only<image>"),
        (
            with_inputs(lateral=True),
            (
                "Given the current frontal image<image> and the current lateral "
                "image<image>"
            ),
        ),
        (
            with_inputs(prior=True, report="Clear\nlungs."),
            (
                "Given the current frontal image<image> and the prior frontal "
                "image<image> PRIOR_REPORT: Clear\nlungs."
            ),
        ),
        (
            with_inputs(lateral=True, prior=True),
            (
                "Given the current frontal image<image> the current lateral "
                "image<image> and the prior frontal image<image> PRIOR_REPORT: N/A"
            ),
        ),
        (with_inputs(report="x"), "Given the current frontal image only<image>"),
    ],
)
def test_the_images_present_choose_the_words(inputs: ReportInputs, images: str) -> None:
    assert prompt_text(question(inputs=inputs)) == HEAD + images + FINDINGS + TAIL


def test_braces_in_a_section_are_kept() -> None:
    inputs = replace(with_inputs(), indication="{technique} {0}", technique="  ")
    text = prompt_text(question(inputs=inputs))
    assert "INDICATION: {technique} {0} TECHNIQUE:    COMPARISON: N/A" in text


def test_grounding_adds_its_instructions_before_the_sections() -> None:
    text = prompt_text(question(Task.GROUNDED_FINDINGS))
    assert "without bounding boxes. INDICATION: N/A" in text
    assert " prior frontal image. Each finding should" in text


def test_phrase_grounding_looks_at_the_frontal_image_alone() -> None:
    asked = question(Task.PHRASE_GROUNDING, with_inputs(lateral=True))
    assert prompt_images(asked) == ("current_frontal",)
    assert prompt_text(asked).endswith("Finding: effusion {x}" + TAIL)
    assert prompt_text(asked).count("<image>") == 1


def test_images_are_named_in_the_order_of_the_prompt() -> None:
    asked = question(inputs=with_inputs(lateral=True, prior=True))
    assert prompt_images(asked) == (
        "current_frontal",
        "current_lateral",
        "prior_frontal",
    )


def test_a_given_answer_ends_the_text() -> None:
    assert answered_text(question(), "Clear.").endswith("  ASSISTANT: Clear.</s>")
