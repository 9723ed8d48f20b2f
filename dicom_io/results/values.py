"""What goes into and comes out of the encoding of results."""

from dataclasses import dataclass
from datetime import datetime

from dicom_io.evidence import ReferencedInstance
from dicom_io.results.kinds import ResultKind
from model.report import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedInstance:
    """One finished object; `data` is a whole Part 10 file, preamble zeroed."""

    kind: ResultKind
    task: Task
    sop_class_uid: str
    sop_instance_uid: str
    series_instance_uid: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultContext:
    """What the objects say about the run; the source of their times and UIDs.

    case_key : hexadecimal digest over case, model and the settings that matter.
    revision : 1 for the first report of a study.
    created_at : aware; written as the content time, in the source image's time zone
    or else in its own.
    device_uid : stable UID of this installation.
    predecessors : the SRs of the revision before, newest first.
    """

    case_key: str
    revision: int
    created_at: datetime
    device_uid: str
    model_manufacturer: str
    software_version: str
    predecessors: tuple[ReferencedInstance, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a time without its zone and a revision before the first."""
        if self.created_at.tzinfo is None:
            raise ValueError("created_at has no time zone")
        if self.revision < 1:
            raise ValueError("the first revision is 1")
