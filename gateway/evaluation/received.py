"""Reference reports as structured reports: files, the spool, or the archive.

The final report of a study often arrives after ours. Only what a person wrote
serves: `dicom_io.reports.choice` refuses our own results, those of algorithms, and
documents that a later one replaces.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from dicom_io.ae import LocalAE, RemoteAE, Retrieval
from dicom_io.contexts import REPORT_CLASSES
from dicom_io.errors import PeerFailure, PeerUnreachable, UnreadableHeader
from dicom_io.header import read_instance
from dicom_io.media import folder_sink
from dicom_io.options import ReportRules
from dicom_io.reports.choice import (
    MAX_REPORT_CHARACTERS,
    find_prior_report,
)
from dicom_io.scu.retrieve import retrieve_study
from dicom_io.sink import Incoming, Sink, StoreFacts
from dicom_io.status import Status
from dicom_io.uid import is_uid
from gateway.audit import kinds
from gateway.evaluation.errors import BadSource
from gateway.evaluation.sources import Absent, GivenReport, Reports
from gateway.ledger import Ledger, Role
from gateway.spool import Spool


def read_documents(folder: Path) -> Reports:
    """Read the structured reports below a folder of DICOM files, by study.

    Other objects are passed over. Raises BadSource for a file that is no DICOM.
    """
    by_study: dict[str, list[Path]] = {}
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        study, is_report = _read(path)
        found = by_study.setdefault(study, [])
        found += [path] if is_report else []
    return _gathered(str(folder), by_study.items())


def read_spool(ledger: Ledger, spool: Spool, studies: Iterable[str]) -> Reports:
    """Read the reports that others sent here for the studies and that are kept."""
    found: list[tuple[str, list[Path]]] = []
    with ledger.reading() as rows:
        for study in studies:
            kept = rows.instances(study, {Role.DOCUMENT})
            paths = [
                spool.path(each.file_name)
                for each in kept
                if each.sop_class_uid in REPORT_CLASSES
            ]
            found.append((study, [path for path in paths if path.exists()]))
    return _gathered("reports received by this site", found)


def record_reading(
    ledger: Ledger, studies: Iterable[str], reader: str, now: datetime
) -> None:
    """Record in the audit that `reader` had the reports of these studies read."""
    with ledger.writing() as rows:
        for study in studies:
            rows.append_audit(kinds.study_viewed(study, reader, now))


def fetch_reports(local: LocalAE, remote: RemoteAE, studies: Iterable[str]) -> Reports:
    """Fetch the reports of the studies from an archive, by C-GET.

    An archive serves whole studies: what is no report is not kept. A study that it
    does not give is absent; raises PeerUnreachable where it is away.
    """
    asked = replace(remote, retrieval=Retrieval.GET)
    with tempfile.TemporaryDirectory(prefix="maira-gateway-") as name:
        found = [
            _fetched(local, asked, study, Path(name) / str(number))
            for number, study in enumerate(studies)
        ]
    absent = tuple(each for each in found if isinstance(each, Absent))
    reports = dict(each for each in found if not isinstance(each, Absent))
    return Reports(place=f"archive {remote.name}", reports=reports, absent=absent)


def _fetched(
    local: LocalAE, remote: RemoteAE, study: str, folder: Path
) -> tuple[str, GivenReport] | Absent:
    if not is_uid(study):
        return Absent(study_id=study, reason="its name is no UID")
    try:
        retrieve_study(local, remote, study, _reports_only(folder))
    except PeerUnreachable:
        raise
    except PeerFailure as error:
        return Absent(study_id=study, reason=f"not retrieved: {error}")
    return _report(study, sorted(folder.glob("*.dcm")))


def _reports_only(folder: Path) -> Sink:
    keep = folder_sink(folder)

    def opened(facts: StoreFacts) -> Incoming:
        return keep(facts) if facts.sop_class_uid in REPORT_CLASSES else _Passed()

    return opened


class _Passed:
    """An instance that nobody asked for: taken, so that the archive goes on."""

    def write(self, data: bytes | memoryview) -> None:
        """Forget the bytes."""

    def commit(self) -> Status:
        """Say that it came."""
        return Status.SUCCESS

    def discard(self) -> None:
        """Do nothing: nothing was written."""


def _read(path: Path) -> tuple[str, bool]:
    try:
        header = read_instance(path)
    except (UnreadableHeader, OSError) as error:
        raise BadSource(f"{path} is no DICOM file that can be read: {error}") from error
    return header.study_instance_uid, header.sop_class_uid in REPORT_CLASSES


def _gathered(place: str, found: Iterable[tuple[str, Sequence[Path]]]) -> Reports:
    reports: dict[str, GivenReport] = {}
    absent: list[Absent] = []
    for study, paths in found:
        report = _report(study, paths)
        if isinstance(report, Absent):
            absent.append(report)
        else:
            reports[study] = report[1]
    return Reports(place=place, reports=reports, absent=tuple(absent))


_WHOLE = ReportRules(max_characters=2 * MAX_REPORT_CHARACTERS)
"""So that a report which is too long is told from one that just fits."""


def _report(study: str, paths: Sequence[Path]) -> tuple[str, GivenReport] | Absent:
    if not paths:
        return Absent(study_id=study, reason="no report of a person is there")
    found = find_prior_report(paths, rules=_WHOLE)
    report = found.report
    if report is None:
        reasons = "; ".join(f"{each.what}: {each.reason}" for each in found.rejected)
        return Absent(study_id=study, reason=reasons or "the study has no report")
    if report.instance is None or report.instance.study_instance_uid != study:
        return Absent(study_id=study, reason="the report names another study")
    if len(report.text) > MAX_REPORT_CHARACTERS:
        return Absent(study_id=study, reason="too long: only a part of it was read")
    return study, GivenReport(text=report.text)
