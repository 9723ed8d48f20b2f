"""Indication, technique and comparison, from headers and orders; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dicom_io.header import Instance
from dicom_io.inputs.orders import Order
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.projection import View, judge_by_study_text, judge_view

MAX_INDICATION_CHARACTERS = 500
"""Of 3,955 real indications the longest had 36 words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The three texts; None where there is nothing to say.

    `indication_source` is the keyword of the attribute behind the indication.
    """

    indication: str | None
    indication_source: str | None
    technique: str
    comparison: str | None


def read_sections(
    frontal: Instance,
    lateral: Instance | None,
    prior: Prior | None,
    orders: Sequence[Order] = (),
) -> Sections:
    """Write the sections for a report on `frontal`.

    The technique names the views that are used, the comparison the prior that is
    used; neither repeats what somebody planned.
    """
    _ = orders
    source, indication = _indication(frontal)
    return Sections(
        indication=indication,
        indication_source=source,
        technique=_technique(frontal, has_lateral=lateral is not None),
        comparison=None if prior is None else _comparison(prior),
    )


def _indication(frontal: Instance) -> tuple[str | None, str | None]:
    """Return keyword and text of the first attribute that has an indication."""
    for keyword, value in (
        (
            "ReasonForTheRequestedProcedure",
            frontal.text_value("ReasonForTheRequestedProcedure"),
        ),
        (
            "ReasonForRequestedProcedureCodeSequence",
            frontal.text_value("ReasonForRequestedProcedureCodeSequence"),
        ),
        ("ReasonForStudy", frontal.reason_for_study),
        ("AdditionalPatientHistory", frontal.patient_history),
    ):
        if value is not None:
            return keyword, value[:MAX_INDICATION_CHARACTERS].rstrip()
    return None, None


def _technique(frontal: Instance, *, has_lateral: bool) -> str:
    name = {View.PA: "PA", View.AP: "AP"}.get(_frontal_view(frontal), "Frontal")
    if has_lateral:
        return f"{name} and lateral views of the chest."
    return f"{name} view of the chest."


def _frontal_view(frontal: Instance) -> View:
    verdict = judge_view(frontal)
    if verdict.view is View.UNKNOWN:
        verdict = judge_by_study_text(frontal)
    return verdict.view


def _comparison(prior: Prior) -> str:
    when = "an unknown date" if prior.study_date is None else f"{prior.study_date}"
    return f"Chest radiograph of {when}."
