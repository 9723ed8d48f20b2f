"""What the audit says of an association: its beginning, and what came of each study."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.scp.admission import AssociationFacts
from dicom_io.scp.session import ClassCount
from gateway.ledger import AuditFilter, AuditRecord
from gateway.receiving.association_audit import AssociationAudit
from gateway.receiving.intake import Intake
from gateway.receiving.tallies import Tallies
from tests.data.stages import STUDY_UID, Bench, bench_at, deliver, facts_of

PEER = AssociationFacts(
    association_id="1",
    calling_title="MODALITY",
    called_title="US",
    peer_address="127.0.0.1",
    peer=None,
    encrypted=False,
)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path) as opened:
        yield opened


@pytest.fixture
def audit(bench: Bench) -> AssociationAudit:
    site = bench.site
    return AssociationAudit(ledger=site.ledger, clock=bench.clock, tallies=Tallies())


@pytest.fixture
def intake(bench: Bench, audit: AssociationAudit) -> Intake:
    return replace(bench.intake(), tallies=audit.tallies)


def counts(bench: Bench, *, refused: int = 0) -> tuple[ClassCount, ...]:
    uid = facts_of(bench.film()).sop_class_uid
    return (ClassCount(sop_class_uid=uid, received=2, refused=refused),)


def log_of(bench: Bench) -> list[AuditRecord]:
    with bench.site.ledger.reading() as rows:
        return rows.audit(AuditFilter())


def told(bench: Bench) -> list[tuple[str, str, str | None, int]]:
    return [(r.event, r.action, r.study_instance_uid, r.outcome) for r in log_of(bench)]


def test_a_study_begins_to_arrive_once_and_its_end_has_counts(
    bench: Bench, audit: AssociationAudit, intake: Intake
) -> None:
    audit.opened(PEER)
    deliver(intake.receive, bench.film())
    deliver(intake.receive, bench.film("b", SOPInstanceUID="1.2.3.5"))
    audit.closed(PEER, counts(bench))
    assert told(bench) == [
        ("110102", "E", STUDY_UID, 0),
        ("110104", "C", STUDY_UID, 0),
        ("110104", "C", STUDY_UID, 0),
        ("110104", "C", STUDY_UID, 0),
    ]
    end = log_of(bench)[-1]
    assert (end.event_type, end.detail) == ("transfer-ended", "1: 2 received")
    assert 'NumberOfInstances="2"' in end.message


def test_every_record_of_a_transfer_is_about_its_patient(
    bench: Bench, audit: AssociationAudit, intake: Intake
) -> None:
    audit.opened(PEER)
    deliver(intake.receive, bench.film())
    audit.closed(PEER, counts(bench))
    patients = {record.patient for record in log_of(bench)}
    assert len(patients) == 1
    assert None not in patients


def test_what_was_held_already_is_read_and_not_created(
    bench: Bench, audit: AssociationAudit, intake: Intake
) -> None:
    deliver(bench.intake().receive, bench.film())
    audit.opened(PEER)
    deliver(intake.receive, bench.film("again"))
    audit.closed(PEER, counts(bench))
    assert told(bench)[-1] == ("110104", "R", STUDY_UID, 0)
    assert log_of(bench)[-1].detail == "1: 1 received, held already"


def test_what_was_refused_is_told_for_the_association(
    bench: Bench, audit: AssociationAudit, intake: Intake
) -> None:
    audit.opened(PEER)
    deliver(intake.receive, bench.film())
    audit.closed(PEER, counts(bench, refused=3))
    assert told(bench)[-1] == ("110104", "C", None, 4)
    assert log_of(bench)[-1].detail == "1: 2 received, 3 refused"


def test_an_association_without_an_instance_leaves_nothing(
    bench: Bench, audit: AssociationAudit
) -> None:
    audit.opened(PEER)
    audit.closed(PEER, ())
    assert log_of(bench) == []
