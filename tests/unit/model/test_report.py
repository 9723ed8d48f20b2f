import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.report import NormalizedBox, Question, ReportInputs, ReportRequest, Task

INPUTS = ReportInputs(current_frontal=np.zeros((2, 2), dtype=np.uint8))
SHARES = st.floats(min_value=0.0, max_value=1.0)


@pytest.mark.parametrize("value", [-0.001, 1.001, float("nan")])
def test_a_box_outside_the_crop_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not in"):
        NormalizedBox(x_min=value, y_min=0.0, x_max=1.0, y_max=1.0)


@given(SHARES, SHARES, SHARES, SHARES)
def test_an_ordered_box_has_its_minimum_first(
    x_min: float, y_min: float, x_max: float, y_max: float
) -> None:
    box = NormalizedBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max).ordered()
    assert box.x_min <= box.x_max
    assert box.y_min <= box.y_max
    assert {box.x_min, box.x_max} == {x_min, x_max}


def test_a_phrase_without_its_task_is_refused() -> None:
    with pytest.raises(ValueError, match="phrase"):
        Question(inputs=INPUTS, task=Task.FINDINGS, phrase="effusion")


def test_phrase_grounding_without_a_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="phrase"):
        Question(inputs=INPUTS, task=Task.PHRASE_GROUNDING)


def test_a_request_becomes_one_question_a_task_and_one_a_phrase() -> None:
    request = ReportRequest(
        inputs=INPUTS, tasks=(Task.FINDINGS,), phrases=("nodule", "effusion")
    )
    assert [(one.task, one.phrase) for one in request.questions] == [
        (Task.FINDINGS, None),
        (Task.PHRASE_GROUNDING, "nodule"),
        (Task.PHRASE_GROUNDING, "effusion"),
    ]


@pytest.mark.parametrize(
    "tasks", [(), (Task.FINDINGS, Task.FINDINGS), (Task.PHRASE_GROUNDING,)]
)
def test_tasks_that_make_no_request_are_refused(tasks: tuple[Task, ...]) -> None:
    with pytest.raises(ValueError, match="task"):
        ReportRequest(inputs=INPUTS, tasks=tasks)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_a_deadline_that_has_passed_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="deadline"):
        ReportRequest(inputs=INPUTS, tasks=(Task.FINDINGS,), deadline_seconds=seconds)
