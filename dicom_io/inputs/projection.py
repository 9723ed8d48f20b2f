"""Which view one image shows, by its header; pure, with reasons."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from dicom_io.header import Instance


class View(StrEnum):
    """What the header calls the view of a chest radiograph."""

    PA = "PA"
    AP = "AP"
    FRONTAL = "frontal"
    """PA or AP, not said which."""
    LATERAL = "lateral"
    OTHER = "other"
    """Decubitus, oblique, lordotic and the like: none that the model was given."""
    UNKNOWN = "unknown"
    CONTRADICTED = "contradicted"
    """Two attributes say different sides."""


FRONTALS = frozenset({View.PA, View.AP, View.FRONTAL})


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewVerdict:
    """The view and a sentence on what says so.

    `is_disputed`: the header names both PA and AP, where both are frontal, but the
    heart's size is judged otherwise in each; or the pixels differ from the header.
    `is_seen`: the pixels show this view.
    """

    view: View
    reason: str
    is_disputed: bool = False
    is_seen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Witness:
    keyword: str
    view: View


_POSITIONS = {
    "PA": View.PA,
    "AP": View.AP,
    "LL": View.LATERAL,
    "RL": View.LATERAL,
    "LAT": View.LATERAL,
    "LLD": View.OTHER,
    "RLD": View.OTHER,
    "LLO": View.OTHER,
    "RLO": View.OTHER,
    "LAO": View.OTHER,
    "RAO": View.OTHER,
    "LPO": View.OTHER,
    "RPO": View.OTHER,
}
"""View Position (0018,5101): the defined terms (PS3.3 C.8.1.2) and LAT."""

_CODES = {
    "272479007": View.PA,
    "399348003": View.AP,
    "399033003": View.FRONTAL,
    "399173006": View.LATERAL,
    "399198007": View.LATERAL,
    "399067008": View.LATERAL,
    "R-10214": View.PA,
    "R-10206": View.AP,
    "R-10202": View.FRONTAL,
    "R-10236": View.LATERAL,
    "R-10232": View.LATERAL,
}
"""View Code Sequence (CID 4010), SNOMED CT and the earlier SNOMED-RT values."""

_WORDS = (
    (
        View.OTHER,
        re.compile(r"decub\w*|oblique?s?|lordotic|apical|\b(lao|rao|lpo|rpo)\b"),
    ),
    (View.LATERAL, re.compile(r"\b(lat|lateral\w*|ll|rl|profil|seitlich\w*|seitl)\b")),
    (View.PA, re.compile(r"\bpa\b|\bp a\b|postero ?anterior")),
    (View.AP, re.compile(r"\bap\b|\ba p\b|antero ?posterior|portable|bedside|supine")),
    (View.FRONTAL, re.compile(r"\bfrontal\b")),
)


def judge_view(instance: Instance) -> ViewVerdict:
    """Weigh what the header says of the view.

    View Position and View Code Sequence speak first. The image's own texts come
    next. Patient Orientation A or P along the rows says lateral; L or R says
    little, because many devices write L and F on every image.
    """
    witnesses = tuple(_witnesses(instance))
    views = {witness.view for witness in witnesses}
    sides = {side_of(view) for view in views}
    if len(sides) > 1:
        said = "; ".join(f"{item.keyword} says {item.view}" for item in witnesses)
        view = View.OTHER if View.OTHER in sides else View.CONTRADICTED
        return ViewVerdict(view=view, reason=f"contradicted: {said}")
    if not witnesses:
        return ViewVerdict(view=View.UNKNOWN, reason=_silence(instance))
    first = next((w for w in witnesses if w.view is not View.FRONTAL), witnesses[0])
    keywords = ", ".join(dict.fromkeys(witness.keyword for witness in witnesses))
    is_disputed = {View.PA, View.AP} <= views
    also = " (PA and AP are both named; the first counts)" if is_disputed else ""
    return ViewVerdict(
        view=first.view,
        reason=f"{first.view} by {keywords}{also}",
        is_disputed=is_disputed,
    )


def judge_by_study_text(instance: Instance) -> ViewVerdict:
    """Read the view from the study's texts; only for a study of one image."""
    named = tuple(
        (keyword, view)
        for keyword, value in (
            ("StudyDescription", instance.study_description),
            ("RequestedProcedureDescription", instance.requested_procedure),
        )
        for view in _views_in(value)
    )
    if len({view for _, view in named}) != 1:
        return ViewVerdict(view=View.UNKNOWN, reason="the study names no single view")
    keyword, view = named[0]
    return ViewVerdict(view=view, reason=f"{view} by {keyword} of a single image")


def has_frontal_orientation(instance: Instance) -> bool:
    """Tell whether the patient's left-right axis lies in the picture."""
    return any(value[:1] in ("L", "R") for value in instance.patient_orientation)


def has_lateral_orientation(instance: Instance) -> bool:
    """Tell whether the patient's front-back axis lies in the picture."""
    return any(value[:1] in ("A", "P") for value in instance.patient_orientation)


def side_of(view: View) -> View:
    """Return FRONTAL for PA and AP too, every other view as it is."""
    return View.FRONTAL if view in FRONTALS else view


def _witnesses(instance: Instance) -> Iterator[_Witness]:
    position = (instance.view_position or "").upper()
    if position:
        known = _POSITIONS.get(position)
        for view in (known,) if known else _views_in(position):
            yield _Witness(keyword="ViewPosition", view=view)
    for value, _scheme in instance.view_codes:
        if value in _CODES:
            yield _Witness(keyword="ViewCodeSequence", view=_CODES[value])
    if has_lateral_orientation(instance):
        yield _Witness(keyword="PatientOrientation", view=View.LATERAL)
    yield from _text_witnesses(instance)


def _text_witnesses(instance: Instance) -> Iterator[_Witness]:
    """Yield what the image's texts name; a text that names two sides says none."""
    for keyword, value in (
        ("SeriesDescription", instance.series_description),
        ("ProtocolName", instance.protocol_name),
        (
            "AcquisitionDeviceProcessingDescription",
            instance.acquisition_device_processing,
        ),
        (
            "PerformedProtocolCodeSequence",
            instance.text_value("PerformedProtocolCodeSequence"),
        ),
    ):
        views = _views_in(value)
        if len({side_of(view) for view in views}) == 1:
            yield _Witness(keyword=keyword, view=views[0])


def _views_in(value: str | None) -> tuple[View, ...]:
    """Return the views that a text names; "lateral decubitus" is a decubitus."""
    folded = re.sub(r"[\s_\-./,;:()+&]+", " ", (value or "").casefold())
    found = tuple(view for view, words in _WORDS if words.search(folded))
    return (View.OTHER,) if View.OTHER in found else found


def _silence(instance: Instance) -> str:
    if has_frontal_orientation(instance):
        return "only PatientOrientation speaks, which devices write by default"
    return "nothing in the header says which view this is"
