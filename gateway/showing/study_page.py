"""One study as a person is shown it: its images, what was said where, what is open.

The boxes are laid over the image by the functions that place them in SR and GSPS.
Whoever asks has the look recorded; nobody is shown an image that is not the study's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from dicom_io.coordinates import Orientation, Projection, orientation_of
from dicom_io.errors import Unreadable
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.header import Instance, read_instance
from dicom_io.pictures.showing import AS_STORED
from dicom_io.results.overlay import Overlay, lay, pixel_ratio_of
from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.documents import (
    ENGINE,
    EVIDENCE,
    GROUNDED,
    REPORTS,
    VIEWS,
    GroundedAnswer,
)
from gateway.errors import NoSuchStudy
from gateway.ledger import (
    AuditFilter,
    Document,
    GroundingRecord,
    InstanceRecord,
    Reading,
    Role,
    StudyRecord,
    Writing,
)
from gateway.showing.review import StudyDetail, study_detail
from gateway.site import Site
from gateway.stages.encoding import result_context
from gateway.stages.grounding import why_not
from model.report import Flag, Provenance, Task

SAME_LOOK = timedelta(minutes=15)
"""What is asked for within it belongs to the look that is recorded."""
_MOST_LOOKS = 1000
MOST_IMAGES = 4
"""Images of a study of which none was chosen (yet)."""


class Part(StrEnum):
    """As what an image is shown."""

    FRONTAL = "frontal"
    LATERAL = "lateral"
    PRIOR = "prior"
    IMAGE = "image"
    """None was chosen: one of those that came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownImage:
    """An image of the page.

    header : None where its file is gone or unreadable; there is no picture then.
    orientation : how it is turned to be upright. pixel_ratio : height of an upright
    pixel divided by its width.
    """

    part: Part
    sop_instance_uid: str
    study_instance_uid: str
    header: Instance | None
    orientation: Orientation = AS_STORED
    pixel_ratio: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownReading:
    """What the model said to one question, laid over the frontal image."""

    task: Task
    phrase: str | None
    overlay: Overlay
    flags: tuple[Flag, ...]
    provenance: Provenance


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownGrounding:
    """A phrase that a person had looked for; `reading` is None without an answer."""

    record: GroundingRecord
    reading: ShownReading | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StudyPage:
    """All that the page of a study shows.

    subject : the header that names the patient; None where no file is left.
    no_grounding : why no phrase can be looked for now, None where one can.
    """

    detail: StudyDetail
    subject: Instance | None
    images: tuple[ShownImage, ...]
    readings: tuple[ShownReading, ...]
    groundings: tuple[ShownGrounding, ...]
    no_grounding: str | None


def open_page(
    site: Site, study_instance_uid: str, reader: Person | str, now: datetime
) -> StudyPage:
    """Return the page of a study, and record that `reader` looked at it.

    Raises NoSuchStudy.
    """
    with site.ledger.writing() as rows:
        detail = study_detail(rows, study_instance_uid)
        rows.append_audit(kinds.study_viewed(study_instance_uid, reader, now))
    with site.ledger.reading() as rows:
        study = detail.study
        records = rows.groundings(study.id, study.revision)
        no_grounding = why_not(rows, study)
    images = _images(site, study)
    return StudyPage(
        detail=detail,
        subject=next((each.header for each in images if each.header), None),
        images=images,
        readings=_readings(site, study),
        groundings=tuple(shown_grounding(site, study, each) for each in records),
        no_grounding=no_grounding,
    )


def open_groundings(
    site: Site, study_instance_uid: str, reader: Person | str, now: datetime
) -> tuple[ShownGrounding, ...]:
    """Return the phrases of a study; part of a look that was recorded, or recorded.

    Raises NoSuchStudy.
    """
    with site.ledger.writing() as rows:
        study = known(rows, study_instance_uid)
        note_look(rows, study, reader, now)
        records = rows.groundings(study.id, study.revision)
    return tuple(shown_grounding(site, study, each) for each in records)


def note_look(
    rows: Writing, study: StudyRecord, reader: Person | str, now: datetime
) -> None:
    """Record a look at a study, unless this one is recorded already."""
    uid = study.study_instance_uid
    before = rows.audit(
        AuditFilter(
            study_instance_uid=uid,
            event="study-viewed",
            since=now - SAME_LOOK,
            limit=_MOST_LOOKS,
        )
    )
    name = reader if isinstance(reader, str) else reader.name
    if all(record.user != name for record in before):
        rows.append_audit(kinds.study_viewed(uid, reader, now))


def known(rows: Reading, study_instance_uid: str) -> StudyRecord:
    """Return a study; raises NoSuchStudy."""
    study = rows.study(study_instance_uid)
    if study is None:
        raise NoSuchStudy(f"no study {study_instance_uid[:64]!r}")
    return study


