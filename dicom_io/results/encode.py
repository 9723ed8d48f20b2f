"""A report and its evidence -> the objects that carry it.

| task             | with boxes                      | without boxes |
| ---------------- | ------------------------------- | ------------- |
| plain findings   | narrative                       | narrative     |
| grounded findings| findings SR, GSPS and narrative | narrative     |
| phrase grounding | findings SR and GSPS            | narrative     |

A findings SR without any box is not made: OHIF 3.13.2 cannot open it.
"""

from collections.abc import Callable
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.elements import Attributes
from dicom_io.errors import NotEncodable
from dicom_io.evidence import Evidence
from dicom_io.parsing import read_file
from dicom_io.results.findings import findings_sr
from dicom_io.results.gsps import gsps
from dicom_io.results.material import Material
from dicom_io.results.modules import part10
from dicom_io.results.narrative import narrative_sr
from dicom_io.results.placement import place_findings
from dicom_io.results.source import required
from dicom_io.results.values import EncodedInstance, ResultContext, ResultKind
from model.report import GroundedReport, Task

_BUILDERS: dict[ResultKind, Callable[[Material], Dataset]] = {
    ResultKind.FINDINGS_SR: findings_sr,
    ResultKind.GSPS: gsps,
    ResultKind.NARRATIVE_SR: narrative_sr,
}


def encode_results(
    frontal: Path, report: GroundedReport, evidence: Evidence, context: ResultContext
) -> tuple[EncodedInstance, ...]:
    """Return the objects of one report, in the order in which they are sent.

    frontal : the stored Part 10 file of `evidence.frontal`.

    The same arguments give the same bytes. Raises UnreadableHeader when the file
    is broken, OSError when the file system fails, and NotEncodable when the file
    holds another instance or lacks what files a result with its study.
    """
    header = read_file(frontal).attributes
    _check_same_instance(header, evidence)
    material = Material(
        header=header,
        report=report,
        evidence=evidence,
        context=context,
        findings=place_findings(report, evidence.frame, context),
    )
    kinds = _kinds(report.task, has_boxes=bool(material.boxes))
    return tuple(_encoded(kind, material) for kind in kinds)


def _kinds(task: Task, *, has_boxes: bool) -> tuple[ResultKind, ...]:
    if not has_boxes or task is Task.FINDINGS:
        return (ResultKind.NARRATIVE_SR,)
    located = (ResultKind.FINDINGS_SR, ResultKind.GSPS)
    if task is Task.PHRASE_GROUNDING:
        return located
    return (*located, ResultKind.NARRATIVE_SR)


def _encoded(kind: ResultKind, material: Material) -> EncodedInstance:
    ds = _BUILDERS[kind](material)
    return EncodedInstance(
        kind=kind,
        task=material.report.task,
        sop_class_uid=str(ds.SOPClassUID),
        sop_instance_uid=str(ds.SOPInstanceUID),
        series_instance_uid=str(ds.SeriesInstanceUID),
        data=part10(ds),
    )


def _check_same_instance(header: Attributes, evidence: Evidence) -> None:
    read = required(header, "SOPInstanceUID")
    if read != evidence.frontal.sop_instance_uid:
        raise NotEncodable(
            f"the file holds {read!r}, the report is about "
            f"{evidence.frontal.sop_instance_uid!r}"
        )
    if required(header, "StudyInstanceUID") != evidence.frontal.study_instance_uid:
        raise NotEncodable(f"{read!r} is of another study than the report says")
