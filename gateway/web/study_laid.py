"""Films and what is laid over them, as the templates of the study page take them."""

from collections.abc import Iterator

from dicom_io.header import Instance
from dicom_io.results.wording import NOTHING_SAID
from gateway.showing.study_page import (
    Part,
    ShownGrounding,
    ShownImage,
    ShownReading,
    StudyPage,
)
from gateway.web.moments import clock, day
from model.report import Task

Values = dict[str, object]

_HUES = 6
"""Colours of boxes, those of the pictures that the gateway draws."""

_TITLES = {
    Task.FINDINGS: "Findings",
    Task.GROUNDED_FINDINGS: "Findings",
    Task.PHRASE_GROUNDING: "Phrase of the settings",
}
_PARTS = {
    Part.FRONTAL: "Frontal",
    Part.LATERAL: "Lateral",
    Part.PRIOR: "Prior",
    Part.IMAGE: "Image",
}


def films_values(shown: StudyPage) -> list[Values]:
    """Return the images of the page, the frontal first."""
    uid = shown.detail.study.study_instance_uid
    overlay = shown.readings[0].overlay if shown.readings else None
    return [
        {
            **_film(uid, number, image),
            "unseen": overlay.unseen if overlay and not number else (),
        }
        for number, image in enumerate(shown.images)
    ]


def _film(uid: str, number: int, image: ShownImage) -> Values:
    header = image.header
    rows, columns = (header.rows, header.columns) if header else (None, None)
    if image.orientation.transpose:
        rows, columns = columns, rows
    path = f"/studies/{uid}/pictures/{image.sop_instance_uid}"
    is_shown = header is not None and header.has_pixels and rows and columns
    return {
        "key": f"film{number}",
        "part": image.part.value,
        "title": _title(image),
        "when": "" if header is None else _taken(header),
        "path": path if is_shown else None,
        "rows": rows or 0,
        "columns": columns or 0,
        "ratio": image.pixel_ratio,
        "height": (rows or 0) * image.pixel_ratio,
        "why_not": "Its file is gone, or has no picture.",
    }


def _title(image: ShownImage) -> str:
    view = image.header.view_position if image.header else None
    title = _PARTS[image.part]
    return f"{title}, {view}" if view else title


def _taken(header: Instance) -> str:
    moment = [day(header.acquired_date)]
    if header.acquired_time is not None:
        moment.append(f"{header.acquired_time:%H:%M}")
    return " ".join(each for each in moment if each)


def reading_values(key: str, reading: ShownReading, number: int = 0) -> Values:
    """Return a report with its sentences; `number`: of a person's phrase, from 1."""
    asked = number > 0
    return {
        "key": key,
        "title": _TITLES[reading.task],
        "phrase": reading.phrase,
        "asked": asked,
        "findings": list(_findings(key, reading, number)),
        "remarks": reading.overlay.remarks,
        "nothing": NOTHING_SAID,
    }


def _findings(key: str, reading: ShownReading, number: int) -> Iterator[Values]:
    """Yield the sentences; those of a person's phrase have a letter before theirs."""
    for finding in reading.overlay.findings:
        hue = (finding.number - 1 + 3 * number) % _HUES + 1
        label = str(finding.number) if not number else f"Q{number}"
        yield {
            "key": f"{key}-{finding.number}",
            "label": label,
            "hue": hue,
            "sentence": finding.sentence,
            "boxes": [
                {
                    "identifier": box.identifier,
                    "x": box.shown.left,
                    "y": box.shown.top,
                    "width": box.shown.right - box.shown.left,
                    "height": box.shown.bottom - box.shown.top,
                }
                for box in finding.boxes
            ],
        }


def grounding_values(number: int, shown: ShownGrounding) -> Values:
    """Return a phrase of a person and its answer; `number` counts from 1."""
    record, reading = shown.record, shown.reading
    return {
        "state": record.state.value,
        "phrase": record.phrase,
        "by": record.asked_by,
        "when": clock(record.asked_at),
        "detail": record.detail,
        "reading": reading and reading_values(f"q{number}", reading, number),
    }
