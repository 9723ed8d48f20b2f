"""Orders and reports that were delivered, in the ledger."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport
from gateway.ledger import Ledger
from tests.data.ledgers import NOW, url_of
from tests.data.person_reports import outside_report

REPORT = outside_report(document="7", study_instance_uid="1.2.3")
ORDER = Order(
    source=OrderSource.HL7,
    document="7",
    accession_number="ACC1",
    patient=REPORT.patient,
    reason="fever",
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    with opened.writing() as rows:
        rows.put_message(ORDER, NOW)
        rows.put_message(REPORT, NOW)
    yield opened
    opened.close()


def kept(ledger: Ledger) -> tuple[list[Order], list[OutsideReport]]:
    with ledger.reading() as rows:
        return rows.orders("ACC1"), rows.outside_reports("1.2.3", None)


def test_what_was_delivered_is_read_back_as_it_was(ledger: Ledger) -> None:
    assert kept(ledger) == ([ORDER], [REPORT])


def test_a_later_state_takes_the_place_of_the_earlier(ledger: Ledger) -> None:
    order, report = replace(ORDER, reason="cough"), replace(REPORT, text="Amended.")
    with ledger.writing() as rows:
        rows.put_message(order, NOW)
        rows.put_message(report, NOW)
    assert kept(ledger) == ([order], [report])


def test_a_cancelled_order_leaves_the_report_of_its_number(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        rows.drop_message(Order, OrderSource.HL7, "7")
        rows.drop_message(Order, OrderSource.HL7, "unknown")
    assert kept(ledger) == ([], [REPORT])


def test_a_withdrawn_report_leaves_that_of_another_source(ledger: Ledger) -> None:
    other = replace(REPORT, source=ReportSource.FHIR)
    with ledger.writing() as rows:
        rows.put_message(other, NOW)
        rows.drop_message(OutsideReport, ReportSource.HL7, "7")
    assert kept(ledger) == ([ORDER], [other])


def test_what_is_older_than_a_moment_is_forgotten(ledger: Ledger) -> None:
    later = NOW + timedelta(days=1)
    with ledger.writing() as rows:
        rows.put_message(replace(ORDER, document="8"), later)
        assert rows.forget_messages(later) == 2
    assert kept(ledger) == ([replace(ORDER, document="8")], [])
