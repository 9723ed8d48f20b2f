"""Orders and reports are asked for, guarded and recorded."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource
from gateway.errors import SourceFailure
from gateway.ledger import AuditFilter
from gateway.sources.asking import FoundOrders, ask_for_orders, ask_for_reports
from gateway.sources.kinds import OrderKey, ReportKey
from gateway.sources.ledger_messages import DeliveredReports
from tests.data.films import film_instance
from tests.data.ledgers import NOW, given_study
from tests.data.person_reports import outside_report
from tests.data.stages import Bench, bench_at

FILM = film_instance(accession_number="ACC1", reason_for_study="cough")
ORDER = Order(
    source=OrderSource.FHIR,
    document="ServiceRequest/1",
    accession_number="ACC1",
    patient=FILM.patient,
    reason="fever",
)


@dataclass(frozen=True, kw_only=True)
class Given:
    """A source of orders with given answers; none: it cannot be asked."""

    answers: list[Order] | None
    source: OrderSource = OrderSource.FHIR
    name: str = "fhir"

    def find(self, key: OrderKey) -> list[Order]:
        _ = key
        if self.answers is None:
            raise SourceFailure("status 500")
        return self.answers


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path, {}) as opened:
        yield opened


def ask(bench: Bench, answers: list[Order] | None) -> FoundOrders:
    site = replace(bench.site, orders=(Given(answers=answers),))
    return ask_for_orders(site, given_study(site.ledger), FILM)


def queries(bench: Bench) -> list[int]:
    with bench.site.ledger.reading() as rows:
        wanted = AuditFilter(event="source-queried")
        return [record.outcome for record in rows.audit(wanted)]


def test_the_header_stands_at_its_place_among_the_orders(bench: Bench) -> None:
    found = ask(bench, [ORDER])
    assert [each.source for each in found.orders] == ["header", "fhir"]
    assert queries(bench) == [0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"accession_number": "ACC10"}, "it has another accession number"),
        (
            {"patient": replace(FILM.patient, patient_id="P2")},
            "patient-id: conflict",
        ),
    ],
)
def test_an_order_of_another_is_refused_with_its_reason(
    bench: Bench, change: dict[str, object], reason: str
) -> None:
    found = ask(bench, [replace(ORDER, **change)])  # type: ignore[arg-type]
    assert [each.source for each in found.orders] == ["header"]
    assert [each.reason for each in found.rejected] == [reason]


def test_a_source_that_fails_costs_its_answer_only(bench: Bench) -> None:
    found = ask(bench, None)
    assert [each.source for each in found.orders] == ["header"]
    assert found.notes == ("fhir gave no answer: status 500",)
    assert queries(bench) == [4]


def test_nobody_is_asked_without_an_accession_number(bench: Bench) -> None:
    site = replace(bench.site, orders=(Given(answers=[ORDER]),))
    film = replace(FILM, accession_number="*")
    found = ask_for_orders(site, given_study(site.ledger), film)
    assert found.notes == ("fhir was not asked without one exact accession number",)
    assert queries(bench) == []


def test_a_delivered_report_is_found_and_guarded(bench: Bench) -> None:
    report = outside_report(document="FL1")
    other = replace(
        report, document="FL2", patient=replace(FILM.patient, patient_id="P2")
    )
    ledger = bench.site.ledger
    with ledger.writing() as rows:
        rows.put_message(report, NOW)
        rows.put_message(other, NOW)
    site = replace(bench.site, reports=(DeliveredReports(ledger=ledger),))
    key = ReportKey(
        study_instance_uid="1.9", accession_number="ACC1", patient=FILM.patient
    )
    found = ask_for_reports(site, given_study(ledger), key)
    assert found.reports == (report,)
    assert [each.what for each in found.rejected] == ["hl7 FL2"]
    assert queries(bench) == []  # nothing left the house
