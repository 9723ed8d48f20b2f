"""Where the texts of the presentation state stand; pure.

Coordinates are PIXEL units (column, row) as in `PixelBox`, except for the
notice. Areas stay inside the image and always have an area.
"""

from dicom_io.coordinates import ImageFrame, PixelBox
from dicom_io.results.placement import PlacedFinding, TrackedBox
from dicom_io.results.text import shorten

Area = tuple[float, float, float, float]

NOTICE_AREA: Area = (0.05, 0.01, 0.95, 0.05)
"""Left, top, right, bottom of the research notice, as shares of the display."""

LABEL_LIMIT = 60
"""Characters: what fits beside a box; the SR carries the whole sentence."""

_HEIGHT_SHARE = 0.03
_WIDTH_SHARE = 0.5
"""Of the image's width, for the longest label."""
_SHORTEST = 3


def label_text(finding: PlacedFinding, tracked: TrackedBox) -> str:
    """Return number and sentence, shortened; the sentence at its first box only."""
    if tracked != finding.boxes[0]:
        return str(finding.number)
    # highdicom takes no backslash in a label; the SR has the sentence as it is.
    sentence = finding.sentence.replace("\\", "/")
    return shorten(f"{finding.number} {sentence}", LABEL_LIMIT)


def label_area(box: PixelBox, frame: ImageFrame, text: str) -> Area:
    """Return the area of a label: above its box, or below where there is no room.

    Only as wide as its text needs, so that a label at the right edge of the image
    is moved left no further than it must be.
    """
    share = _WIDTH_SHARE * max(len(text), _SHORTEST) / LABEL_LIMIT
    width = max(frame.columns * share, 1.0)
    height = max(frame.rows * _HEIGHT_SHARE, 1.0)
    left = min(box.left, frame.columns - width)
    top = box.top - height if box.top >= height else box.bottom
    top = min(top, frame.rows - height)
    return (left, top, left + width, top + height)
