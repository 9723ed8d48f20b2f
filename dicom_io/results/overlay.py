"""What a page lays over the frontal image: the same places as SR and GSPS hold.

Boxes come from `placement`, as those of the objects do. They are told twice: in pixels
of the stored image, and of the image turned upright, as people are shown it.
"""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from dicom_io.coordinates import ImageFrame, Orientation, PixelBox, to_upright
from dicom_io.evidence import Evidence
from dicom_io.options import DecodeLimits
from dicom_io.parsing import read_file
from dicom_io.results.capture import drawing_of, pixel_ratio
from dicom_io.results.encode import material_of, read_picture
from dicom_io.results.picture import draw
from dicom_io.results.placement import PlacedFinding, place_findings
from dicom_io.results.values import ResultContext
from dicom_io.results.wording import caveats
from model.report import GroundedReport, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidBox:
    """One box: `stored` as in SR and GSPS, `shown` in the upright image."""

    identifier: str
    tracking_uid: str
    stored: PixelBox
    shown: PixelBox


@dataclass(frozen=True, slots=True, kw_only=True)
class LaidFinding:
    """One sentence, numbered from 1; `dropped` boxes have no area in the image."""

    number: int
    sentence: str
    boxes: tuple[LaidBox, ...]
    dropped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlay:
    """All that is laid over the frontal image for one report.

    rows, columns : of the upright image. unseen : margins that the model did not see,
    in its pixels. remarks : what a reader of the report should know.
    """

    rows: int
    columns: int
    orientation: Orientation
    findings: tuple[LaidFinding, ...]
    unseen: tuple[PixelBox, ...]
    remarks: tuple[str, ...]


def lay(report: GroundedReport, frame: ImageFrame, context: ResultContext) -> Overlay:
    """Return what is laid over the frontal image of `frame`; pure."""
    rows, columns = frame.rows, frame.columns
    if frame.orientation.transpose:
        rows, columns = columns, rows
    placed = place_findings(report, frame, context)
    located = report.task is not Task.FINDINGS
    return Overlay(
        rows=rows,
        columns=columns,
        orientation=frame.orientation,
        findings=tuple(_laid(each, frame, located=located) for each in placed),
        unseen=_unseen(rows, columns),
        remarks=caveats(report, placed),
    )


def _laid(finding: PlacedFinding, frame: ImageFrame, *, located: bool) -> LaidFinding:
    return LaidFinding(
        number=finding.number,
        sentence=finding.sentence,
        boxes=tuple(
            LaidBox(
                identifier=tracked.identifier,
                tracking_uid=tracked.tracking_uid,
                stored=tracked.box,
                shown=to_upright(tracked.box, frame),
            )
            for tracked in finding.boxes
            if located
        ),
        dropped=finding.dropped,
    )


def _unseen(rows: int, columns: int) -> tuple[PixelBox, ...]:
    """Return what lies beside the central square that the model sees."""
    cut = abs(columns - rows) / 2.0
    if columns > rows:
        left = PixelBox(left=0.0, top=0.0, right=cut, bottom=rows)
        return left, PixelBox(left=columns - cut, top=0.0, right=columns, bottom=rows)
    if rows > columns:
        top = PixelBox(left=0.0, top=0.0, right=columns, bottom=cut)
        return top, PixelBox(left=0.0, top=rows - cut, right=columns, bottom=rows)
    return ()


def draw_report(
    frontal: Path,
    report: GroundedReport,
    evidence: Evidence,
    context: ResultContext,
    limits: DecodeLimits,
) -> bytes:
    """Return the frontal image with boxes, sentences and the research mark as a PNG.

    The picture of a capture; raises as `encode_results` does.
    """
    material = material_of(frontal, report, evidence, context)
    file = BytesIO()
    picture = read_picture(frontal, limits)
    draw(drawing_of(material, picture)).save(file, "PNG", optimize=True)
    return file.getvalue()


def pixel_ratio_of(path: Path, *, turned: bool) -> float:
    """Return the height of a pixel divided by its width, in the upright image.

    turned : rows and columns of the stored image are swapped to make it upright.
    """
    return pixel_ratio(read_file(path).attributes, turned=turned)
