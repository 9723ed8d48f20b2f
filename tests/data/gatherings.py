"""Searches for a prior and for orders: run to their end, and what they meet."""

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from config.load import Table
from dicom_io.errors import PeerUnreachable
from dicom_io.header import PatientIdentity
from dicom_io.inputs.history import History
from dicom_io.inputs.orders import Order
from dicom_io.options import OrderSource, ReportSource
from dicom_io.reports.values import OutsideReport
from gateway.errors import SourceFailure
from gateway.lifecycle import State
from gateway.sources.kinds import OrderKey, ReportKey
from gateway.stages.gathering import read_gathered
from tests.data.person_reports import outside_report
from tests.data.stages import (
    PRIOR_UID,
    Bench,
    ScriptedPriors,
    answer,
    prior_film,
)

SETTINGS: Table = {
    "prior": {"attempts": 3, "pause_seconds": 10.0},
    "work": {"max_pause_seconds": 100.0},
}
AWAY = PeerUnreachable("nobody answers")
STRANGER = PatientIdentity(
    patient_id="P2",
    issuer="SITE",
    birth_date=date(1950, 5, 1),
    sex="F",
    name="Doe^Jane",
)


def gather(bench: Bench) -> History:
    """Run the stage once, to its end."""
    assert bench.turn(State.SELECTED)
    study = bench.study()
    assert study.state is State.GATHERED, study.reason
    return read_gathered(bench.site, study)


def gathered(bench: Bench, **attributes: object) -> History:
    bench.received(**attributes)
    assert bench.turn(State.COMPLETE)
    return gather(bench)


def rejected(history: History) -> dict[str, str]:
    return {each.what: each.reason for each in history.rejected_priors}


def two_films(priors: ScriptedPriors, folder: Path, later: str, earlier: str) -> None:
    """Let the archive hold two films, of the given View Positions."""
    priors.answers = [answer(), answer("1.2.10", study_date=date(2022, 3, 2))]
    priors.holds = {
        PRIOR_UID: [prior_film(folder, ViewPosition=later)],
        "1.2.10": [
            prior_film(folder, "1.2.10", StudyDate="20220302", ViewPosition=earlier)
        ],
    }


ORDER = Order(
    source=OrderSource.HL7,
    document="O1",
    accession_number="A1",
    patient=answer().patient,
    reason="Cough",
)


@dataclass(frozen=True, kw_only=True)
class ScriptedOrders:
    """A source of orders that gives what it holds."""

    source: OrderSource = OrderSource.HL7
    name: str = "ris"
    held: tuple[Order, ...] = (ORDER,)
    failure: SourceFailure | None = None

    def find(self, key: OrderKey) -> list[Order]:
        _ = key
        if self.failure is not None:
            raise self.failure
        return list(self.held)


@dataclass(frozen=True, kw_only=True)
class ScriptedReports:
    """A source of reports that remembers what it was asked."""

    source: ReportSource = ReportSource.HL7
    name: str = "ris"
    asked: list[ReportKey] = field(default_factory=list)

    def find(self, key: ReportKey) -> list[OutsideReport]:
        self.asked.append(key)
        return [
            outside_report(
                self.source,
                "FINDINGS: A small nodule in the right lung.",
                document="R1",
                patient=key.patient,
                accession_number=None,
                study_instance_uid=key.study_instance_uid,
            )
        ]
