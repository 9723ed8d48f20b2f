"""Plain text of a report -> its sections, without de-identification marks."""

import re

from dicom_io.reports.values import ReportSections

_FINDINGS = (
    "findings|finding|befunde?|résultats?|constatations?|hallazgos|bevindingen|verslag"
    "|reperti|referto|achados"
)
_IMPRESSION = (
    "impressions?|conclusions?|beurteilung|zusammenfassung|conclusión|impresión"
    "|conclusie|conclusioni|conclusione|conclusão|impressão|opinion"
)
_OTHER = (
    "indications?|clinical history|history|technique|comparison|klinische angaben"
    "|fragestellung|technik|vergleich|indicación|técnica|comparación|indicatie"
    "|techniek|vergelijking|indicazione|tecnica|confronto|indicação|comparação"
    "|comparaison|recommendations?"
)
_HEADING = re.compile(
    rf"^[ \t]*(?:(?P<findings>{_FINDINGS})|(?P<impression>{_IMPRESSION})|(?:{_OTHER}))"
    r"[ \t]*(?::|$)",
    re.IGNORECASE | re.MULTILINE,
)
_PLACEHOLDER = re.compile(
    r"\[\*\*[^\]]{0,80}\*\*\]|\[(?:REDACTED|REMOVED|DEIDENTIFIED)\]|<(?:NAME|DATE|ID)>"
    r"|\b[Xx]{3,}\b|_{3,}"
)
_SPACE_BEFORE_STOP = re.compile(r"[ \t]+([.,;:])")


def split_sections(text: str) -> ReportSections:
    """Return the sections that headings at line starts open."""
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
