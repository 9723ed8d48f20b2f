"""A report and its evidence -> the objects that carry it.

| task             | with boxes                      | without boxes |
| ---------------- | ------------------------------- | ------------- |
| plain findings   | narrative                       | narrative     |
| grounded findings| findings SR, GSPS and narrative | narrative     |
| phrase grounding | findings SR and GSPS            | narrative     |

A capture can be made of each of them, key objects where there are boxes. A findings
SR without any box is not made: OHIF 3.13.2 cannot open it. Of these a site gets what
its output profiles name. The Comprehensive form of a findings SR is made where it is
asked for: for a node that takes no Comprehensive 3D SR.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydicom.dataset import Dataset

from dicom_io.elements import Attributes
from dicom_io.errors import NotEncodable, UnreadablePixels, UnsupportedImage
from dicom_io.evidence import Evidence
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.parsing import read_file
from dicom_io.pictures.pixels import render_image
from dicom_io.results.capture import capture
from dicom_io.results.findings import findings_sr, findings_sr_2d
from dicom_io.results.gsps import gsps
from dicom_io.results.key_objects import key_objects
from dicom_io.results.kinds import PROFILES, OutputProfile, ResultKind
from dicom_io.results.material import Material
from dicom_io.results.modules import part10
from dicom_io.results.narrative import narrative_sr
from dicom_io.results.placement import place_findings
from dicom_io.results.source import required
from dicom_io.results.values import EncodedInstance, ResultContext
from model.report import GreyImage, GroundedReport, Task

_BUILDERS: Mapping[ResultKind, Callable[[Material], Dataset]] = {
    ResultKind.FINDINGS_SR: findings_sr,
    ResultKind.FINDINGS_SR_2D: findings_sr_2d,
    ResultKind.GSPS: gsps,
    ResultKind.NARRATIVE_SR: narrative_sr,
    ResultKind.KEY_OBJECTS: key_objects,
}
_LOCATED = (ResultKind.FINDINGS_SR, ResultKind.FINDINGS_SR_2D, ResultKind.GSPS)
"""What carries boxes and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Which objects are made.

    kinds : those that some destination gets. limits : of decoding the frontal
    image, which a capture alone needs.
    """

    kinds: frozenset[ResultKind] = PROFILES[OutputProfile.GENERIC_PACS]
    limits: DecodeLimits = field(default_factory=DecodeLimits)


EVERYWHERE = Outputs()
"""What a general archive gets."""


def encode_results(
    frontal: Path,
    report: GroundedReport,
    evidence: Evidence,
    context: ResultContext,
    outputs: Outputs = EVERYWHERE,
) -> tuple[EncodedInstance, ...]:
    """Return the objects of one report, in the order in which they are sent.

    frontal : the stored Part 10 file of `evidence.frontal`.
    The same arguments give the same bytes. Raises UnreadableHeader when the file
    is broken, OSError when the file system fails, and NotEncodable when the file
    holds another instance, lacks what files a result with its study, or has pixels
    that a capture needs and that cannot be decoded.
    """
    material = material_of(frontal, report, evidence, context)
    kinds = _kinds(report.task, outputs.kinds, has_boxes=bool(material.boxes))
    return tuple(
        encoded(
            kind,
            material,
            capture(material, read_picture(frontal, outputs.limits))
            if kind is ResultKind.CAPTURE
            else _BUILDERS[kind](material),
        )
        for kind in kinds
    )


def read_picture(frontal: Path, limits: DecodeLimits) -> GreyImage:
    """Return the frontal image in the greys of people; raises NotEncodable."""
    try:
        return render_image(frontal, Rendering.VOI, limits)
    except (UnreadablePixels, UnsupportedImage) as error:
        raise NotEncodable(f"no picture can be drawn: {error}") from error


def material_of(
    frontal: Path, report: GroundedReport, evidence: Evidence, context: ResultContext
) -> Material:
    """Return what the objects of a report are built from; raises as above."""
    header = read_file(frontal).attributes
    _check_same_instance(header, evidence)
    return Material(
        header=header,
        report=report,
        evidence=evidence,
        context=context,
        findings=place_findings(report, evidence.frame, context),
    )


def _kinds(
    task: Task, wanted: frozenset[ResultKind], *, has_boxes: bool
) -> tuple[ResultKind, ...]:
    located = has_boxes and task is not Task.FINDINGS
    possible = list(_LOCATED) if located else []
    if not located or task is not Task.PHRASE_GROUNDING:
        possible.append(ResultKind.NARRATIVE_SR)
    possible.append(ResultKind.CAPTURE)
    if located:
        possible.append(ResultKind.KEY_OBJECTS)
    return tuple(kind for kind in possible if kind in wanted)


def encoded(kind: ResultKind, material: Material, ds: Dataset) -> EncodedInstance:
    """Return a finished object as its file."""
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
