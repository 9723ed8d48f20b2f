import subprocess
import sys
import time
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model.phantom.anatomy import Side
from model.phantom.findings import Change, Kind, Size, Zone
from model.phantom.generator import (
    GREY_LEVELS,
    PhantomOptions,
    PhantomStudy,
    PlantedFinding,
    make_phantom,
)

SMALL = PhantomOptions(short_side=224)


def _studies(count: int, options: PhantomOptions = SMALL) -> list[PhantomStudy]:
    return [_study(seed, options) for seed in range(count)]


@cache
def _study(seed: int, options: PhantomOptions) -> PhantomStudy:
    return make_phantom(seed, options)


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, other = make_phantom(17), make_phantom(17)
    np.testing.assert_array_equal(one.current_frontal, other.current_frontal)
    assert one.sentences == other.sentences
    assert [f.box for f in one.findings] == [f.box for f in other.findings]


def test_another_seed_gives_another_picture() -> None:
    options = PhantomOptions(short_side=224, aspect=1.0)
    one, other = make_phantom(1, options), make_phantom(2, options)
    assert not np.array_equal(one.current_frontal, other.current_frontal)


def test_the_truth_does_not_depend_on_the_size() -> None:
    large = PhantomOptions(short_side=448)
    for seed in range(20):
        small, big = make_phantom(seed, SMALL), make_phantom(seed, large)
        assert small.sentences == big.sentences
        for one, other in zip(small.findings, big.findings, strict=True):
            if one.box is None or other.box is None:
                assert one.box is other.box
            else:
                doubled = np.array(one.box) * 2.0
                # The longer side is rounded to whole pixels at each size.
                np.testing.assert_allclose(doubled, other.box, atol=1.01)


def test_images_are_twelve_bits_and_of_the_size_that_was_asked_for() -> None:
    study = make_phantom(3, PhantomOptions(short_side=300, aspect=1.2))
    assert study.current_frontal.shape == (360, 300)
    assert study.current_frontal.dtype == np.uint16
    assert int(study.current_frontal.max()) < GREY_LEVELS
    assert int(study.current_frontal.max()) > GREY_LEVELS // 2


def test_a_landscape_image_can_be_asked_for() -> None:
    study = make_phantom(3, PhantomOptions(short_side=300, aspect=0.75))
    assert study.current_frontal.shape == (300, 400)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1 << 60), st.sampled_from([0.75, 1.0, 1.22, 1.4]))
def test_boxes_lie_inside_the_image(seed: int, aspect: float) -> None:
    study = make_phantom(seed, PhantomOptions(short_side=224, aspect=aspect))
    rows, columns = study.current_frontal.shape
    for finding in study.findings:
        if finding.box is not None:
            x_min, y_min, x_max, y_max = finding.box
            assert 0 <= x_min < x_max <= columns
            assert 0 <= y_min < y_max <= rows


def test_a_nodule_is_brighter_than_its_surroundings() -> None:
    seen = 0
    for study in _studies(60):
        for finding in study.findings:
            if finding.kind is Kind.NODULE and finding.box is not None:
                inside, around = _levels(study, finding.box)
                assert inside > around
                seen += 1
    assert seen > 5


def test_a_pneumothorax_holds_the_darkest_part_of_its_lung() -> None:
    seen = 0
    for study in _studies(60):
        for finding in study.findings:
            if finding.kind is Kind.PNEUMOTHORAX and finding.box is not None:
                x_min, y_min, x_max, y_max = map(round, finding.box)
                image = study.current_frontal.astype(float)
                lung = image[y_min : 2 * y_max - y_min, x_min:x_max]
                in_box = image[y_min:y_max, x_min:x_max]
                dark = np.quantile(lung, 0.05)
                assert (in_box <= dark).sum() > 0.8 * (lung <= dark).sum()
                seen += 1
    assert seen > 5


def test_the_patients_left_is_on_the_images_right() -> None:
    seen = 0
    for study in _studies(80):
        for finding in study.findings:
            if finding.side is not None and finding.box is not None:
                middle = (finding.box[0] + finding.box[2]) / 2
                on_right_of_image = middle > study.current_frontal.shape[1] / 2
                assert on_right_of_image is (finding.side is Side.LEFT)
                word = "left" if finding.side is Side.LEFT else "right"
                assert word in finding.sentence
                seen += 1
    assert seen > 30


