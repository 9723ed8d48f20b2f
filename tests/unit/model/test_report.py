import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.report import NormalizedBox, ReportInputs, ReportRequest, Task

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
        ReportRequest(inputs=INPUTS, task=Task.FINDINGS, phrase="effusion")


def test_phrase_grounding_without_a_phrase_is_refused() -> None:
    with pytest.raises(ValueError, match="phrase"):
        ReportRequest(inputs=INPUTS, task=Task.PHRASE_GROUNDING)
