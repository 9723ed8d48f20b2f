"""Where the texts of the presentation state stand; pure.

Coordinates are PIXEL units (column, row) as in `PixelBox`, except for the
notice. Areas stay inside the image and always have an area.
"""

from dicom_io.coordinates import ImageFrame, PixelBox
from dicom_io.results.placement import PlacedFinding, TrackedBox
from dicom_io.results.text import one_line

Area = tuple[float, float, float, float]

NOTICE_AREA: Area = (0.05, 0.01, 0.95, 0.05)
"""Left, top, right, bottom of the research notice, as shares of the display."""

LABEL_LIMIT = 48
"""Characters: what fits beside a box; the SR carries the whole sentence."""

_HEIGHT_SHARE = 0.03
_WIDTH_SHARE = 0.4


def label_text(finding: PlacedFinding, tracked: TrackedBox) -> str:
    """Return number and sentence, shortened; the sentence at its first box only."""
    if tracked != finding.boxes[0]:
        return str(finding.number)
    return one_line(f"{finding.number} {finding.sentence}", LABEL_LIMIT)


def label_area(box: PixelBox, frame: ImageFrame) -> Area:
    """Return the area of a label: above its box, or below where there is no room."""
    width = max(frame.columns * _WIDTH_SHARE, 1.0)
    height = max(frame.rows * _HEIGHT_SHARE, 1.0)
    left = min(box.left, frame.columns - width)
    top = box.top - height if box.top >= height else box.bottom
    top = min(top, frame.rows - height)
    return (left, top, left + width, top + height)
