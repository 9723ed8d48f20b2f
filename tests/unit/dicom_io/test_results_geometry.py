"""The boxes in SR and GSPS are the model's, by a formula that is not the product's.

The model sees the upright picture: columns go to the patient's left, rows to the
feet. Patient Orientation says where columns and rows of the stored image go; so a
point of one is a point of the other, counted from this or that edge.
"""

import tempfile
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.coordinates import ImageFrame, Projection, orientation_of
from dicom_io.evidence import Evidence
from dicom_io.results.encode import encode_results
from dicom_io.results.preflight import check_objects
from model.report import GroundedPhrase, NormalizedBox
from tests.data.geometry import edges_in_image
from tests.data.reports import PROVENANCE, context, evidence, film, film_file, report

SINGLE_PRECISION = 0.005
"""Pixels: half of what tells two neighbours of FL apart just below 65,535 is 0.002."""
WAYS = ["LF", "RF", "LH", "RH", "FL", "FR", "HL", "HR"]
SPACINGS = [["0.2", "0.2"], ["0.3", "0.1"], ["0.1", "0.3"], ["0", "0"], []]
SIDES = st.one_of(st.integers(1, 65535), st.integers(1, 3000))
Sides = tuple[int, int]
Box = tuple[float, float, float, float]


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    """Any box on the grid of the model: hundredths, at least one bin wide."""
    x, y = draw(st.integers(0, 99)), draw(st.integers(0, 99))
    right, bottom = draw(st.integers(x + 1, 100)), draw(st.integers(y + 1, 100))
    return x / 100, y / 100, right / 100, bottom / 100


def in_stored_image(box: Box, rows: int, columns: int, way: str) -> list[float]:
    """Return left, top, right, bottom of the box in the stored image."""
    across, down = way[0], way[1]
    lying = across in "FH"
    width, height = (rows, columns) if lying else (columns, rows)
    left, top, right, bottom = edges_in_image(box, height, width, PROVENANCE.crop_side)
    to_the_left, to_the_feet = (left, right), (top, bottom)
    measured = {
        "L": to_the_left,
        "R": tuple(width - edge for edge in to_the_left),
        "F": to_the_feet,
        "H": tuple(height - edge for edge in to_the_feet),
    }
    column_edges, row_edges = sorted(measured[across]), sorted(measured[down])
    return [column_edges[0], row_edges[0], column_edges[1], row_edges[1]]


def frame_of(rows: int, columns: int, way: str) -> ImageFrame:
    orientation = orientation_of((way[0], way[1]), Projection.FRONTAL)
    assert orientation is not None
    return ImageFrame(rows=rows, columns=columns, orientation=orientation)


def seen(frame: ImageFrame) -> Evidence:
    return replace(evidence(), frame=frame)


def corners(points: list[float]) -> list[float]:
    return [min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])]


@settings(max_examples=60, deadline=None)
@given(
    box=boxes(),
    sides=st.tuples(SIDES, SIDES),
    way=st.sampled_from(WAYS),
    spacing=st.sampled_from(SPACINGS),
    photometric=st.sampled_from(["MONOCHROME1", "MONOCHROME2"]),
)
@example((0.5, 0.5, 0.51, 0.51), (65535, 65535), "HR", [], "MONOCHROME1")
@example((0.5, 0.5, 0.51, 0.51), (65535, 1), "HR", ["0.3", "0.1"], "MONOCHROME1")
@example((0.99, 0.0, 1.0, 0.01), (1, 65535), "LF", ["0", "0"], "MONOCHROME2")
@example((0.2, 0.3, 0.4, 0.9), (1, 1), "FL", ["0.2", "0.2"], "MONOCHROME2")
def test_the_box_in_both_objects_is_that_of_the_model(
    box: Box, sides: Sides, way: str, spacing: list[str], photometric: str
) -> None:
    rows, columns = sides
    source = film(
        rows=1,
        columns=2,
        Rows=rows,
        Columns=columns,
        PixelSpacing=spacing,
        PatientOrientation=list(way),
        PhotometricInterpretation=photometric,
    )
    x_min, y_min, x_max, y_max = box
    drawn = NormalizedBox(x_min=x_min, y_min=y_min, x_max=x_max, y_max=y_max)
    said = report([GroundedPhrase(text="Mass.", boxes=(drawn,))])
    looked_at = seen(frame_of(rows, columns, way))

    with tempfile.TemporaryDirectory() as folder:
        path = film_file(Path(folder), source)
        made = encode_results(path, said, looked_at, context())

    expected = pytest.approx(
        in_stored_image(box, rows, columns, way), abs=SINGLE_PRECISION
    )
    findings, state, _ = (dcmread(BytesIO(each.data)) for each in made)
    assert corners(scoord(findings)) == expected
    (annotation,) = state.GraphicAnnotationSequence
    (graphic,) = annotation.GraphicObjectSequence
    assert corners(list(graphic.GraphicData)) == expected
    assert check_objects(made, looked_at) == ()
    (area,) = state.DisplayedAreaSelectionSequence
    not_square = spacing in (["0.3", "0.1"], ["0.1", "0.3"])
    assert ("PresentationPixelSpacing" in area) is not_square
    if not_square:
        assert area.PresentationPixelSpacing == list(map(float, spacing))


def scoord(document: Dataset) -> list[float]:
    """Return the points of the only region."""
    (points,) = (
        element.value
        for element in document.iterall()
        if element.keyword == "GraphicData"
    )
    return list(points)
