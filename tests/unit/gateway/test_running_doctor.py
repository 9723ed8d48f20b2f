"""What is found and mended between ledger and spool; nothing is ever deleted."""

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dicom_io.status import Status
from gateway.errors import LedgerCorrupt, NotReady
from gateway.ledger import Ledger
from gateway.ledger.soundness import faults_of
from gateway.lifecycle import Event, State
from gateway.locking import hold_folder
from gateway.running.composition import open_site
from gateway.running.doctor import LOST_AND_FOUND, Symptom, examine, verify
from gateway.running.serve import Gateway
from gateway.site import utc_now
from gateway.spool import Shelf
from tests.data.commands import call
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import given_study, url_of
from tests.data.stages import START, Bench, bench_at, prior_film


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A site that has received a film, at rest."""
    with bench_at(tmp_path) as opened:
        assert opened.send(opened.film()) is Status.SUCCESS
        yield opened


def looked(bench: Bench, *, repair: bool = False) -> dict[str, Symptom]:
    found = examine(bench.site.settings, utc_now, repair=repair)
    return {each.name: each for each in found}


def sick(bench: Bench) -> list[str]:
    return [name for name, each in looked(bench).items() if not each.ok]


def orphan(bench: Bench, film: Path) -> str:
    """Put a film into the spool without a row, as a kill before the row does."""
    place = bench.site.spool.begin()
    place.header(film.read_bytes())
    return place.commit(Shelf.INSTANCES)


def lost_and_found(bench: Bench) -> list[Path]:
    folder = bench.site.settings.storage.folder / LOST_AND_FOUND
    return sorted(folder.iterdir()) if folder.exists() else []


def ledger_file(bench: Bench) -> Path:
    path = bench.site.settings.ledger_path
    assert path is not None
    return path


def damage(bench: Bench) -> None:
    """Overwrite the second half of the ledger's file, all of it checkpointed."""
    bench.site.ledger.close()
    path = ledger_file(bench)
    half = path.stat().st_size // 2
    with path.open("r+b") as file:
        file.seek(half)
        file.write(b"\xa5" * half)


def test_a_site_at_rest_has_nothing_wrong(bench: Bench) -> None:
    assert sick(bench) == []


