"""The proof that a destination keeps the results, of each kind."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.ae import AETitle, LocalAE, Proof, RemoteAE
from dicom_io.archive import Archive, open_archive
from dicom_io.part10 import part10_header
from dicom_io.scu.commitment import CommitmentReport
from dicom_io.sink import StoreFacts
from gateway.ledger import AuditFilter, DeliveryRecord, DeliveryState
from gateway.lifecycle import State
from gateway.stages import proof, reported
from tests.data.network import LOCAL, Recorder, listening
from tests.data.ports import NOBODYS_PORT
from tests.data.sites import await_reports
from tests.data.stages import Bench, bench_from, keep_encoded
from tests.data.web import Answer, serving

WAITS: Table = {
    "delivery": {
        "first_pause_seconds": 10.0,
        "max_pause_seconds": 100.0,
        "give_up_days": 5.0,
        "commitment_wait_seconds": 60.0,
    }
}
US = RemoteAE(name="us", title=AETitle("MAIRA_GW"), host="127.0.0.1", port=104)
NO_SUCH_INSTANCE = 0x0112


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an archive that reports at once be slow."""
    await_reports(monkeypatch)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep_encoded(tmp_path_factory.mktemp("encoded"))


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as opened:
        yield opened


@pytest.fixture
def bench(kept: Path, tmp_path: Path, archive: Archive) -> Iterator[Bench]:
    """A study whose results the archive has just answered success for."""
    with bench_from(kept, tmp_path, WAITS) as opened:
        ready = at(opened, archive)
        assert ready.turn(State.ENCODED)
        assert ready.study().state is State.STORED
        yield ready


def at(bench: Bench, archive: Archive, proof_by: Proof = Proof.AUTO) -> Bench:
    """Return the bench with the archive as its one destination."""
    remote = RemoteAE(
        name="archive",
        title=archive.title,
        host="127.0.0.1",
        port=archive.port,
        proof=proof_by,
        deadline_seconds=10.0,
    )
    return bench.at(destinations=(remote,))


def commit(bench: Bench) -> State:
    assert bench.turn(State.STORED)
    return bench.study().state


def asked_for_later(bench: Bench) -> str:
    """Write down a request whose result is still to come; return its transaction."""
    now = bench.clock()
    with bench.site.ledger.writing() as rows:
        for row in bench.deliveries():
            rows.update_delivery(
                row.id,
                now=now,
                transaction_uid="1.2.3.99",
                not_before=now + timedelta(seconds=60),
            )
    return "1.2.3.99"


def report_on(
    rows: list[DeliveryRecord], transaction: str, failed: int = 0
) -> CommitmentReport:
    """Return a report in which the first `failed` results are not committed."""
    uids = [row.sop_instance_uid for row in rows]
    return CommitmentReport(
        transaction_uid=transaction,
        committed=frozenset(uids[failed:]),
        failed=tuple((uid, NO_SUCH_INSTANCE) for uid in uids[:failed]),
        peer_name="archive",
        peer_title="ARCHIVE",
        peer_address="127.0.0.1",
    )


def take(bench: Bench, report: CommitmentReport) -> None:
    reported.take_report(bench.site, report)


def states(bench: Bench) -> list[DeliveryState]:
    return [row.state for row in bench.deliveries()]


def how(bench: Bench) -> set[str | None]:
    return {row.committed_how for row in bench.deliveries()}


def lose_first(archive: Archive) -> None:
    """Make the archive forget the first instance that it holds."""
    held = archive._desk.holdings._held
    del held[next(iter(held))]


def test_a_report_on_the_same_association_commits_the_study(bench: Bench) -> None:
    assert commit(bench) is State.COMMITTED
    assert how(bench) == {"storage commitment"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (Proof.COMMITMENT, "storage commitment"),
        (Proof.READ_BACK, "read back by C-FIND"),
        (Proof.NONE, "no proof is asked for"),
    ],
)
def test_each_kind_of_proof_commits_the_study_and_says_how(
    bench: Bench, archive: Archive, kind: Proof, said: str
) -> None:
    assert commit(at(bench, archive, kind)) is State.COMMITTED
    assert how(bench) == {said}


