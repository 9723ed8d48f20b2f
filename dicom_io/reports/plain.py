"""Plain text of a report -> its sections, without de-identification marks."""

import re
import unicodedata

from dicom_io.reports.values import ReportSections

_FINDINGS = (
    "findings?|observations?|befund(?:e|ung)?|beschreibung|r[ée]sultats?"
    "|constatations?|description|hallazgos?|descripci[óo]n|reperti|reperto|referto"
    "|descrizione|bevindingen|verslag|beschrijving|achados"
)
_IMPRESSION = (
    "impressions?|conclusions?|opinion|interpretation|assessment|summary"
    "|beurteilung|zusammenfassung|diagnose|synth[èe]se"
    "|conclusi[óo]n|conclusiones|impresi[óo]n(?: diagn[óo]stica)?|juicio diagn[óo]stico"
    "|conclusioni|conclusione|giudizio(?: diagnostico)?|conclusie|besluit|samenvatting"
    "|conclus[ãa]o|impress[ãa]o"
)
_OTHER = (
    "indications?|(?:clinical )?history|clinical (?:information|indication|data)"
    "|reason for (?:exam|examination|study)|technique|comparison|recommendations?"
    "|klinische (?:angaben|fragestellung)|fragestellung|anamnese|indikation|technik"
    "|vergleich|voraufnahmen|renseignements cliniques|motif|comparaison"
    "|indicaci[óo]n|datos cl[íi]nicos|antecedentes|motivo|t[ée]cnica|comparaci[óo]n"
    "|indicazione|quesito (?:clinico|diagnostico)|anamnesi|confronto"
    "|indicatie|klinische gegevens|vraagstelling|techniek|vergelijking"
    "|indica[çc][ãa]o|compara[çc][ãa]o"
)
"""English, German, French, Spanish, Italian, Dutch and Portuguese, as typed."""

_AND = r"[ \t]*(?:/|&|\b(?:and|und|et|y|e|en)\b)[ \t]*"
_HEADING = re.compile(
    rf"^[ \t]*(?:(?P<findings>(?:{_FINDINGS})(?:{_AND}(?:{_IMPRESSION}))?)"
    rf"|(?P<impression>{_IMPRESSION})|(?:{_OTHER}))"
    r"[ \t]*(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
_PLACEHOLDER = re.compile(
    r"\[\*\*[^\]]{0,80}\*\*\]|\[(?:REDACTED|REMOVED|DEIDENTIFIED)\]|<(?:NAME|DATE|ID)>"
    r"|\b[Xx]{3,}\b|_{3,}"
)
_SPACE_BEFORE_STOP = re.compile(r"[ \t]+([.,;:])")


def split_sections(text: str) -> ReportSections:
    """Return the sections that headings at line starts open.

    A heading of both sections opens the findings. Accents are composed first (NFC).
    """
    text = unicodedata.normalize("NFC", text)
    parts: dict[str, list[str]] = {"findings": [], "impression": []}
    found = list(_HEADING.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    for match, end in zip(found, ends, strict=True) if found else ():
        if match.lastgroup is not None:
            parts[match.lastgroup].append(text[match.end() : end].strip())
    joined = {name: " ".join(filter(None, texts)) for name, texts in parts.items()}
    return ReportSections(
        whole=text,
        findings=joined["findings"] or None,
        impression=joined["impression"] or None,
    )


def remove_placeholders(text: str) -> str | None:
    """Return the text without placeholders; None: most of its words were such."""
    cleaned, removed = _PLACEHOLDER.subn(" ", text)
    kept = len(re.findall(r"\w+", cleaned))
    if removed > kept:
        return None
    return _SPACE_BEFORE_STOP.sub(r"\1", " ".join(cleaned.split()))


def cut_at_word(text: str, limit: int) -> str:
    """Return at most `limit` characters, whole words where there are spaces."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    return head if text[limit] == " " else (head.rpartition(" ")[0] or head)
