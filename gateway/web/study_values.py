"""What the templates of the study page are given; pure.

Texts are handed on as they are: the templates escape them.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import TypedDict

from dicom_io.header import Instance
from dicom_io.results.overlay import Overlay
from dicom_io.results.wording import NOTHING_SAID
from gateway.choices import IN_A_ROLE, WHAT_FOLLOWS, Choice
from gateway.ledger import DeliveryRecord, GroundingState, ResultRecord
from gateway.lifecycle import FINAL, State
from gateway.people import PersonRole
from gateway.review import FilledSlot, StudyDetail
from gateway.showing import (
    Part,
    ShownGrounding,
    ShownImage,
    ShownReading,
    StudyPage,
)
from model.report import Task
from model.version import VERSION

Values = dict[str, object]


class WaitingValues(TypedDict):
    """What `study_waiting.html` is given.

    asked : phrases, the newest first. groundings : their answers, to be drawn.
    open_groundings : how many are waited for. columns : of the upright image.
    """

    asked: list[Values]
    groundings: list[object]
    open_groundings: int
    columns: int


class PageValues(WaitingValues):
    """What `study.html` is given."""

    study: Values
    choices: list[Values]
    roles: list[str]
    films: list[Values]
    overlay: Overlay | None
    readings: list[Values]
    narrative: str
    no_grounding: str | None
    slots: tuple[FilledSlot, ...]
    notes: tuple[str, ...]
    destinations: list[Values]
    steps: list[Values]
    origin: list[tuple[str, str]]
    downloads: list[Values]


_HUES = 6
"""Colours of boxes, those of the pictures that the gateway draws."""

_MEANINGS = {
    State.RECEIVING: "Images may still be coming.",
    State.COMPLETE: "It is whole; its frontal image is being chosen.",
    State.SELECTED: "Its frontal image is chosen; its prior is being looked for.",
    State.GATHERED: "It waits for the model.",
    State.REPORTED: "The model has written; result objects are being made.",
    State.ENCODED: "Its results are on their way to the destinations.",
    State.STORED: "Every destination took the results; their proof is awaited.",
    State.COMMITTED: "Every destination has proved that it keeps the results.",
    State.KEPT: "The results stay here: the site has named no destination.",
    State.DECLINED: "The model does not read this study.",
    State.HELD: "A flag of the report waits for a person. Nothing has left.",
    State.REJECTED: "A person decided that no result leaves.",
    State.WITHDRAWN: "The results were withdrawn; whoever had them has been told.",
    State.PARKED: "It kept failing, and waits for a person.",
    State.PURGED: "Its files were deleted after their retention; the records remain.",
}
"""What a person is told of each state; one for each."""

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
_ATTENTION = (State.HELD, State.PARKED)


def page_values(shown: StudyPage, choices: Sequence[Choice]) -> PageValues:
    """Return the values of `study.html`."""
    detail = shown.detail
    readings = [_reading(f"r{n}", each) for n, each in enumerate(shown.readings)]
    return {
        "study": _study(shown),
        "choices": [_choice(each) for each in choices],
        "roles": [role.value for role in PersonRole],
        "films": _films(shown),
        "overlay": shown.readings[0].overlay if shown.readings else None,
        "readings": readings,
        "narrative": _narrative(shown),
        "no_grounding": shown.no_grounding,
        "slots": detail.slots,
        "notes": detail.notes,
        "destinations": _destinations(detail),
        "steps": list(_steps(detail)),
        "origin": [pair for pair in _origin(shown) if pair[1]],
        "downloads": list(_downloads(shown)),
        **waiting_values(shown.groundings),
    }


def waiting_values(groundings: Sequence[ShownGrounding]) -> WaitingValues:
    """Return the values of the list of phrases, the newest first."""
    numbered = [*enumerate(groundings, 1)]
    asked = [_grounding(number, each) for number, each in reversed(numbered)]
    answered = [each.reading for each in groundings if each.reading]
    return {
        "asked": asked,
        "groundings": [each["reading"] for each in asked if each["reading"]],
        "open_groundings": sum(
            each.record.state is GroundingState.ASKED for each in groundings
        ),
        "columns": answered[0].overlay.columns if answered else 0,
    }


def result_name(result: ResultRecord) -> str:
    """Return the name of a downloaded object: no byte of it is from a network."""
    return f"{result.kind}-{result.sop_instance_uid}.dcm"


def _study(shown: StudyPage) -> Values:
    study = shown.detail.study
    mood = "done" if study.state in FINAL else "working"
    return {
        "uid": study.study_instance_uid,
        "path": f"/studies/{study.study_instance_uid}",
        "name": _name(shown.subject),
        "facts": list(_facts(shown.subject)),
        "state": study.state.value,
        "mood": "attention" if study.state in _ATTENTION else mood,
        "revision": study.revision,
        "meaning": _MEANINGS[study.state],
        "reason": study.reason,
        "no_report": "No model has read this revision.",
        "no_delivery": "Nothing is on its way from this revision.",
    }


def _name(subject: Instance | None) -> str:
    """Return a person's name as people write it: family, given (PS3.5 6.2.1.2)."""
    name = (subject and subject.patient.name) or ""
    family, _, rest = name.partition("^")
    given = " ".join(part for part in rest.split("^") if part)
    return ", ".join(part for part in (family, given) if part) or "No name"


