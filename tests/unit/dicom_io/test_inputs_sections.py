from dataclasses import replace
from datetime import date

import pytest

from dicom_io.header import PatientIdentity
from dicom_io.inputs.orders import Order
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.sections import (
    MAX_INDICATION_CHARACTERS,
    clean_indication,
    header_order,
    read_sections,
)
from dicom_io.options import OrderSource
from tests.data.films import film_instance


def test_the_technique_names_the_views_that_are_used() -> None:
    pa, lateral = film_instance(), film_instance(view_position="LL")
    assert read_sections(pa, None, None).technique == "PA view of the chest."
    both = read_sections(replace(pa, view_position="AP"), lateral, None)
    assert both.technique == "AP and lateral views of the chest."
    unsaid = film_instance(view_position=None, view_codes=(("399033003", "SCT"),))
    assert read_sections(unsaid, None, None).technique == "Frontal view of the chest."


@pytest.mark.parametrize(
    ("changes", "source"),
    [
        (
            {"text_values": (("ReasonForTheRequestedProcedure", "cough"),)},
            "ReasonForTheRequestedProcedure",
        ),
        ({"reason_for_study": "cough"}, "ReasonForStudy"),
        ({"patient_history": "cough"}, "AdditionalPatientHistory"),
    ],
)
def test_the_indication_says_where_it_comes_from(
    changes: dict[str, object], source: str
) -> None:
    sections = read_sections(film_instance(**changes), None, None)
    assert (sections.indication, sections.indication_source) == ("cough", source)


def test_the_order_comes_before_the_history() -> None:
    film = film_instance(reason_for_study="fever", patient_history="smoker")
    assert read_sections(film, None, None).indication == "fever"


def test_nothing_said_is_none() -> None:
    sections = read_sections(film_instance(), None, None)
    assert sections.indication is sections.comparison is None


def test_a_long_indication_is_cut() -> None:
    film = film_instance(reason_for_study="x" * 5000)
    indication = read_sections(film, None, None).indication
    assert indication is not None
    assert len(indication) == MAX_INDICATION_CHARACTERS


def test_the_comparison_has_the_date_of_the_prior() -> None:
    prior = Prior(
        study_instance_uid="1.5",
        study_date=date(2024, 1, 1),
        frontal=film_instance(),
        report=None,
        reasons=("frontal",),
        flags=(),
    )
    sections = read_sections(film_instance(), None, prior)
    assert sections.comparison == "Chest radiograph of 2024-01-01."


ORDER = Order(
    source=OrderSource.HL7,
    document="PL1",
    accession_number="A1",
    patient=PatientIdentity(
        patient_id="P", issuer=None, birth_date=None, sex=None, name=None
    ),
    reason="fever",
)


def test_the_source_that_is_trusted_more_gives_the_indication() -> None:
    film = film_instance(reason_for_study="cough")
    own = header_order(film)
    assert own is not None
    first = read_sections(film, None, None, [own, ORDER])
    assert (first.indication, first.indication_source) == ("cough", "ReasonForStudy")
    assert first.indication_document is None
    second = read_sections(film, None, None, [ORDER, own])
    assert (second.indication, second.indication_source) == ("fever", "hl7 order")
    assert second.indication_document == "PL1"


def test_a_reason_of_any_source_comes_before_a_history() -> None:
    film = film_instance(patient_history="smoker")
    own = header_order(film)
    assert own is not None
    assert read_sections(film, None, None, [own, ORDER]).indication == "fever"


def test_a_header_that_says_nothing_is_no_order() -> None:
    assert header_order(film_instance()) is None


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("cough\r\n  fever\x00", "cough fever"),
        ("pain!!!!!  now", "pain! now"),
        ("[**Name 12**] with ___ cough XXXX", "with cough"),
        ("___", None),
        ("N/A", None),
        ("?", None),
        ("keine Angaben", None),
        ("k. A.", None),
        ("Sans objet.", None),
        ("Desconocida", None),
        ("nessuna", None),
        ("Onbekend", None),
        ("keine Besserung", "keine Besserung"),
    ],
)
def test_an_indication_is_one_clean_line(text: str, cleaned: str | None) -> None:
    assert clean_indication(text) == cleaned
