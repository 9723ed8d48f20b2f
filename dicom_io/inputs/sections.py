"""Indication, technique and comparison, from headers and orders; pure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dicom_io.header import Instance
from dicom_io.inputs.orders import Order
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.projection import View, judge_by_study_text, judge_view
from dicom_io.options import OrderSource
from dicom_io.values import one_line

MAX_INDICATION_CHARACTERS = 500
"""Of 3,955 real indications the longest had 36 words."""

_PLACEHOLDER = re.compile(
    r"\[\*\*.{0,60}?\*\*\]|_{2,}|(?-i:\bX{3,}\b)"
    r"|[\[<(](?:redacted|removed|deidentified|de-identified|anonymi[sz]ed)[\])>]",
    re.IGNORECASE,
)
"""What de-identification leaves in the place of names and dates."""

_REPEATED = re.compile(r"([^\w\s])(?:\s*\1){2,}")
_NOTHING = re.compile(
    r"[\W_]*|(?:none|n/?a|nil|unknown|not (?:given|stated)"
    r"|keine(?: angaben?)?|k\. ?a|unbekannt|aucune?|sans objet|inconnue?"
    r"|ningun[oa]|sin datos|desconocid[oa]|nessun[oa]|sconosciut[oa]"
    r"|geen|onbekend)\W*",
    re.IGNORECASE,
)
"""What is written where nothing is to be said; as the headings of reports, in English,
German, French, Spanish, Italian and Dutch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sections:
    """The three texts; None where there is nothing to say.

    `indication_source` is the keyword of the attribute behind the indication, or
    the kind of order, as "hl7 order"; `indication_document` names that order.
    """

    indication: str | None
    indication_source: str | None
    technique: str
    comparison: str | None
    indication_document: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A text, and where it stands."""

    text: str | None
    source: str
    document: str | None = None


def read_sections(
    frontal: Instance,
    lateral: Instance | None,
    prior: Prior | None,
    orders: Sequence[Order] = (),
) -> Sections:
    """Write the sections for a report on `frontal`.

    The technique names the views that are used, the comparison the prior that is
    used; neither repeats what somebody planned. `orders` are in the order of trust;
    the header stands where an order of its kind does, or else last.
    """
    said = _indication(frontal, orders)
    return Sections(
        indication=None if said is None else said.text,
        indication_source=None if said is None else said.source,
        technique=_technique(frontal, has_lateral=lateral is not None),
        comparison=None if prior is None else _comparison(prior),
        indication_document=None if said is None else said.document,
    )


def header_order(frontal: Instance) -> Order | None:
    """Return what the header says of the order; None: it says nothing."""
    reasons = {each.source: each.text for each in _header_reasons(frontal)}
    words = reasons["ReasonForTheRequestedProcedure"] or reasons["ReasonForStudy"]
    codes = reasons["ReasonForRequestedProcedureCodeSequence"]
    if not (words or codes or frontal.patient_history):
        return None
    return Order(
        source=OrderSource.HEADER,
        document=frontal.sop_instance_uid,
        accession_number=frontal.accession_number or "",
        patient=frontal.patient,
        reason=words,
        reason_codes=codes,
        history=frontal.patient_history,
        procedure=frontal.requested_procedure,
    )


def clean_indication(text: str) -> str | None:
    """Return one readable line of at most `MAX_INDICATION_CHARACTERS`.

    None where nothing is said. Control tokens of the model are not removed here:
    only the engine knows them (`model.engines.inputs.clean_question`).
    """
    line = one_line(text, 4 * MAX_INDICATION_CHARACTERS) or ""
    line = _REPEATED.sub(r"\1", _PLACEHOLDER.sub(" ", line))
    line = " ".join(line.split())[:MAX_INDICATION_CHARACTERS].rstrip()
    return None if _NOTHING.fullmatch(line) else line


def _indication(frontal: Instance, orders: Sequence[Order]) -> _Said | None:
    """Return the first reason, or else the first history, in the order of trust."""
    trusted: list[Order | None] = [
        None if order.source is OrderSource.HEADER else order for order in orders
    ]
    if None not in trusted:
        trusted.append(None)
    return _first(_reasons(frontal, trusted)) or _first(_histories(frontal, trusted))


def _first(texts: Iterable[_Said]) -> _Said | None:
    for each in texts:
        cleaned = None if each.text is None else clean_indication(each.text)
        if cleaned is not None:
            return _Said(text=cleaned, source=each.source, document=each.document)
    return None


def _reasons(frontal: Instance, trusted: Sequence[Order | None]) -> Iterator[_Said]:
    """Yield every reason; None stands for the header."""
    for order in trusted:
        if order is None:
            yield from _header_reasons(frontal)
        else:
            yield _of_order(order, order.reason)
            yield _of_order(order, order.reason_codes)


def _histories(frontal: Instance, trusted: Sequence[Order | None]) -> Iterator[_Said]:
    """Yield every history; None stands for the header."""
    own = _Said(text=frontal.patient_history, source="AdditionalPatientHistory")
    for order in trusted:
        yield own if order is None else _of_order(order, order.history)


def _of_order(order: Order, text: str | None) -> _Said:
    return _Said(text=text, source=f"{order.source} order", document=order.document)


def _header_reasons(frontal: Instance) -> Iterator[_Said]:
    """Yield the header's reasons, those of the request before that of the study."""
    for keyword in (
        "ReasonForTheRequestedProcedure",
        "ReasonForRequestedProcedureCodeSequence",
    ):
        yield _Said(text=frontal.text_value(keyword), source=keyword)
    yield _Said(text=frontal.reason_for_study, source="ReasonForStudy")


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
