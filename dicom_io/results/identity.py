"""UIDs, series and titles of the result objects; pure.

Each object has a series of its own: viewers show one document of a series
(OHIF 3.13.2 the last one), so a second SR in it would hide the first.
"""

from dataclasses import dataclass

from dicom_io.product import PRODUCT_NAME
from dicom_io.results.kinds import ResultKind
from dicom_io.results.values import ResultContext
from dicom_io.uid import derive_uid
from model.report import GroundedReport, Task

FIRST_SERIES_NUMBER = 901
"""High, so that results sort after the images of a study."""

_TITLES = {
    ResultKind.FINDINGS_SR: "findings",
    ResultKind.FINDINGS_SR_2D: "findings",
    ResultKind.NARRATIVE_SR: "narrative",
    ResultKind.GSPS: "boxes",
    ResultKind.CAPTURE: "picture",
    ResultKind.KEY_OBJECTS: "key image",
    ResultKind.WITHDRAWAL_SR: "withdrawn",
    ResultKind.REJECTION_NOTE: "rejection",
}
_SERIES_PER_REVISION = len(ResultKind) * len(Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectIdentity:
    """Where an object stands in its study."""

    sop_instance_uid: str
    series_instance_uid: str
    series_number: int
    series_description: str


def identify(
    kind: ResultKind, report: GroundedReport, context: ResultContext
) -> ObjectIdentity:
    """Return the identity of the `kind` object of this report and revision."""
    return ObjectIdentity(
        sop_instance_uid=result_uid(report, context, kind.value, "instance"),
        series_instance_uid=result_uid(report, context, kind.value, "series"),
        series_number=_series_number(kind, report.task, context.revision),
        series_description=_description(kind, report, context.revision),
    )


def result_uid(report: GroundedReport, context: ResultContext, *what: str) -> str:
    """Derive the UID of `what` in this report: same case and revision, same UID."""
    asked = (report.task.value, report.phrase or "")
    return derive_uid(context.case_key, str(context.revision), *asked, *what)


def _series_number(kind: ResultKind, task: Task, revision: int) -> int:
    tasks, kinds = list(Task), list(ResultKind)
    place = tasks.index(task) * len(kinds) + kinds.index(kind)
    return FIRST_SERIES_NUMBER + (revision - 1) * _SERIES_PER_REVISION + place


def _description(kind: ResultKind, report: GroundedReport, revision: int) -> str:
    # LO, 64 characters: each part is ours and short. Viewers cut it (OHIF 3.13.2 after
    # some 20 characters): what it is for and what it is come first.
    title = f"RESEARCH {_TITLES[kind]} {PRODUCT_NAME} {report.task.value}"
    return title if revision == 1 else f"{title} rev {revision}"
