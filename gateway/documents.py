"""How what a stage keeps is written as JSON and read back, for all who read it."""

from dataclasses import dataclass

from pydantic import TypeAdapter

from dicom_io.coordinates import ImageFrame
from dicom_io.evidence import Evidence
from dicom_io.inputs.history import History
from dicom_io.inputs.view import Views
from dicom_io.results.withdrawal import Withdrawal
from model.engine import EngineIdentity
from model.report import GroundedReport

VIEWS = TypeAdapter(Views)
HISTORY = TypeAdapter(History)
EVIDENCE = TypeAdapter(Evidence)
REPORTS = TypeAdapter(tuple[GroundedReport, ...])
ENGINE = TypeAdapter(EngineIdentity)
WITHDRAWAL = TypeAdapter(Withdrawal)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroundedAnswer:
    """What the model answered to a person's phrase, and what it was shown."""

    report: GroundedReport
    frame: ImageFrame
    engine: EngineIdentity


GROUNDED = TypeAdapter(GroundedAnswer)
