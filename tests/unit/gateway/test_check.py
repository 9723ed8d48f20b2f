from pathlib import Path

import pytest

from config.load import Table, load_settings
from config.settings import Settings
from dicom_io.archive import Archive, open_archive
from gateway.check import (
    Check,
    ae_lines,
    check_checkpoint,
    check_disk,
    check_licence,
    run_checks,
)
from model.options import Domain

ACKNOWLEDGED: Table = {"acknowledged_by": "R. Doe", "acknowledged_on": "2026-02-03"}


def settings_with(folder: Path, **tables: Table) -> Settings:
    return load_settings(
        None,
        {
            "storage": {"folder": str(folder / "data"), "reserve_bytes": 0},
            "listener": {"host": "127.0.0.1", "port": 0},
            **tables,
        },
    )


def with_archive(folder: Path, archive: Archive) -> Settings:
    peer: Table = {
        "title": archive.title,
        "host": "127.0.0.1",
        "port": archive.port,
        "deadline_seconds": 5.0,
    }
    return settings_with(folder, peers={"pacs": peer}, archive={"peer": "pacs"})


def by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_a_peer_that_answers_is_told_so_for_echo_and_query(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive", "PACS") as archive:
        checks = by_name(run_checks(with_archive(tmp_path, archive)))
    assert checks["echo pacs"].ok
    assert checks["query pacs"].ok


def test_a_peer_that_is_gone_is_named_with_what_failed(tmp_path: Path) -> None:
    with open_archive(tmp_path / "archive", "PACS") as archive:
        settings = with_archive(tmp_path, archive)
    checks = by_name(run_checks(settings))
    assert not checks["echo pacs"].ok
    assert checks["echo pacs"].detail
    assert not checks["query pacs"].ok


def test_the_check_leaves_nothing_in_the_storage_folder(tmp_path: Path) -> None:
    assert check_disk(settings_with(tmp_path)).ok
    assert list((tmp_path / "data").iterdir()) == []


def test_a_disk_below_its_reserve_is_not_ready(tmp_path: Path) -> None:
    reserve: Table = {"folder": str(tmp_path), "reserve_bytes": 1 << 60}
    assert not check_disk(load_settings(None, {"storage": reserve})).ok


def test_a_storage_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    check = check_disk(settings_with(tmp_path))
    assert not check.ok
    assert "storage.folder" in check.detail


def test_a_folder_without_a_checkpoint_is_not_ready(tmp_path: Path) -> None:
    settings = settings_with(tmp_path, engine={"checkpoint": str(tmp_path)})
    (check,) = check_checkpoint(settings)
    assert not check.ok
    assert "config.json" in check.detail


@pytest.mark.parametrize(
    ("domain", "licence", "ok"),
    [
        (Domain.PHANTOM, {}, True),
        (Domain.RADIOGRAPH, {}, False),
        (Domain.RADIOGRAPH, ACKNOWLEDGED, True),
    ],
)
def test_only_an_engine_of_films_needs_the_acknowledgement(
    tmp_path: Path, domain: Domain, licence: Table, ok: bool
) -> None:
    check = check_licence(settings_with(tmp_path, licence=licence), domain)
    assert check.ok is ok
    assert ok or "licence.acknowledged_by" in check.detail


def test_the_lines_for_the_archive_name_titles_hosts_and_services(
    tmp_path: Path,
) -> None:
    peer: Table = {"title": "PACS", "host": "10.0.0.5", "port": 104}
    settings = settings_with(
        tmp_path,
        listener={"title": "GW", "host": "10.0.0.9", "port": 11112},
        peers={"pacs": peer},
        archive={"peer": "pacs"},
        results={"destinations": ["pacs"]},
    )
    ours, allow, send = ae_lines(settings)
    assert ours == "this node: AE title GW, host 10.0.0.9, port 11112"
    assert allow.startswith("PACS (10.0.0.5:104): allow GW to use C-ECHO, C-FIND")
    assert "C-MOVE to GW" in allow
    assert "C-STORE of SR and GSPS" in allow
    assert send == "PACS (10.0.0.5:104): send chest films to GW"