def _facts(subject: Instance | None) -> Iterator[tuple[str, str]]:
    if subject is None:
        return
    patient = subject.patient
    named = (
        ("Patient ID", patient.patient_id),
        ("Issuer", patient.issuer),
        ("Born", _day(patient.birth_date) or patient.birth_date_text),
        ("Sex", patient.sex),
        ("Accession", subject.accession_number),
        ("Study", subject.study_description),
        ("Date", _day(subject.study_date)),
        ("Institution", subject.institution),
    )
    yield from ((name, value) for name, value in named if value)


def _choice(choice: Choice) -> Values:
    return {
        "value": choice.value,
        "name": choice.value.capitalize(),
        "what_follows": WHAT_FOLLOWS[choice],
        "in_a_role": choice in IN_A_ROLE,
    }


def _films(shown: StudyPage) -> list[Values]:
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
    moment = [_day(header.acquired_date)]
    if header.acquired_time is not None:
        moment.append(f"{header.acquired_time:%H:%M}")
    return " ".join(each for each in moment if each)


def _reading(key: str, reading: ShownReading, number: int = 0) -> Values:
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


def _grounding(number: int, shown: ShownGrounding) -> Values:
    record, reading = shown.record, shown.reading
    return {
        "state": record.state.value,
        "phrase": record.phrase,
        "by": record.asked_by,
        "when": _clock(record.asked_at),
        "detail": record.detail,
        "reading": reading and _reading(f"q{number}", reading, number),
    }


def _narrative(shown: StudyPage) -> str:
    return " ".join(
        finding.sentence
        for reading in shown.readings
        if reading.phrase is None
        for finding in reading.overlay.findings
    )


def _destinations(detail: StudyDetail) -> list[Values]:
    kinds = {each.sop_instance_uid: each.kind for each in detail.results}
    ordered = sorted(detail.deliveries, key=lambda row: row.destination)
    return [
        _destination(name, list(rows), kinds)
        for name, rows in groupby(ordered, key=lambda row: row.destination)
    ]


def _destination(
    name: str, rows: Sequence[DeliveryRecord], kinds: Mapping[str, str]
) -> Values:
    states = [row.state.value for row in rows]
    tally = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
    return {
        "name": name,
        "tally": tally,
        "rows": [
            {
                "kind": kinds.get(row.sop_instance_uid, row.sop_instance_uid),
                "state": row.state.value,
                "attempts": row.attempts,
                "committed_how": row.committed_how,
                "detail": row.detail,
            }
            for row in rows
        ],
    }


def _steps(detail: StudyDetail) -> Iterator[Values]:
    before: datetime | None = None
    for move in detail.moves:
        yield {
            "at": move.at.isoformat(),
            "clock": _clock(move.at),
            "took": "" if before is None else f"+{_span(move.at - before)}",
            "state": move.to_state.value,
            "event": move.event.value,
            "reason": move.reason,
        }
        before = move.at


def _origin(shown: StudyPage) -> Iterator[tuple[str, str]]:
    engine = shown.detail.engine
    if engine is None:
        return
    yield "Model", f"{engine.model_name}, {engine.model_manufacturer}"
    yield "Weights, SHA-256", engine.weights_digest
    yield "Engine", f"{engine.engine}, reads {engine.domain}s"
    yield "Settings, SHA-256", engine.settings_digest
    yield "Gateway", VERSION
    for reading in shown.readings[:1]:
        made = reading.provenance
        yield "Adapter", made.adapter_version
        yield "Computed on", f"{made.device}, {made.dtype}"
        yield "Square that the model reads", f"{made.crop_side} pixels"
        tokens = f"{made.prompt_tokens} read, {made.new_tokens} written"
        yield "Tokens", f"{tokens}, at most {made.max_new_tokens}"
        yield "Seconds", f"{made.seconds:.2f}"
        yield from ((name.capitalize(), value) for name, value in made.settings)
        yield "Libraries", ", ".join(f"{n} {v}" for n, v in made.libraries)
        yield "Prompt, SHA-256", made.prompt_digest


def _downloads(shown: StudyPage) -> Iterator[Values]:
    study = shown.detail.study
    path = f"/studies/{study.study_instance_uid}"
    has_files = study.state is not State.PURGED
    for result in shown.detail.results if has_files else ():
        uid = result.sop_instance_uid
        what = f"DICOM, {result.task}"
        yield {"path": f"{path}/results/{uid}.dcm", "name": result.kind, "what": what}
    for number, _ in enumerate(shown.readings if has_files else (), 1):
        what = "the film with the boxes and the research mark"
        name = f"report-{number}.png"
        yield {"path": f"{path}/{name}", "name": name, "what": what}
    what = "all that the ledger holds about it"
    yield {"path": f"{path}/report.json", "name": "report.json", "what": what}


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _clock(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _span(time: timedelta) -> str:
    """Return a time as people say it."""
    seconds = time.total_seconds()
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 172_800 else f"{time.days} days"
