import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dicom_io.coordinates import (
    ImageFrame,
    Orientation,
    PixelBox,
    Projection,
    cropped_share,
    orient,
    orientation_of,
    to_normalized,
    to_pixels,
)
from model.report import NormalizedBox

SIDES = st.integers(1, 65535)
SHARES = st.floats(0, 1)
ORIENTATIONS = st.builds(
    Orientation,
    transpose=st.booleans(),
    mirror_columns=st.booleans(),
    mirror_rows=st.booleans(),
)
FRAMES = st.builds(ImageFrame, rows=SIDES, columns=SIDES, orientation=ORIENTATIONS)
BOXES = st.builds(NormalizedBox, x_min=SHARES, y_min=SHARES, x_max=SHARES, y_max=SHARES)


@given(BOXES, FRAMES, st.sampled_from([14, 112, 518]))
def test_a_box_comes_back_from_the_stored_image(
    box: NormalizedBox, frame: ImageFrame, crop_side: int
) -> None:
    back = to_normalized(to_pixels(box, frame, crop_side), frame, crop_side)
    assert back is not None
    ordered = box.ordered()
    for name in ("x_min", "y_min", "x_max", "y_max"):
        assert getattr(back, name) == pytest.approx(getattr(ordered, name), abs=1e-6)


@given(BOXES, FRAMES)
def test_pixels_are_ordered_and_inside_the_image(
    box: NormalizedBox, frame: ImageFrame
) -> None:
    pixels = to_pixels(box, frame, 518)
    assert 0 <= pixels.left <= pixels.right <= frame.columns
    assert 0 <= pixels.top <= pixels.bottom <= frame.rows


def test_the_crop_of_a_portrait_image_lies_in_the_middle() -> None:
    # 2544 x 3056 (columns x rows): the long edge becomes int(518*3056/2544) = 622,
    # the crop begins (622-518)//2 = 52 down. One pixel of the 622 is 3056/622.
    frame = ImageFrame(rows=3056, columns=2544)
    whole = NormalizedBox(x_min=0, y_min=0, x_max=1, y_max=1)
    box = to_pixels(whole, frame, 518)
    assert (box.left, box.right) == (0, 2544)
    assert box.top == pytest.approx(52 * 3056 / 622)
    assert box.bottom == pytest.approx((52 + 518) * 3056 / 622)


@pytest.mark.parametrize(
    "orientation",
    [
        Orientation(),
        Orientation(transpose=True),
        Orientation(mirror_columns=True),
        Orientation(transpose=True, mirror_columns=True, mirror_rows=True),
    ],
)
@pytest.mark.parametrize(("rows", "columns"), [(301, 400), (400, 301), (333, 333)])
def test_a_painted_rectangle_is_found_where_pillow_puts_it(
    rows: int, columns: int, orientation: Orientation
) -> None:
    """The judge is Pillow: it resizes and crops as the model's processor does."""
    box = PixelBox(left=120, top=130, right=200, bottom=190)
    stored = np.zeros((rows, columns), np.uint8)
    stored[130:190, 120:200] = 255
    upright = Image.fromarray(orient(stored, orientation))
    short = min(upright.size)
    width, height = (int(112 * length / short) for length in upright.size)
    left, top = (width - 112) // 2, (height - 112) // 2
    resized = upright.resize((width, height), Image.Resampling.BICUBIC)
    seen = np.asarray(resized.crop((left, top, left + 112, top + 112))) > 127
    expected = to_normalized(
        box, ImageFrame(rows=rows, columns=columns, orientation=orientation), 112
    )
    assert expected is not None
    found_columns, found_rows = np.flatnonzero(seen.any(0)), np.flatnonzero(seen.any(1))
    assert expected.x_min * 112 == pytest.approx(found_columns[0], abs=0.75)
    assert expected.x_max * 112 == pytest.approx(found_columns[-1] + 1, abs=0.75)
    assert expected.y_min * 112 == pytest.approx(found_rows[0], abs=0.75)
    assert expected.y_max * 112 == pytest.approx(found_rows[-1] + 1, abs=0.75)


def test_a_box_outside_the_crop_is_none() -> None:
    frame = ImageFrame(rows=100, columns=300)
    outside = PixelBox(left=0, top=0, right=50, bottom=50)
    assert to_normalized(outside, frame, 50) is None


@pytest.mark.parametrize(
    ("across", "down"),
    ["LF", "RF", "LH", "RH", "FL", "FR", "HL", "HR"],
)
def test_a_frontal_image_is_turned_left_to_the_right_and_feet_down(
    across: str, down: str
) -> None:
    """Paint the corner between the patient's left and feet; it ends bottom right."""
    stored = np.zeros((4, 6), np.uint8)
    row = -1 if down in "LF" else 0
    column = -1 if across in "LF" else 0
    stored[row, column] = 1
    orientation = orientation_of((across, down), Projection.FRONTAL)
    assert orientation is not None
    assert orient(stored, orientation)[-1, -1] == 1


def test_a_lateral_image_keeps_the_side_it_faces() -> None:
    for facing in ("A", "P", "L"):
        assert orientation_of((facing, "F"), Projection.LATERAL) == Orientation()
    upside_down = orientation_of(("A", "H"), Projection.LATERAL)
    assert upside_down == Orientation(mirror_rows=True)


def test_an_absent_orientation_is_as_stored() -> None:
    assert orientation_of((), Projection.FRONTAL) == Orientation()
    assert orientation_of(("", ""), Projection.FRONTAL) == Orientation()


@pytest.mark.parametrize(
    "values", [("A", "F"), ("L", "P"), ("F", "H"), ("L",), ("L", "F", "F"), ("X", "Y")]
)
def test_an_orientation_that_is_no_frontal_cannot_be_made_upright(
    values: tuple[str, ...],
) -> None:
    assert orientation_of(values, Projection.FRONTAL) is None


def test_the_cropped_share_names_the_sides_of_the_upright_picture() -> None:
    stored = ImageFrame(rows=3056, columns=2544)
    assert cropped_share(stored).share == pytest.approx(512 / 3056)
    assert cropped_share(stored).sides == ("top", "bottom")
    turned = ImageFrame(
        rows=3056, columns=2544, orientation=Orientation(transpose=True)
    )
    assert cropped_share(turned).sides == ("left", "right")
    assert cropped_share(ImageFrame(rows=9, columns=9)).sides == ()