def _evidence(rows: Reading, study: StudyRecord) -> Evidence | None:
    body = rows.document(study.id, study.revision, Document.EVIDENCE)
    return None if body is None else EVIDENCE.validate_json(body)


def parts_of(
    rows: Reading, study: StudyRecord
) -> Iterator[tuple[Part, ReferencedInstance]]:
    """Yield the images of which a study consists for a person: those that were read.

    Where none was read: those that were chosen, else those that came first.
    """
    evidence = _evidence(rows, study)
    if evidence is not None:
        yield from _parts_read(evidence)
        return
    body = rows.document(study.id, study.revision, Document.VIEWS)
    if body is not None:
        views = VIEWS.validate_json(body)
        yield Part.FRONTAL, _named(views.frontal)
        if views.lateral is not None:
            yield Part.LATERAL, _named(views.lateral)
        return
    current = rows.instances(study.study_instance_uid, {Role.CURRENT})
    for record in current[:MOST_IMAGES]:
        yield Part.IMAGE, _named(record)


def _parts_read(evidence: Evidence) -> Iterator[tuple[Part, ReferencedInstance]]:
    yield Part.FRONTAL, evidence.frontal
    if evidence.lateral is not None:
        yield Part.LATERAL, evidence.lateral
    for prior in evidence.prior_images:
        yield Part.PRIOR, prior


def _named(instance: Instance | InstanceRecord) -> ReferencedInstance:
    return ReferencedInstance(
        study_instance_uid=instance.study_instance_uid,
        series_instance_uid=instance.series_instance_uid,
        sop_class_uid=instance.sop_class_uid,
        sop_instance_uid=instance.sop_instance_uid,
    )


def _images(site: Site, study: StudyRecord) -> tuple[ShownImage, ...]:
    with site.ledger.reading() as rows:
        named = [
            (part, each, rows.instance(each.sop_instance_uid))
            for part, each in parts_of(rows, study)
        ]
    return tuple(shown_image(site, *each) for each in named)


def shown_image(
    site: Site, part: Part, named: ReferencedInstance, record: InstanceRecord | None
) -> ShownImage:
    """Return an image of the page by its header; a file that is gone has none."""
    image = ShownImage(
        part=part,
        sop_instance_uid=named.sop_instance_uid,
        study_instance_uid=named.study_instance_uid,
        header=None,
    )
    if record is None:
        return image
    path = site.spool.path(record.file_name)
    try:
        header = read_instance(path)
        turn = upright(header, part)
        ratio = pixel_ratio_of(path, turned=turn.transpose)
    except (Unreadable, OSError):
        return image
    return ShownImage(
        part=part,
        sop_instance_uid=named.sop_instance_uid,
        study_instance_uid=named.study_instance_uid,
        header=header,
        orientation=turn,
        pixel_ratio=ratio,
    )


def upright(header: Instance, part: Part) -> Orientation:
    """Return how an image is turned for people; as stored where nobody can tell."""
    lateral = part is Part.LATERAL or header.view_position in {"LL", "RL", "LLO", "RLO"}
    projection = Projection.LATERAL if lateral else Projection.FRONTAL
    return orientation_of(header.patient_orientation, projection) or Orientation()


def _readings(site: Site, study: StudyRecord) -> tuple[ShownReading, ...]:
    with site.ledger.reading() as rows:
        evidence, reports, engine = (
            rows.document(study.id, study.revision, name)
            for name in (Document.EVIDENCE, Document.REPORTS, Document.ENGINE)
        )
    if evidence is None or reports is None or engine is None:
        return ()
    frame = EVIDENCE.validate_json(evidence).frame
    identity = ENGINE.validate_json(engine)
    answers = (
        GroundedAnswer(report=said, frame=frame, engine=identity)
        for said in REPORTS.validate_json(reports)
    )
    return tuple(_reading(site, study, each) for each in answers)


def _reading(site: Site, study: StudyRecord, answer: GroundedAnswer) -> ShownReading:
    said = answer.report
    context = result_context(site, study, said, answer.engine)
    return ShownReading(
        task=said.task,
        phrase=said.phrase,
        overlay=lay(said, answer.frame, context),
        flags=said.flags,
        provenance=said.provenance,
    )


def shown_grounding(
    site: Site, study: StudyRecord, record: GroundingRecord
) -> ShownGrounding:
    """Return a person's phrase with its answer, where there is one."""
    reading = None
    if record.body is not None:
        reading = _reading(site, study, GROUNDED.validate_json(record.body))
    return ShownGrounding(record=record, reading=reading)
