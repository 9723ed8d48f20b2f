import pytest

from benchmarks.engine_times import (
    DEVICES,
    FLOOR,
    FRONTAL,
    WITH_PRIOR,
    Reached,
    Reading,
    most,
    seconds,
)

A100 = DEVICES["A100 80 GB"]


def test_a_report_takes_its_prompt_and_two_hundred_steps() -> None:
    # By hand: 19 TFLOP / (312 x 0.6) = 0.1015 s; a step reads 13.2 GB and 1,636 tokens
    # of 524,288 bytes, 0.8577 GB: 14.058 GB / 2,040 GB/s = 6.891 ms; 200 are 1.378 s.
    assert seconds(A100, FRONTAL, 1, FLOOR) == pytest.approx(1.4797, abs=0.001)


def test_a_batch_reads_the_weights_once() -> None:
    # 4 prompts 4 x 62 / 187.2 = 1.3248 s; a step 13.2 + 4 x 4,600 x 524,288 bytes
    # (9.6469 GB) = 22.847 GB / 2,040 = 11.200 ms; 200 are 2.240 s.
    assert seconds(A100, WITH_PRIOR, 4, FLOOR) == pytest.approx(3.5648, abs=0.001)
    assert seconds(A100, WITH_PRIOR, 4) < 4 * seconds(A100, WITH_PRIOR, 1)


def test_what_is_not_reached_takes_longer() -> None:
    slow = Reached(bandwidth=0.5, arithmetic=0.5)
    assert seconds(A100, FRONTAL, 1, slow) > seconds(A100, FRONTAL, 1)


def test_memory_bounds_what_is_read_together() -> None:
    # A100: 72 - 13.8 = 58.2 GB / 2.4117 GB = 24.1; A10G: 21.6 - 13.8 = 7.8 / 2.4117
    assert most(A100, WITH_PRIOR) == 24
    assert most(DEVICES["A10G"], WITH_PRIOR) == 3


@pytest.mark.parametrize("share", [0.0, -1.0, 1.1])
def test_a_share_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Reached(bandwidth=share)
    with pytest.raises(ValueError, match="share"):
        Reached(arithmetic=share)


def test_nothing_is_no_batch_and_no_reading() -> None:
    with pytest.raises(ValueError, match="batch"):
        seconds(A100, FRONTAL, 0)
    with pytest.raises(ValueError, match="prompt"):
        Reading(prompt_tokens=0, prompt_tflop=1, new_tokens=1)