def test_a_read_back_is_audited(bench: Bench, archive: Archive) -> None:
    commit(at(bench, archive, Proof.READ_BACK))
    assert "archive was asked for 3 results by C-FIND" in bench.told()


def test_a_read_back_over_dicomweb_is_called_so(bench: Bench) -> None:
    held = [
        {"00080018": {"vr": "UI", "Value": [row.sop_instance_uid]}}
        for row in bench.deliveries()
    ]
    with serving(Answer(body=json.dumps(held).encode())) as service:
        remote = replace(service.remote(), name="archive")
        assert commit(bench.at(destinations=(remote,))) is State.COMMITTED
    assert how(bench) == {"read back by QIDO-RS"}
    assert "archive was asked for 3 results by QIDO-RS" in bench.told()
    with bench.site.ledger.reading() as rows:
        (record,) = rows.audit(AuditFilter(event="read-back"))
    assert "/dicom-web/studies" in record.message


def test_a_report_is_waited_for_as_long_as_set(bench: Bench) -> None:
    asked_for_later(bench)
    assert commit(bench) is State.STORED
    assert bench.study().reason == "waits for the commitment of archive"
    assert bench.study().not_before == bench.deliveries()[0].not_before
    assert not bench.turn(State.STORED)


def test_a_report_that_comes_later_wakes_the_study(bench: Bench) -> None:
    transaction = asked_for_later(bench)
    commit(bench)
    bench.clock.add(seconds=5)
    take(bench, report_on(bench.deliveries(), transaction))
    assert set(states(bench)) == {DeliveryState.COMMITTED}
    assert commit(bench) is State.COMMITTED
    assert how(bench) == {"storage commitment"}


def test_in_auto_a_report_that_never_comes_is_replaced_by_a_read_back(
    bench: Bench,
) -> None:
    asked_for_later(bench)
    commit(bench)
    bench.clock.add(seconds=61)
    assert commit(bench) is State.COMMITTED
    assert how(bench) == {"read back by C-FIND"}


def test_where_only_commitment_counts_it_is_asked_for_again(
    bench: Bench, archive: Archive
) -> None:
    strict = at(bench, archive, Proof.COMMITMENT)
    first = asked_for_later(strict)
    commit(strict)
    bench.clock.add(seconds=61)
    assert commit(strict) is State.COMMITTED
    assert how(bench) == {"storage commitment"}
    assert {row.transaction_uid for row in bench.deliveries()} != {first}


