"""What a person takes from a study: its pictures, its result objects, its report.

Each look and each download is recorded, in the transaction that finds what is taken.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from dicom_io.header import read_instance
from dicom_io.pictures.album import ALBUM
from dicom_io.pictures.pixels import ShownPicture
from dicom_io.pictures.showing import Look
from dicom_io.results.apart import draw_apart
from gateway.audit import kinds
from gateway.audit.parts import Person
from gateway.errors import NoSuchPart
from gateway.ledger import (
    InstanceRecord,
    Reading,
    ResultRecord,
    StudyRecord,
    Writing,
)
from gateway.lifecycle import State
from gateway.showing.review import StudyDetail, study_detail
from gateway.showing.study_page import Part, known, note_look, parts_of, upright
from gateway.site import Site
from gateway.stages.encoding import read_case, result_context

SCREEN_SIDE = 1600
"""Longest side in pixels of a picture that nobody asked to have whole."""

_DETAIL = TypeAdapter(StudyDetail)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPicture:
    """An image of a study as a person wants to see it.

    window : (center, width), None: as the file says. whole : every pixel.
    """

    study_instance_uid: str
    sop_instance_uid: str
    window: tuple[float, float] | None = None
    whole: bool = False


def open_picture(
    site: Site, asked: AskedPicture, reader: Person | str, now: datetime
) -> ShownPicture:
    """Return a picture of an image of the study, turned upright.

    Raises NoSuchStudy; NoSuchPart for what is no image of it, or is deleted;
    ValueError for a window that is none; UnreadablePixels and UnsupportedImage.
    """
    look = Look(window=asked.window, longest_side=None if asked.whole else SCREEN_SIDE)
    with site.ledger.writing() as rows:
        study = known(rows, asked.study_instance_uid)
        part, record = _part(rows, study, asked.sop_instance_uid)
        note_look(rows, study, reader, now)
    path = site.spool.path(record.file_name)
    try:
        turned = replace(look, orientation=upright(read_instance(path), part))
    except OSError as error:
        raise NoSuchPart("the file of this image is gone") from error
    return ALBUM.show(path, turned, site.settings.decode_limits())


def _part(
    rows: Reading, study: StudyRecord, sop_instance_uid: str
) -> tuple[Part, InstanceRecord]:
    for part, named in parts_of(rows, study):
        if named.sop_instance_uid == sop_instance_uid:
            record = rows.instance(sop_instance_uid)
            if record is not None:
                return part, record
    raise NoSuchPart("the study shows no such image, or it is deleted")


def take_result(
    site: Site, study_instance_uid: str, sop_instance_uid: str, by: Person
) -> tuple[ResultRecord, Path]:
    """Return a result object and where its file lies.

    Raises NoSuchStudy, and NoSuchPart where the study has none or it is deleted.
    """
    with site.ledger.writing() as rows:
        study = known(rows, study_instance_uid)
        result = _result(rows, study, sop_instance_uid)
        path = site.spool.path(result.file_name)
        if not path.is_file():
            raise NoSuchPart("the file of this result is deleted")
        now = site.clock()
        rows.append_audit(
            kinds.results_downloaded(study_instance_uid, [result], by, now)
        )
    return result, path


def _result(rows: Reading, study: StudyRecord, sop_instance_uid: str) -> ResultRecord:
    for result in rows.results(study.id):
        if result.sop_instance_uid == sop_instance_uid:
            return result
    raise NoSuchPart("the study has no such result")


def take_detail(site: Site, study_instance_uid: str, by: Person) -> bytes:
    """Return all that the ledger holds about a study, as JSON.

    Raises NoSuchStudy.
    """
    with site.ledger.writing() as rows:
        detail = study_detail(rows, study_instance_uid)
        _note_download(rows, detail.study, by, site.clock())
    return _DETAIL.dump_json(detail, indent=2)


def take_drawing(site: Site, study_instance_uid: str, number: int, by: Person) -> bytes:
    """Return report `number`, from 0, drawn over the frontal image as a PNG.

    Raises NoSuchStudy, NotEncodable, and NoSuchPart where there is no such report or
    the image is deleted.
    """
    with site.ledger.writing() as rows:
        study = known(rows, study_instance_uid)
        body = study_detail(rows, study_instance_uid)
        if study.state is State.PURGED or not 0 <= number < len(body.reports):
            raise NoSuchPart("the study has no such report, or its image is deleted")
        _note_download(rows, study, by, site.clock())
    case = read_case(site, study)
    said = case.reports[number]
    context = result_context(site, study, said, case.engine)
    return draw_apart(
        case.frontal, said, case.evidence, context, site.settings.decode_limits()
    )


def _note_download(
    rows: Writing, study: StudyRecord, by: Person, now: datetime
) -> None:
    results = rows.results(study.id, study.revision)
    entry = kinds.results_downloaded(study.study_instance_uid, results, by, now)
    rows.append_audit(entry)
