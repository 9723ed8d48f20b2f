import pytest

from dicom_io.reports.language import guess_language, language_of
from dicom_io.reports.plain import cut_at_word, remove_placeholders, split_sections

HEADINGS = {
    "en": (("Findings", "FINDING", "Observations"), ("Impression", "CONCLUSION")),
    "de": (("Befund", "BEFUNDE", "Beschreibung"), ("Beurteilung", "Zusammenfassung")),
    "fr": (("Résultats", "RESULTAT", "Description"), ("Conclusion", "Synthèse")),
    "es": (("Hallazgos", "DESCRIPCIÓN"), ("Conclusión", "Impresión diagnóstica")),
    "it": (("Reperti", "REFERTO", "Descrizione"), ("Conclusioni", "Giudizio")),
    "nl": (("Bevindingen", "VERSLAG", "Beschrijving"), ("Conclusie", "BESLUIT")),
}
PAIRS = [
    pytest.param(findings, impression, id=f"{language} {findings} {impression}")
    for language, (of_findings, of_impression) in HEADINGS.items()
    for findings in of_findings
    for impression in of_impression
]


@pytest.mark.parametrize(("findings", "impression"), PAIRS)
def test_sections_stand_under_their_headings(findings: str, impression: str) -> None:
    sections = split_sections(f"{findings}: One.\nTwo.\n{impression}\nThree.")
    assert (sections.findings, sections.impression) == ("One.\nTwo.", "Three.")


@pytest.mark.parametrize(
    "heading",
    [
        *("Clinical history", "Reason for exam", "Klinische Angaben", "Technik"),
        *("Renseignements cliniques", "Comparaison", "Técnica", "Motivo"),
        *("Quesito clinico", "Confronto", "Klinische gegevens", "Vraagstelling"),
    ],
)
def test_a_section_ends_where_another_begins(heading: str) -> None:
    assert split_sections(f"FINDINGS: One.\n{heading}: Two.").findings == "One."


@pytest.mark.parametrize(
    "heading",
    ["FINDINGS AND IMPRESSION", "Befund/Beurteilung", "Reperti e conclusioni"],
)
def test_a_heading_of_both_sections_opens_the_findings(heading: str) -> None:
    sections = split_sections(f"{heading}:\nOne.")
    assert (sections.findings, sections.impression) == ("One.", None)


def test_a_heading_with_decomposed_accents_is_known() -> None:
    assert split_sections("RE\u0301SULTATS : Un.").findings == "Un."


def test_a_word_in_a_sentence_is_no_heading() -> None:
    assert split_sections("Findings are normal.\nNo impression.").findings is None


def test_placeholders_leave_no_trace() -> None:
    assert remove_placeholders("Mr. ___ has a clear lung .") == "Mr. has a clear lung."
    assert remove_placeholders("XXXX XXXX clear") is None


def test_a_text_is_cut_at_a_word() -> None:
    assert cut_at_word("clear lungs", 8) == "clear"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("There is no effusion and the heart is of normal size.", "en"),
        ("Die Lunge ist frei und das Herz nicht groß", "de"),
        ("Pas de foyer dans le poumon et la plèvre est libre", "fr"),
        ("No se observan lesiones en el pulmón y la pleura", "es"),
        ("Non si osservano lesioni del polmone e della pleura", "it"),
        ("Het hart is niet vergroot en de longen zijn vrij van consolidatie", "nl"),
        ("Normal.", None),
        ("", None),
    ],
)
def test_the_language_is_told_by_small_words(text: str, language: str | None) -> None:
    assert guess_language(text) == language


@pytest.mark.parametrize(
    ("stated", "language"),
    [("de-CH", "de"), ("FR_fr", "fr"), ("ger", "de"), ("dut", "nl"), ("x", None)],
)
def test_a_short_text_is_in_the_language_that_is_stated(
    stated: str, language: str | None
) -> None:
    assert language_of("Normal.", stated) == language


def test_the_words_of_a_text_say_more_than_what_is_stated() -> None:
    assert language_of("Die Lunge ist frei und das Herz nicht groß", "en-US") == "de"