def test_an_orphan_is_shown_and_left_without_repair(bench: Bench) -> None:
    name = orphan(bench, bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert sick(bench) == ["orphans"]
    assert bench.site.spool.path(name).exists()


def test_an_orphan_is_taken_in_through_the_intake(bench: Bench) -> None:
    orphan(bench, bench.film("other", SOPInstanceUID="1.2.3.5"))
    assert looked(bench, repair=True)["orphans"].detail == "1 taken in"
    with bench.site.ledger.reading() as rows:
        assert rows.instance("1.2.3.5") is not None
    assert sick(bench) == []
    assert list(verify(bench.site.settings)) == []


def test_a_copy_of_what_is_recorded_goes_and_the_first_stays(bench: Bench) -> None:
    orphan(bench, bench.film())
    looked(bench, repair=True)
    assert sick(bench) == []
    assert len(bench.kept_files()) == 1


def test_an_orphan_with_other_content_is_never_deleted(bench: Bench) -> None:
    orphan(bench, bench.film("conflict", PatientID="P2"))
    looked(bench, repair=True)
    assert len(lost_and_found(bench)) == 1
    assert sick(bench) == []


def test_an_orphan_that_is_no_instance_is_set_apart(bench: Bench) -> None:
    place = bench.site.spool.begin()
    place.write(b"no instance")
    place.commit(Shelf.INSTANCES)
    looked(bench, repair=True)
    (found,) = lost_and_found(bench)
    assert found.read_bytes() == b"no instance"


def test_a_retrieved_prior_is_not_taken_in_as_a_new_study(bench: Bench) -> None:
    film = prior_film(bench.folder)
    study, now = bench.study(), bench.clock()
    with bench.site.ledger.writing() as rows:
        rows.begin_retrieval("1.2.9", study.id, "archive", now, now)
    orphan(bench, film)
    assert (
        looked(bench, repair=True)["orphans"].detail == f"1 moved to {LOST_AND_FOUND}"
    )
    with bench.site.ledger.reading() as rows:
        assert rows.study("1.2.9") is None


def test_what_a_purge_left_does_not_open_its_study_again(bench: Bench) -> None:
    other = bench.film("other", SOPInstanceUID="1.2.3.5")
    with bench.site.ledger.writing() as rows:
        study = rows.move(bench.study(), Event.GAVE_UP, bench.clock())
        study = rows.move(study, Event.REJECTED, bench.clock())
        rows.move(study, Event.FILES_PURGED, bench.clock())
    orphan(bench, other)
    looked(bench, repair=True)
    assert (bench.study().state, len(lost_and_found(bench))) == (State.PURGED, 1)


def test_temporary_files_go_with_repair(bench: Bench) -> None:
    bench.site.spool.begin().write(b"cut off")
    assert sick(bench) == ["temporary files"]
    looked(bench, repair=True)
    assert sick(bench) == []


def test_a_row_without_its_file_is_named_and_a_resend_mends_it(bench: Bench) -> None:
    (file,) = bench.kept_files()
    file.unlink()
    assert "sent again" in looked(bench, repair=True)["missing files"].detail
    assert len(list(verify(bench.site.settings))) == 1
    assert bench.send(bench.film()) is Status.SUCCESS
    assert sick(bench) == []


def test_a_lease_of_a_dead_worker_is_freed(bench: Bench) -> None:
    with bench.site.ledger.writing() as rows:
        assert rows.claim([State.RECEIVING], bench.clock(), "dead", 3600.0)
    assert sick(bench) == ["leases"]
    assert looked(bench, repair=True)["leases"].detail == "1 freed"
    assert sick(bench) == []


def test_beside_a_gateway_at_work_nothing_is_repaired(bench: Bench) -> None:
    bench.site.spool.begin().write(b"on its way")
    with hold_folder(bench.site.settings.storage.folder):
        assert sick(bench) == []
        with pytest.raises(NotReady, match="stop it"):
            looked(bench, repair=True)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with bench_at(tmp_path) as bench:
        settings = bench.site.settings
    storage = settings.storage.model_copy(update={"folder": tmp_path / "none"})
    (found,) = examine(
        settings.model_copy(update={"storage": storage}), utc_now, repair=False
    )
    assert (found.name, found.ok) == ("storage", False)


def test_a_restored_ledger_gets_back_what_came_after_the_copy(bench: Bench) -> None:
    """The files are the newer half of the truth: each opens its study again."""
    bench.site.ledger.close()
    copy = ledger_file(bench).read_bytes()
    site = open_site(bench.site.settings, CannedEngine())
    later = bench.at(ledger=site.ledger)
    film = film_dataset(StudyInstanceUID="1.2.4", SOPInstanceUID="1.2.4.1")
    assert later.send(write_film(bench.folder / "new.dcm", film)) is Status.SUCCESS
    site.ledger.close()
    for path in ledger_file(bench).parent.glob("ledger.sqlite*"):
        path.unlink()
    ledger_file(bench).write_bytes(copy)
    assert sick(bench) == ["orphans"]
    looked(bench, repair=True)
    assert sick(bench) == []
    with bench.site.ledger.reading() as rows:
        assert rows.instance("1.2.4.1") is not None


def test_a_damaged_ledger_is_explained_and_nothing_else_is_touched(
    bench: Bench,
) -> None:
    damage(bench)
    name = orphan(bench, bench.film("other", SOPInstanceUID="1.2.3.5"))
    found = looked(bench, repair=True)
    assert [*found] == ["ledger"]
    assert "restore the last copy" in found["ledger"].detail
    assert bench.site.spool.path(name).exists()


def test_a_gateway_does_not_start_on_a_damaged_ledger(bench: Bench) -> None:
    damage(bench)
    with (
        pytest.raises(LedgerCorrupt, match="maira-gateway doctor"),
        Gateway(open_site(bench.site.settings, CannedEngine())),
    ):
        pass


def test_every_page_that_is_overwritten_is_noticed(tmp_path: Path) -> None:
    """SQLite keeps no checksums: what it notices is what no longer fits together."""
    ledger = Ledger.open(url_of(tmp_path))
    given_study(ledger)
    ledger.close()
    path, size = tmp_path / "ledger.db", 4096
    whole = path.read_bytes()
    assert faults_of(path, thorough=False) == ()
    silent = []
    for start in range(0, len(whole), size):
        flipped = bytes(byte ^ 0xFF for byte in whole[start : start + size])
        path.write_bytes(whole[:start] + flipped + whole[start + size :])
        if not faults_of(path, thorough=False):
            silent.append(start // size)
    assert silent == []


def test_a_truncated_ledger_is_found(bench: Bench) -> None:
    bench.site.ledger.close()
    path = ledger_file(bench)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    assert sick(bench) == ["ledger"]


def test_a_ledger_that_is_gone_is_explained(bench: Bench) -> None:
    bench.site.ledger.close()
    for path in ledger_file(bench).parent.glob("ledger.sqlite*"):
        path.unlink()
    assert "restore the last copy" in looked(bench)["ledger"].detail


def test_a_study_whose_last_move_leads_elsewhere_is_damage(bench: Bench) -> None:
    bench.site.ledger.close()
    with sqlite3.connect(ledger_file(bench)) as opened:
        opened.execute("UPDATE studies SET state = 'committed'")
    opened.close()
    assert "its last move says receiving" in looked(bench)["ledger"].detail


def test_damage_that_shows_at_work_stops_the_intake_for_good(bench: Bench) -> None:
    ledger = Ledger.open(bench.site.settings.ledger_url)
    with pytest.raises(LedgerCorrupt), ledger.reading():
        raise_malformed()
    with pytest.raises(LedgerCorrupt, match="stop the gateway"), ledger.writing():
        pass
    ledger.close()


def raise_malformed() -> None:
    from sqlalchemy.exc import DatabaseError

    original = sqlite3.DatabaseError("database disk image is malformed")
    original.sqlite_errorcode = sqlite3.SQLITE_CORRUPT_INDEX  # as sqlite3 sets it
    raise DatabaseError("SELECT", {}, original)


def test_verify_names_a_file_whose_bytes_changed(bench: Bench) -> None:
    (file,) = bench.kept_files()
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    (line,) = verify(bench.site.settings)
    assert line.endswith("its bytes are not those received")
    assert file.name in line


def test_verify_checks_results_by_their_names(bench: Bench) -> None:
    bench.clock.add(seconds=60)
    assert bench.complete() == 1
    while bench.study().state in (State.COMPLETE, State.SELECTED, State.GATHERED):
        bench.turn()
    while bench.study().state is not State.KEPT:
        assert bench.turn(), bench.study().state
    assert list(verify(bench.site.settings)) == []
    results = bench.site.spool.path("results")
    file = next(path for path in results.rglob("*") if path.is_file())
    file.write_bytes(b"other")
    assert len(list(verify(bench.site.settings))) == 1


def test_the_verbs_say_it_and_end_with_one(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = bench.site.settings.storage.folder
    config = bench.folder / "site.toml"
    config.write_text(f'[storage]\nfolder = "{folder}"\n', "utf-8")
    given = ("--config", str(config))
    code, said, _ = call(monkeypatch, capsys, *given, "spool", "verify")
    assert (code, said) == (0, "Every file is as it was received.\n")
    bench.kept_files()[0].unlink()
    code, said, _ = call(monkeypatch, capsys, *given, "doctor")
    assert code == 1
    assert "NO  missing files" in said
    assert call(monkeypatch, capsys, *given, "spool", "verify", "--json")[0] == 1


def test_an_audit_repository_that_fails_is_named(bench: Bench) -> None:
    name = "audit repository hospital"
    with bench.site.ledger.writing() as rows:
        rows.enlist_repositories(["hospital"])
        known = rows.repository("hospital")
        assert known is not None
    assert looked(bench)[name].ok
    failing = replace(
        known, failures=3, failing_since=START, told=True, detail="connection refused"
    )
    with bench.site.ledger.writing() as rows:
        rows.change_repository(known, failing)
    found = looked(bench)[name]
    assert not found.ok
    assert "connection refused" in found.detail