def test_a_new_finding_is_in_no_prior_image() -> None:
    for study in _studies(80):
        before = {(f.kind, f.side) for f in study.prior_findings}
        for finding in study.findings:
            if finding.change is Change.NEW:
                assert (finding.kind, finding.side) not in before
            elif finding.change is not None:
                assert (finding.kind, finding.side) in before


def test_a_larger_finding_had_a_smaller_box_before() -> None:
    seen = 0
    for study in _studies(150):
        before = {(f.kind, f.side): f.box for f in study.prior_findings}
        for finding in study.findings:
            then = before.get((finding.kind, finding.side))
            # A pneumothorax grows inwards: its box stays.
            grown = finding.change is Change.LARGER
            if grown and finding.kind is not Kind.PNEUMOTHORAX and finding.box and then:
                assert _area(finding.box) > _area(then)
                seen += 1
    assert seen > 5


def test_change_is_spoken_of_only_with_a_prior() -> None:
    options = PhantomOptions(short_side=112, with_prior=False)
    for study in _studies(60, options):
        assert study.prior_frontal is None
        assert study.prior_report is None
        assert all(finding.change is None for finding in study.findings)
        assert all("which is" not in text for text in study.sentences)


def test_a_nodule_behind_the_heart_needs_the_lateral_and_has_no_box() -> None:
    without = _studies(150, PhantomOptions(short_side=112, with_lateral=False))
    assert not any(_retrocardiac(study) for study in without)
    found = [
        finding
        for study in _studies(150, PhantomOptions(short_side=112, with_lateral=True))
        for finding in _retrocardiac(study)
    ]
    assert found
    assert all(finding.box is None for finding in found)


def test_a_normal_study_can_be_asked_for() -> None:
    study = make_phantom(5, PhantomOptions(short_side=112, normal=True, aspect=1.0))
    assert all(finding.change is Change.RESOLVED for finding in study.findings)
    assert len(study.normal) == 4


def test_phantoms_are_of_every_sort() -> None:
    studies = _studies(300, PhantomOptions(short_side=64))
    shown = [finding for study in studies for finding in study.findings]
    assert {finding.kind for finding in shown} == set(Kind)
    assert {finding.side for finding in shown} == {*Side, None}
    assert {finding.zone for finding in shown} == {*Zone, None}
    assert {finding.size for finding in shown} == {*Size, None}
    assert {finding.change for finding in shown} == {*Change, None}
    assert len({study.current_frontal.shape for study in studies}) == 5
    for some in (
        [study.current_lateral is None for study in studies],
        [study.prior_frontal is None for study in studies],
        [not study.findings for study in studies],
    ):
        assert 0 < sum(some) < len(some)


@pytest.mark.slow
def test_a_study_of_default_size_is_drawn_quickly() -> None:
    began = time.thread_time()
    for seed in range(5):
        make_phantom(seed, PhantomOptions(with_lateral=True, with_prior=True))
    # About 0.15 s of processor time was measured for three images; 0.3 is the aim.
    assert (time.thread_time() - began) / 5 < 0.6


def _retrocardiac(study: PhantomStudy) -> list[PlantedFinding]:
    return [f for f in study.findings if f.kind is Kind.RETROCARDIAC_NODULE]


def _levels(
    study: PhantomStudy, box: tuple[float, float, float, float]
) -> tuple[float, float]:
    """Return the mean level of the box's middle, and that of a ring around it."""
    x_min, y_min, x_max, y_max = map(round, box)
    image = study.current_frontal.astype(float)
    quarter = max(1, (x_max - x_min) // 4)
    middle = image[y_min + quarter : y_max - quarter, x_min + quarter : x_max - quarter]
    wide = image[y_min - 3 : y_max + 3, x_min - 3 : x_max + 3]
    ring = np.concatenate([wide[0], wide[-1], wide[:, 0], wide[:, -1]])
    return float(middle.mean()), float(np.median(ring))


def _area(box: tuple[float, float, float, float]) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def test_drawing_needs_no_torch() -> None:
    code = (
        "import sys, model.phantom.text, model.phantom.generator as g; "
        "g.make_phantom(1, g.PhantomOptions(short_side=64)); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
