"""What every result object is built from."""

from dataclasses import dataclass

from dicom_io.coordinates import PixelBox
from dicom_io.elements import Attributes
from dicom_io.evidence import Evidence
from dicom_io.results.placement import PlacedFinding
from dicom_io.results.values import ResultContext
from model.report import GroundedReport


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """One report with all that its objects need.

    header : of the stored frontal image, without pixel data.
    """

    header: Attributes
    report: GroundedReport
    evidence: Evidence
    context: ResultContext
    findings: tuple[PlacedFinding, ...]

    @property
    def boxes(self) -> tuple[PixelBox, ...]:
        """All boxes that can be drawn, in the order of their findings."""
        return tuple(
            tracked.box for finding in self.findings for tracked in finding.boxes
        )
