"""Labels stand inside the image, beside their boxes and apart from each other."""

import math
from itertools import combinations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dicom_io.coordinates import ImageFrame
from dicom_io.results.labels import NOTICE_AREA, Label, place_labels
from dicom_io.results.placement import place_findings
from model.report import GroundedPhrase, NormalizedBox
from tests.data.reports import EFFUSIONS, OPACITY, context, report

FILM = ImageFrame(rows=2500, columns=2000)
SIDES = st.one_of(st.integers(1, 65535), st.integers(1, 40))
SHARES = st.floats(0, 1)
BOXES = st.builds(NormalizedBox, x_min=SHARES, y_min=SHARES, x_max=SHARES, y_max=SHARES)
PHRASES = st.builds(
    GroundedPhrase,
    text=st.text(max_size=200),
    boxes=st.lists(BOXES, max_size=4).map(tuple),
)


def labels(*phrases: GroundedPhrase, frame: ImageFrame = FILM) -> tuple[Label, ...]:
    return place_labels(place_findings(report(phrases), frame, context()), frame)


def at(x: float, y: float, *, side: float = 0.2, text: str = "Mass.") -> GroundedPhrase:
    box = NormalizedBox(x_min=x, y_min=y, x_max=x + side, y_max=y + side)
    return GroundedPhrase(text=text, boxes=(box,))


def common(one: tuple[float, ...], other: tuple[float, ...]) -> float:
    """How many pixels two areas share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


def outline(label: Label) -> tuple[float, float, float, float]:
    box = label.tracked.box
    return box.left, box.top, box.right, box.bottom


def notice(frame: ImageFrame) -> tuple[float, float, float, float]:
    """The whole pixels under the notice."""
    left, top, right, bottom = NOTICE_AREA
    return (
        math.floor(left * frame.columns),
        math.floor(top * frame.rows),
        math.ceil(right * frame.columns),
        math.ceil(bottom * frame.rows),
    )


def has_room(label: Label, before: list[Label], frame: ImageFrame) -> bool:
    """Try every pixel of the image for a label of this size."""
    width, height = label.area[2] - label.area[0], label.area[3] - label.area[1]
    taken = [notice(frame), *(each.area for each in before)]
    return any(
        all(common((x, y, x + width, y + height), area) == 0 for area in taken)
        for y in range(frame.rows - height + 1)
        for x in range(frame.columns - width + 1)
    )


def test_a_sentence_is_written_once_and_its_number_at_each_box() -> None:
    texts = [label.text for label in labels(EFFUSIONS)]

    assert texts == ["1 Small bilateral pleural effusions.", "1"]


def test_a_long_sentence_is_whole_in_several_lines() -> None:
    (label,) = labels(at(0.2, 0.3, text="There is a finding. " * 40))

    lines = label.text.split("\r\n")
    assert max(map(len, lines)) <= 40
    assert " ".join(lines) == "1 " + ("There is a finding. " * 40).strip()


@pytest.mark.parametrize("text", ["word " * 13_000, "x" * 65_536, "ไก่" * 20_000])
def test_64_kilobytes_are_cut_to_what_short_text_holds(text: str) -> None:
    (label,) = labels(at(0.2, 0.3, text=text))

    assert 900 < len(label.text) <= 1024
    assert label.text.endswith("...")


@given(st.lists(PHRASES, max_size=10), SIDES, SIDES)
@example([OPACITY] * 3, 1, 1)
@example([OPACITY] * 3, 65535, 1)
@example([OPACITY] * 3, 1, 65535)
def test_every_label_has_an_area_of_whole_pixels_inside_the_image(
    phrases: list[GroundedPhrase], rows: int, columns: int
) -> None:
    frame = ImageFrame(rows=rows, columns=columns)

    for label in labels(*phrases, frame=frame):
        left, top, right, bottom = label.area
        assert 0 <= left < right <= columns
        assert 0 <= top < bottom <= rows
        assert len(label.text) <= 1024


@given(st.lists(PHRASES, max_size=10), SIDES, SIDES)
def test_the_same_findings_give_the_same_labels(
    phrases: list[GroundedPhrase], rows: int, columns: int
) -> None:
    frame = ImageFrame(rows=rows, columns=columns)

    assert labels(*phrases, frame=frame) == labels(*phrases, frame=frame)


@given(st.lists(PHRASES, max_size=8), st.integers(10, 60), st.integers(10, 60))
def test_a_label_covers_another_only_where_no_room_is_left(
    phrases: list[GroundedPhrase], rows: int, columns: int
) -> None:
    frame = ImageFrame(rows=rows, columns=columns)
    before: list[Label] = []

    for label in labels(*phrases, frame=frame):
        covers = any(common(label.area, each.area) for each in before)
        if covers or common(label.area, notice(frame)):
            assert not has_room(label, before, frame)
        before.append(label)


def test_labels_of_forty_boxes_at_one_place_lie_apart() -> None:
    crowd = [at(0.4, 0.4, text=f"Nodule {n} in the lung.") for n in range(40)]

    placed = labels(*crowd)

    assert len(placed) == 40
    for one, other in combinations(placed, 2):
        assert common(one.area, other.area) == 0


def test_a_label_stands_above_its_box_where_nothing_is() -> None:
    (label,) = labels(at(0.4, 0.4))

    assert label.area[0] == int(label.tracked.box.left)
    assert label.area[3] == int(label.tracked.box.top)
    assert label.anchor is None


def test_a_label_leaves_a_box_above_it_free() -> None:
    upper, lower = at(0.4, 0.2), at(0.4, 0.41)

    _, label = labels(upper, lower)

    assert label.area[1] >= label.tracked.box.bottom


def test_a_label_rather_goes_away_from_its_box_than_into_another() -> None:
    crowd = [at(0.4, 0.4, side=0.1, text=f"Nodule {n} of the hilum.") for n in range(9)]
    aside = at(0.1, 0.3, side=0.25)

    *placed, last = labels(*crowd, aside)

    for label in placed:
        assert common(label.area, outline(last)) == 0


def test_a_label_at_the_right_edge_ends_with_its_box() -> None:
    (label,) = labels(at(0.8, 0.4, text="Consolidation of the left lower lobe."))

    assert label.area[2] == 2000
    assert label.area[3] == int(label.tracked.box.top)


def test_a_label_of_a_box_over_the_whole_image_stands_inside_below_the_notice() -> None:
    frame = ImageFrame(rows=2000, columns=2000)
    whole = NormalizedBox(x_min=0, y_min=0, x_max=1, y_max=1)

    (label,) = labels(GroundedPhrase(text="Haze.", boxes=(whole,)), frame=frame)

    assert common(label.area, notice(frame)) == 0
    assert common(label.area, outline(label)) > 0


def test_a_label_that_found_room_away_from_its_box_is_anchored_to_it() -> None:
    crowd = [at(0.4, 0.4, text=f"Nodule {n} in the lung.") for n in range(40)]

    away = [label for label in labels(*crowd) if label.anchor]

    assert away
    for label in away:
        assert label.anchor == (label.tracked.box.left, label.tracked.box.top)
