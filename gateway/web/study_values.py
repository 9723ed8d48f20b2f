"""What the templates of the study page are given; pure.

Texts are handed on as they are: the templates escape them.
"""

from collections.abc import Iterator, Sequence
from typing import TypedDict

from dicom_io.header import Instance
from dicom_io.results.overlay import Overlay
from gateway.ledger import GroundingState, ResultRecord
from gateway.lifecycle import FINAL, State
from gateway.people import PersonRole
from gateway.showing.choices import IN_A_ROLE, WHAT_FOLLOWS, Choice
from gateway.showing.review import FilledSlot
from gateway.showing.study_page import (
    ShownGrounding,
    StudyPage,
)
from gateway.web.moments import day
from gateway.web.study_laid import films_values, grounding_values, reading_values
from gateway.web.study_told import destinations_values, origin_values, steps_values

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

_ATTENTION = (State.HELD, State.PARKED)


def page_values(shown: StudyPage, choices: Sequence[Choice]) -> PageValues:
    """Return the values of `study.html`."""
    detail = shown.detail
    readings = [reading_values(f"r{n}", each) for n, each in enumerate(shown.readings)]
    return {
        "study": _study(shown),
        "choices": [_choice(each) for each in choices],
        "roles": [role.value for role in PersonRole],
        "films": films_values(shown),
        "overlay": shown.readings[0].overlay if shown.readings else None,
        "readings": readings,
        "narrative": _narrative(shown),
        "no_grounding": shown.no_grounding,
        "slots": detail.slots,
        "notes": detail.notes,
        "destinations": destinations_values(detail),
        "steps": list(steps_values(detail)),
        "origin": [pair for pair in origin_values(shown) if pair[1]],
        "downloads": list(_downloads(shown)),
        **waiting_values(shown.groundings),
    }


def waiting_values(groundings: Sequence[ShownGrounding]) -> WaitingValues:
    """Return the values of the list of phrases, the newest first."""
    numbered = [*enumerate(groundings, 1)]
    asked = [grounding_values(number, each) for number, each in reversed(numbered)]
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
        ("Born", day(patient.birth_date) or patient.birth_date_text),
        ("Sex", patient.sex),
        ("Accession", subject.accession_number),
        ("Study", subject.study_description),
        ("Date", day(subject.study_date)),
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


def _narrative(shown: StudyPage) -> str:
    return " ".join(
        finding.sentence
        for reading in shown.readings
        if reading.phrase is None
        for finding in reading.overlay.findings
    )


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
