"""The order of the audit log: gapless, by commit, whatever the clock says."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gateway.audit.message import Patient
from gateway.ledger import AuditFilter, AuditRecord, Ledger
from tests.data.ledgers import NOW, at, audit_entry, url_of


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


def log_of(ledger: Ledger, wanted: AuditFilter | None = None) -> list[AuditRecord]:
    with ledger.reading() as rows:
        return rows.audit(wanted or AuditFilter(limit=1000))


def sequences(records: list[AuditRecord]) -> list[int]:
    return [record.sequence for record in records]


def test_the_log_begins_with_one(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        assert rows.append_audit(audit_entry()) == 1
        assert rows.append_audit(audit_entry()) == 2
    assert sequences(log_of(ledger)) == [1, 2]


def test_a_record_is_read_back_as_it_was_written(ledger: Ledger) -> None:
    entry = audit_entry(detail="Grüße \N{MUSICAL SYMBOL G CLEF}", outcome=8)
    with ledger.writing() as rows:
        rows.append_audit(entry)
    (record,) = log_of(ledger)
    assert all(
        getattr(record, name) == getattr(entry, name) for name in type(entry).__slots__
    )


def test_a_patient_is_kept_as_a_pseudonym_and_found_by_it(ledger: Ledger) -> None:
    ann, bob = (Patient(patient_id=name, issuer="SITE") for name in ("ANN", "BOB"))
    with ledger.writing() as rows:
        for patient in (ann, bob, None, ann):
            entry = audit_entry(patient=patient, study_instance_uid=None)
            rows.append_audit(entry)
    of_ann = log_of(ledger, AuditFilter(patient=ledger.pseudonym(ann)))
    assert sequences(of_ann) == [1, 4]
    assert len(str(of_ann[0].patient)) == 64
    assert log_of(ledger)[2].patient is None


def test_who_is_known_by_a_pseudonym_keeps_it(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        rows.append_audit(audit_entry(patient="f00d"))
    assert sequences(log_of(ledger, AuditFilter(patient="f00d"))) == [1]


def test_another_issuer_is_another_patient(ledger: Ledger) -> None:
    assert ledger.pseudonym(Patient(patient_id="1")) == ledger.pseudonym(
        Patient(patient_id="1", issuer="")
    )
    assert ledger.pseudonym(Patient(patient_id="1", issuer="A")) != ledger.pseudonym(
        Patient(patient_id="1", issuer="B")
    )
    assert ledger.pseudonym(Patient(patient_id="1", issuer="A")) != ledger.pseudonym(
        Patient(patient_id="A1")
    )


def test_what_is_rolled_back_leaves_no_gap(ledger: Ledger) -> None:
    def write_and_fail() -> None:
        with ledger.writing() as rows:
            rows.append_audit(audit_entry(detail="never"))
            raise KeyboardInterrupt

    for detail in ("first", "second"):
        with pytest.raises(KeyboardInterrupt):
            write_and_fail()
        with ledger.writing() as rows:
            rows.append_audit(audit_entry(detail=detail))
    assert [(r.sequence, r.detail) for r in log_of(ledger)] == [
        (1, "first"),
        (2, "second"),
    ]


def test_eight_writers_leave_no_gap_and_no_repetition(ledger: Ledger) -> None:
    def write(owner: int) -> list[int]:
        given = []
        for number in range(12):
            with ledger.writing() as rows:
                entry = audit_entry(user=str(owner), detail=str(number))
                given.append(rows.append_audit(entry))
        return given

    with ThreadPoolExecutor(8) as pool:
        given = [number for numbers in pool.map(write, range(8)) for number in numbers]
    records = log_of(ledger)
    assert sequences(records) == list(range(1, 97))
    assert sorted(given) == sequences(records)
    for owner in range(8):
        own = [int(r.detail or "") for r in records if r.user == str(owner)]
        assert own == list(range(12))


def test_a_clock_that_steps_back_does_not_change_the_order(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        for seconds in (0, 60, -3600, 61):
            rows.append_audit(audit_entry(recorded_at=at(seconds)))
    records = log_of(ledger)
    assert sequences(records) == [1, 2, 3, 4]
    assert records[2].recorded_at == at(-3600)


def test_the_log_goes_on_after_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        ledger = Ledger.open(url_of(tmp_path))
        with ledger.writing() as rows:
            assert rows.append_audit(audit_entry()) == expected
        ledger.close()


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (AuditFilter(), [1, 2, 3, 4]),
        (AuditFilter(since=at(1)), [2, 3, 4]),
        (AuditFilter(until=at(2)), [1, 2]),
        (AuditFilter(since=NOW, until=NOW), []),
        (AuditFilter(study_instance_uid="1.2.3"), [2, 4]),
        (AuditFilter(event="110104"), [3, 4]),
        (AuditFilter(outcome=8), [4]),
        (AuditFilter(event="110104", outcome=0), [3]),
        (AuditFilter(limit=2), [1, 2]),
        (AuditFilter(after_sequence=2, limit=1), [3]),
    ],
)
def test_a_filter_finds_what_matches_all_its_conditions(
    ledger: Ledger, wanted: AuditFilter, expected: list[int]
) -> None:
    with ledger.writing() as rows:
        rows.append_audit(audit_entry(recorded_at=at(0)))
        rows.append_audit(audit_entry(recorded_at=at(1), study_instance_uid="1.2.3"))
        rows.append_audit(audit_entry(recorded_at=at(2), event="110104"))
        rows.append_audit(
            audit_entry(
                recorded_at=at(3),
                event="110104",
                study_instance_uid="1.2.3",
                outcome=8,
            )
        )
    assert sequences(log_of(ledger, wanted)) == expected
