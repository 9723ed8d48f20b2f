"""Storage commitment that we give: durable, decided once, reported until taken."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from config.errors import InvalidSettings
from config.load import Table, merge
from dicom_io.ae import AETitle
from dicom_io.archive import Archive, open_archive
from dicom_io.scp.commitment import ActionStatus, CommitmentRequest
from dicom_io.scu.commitment import InstanceReference
from gateway.ledger import CommitmentItemRecord, CommitmentRecord, CommitmentState
from gateway.lifecycle import Event
from gateway.receiving import committing
from gateway.running import retention
from gateway.spool import Spool
from tests.data.films import DX
from tests.data.network import Recorder, listening
from tests.data.ports import reserved_port
from tests.data.sites import site_settings
from tests.data.stages import Bench, bench_at

TRANSACTION = "1.2.3.500"
FILM_UID = "1.2.3.4"
"""What `Bench.film` writes."""
SILENT_PORT = 1
"""Nobody listens there."""


DECLINING = (Event.QUIET_PERIOD_ENDED, Event.STUDY_DECLINED)


def settings_of(archive_port: int, keeper: str, modality_port: int) -> Table:
    return {
        "commitment": {"serve": True, "keeper": keeper, "decide_seconds": 600.0},
        "delivery": {"first_pause_seconds": 10.0, "max_pause_seconds": 100.0},
        "peers": {
            "archive": {
                "title": "ARCHIVE",
                "host": "127.0.0.1",
                "port": archive_port,
                "deadline_seconds": 10.0,
            },
            "modality": {"port": modality_port, "deadline_seconds": 10.0},
        },
        "archive": {"peer": "archive"},
    }


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as opened:
        yield opened


@pytest.fixture
def bench(tmp_path: Path, archive: Archive) -> Iterator[Bench]:
    """A site that holds a film which its archive does not have yet."""
    settings = settings_of(archive.port, "archive", SILENT_PORT)
    with bench_at(tmp_path, settings) as opened:
        opened.send(opened.film())
        yield opened


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Bench]:
    """A site that commits to its own copy of the film that it holds."""
    with bench_at(tmp_path, settings_of(SILENT_PORT, "here", SILENT_PORT)) as opened:
        opened.send(opened.film())
        yield opened


def reference(uid: str = FILM_UID, class_uid: str = DX) -> InstanceReference:
    return InstanceReference(sop_class_uid=class_uid, sop_instance_uid=uid)


def request(
    *references: InstanceReference, transaction: str = TRANSACTION
) -> CommitmentRequest:
    return CommitmentRequest(
        transaction_uid=transaction,
        references=references or (reference(),),
        peer_name="modality",
        peer_title="MODALITY",
        peer_address="127.0.0.1",
    )


def ask(bench: Bench, *references: InstanceReference) -> CommitmentRecord:
    assert committing.take_request(bench.site, request(*references)) == 0
    return record(bench)


def record(bench: Bench) -> CommitmentRecord:
    with bench.site.ledger.reading() as rows:
        found = rows.commitment(TRANSACTION)
    assert found is not None
    return found


def items(bench: Bench) -> list[CommitmentItemRecord]:
    with bench.site.ledger.reading() as rows:
        return rows.commitment_items(record(bench).id)


def reasons(bench: Bench) -> list[int | None]:
    return [item.reason for item in items(bench)]


def work(bench: Bench) -> CommitmentState:
    """Do what is due once."""
    committing.work(bench.site)
    return record(bench).state


def test_a_request_is_durable_and_audited_before_it_is_answered(bench: Bench) -> None:
    asked = ask(bench)
    assert (asked.state, asked.peer) == (CommitmentState.ASKED, "modality")
    assert reasons(bench) == [None]
    assert bench.told()[-1] == f"transaction {TRANSACTION}, 1 instances: taken"


def test_a_transaction_is_taken_once(bench: Bench) -> None:
    ask(bench)
    again = committing.take_request(bench.site, request(reference("1.2.3.9")))
    assert again is ActionStatus.DUPLICATE_TRANSACTION
    assert len(items(bench)) == 1
    assert "the transaction is known" in bench.told()[-1]


def test_more_instances_than_the_limit_are_refused(bench: Bench) -> None:
    many = [reference(f"1.2.3.{number}") for number in range(1001)]
    answer = committing.take_request(bench.site, request(*many))
    assert answer is ActionStatus.TOO_MANY
    with bench.site.ledger.reading() as rows:
        assert rows.commitment(TRANSACTION) is None


def test_a_node_that_cannot_be_told_is_refused(bench: Bench) -> None:
    nobody = replace(request(), peer_name="nobody")
    answer = committing.take_request(bench.site, nobody)
    assert answer is ActionStatus.NOT_AUTHORISED


def test_what_the_archive_names_is_committed_to(bench: Bench, archive: Archive) -> None:
    archive.put(bench.film())
    ask(bench)
    assert work(bench) is CommitmentState.DECIDED
    assert reasons(bench) == [0]
    assert not items(bench)[0].kept_here


def test_what_the_archive_does_not_have_yet_is_waited_for(
    bench: Bench, archive: Archive
) -> None:
    ask(bench)
    assert work(bench) is CommitmentState.ASKED
    assert record(bench).not_before > bench.clock()
    archive.put(bench.film())
    bench.clock.add(seconds=10)
    assert work(bench) is CommitmentState.DECIDED
    assert reasons(bench) == [0]


def test_what_the_archive_never_has_has_failed(bench: Bench) -> None:
    ask(bench)
    work(bench)
    bench.clock.add(seconds=600)
    assert work(bench) is CommitmentState.DECIDED
    assert reasons(bench) == [0x0112]


def test_an_archive_that_is_away_is_waited_for_and_then_it_has_failed(
    bench: Bench, archive: Archive
) -> None:
    archive.close()
    ask(bench)
    assert work(bench) is CommitmentState.ASKED
    bench.clock.add(seconds=600)
    assert work(bench) is CommitmentState.DECIDED
    assert reasons(bench) == [0x0110]


def test_each_reference_has_its_own_reason_in_the_order_of_the_request(
    bench: Bench, archive: Archive
) -> None:
    archive.put(bench.film())
    ct, cr = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.1"
    ask(
        bench,
        reference("1.2.3.9"),
        reference(class_uid=ct),
        reference(),
        reference(class_uid=cr),
    )
    work(bench)
    # Unknown; a class that is not stored here; held; held as another class.
    assert reasons(bench) == [0x0112, 0x0122, 0, 0x0119]


def test_a_decision_never_changes(bench: Bench, archive: Archive) -> None:
    archive.put(bench.film())
    ask(bench)
    work(bench)
    archive.close()
    with bench.site.ledger.writing() as rows:
        rows.decide_items(record(bench).id, {0: 0x0112}, kept_here=False)
    assert reasons(bench) == [0]


def test_our_own_copy_is_compared_with_its_digest(keeper: Bench) -> None:
    ask(keeper)
    assert work(keeper) is CommitmentState.DECIDED
    assert reasons(keeper) == [0]
    assert items(keeper)[0].kept_here


@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_copy_is_not_committed_to(keeper: Bench, damage: str) -> None:
    with keeper.site.ledger.reading() as rows:
        known = rows.instance(FILM_UID)
    assert known is not None
    file = keeper.site.spool.path(known.file_name)
    content = bytearray(file.read_bytes())
    if damage == "gone":
        file.unlink()
    else:
        content[-1] ^= 1
        file.write_bytes(content if damage == "flipped" else content[:-8])
    ask(keeper)
    work(keeper)
    assert reasons(keeper) == [0x0110]


def test_what_we_committed_to_ourselves_is_never_purged(keeper: Bench) -> None:
    with keeper.site.ledger.writing() as rows:
        study = keeper.study()
        for event in DECLINING:
            study = rows.move(study, event, keeper.clock())
    ask(keeper)
    work(keeper)
    keeper.clock.add(days=365)
    assert retention.purge(keeper.site) == 0
    with keeper.site.ledger.reading() as rows:
        known = rows.instance(FILM_UID)
        assert rows.commitment(TRANSACTION) is not None
    assert known is not None
    assert keeper.site.spool.path(known.file_name).is_file()


def test_what_was_purged_before_the_decision_is_not_committed_to(
    keeper: Bench,
) -> None:
    site = keeper.site

    class Purging(Spool):
        """The purge comes between the look at the bytes and the decision."""

        def is_sound(self, file_name: str, size: int, digest: str) -> bool:
            sound = super().is_sound(file_name, size, digest)
            with site.ledger.writing() as rows:
                rows.forget_files(keeper.study().id)
            return sound

    ask(keeper)
    folder = site.settings.storage.folder / "spool"
    work(keeper.at(spool=Purging(folder, reserve_bytes=0)))
    assert reasons(keeper) == [0x0112]


def test_the_node_hears_what_we_commit_to_and_what_not(
    tmp_path: Path, archive: Archive
) -> None:
    recorder = Recorder()
    with reserved_port() as port, ExitStack() as opened:
        settings = settings_of(archive.port, "archive", port)
        bench = opened.enter_context(bench_at(tmp_path, settings))
        bench.send(bench.film())
        archive.put(bench.film())
        ask(bench, reference(), reference("1.2.3.9"))
        assert work(bench) is CommitmentState.DECIDED
        assert work(bench) is CommitmentState.DECIDED  # nobody listens yet
        bench.clock.add(seconds=100)
        modality = replace(bench.site.local, title=AETitle("MODALITY"), port=port)
        us = replace(
            bench.site.settings.peers["modality"].remote("us"),
            title=bench.site.local.title,
        )
        with listening(recorder, modality, (us,)):
            assert work(bench) is CommitmentState.REPORTED
        assert committing.work(bench.site) == 0
        told = bench.told()[-1]
    (report,) = recorder.reports
    assert report.transaction_uid == TRANSACTION
    assert report.committed == {FILM_UID}
    assert report.failed == (("1.2.3.9", 0x0112),)
    assert told == (
        f"transaction {TRANSACTION}: 1 committed, 1 failed, 1 with 0112; "
        "modality took the report"
    )


def test_a_report_that_nobody_takes_is_given_up_after_days(
    bench: Bench, archive: Archive
) -> None:
    archive.put(bench.film())
    ask(bench)
    work(bench)
    assert work(bench) is CommitmentState.DECIDED
    bench.clock.add(days=6)
    assert work(bench) is CommitmentState.GIVEN_UP
    assert "modality took no report" in bench.told()[-1]
    assert committing.work(bench.site) == 0


def test_two_workers_do_not_report_the_same_twice(bench: Bench) -> None:
    asked = ask(bench)
    until = bench.clock.add(seconds=1)
    with bench.site.ledger.writing() as rows:
        assert rows.claim_commitment(asked, until)
        assert not rows.claim_commitment(asked, until)


def test_what_is_over_is_forgotten_after_the_retention(
    bench: Bench, archive: Archive
) -> None:
    archive.put(bench.film())
    ask(bench)
    work(bench)
    bench.clock.add(days=6)
    work(bench)
    bench.clock.add(days=15)
    retention.purge(bench.site)
    with bench.site.ledger.reading() as rows:
        assert rows.commitment(TRANSACTION) is None


def test_an_archive_as_the_keeper_has_to_be_named(tmp_path: Path) -> None:
    wanted: Table = {"commitment": {"serve": True}}
    with pytest.raises(InvalidSettings, match=r"needs archive\.peer"):
        site_settings(tmp_path, wanted)
    here = merge(wanted, {"commitment": {"keeper": "here"}})
    assert site_settings(tmp_path, here).local_ae().commits