def test_an_archive_that_is_slower_than_the_wait_gets_twice_the_time(
    bench: Bench, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_reports(monkeypatch, 0.5)
    strict = at(bench, archive, Proof.COMMITMENT)
    asked_for_later(strict)
    commit(strict)  # waits, and counts the request that is under way
    archive.reports_on_new_association = True
    bench.clock.add(seconds=61)
    commit(strict)
    (waited_until,) = {row.not_before for row in bench.deliveries()}
    assert waited_until is not None
    assert waited_until - bench.clock() == timedelta(seconds=120)


def test_a_result_that_a_listener_of_ours_got_ends_the_wait_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []

    def ask(
        _local: LocalAE,
        _remote: RemoteAE,
        _references: object,
        transaction: str,
        _take: object,
        *,
        is_over: Callable[[], bool],
    ) -> bool:
        seen.append(is_over())
        take(bench, report_on(bench.deliveries(), transaction))
        seen.append(is_over())
        return False

    monkeypatch.setattr(proof, "request_commitment", ask)
    assert commit(bench) is State.COMMITTED
    assert seen == [False, True]


def test_an_archive_that_was_away_gets_no_more_than_the_wait(
    bench: Bench, archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_reports(monkeypatch, 0.5)
    strict = at(bench, archive, Proof.COMMITMENT)
    archive.close()
    for _ in range(4):
        assert commit(strict) is State.STORED
        bench.clock.add(seconds=101)
    assert bench.study().attempts == 4
    with open_archive(tmp_path / "back", "ARCHIVE") as back:
        back.reports_on_new_association = True
        assert commit(at(bench, back, Proof.COMMITMENT)) is State.STORED
    (waited_until,) = {row.not_before for row in bench.deliveries()}
    assert waited_until is not None
    assert waited_until - bench.clock() == timedelta(seconds=60)


def test_a_failed_item_is_sent_again_and_the_others_are_not(
    bench: Bench, archive: Archive
) -> None:
    lose_first(archive)
    lost, *others = bench.deliveries()
    assert commit(bench) is State.ENCODED
    assert states(bench) == [DeliveryState.PENDING] + [DeliveryState.COMMITTED] * 2
    assert bench.study().reason == "archive: commitment failed, reason 0112"
    bench.clock.add(seconds=100)
    assert bench.turn(State.ENCODED)
    assert bench.study().state is State.STORED
    held = [each.sop_instance_uid for each in archive.instances()]
    assert held[-1] == lost.sop_instance_uid
    assert len(held) == len(others) + 1


def test_what_was_sent_again_is_proved_too(bench: Bench, archive: Archive) -> None:
    lose_first(archive)
    commit(bench)
    bench.clock.add(seconds=100)
    bench.turn(State.ENCODED)
    bench.clock.add(seconds=100)
    assert commit(bench) is State.COMMITTED


def test_what_a_read_back_misses_is_sent_again(bench: Bench, archive: Archive) -> None:
    lose_first(archive)
    reader = at(bench, archive, Proof.READ_BACK)
    assert commit(reader) is State.ENCODED
    assert bench.study().reason == "archive: not found by C-FIND"
    bench.clock.add(seconds=100)
    assert reader.turn(State.ENCODED)
    assert commit(reader) is State.COMMITTED


def test_a_report_on_some_results_leaves_the_others_waiting(bench: Bench) -> None:
    transaction = asked_for_later(bench)
    whole = report_on(bench.deliveries(), transaction)
    one = bench.deliveries()[0].sop_instance_uid
    take(bench, replace(whole, committed=frozenset([one])))
    assert states(bench) == [DeliveryState.COMMITTED] + [DeliveryState.STORED] * 2
    assert commit(bench) is State.STORED


def test_a_transaction_that_is_not_ours_is_audited_and_changes_nothing(
    bench: Bench,
) -> None:
    asked_for_later(bench)
    before = bench.deliveries(), bench.study()
    take(bench, report_on(bench.deliveries(), "1.2.3.100", failed=1))
    assert (bench.deliveries(), bench.study()) == before
    assert bench.told()[-1].startswith("transaction 1.2.3.100, not awaited here")


def test_instances_that_the_transaction_did_not_name_change_nothing(
    bench: Bench,
) -> None:
    transaction = asked_for_later(bench)
    whole = report_on(bench.deliveries(), transaction)
    take(bench, replace(whole, committed=frozenset(["1.2.3.4"])))
    assert set(states(bench)) == {DeliveryState.STORED}


def failed_with(bench: Bench, *reasons: int) -> None:
    """Report that the results, in their order, were not committed to."""
    transaction = asked_for_later(bench)
    whole = report_on(bench.deliveries(), transaction)
    uids = [row.sop_instance_uid for row in bench.deliveries()]
    failed = tuple(zip(uids, reasons, strict=True))
    take(bench, replace(whole, committed=frozenset(), failed=failed))


def test_each_failure_reason_has_its_remedy(bench: Bench, archive: Archive) -> None:
    strict = at(bench, archive, Proof.COMMITMENT)
    failed_with(strict, 0x0112, 0x0119, 0x0122)
    lost, conflict, unsupported = bench.deliveries()
    assert lost.state is DeliveryState.PENDING  # it is sent again
    assert conflict.state is DeliveryState.REFUSED  # a person must look
    assert unsupported.state is DeliveryState.REFUSED
    assert conflict.detail == "commitment failed, reason 0119"
    assert "3 failed, 1 with 0112, 1 with 0119, 1 with 0122" in bench.told()[-1]


def test_a_destination_that_could_not_say_is_asked_again(
    bench: Bench, archive: Archive
) -> None:
    strict = at(bench, archive, Proof.COMMITMENT)
    failed_with(strict, 0x0110, 0x0131, 0x0213)
    assert set(states(bench)) == {DeliveryState.STORED}
    bench.clock.add(seconds=100)
    assert commit(strict) is State.COMMITTED
    assert how(bench) == {"storage commitment"}


def test_in_auto_a_class_that_is_never_committed_to_is_read_back(
    bench: Bench,
) -> None:
    failed_with(bench, 0x0122, 0x0122, 0x0122)
    assert set(states(bench)) == {DeliveryState.STORED}
    assert commit(bench) is State.COMMITTED
    assert how(bench) == {"read back by C-FIND"}


@pytest.mark.parametrize("failed", [0, 1, 3])
def test_a_transaction_that_is_answered_twice_changes_nothing_more(
    bench: Bench, failed: int
) -> None:
    transaction = asked_for_later(bench)
    report = report_on(bench.deliveries(), transaction, failed)
    take(bench, report)
    after = bench.deliveries()
    take(bench, report)
    assert bench.deliveries() == after


def test_a_later_failure_does_not_take_back_what_was_committed(bench: Bench) -> None:
    transaction = asked_for_later(bench)
    take(bench, report_on(bench.deliveries(), transaction))
    take(bench, report_on(bench.deliveries(), transaction, failed=3))
    assert set(states(bench)) == {DeliveryState.COMMITTED}


def test_an_archive_that_is_away_is_asked_later_and_says_why(
    bench: Bench, archive: Archive
) -> None:
    strict = at(bench, archive, Proof.COMMITMENT)
    archive.close()
    assert commit(strict) is State.STORED
    assert (bench.study().reason or "").startswith("archive: ")
    assert bench.study().attempts == 1
    assert (bench.study().not_before or bench.clock()) > bench.clock()


def test_a_destination_that_can_prove_nothing_is_shown(bench: Bench) -> None:
    # Our own listener offers neither storage commitment as provider nor C-FIND.
    with listening(Recorder(), peers=(US,)) as listener:
        remote = replace(
            bench.site.destinations[0], title=LOCAL.title, port=listener.port
        )
        mute = bench.at(destinations=(remote,))
        assert commit(mute) is State.STORED
    assert "SOP class" in (bench.study().reason or "")
    assert set(states(bench)) == {DeliveryState.STORED}


def test_without_any_proof_the_study_is_given_up_after_the_time(
    bench: Bench, archive: Archive
) -> None:
    strict = at(bench, archive, Proof.COMMITMENT)
    archive.close()
    commit(strict)
    bench.clock.add(days=5, seconds=1)
    assert commit(strict) is State.PARKED
    assert (bench.study().reason or "").startswith("no proof came")


def test_a_silent_destination_does_not_keep_another_from_its_proof(
    bench: Bench,
) -> None:
    silent = replace(bench.site.destinations[0], name="silent", port=NOBODYS_PORT)
    (archive,) = bench.site.destinations
    study = bench.study()
    with bench.site.ledger.writing() as rows:
        results = rows.results(study.id)
        rows.add_deliveries(study.id, 1, "silent", results)
        for row in rows.deliveries(study.id, 1, "silent"):
            rows.update_delivery(row.id, now=bench.clock(), state=DeliveryState.STORED)
    both = bench.at(destinations=(silent, archive))
    assert commit(both) is State.STORED
    proved = {r.destination for r in bench.deliveries() if r.committed_how is not None}
    assert proved == {"archive"}


def test_the_archive_holds_the_bytes_that_we_made(
    bench: Bench, archive: Archive
) -> None:
    study = bench.study()
    with bench.site.ledger.reading() as rows:
        results = {r.sop_instance_uid: r for r in rows.results(study.id)}
    for held in archive.instances():
        ours = bench.site.spool.path(results[held.sop_instance_uid].file_name)
        header = len(part10_header(_facts(held.sop_class_uid, held.sop_instance_uid)))
        assert held.path.read_bytes()[header:] in ours.read_bytes()


def _facts(sop_class_uid: str, sop_instance_uid: str) -> StoreFacts:
    return StoreFacts(
        association_id="",
        calling_title="",
        called_title="",
        peer_address="",
        peer=None,
        sop_class_uid=sop_class_uid,
        sop_instance_uid=sop_instance_uid,
        transfer_syntax_uid="1.2.840.10008.1.2.1",
        move_originator=None,
    )


def test_the_proof_that_a_destination_owed_which_left_is_not_waited_for(
    bench: Bench,
) -> None:
    alone = bench.at(destinations=())
    assert alone.turn(State.STORED)
    assert not alone.turn(State.STORED)


def test_in_auto_commitment_is_asked_for_once_the_archive_is_back(
    bench: Bench, archive: Archive, tmp_path: Path
) -> None:
    archive.close()
    assert commit(bench) is State.STORED  # the request never left
    assert {row.transaction_uid for row in bench.deliveries()} == {None}
    bench.clock.add(seconds=100)
    with open_archive(tmp_path / "back", "ARCHIVE", port=archive.port) as back:
        for path in result_files(bench):
            back.put(path)
        assert commit(bench) is State.COMMITTED
    assert how(bench) == {"storage commitment"}


def result_files(bench: Bench) -> list[Path]:
    with bench.site.ledger.reading() as rows:
        results = rows.results(bench.study().id)
    return [bench.site.spool.path(row.file_name) for row in results]


def test_what_was_sent_again_is_committed_to_again(
    bench: Bench, archive: Archive
) -> None:
    lose_first(archive)
    commit(bench)
    bench.clock.add(seconds=100)
    bench.turn(State.ENCODED)
    bench.clock.add(seconds=100)
    commit(bench)
    assert how(bench) == {"storage commitment"}


def test_a_destination_that_accepts_and_loses_for_ever_is_given_up(
    bench: Bench, archive: Archive
) -> None:
    reader = at(bench, archive, Proof.READ_BACK)
    for _ in range(8):
        archive._desk.holdings._held.clear()
        reader.turn(State.STORED)
        bench.clock.add(days=1)
        reader.turn(State.ENCODED)
    assert bench.study().state is State.PARKED
    assert bench.study().reason == "archive: not found by C-FIND"


def test_a_destination_that_has_everything_is_proved_while_another_is_away(
    kept: Path, tmp_path: Path, archive: Archive
) -> None:
    with bench_from(kept, tmp_path, WAITS) as opened:
        (good,) = at(opened, archive).site.destinations
        bad = replace(good, name="bad", port=NOBODYS_PORT)
        assert opened.at(destinations=(bad, good)).turn(State.ENCODED)
        assert opened.study().state is State.ENCODED
        said = {(row.destination, row.committed_how) for row in opened.deliveries()}
    assert said == {("archive", "storage commitment"), ("bad", None)}


def test_a_report_of_somebody_else_is_no_proof(bench: Bench) -> None:
    transaction = asked_for_later(bench)
    report = report_on(bench.deliveries(), transaction)
    take(bench, replace(report, peer_name="x-ray", peer_title="XRAY"))
    assert set(states(bench)) == {DeliveryState.STORED}
