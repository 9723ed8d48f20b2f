"""What a gateway at work does for its log, and what it notices at a start."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from config.load import Table
from gateway.errors import NotReady
from gateway.ledger import AuditFilter, AuditRecord
from gateway.log_keeping.keeping import compare_with_handed, keep, keep_last
from tests.data.audit_logs import append
from tests.data.stages import Bench, bench_at


def settings_of(folder: Path, **audit: float | bool) -> Table:
    return {"audit": {"checkpoint_folder": str(folder / "checkpoints"), **audit}}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path, settings_of(tmp_path, retention_days=10.0)) as opened:
        append(opened.site.ledger, 5)
        keep(opened.site)
        yield opened


def alarms(bench: Bench) -> list[AuditRecord]:
    with bench.site.ledger.reading() as rows:
        return rows.audit(AuditFilter(event="verification-failed"))


def handed(bench: Bench) -> list[str]:
    folder = Path(bench.site.settings.audit.checkpoint_folder)
    return [path.name for path in sorted(folder.rglob("*.checkpoint"))]


def test_what_grew_is_signed_and_handed_out(bench: Bench) -> None:
    append(bench.site.ledger, 2, 5)
    keep(bench.site)
    keep(bench.site)
    assert handed(bench) == ["000000000005.checkpoint", "000000000007.checkpoint"]
    assert compare_with_handed(bench.site) is None
    assert alarms(bench) == []


def test_a_stop_signs_what_is_left(bench: Bench) -> None:
    append(bench.site.ledger, 2, 5)
    keep_last(bench.site)
    assert handed(bench)[-1] == "000000000007.checkpoint"


def test_records_go_after_their_retention_and_the_rest_stays_proven(
    bench: Bench,
) -> None:
    bench.clock.add(days=9)
    append(bench.site.ledger, 3, 5)
    keep(bench.site)
    bench.clock.add(days=2)
    append(bench.site.ledger, 1, 8)
    keep(bench.site)
    with bench.site.ledger.reading() as rows:
        kept = [record.sequence for record in rows.audit(AuditFilter())]
        last = rows.last_checkpoint()
    assert kept == [6, 7, 8, 9, 10]
    assert last is not None
    assert last.continuation().checkpoint.first == 6
    assert compare_with_handed(bench.site) is None


def hand_on(bench: Bench, name: str, last_sequence: int) -> None:
    with bench.site.ledger.writing() as rows:
        known = rows.repository(name)
        assert known is not None
        rows.change_repository(known, replace(known, last_sequence=last_sequence))


def test_what_a_repository_lacks_is_not_removed(bench: Bench) -> None:
    append(bench.site.ledger, 3, 5)
    keep(bench.site)
    with bench.site.ledger.writing() as rows:
        rows.enlist_repositories(["hospital", "region"])
    hand_on(bench, "hospital", 9)
    bench.clock.add(days=11)
    append(bench.site.ledger, 1, 8)
    for last_sequence, first_kept in ((0, 1), (4, 1), (5, 6), (7, 6), (8, 9)):
        hand_on(bench, "region", last_sequence)
        keep(bench.site)
        with bench.site.ledger.reading() as rows:
            assert rows.first_sequence() == first_kept
    assert compare_with_handed(bench.site) is None


def test_without_a_repository_nothing_holds_up_the_retention(bench: Bench) -> None:
    with bench.site.ledger.writing() as rows:
        rows.enlist_repositories(["hospital"])
    bench.clock.add(days=11)
    append(bench.site.ledger, 1, 5)
    keep(bench.site)
    with bench.site.ledger.writing() as rows:
        assert rows.first_sequence() == 1
        rows.enlist_repositories([])
    keep(bench.site)
    with bench.site.ledger.reading() as rows:
        assert rows.first_sequence() == 6


def earlier_copy(bench: Bench) -> None:
    """Restore yesterday's ledger: two records less."""
    append(bench.site.ledger, 2, 5)
    keep(bench.site)
    with bench.site.ledger.writing() as rows:
        rows._connection.exec_driver_sql("DELETE FROM audit WHERE sequence > 5")
        rows._connection.exec_driver_sql("DELETE FROM audit_checkpoints WHERE size > 5")
        rows._connection.exec_driver_sql("UPDATE audit_head SET last_sequence = 5")


def test_an_earlier_copy_of_the_ledger_is_noticed_at_the_start(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    earlier_copy(bench)
    said = compare_with_handed(bench.site)
    assert said is not None
    assert "the 7 records signed at" in said
    assert "AUDIT LOG" in caplog.text
    assert [record.outcome for record in alarms(bench)] == [8]


def test_the_same_fault_is_recorded_once(bench: Bench) -> None:
    earlier_copy(bench)
    for _ in range(3):
        compare_with_handed(bench.site)
    assert len(alarms(bench)) == 1


def test_a_ledger_that_went_on_from_an_earlier_copy_is_noticed(bench: Bench) -> None:
    earlier_copy(bench)
    append(bench.site.ledger, 9, 70)
    said = compare_with_handed(bench.site)
    assert said is not None
    assert "are not those of the ledger" in said


def test_a_start_may_be_refused(tmp_path: Path) -> None:
    with bench_at(tmp_path, settings_of(tmp_path, refuse_rolled_back=True)) as bench:
        append(bench.site.ledger, 5)
        keep(bench.site)
        earlier_copy(bench)
        with pytest.raises(NotReady, match="refuse_rolled_back"):
            compare_with_handed(bench.site)
        assert alarms(bench) == []


def test_a_lost_key_is_an_alarm_and_the_gateway_goes_on(bench: Bench) -> None:
    bench.site.settings.audit_key_path.unlink()
    append(bench.site.ledger, 1, 5)
    keep(bench.site)
    assert ["is gone" in str(record.detail) for record in alarms(bench)] == [True]


def test_without_a_folder_nothing_is_compared(tmp_path: Path) -> None:
    with bench_at(tmp_path) as bench:
        append(bench.site.ledger, 1)
        assert compare_with_handed(bench.site) is None


def test_a_folder_that_holds_nothing_says_nothing(bench: Bench) -> None:
    shutil.rmtree(bench.site.settings.audit.checkpoint_folder)
    assert compare_with_handed(bench.site) is None
