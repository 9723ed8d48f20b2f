"""What the check of OHIF must not let pass, planted in the archive itself."""

from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.results.kinds import ResultKind
from tests.viewers.damage import (
    Damage,
    damaged,
    half_a_pixel,
    second_scoord,
    swapped_axes,
)
from tests.viewers.ohif import Rectangle, Viewed, disagreements
from tests.viewers.shown import Drawn, Shown, store

BOX = Drawn(sentence="A nodule.", edges=(10.0, 20.0, 30.0, 60.0))
STUDY = Shown(
    study_instance_uid="1.2.3",
    frontal_uid="1.2.3.4",
    spacing=(0.5, 0.25),
    boxes=(BOX,),
    sentences=("A nodule.",),
    objects={},
)
# mm, with 0.5 mm a row and 0.25 mm a column: x = (column - 0.5) * 0.25
RIGHT = Rectangle(
    image="wadors:/instances/1.2.3.4/frames/1",
    label="A nodule.",
    corners=((2.375, 9.75), (7.375, 9.75), (2.375, 29.75), (7.375, 29.75)),
)


def moved(columns: float, rows: float) -> Rectangle:
    corners = tuple((x + columns * 0.25, y + rows * 0.5) for x, y in RIGHT.corners)
    return replace(RIGHT, corners=corners)


def test_the_right_rectangle_agrees() -> None:
    assert disagreements(STUDY, STUDY.boxes, [RIGHT]) == []


@pytest.mark.parametrize(
    "seen",
    [
        [],
        [RIGHT, RIGHT],
        [moved(0.5, 0)],
        [moved(0, -0.5)],
        [replace(RIGHT, corners=tuple((y, x) for x, y in RIGHT.corners))],
        [replace(RIGHT, corners=((float("nan"),) * 2,) * 4)],
        [replace(RIGHT, label="Another.")],
        [replace(RIGHT, image="wadors:/instances/9.9/frames/1")],
    ],
    ids=["none", "twice", "right", "up", "swapped", "nan", "label", "image"],
)
def test_every_wrong_rectangle_is_told(seen: list[Rectangle]) -> None:
    assert disagreements(STUDY, STUDY.boxes, seen)


@pytest.mark.peers
@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "damage", "told"),
    [
        (9001, half_a_pixel, "0.500 px off"),
        (9002, swapped_axes, "px off"),
        (9003, second_scoord, "2 rectangles, not 3"),
    ],
)
def test_damage_in_the_archive_is_told_through_the_viewer(
    number: int, damage: Damage, told: str, viewed: Viewed, tmp_path: Path
) -> None:
    study = viewed.shown["phantom"]
    findings = study.objects[ResultKind.FINDINGS_SR]
    file = damaged(findings, damage, number, tmp_path / "damaged.dcm")
    store(viewed.stand, [file])
    boxes = with_second_box(study.boxes) if damage is second_scoord else study.boxes
    with viewed.opened(study) as ohif:
        ohif.open_series(number)
        said = disagreements(study, boxes, ohif.rectangles(len(study.boxes)))
    assert any(told in each for each in said), said


def with_second_box(boxes: tuple[Drawn, ...]) -> tuple[Drawn, ...]:
    """Return what a reader of the damaged group should draw."""
    left, top, right, bottom = (edge + 40 for edge in boxes[0].edges)
    return (*boxes, replace(boxes[0], edges=(left, top, right, bottom)))
