"""How what a stage keeps is written as JSON and read back, for all who read it."""

from pydantic import TypeAdapter

from dicom_io.evidence import Evidence
from model.engine import EngineIdentity
from model.report import GroundedReport

EVIDENCE = TypeAdapter(Evidence)
REPORTS = TypeAdapter(tuple[GroundedReport, ...])
ENGINE = TypeAdapter(EngineIdentity)
