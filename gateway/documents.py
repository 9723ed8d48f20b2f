"""How what a stage keeps is written as JSON and read back, for all who read it."""

from pydantic import TypeAdapter

from dicom_io.evidence import Evidence
from dicom_io.results.withdrawal import Withdrawal
from dicom_io.view import Views
from model.engine import EngineIdentity
from model.report import GroundedReport

VIEWS = TypeAdapter(Views)
EVIDENCE = TypeAdapter(Evidence)
REPORTS = TypeAdapter(tuple[GroundedReport, ...])
ENGINE = TypeAdapter(EngineIdentity)
WITHDRAWAL = TypeAdapter(Withdrawal)
