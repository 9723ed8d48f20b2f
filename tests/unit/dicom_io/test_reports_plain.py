import pytest

from dicom_io.reports.language import guess_language
from dicom_io.reports.plain import cut_at_word, remove_placeholders, split_sections


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("FINDINGS: Clear.\nIMPRESSION: Normal.", "Clear."),
        ("Befund: Lunge frei.\nBeurteilung: Unauffällig.", "Lunge frei."),
        ("RÉSULTAT\nPas de foyer.\nConclusion: Normal.", "Pas de foyer."),
        ("Hallazgos: Sin lesiones.\nConclusión: Normal.", "Sin lesiones."),
    ],
)
def test_findings_stand_under_their_heading(text: str, findings: str) -> None:
    sections = split_sections(text)
    assert sections.findings == findings
    assert sections.impression is not None


def test_placeholders_leave_no_trace() -> None:
    assert remove_placeholders("Mr. ___ has a clear lung .") == "Mr. has a clear lung."
    assert remove_placeholders("XXXX XXXX clear") is None


def test_a_text_is_cut_at_a_word() -> None:
    assert cut_at_word("clear lungs", 8) == "clear"


def test_the_language_is_told_by_small_words() -> None:
    assert guess_language("Die Lunge ist frei und das Herz nicht groß") == "de"
    assert guess_language("Normal.") is None
