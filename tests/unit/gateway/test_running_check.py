import socket
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest

from config.load import Table, load_settings
from config.settings import Settings
from dicom_io.ae import AETitle
from dicom_io.archive import Archive, open_archive
from gateway.ledger import Ledger
from gateway.running.check import (
    Check,
    ae_lines,
    check_checkpoint,
    check_disk,
    check_engine,
    check_ledger,
    check_licence,
    check_port,
    check_tls,
    run_checks,
)
from model.maira2.snapshot import weights_digest
from model.options import PHANTOM_CHECKPOINT, Domain
from tests.data.network import LOCAL, Recorder, listening
from tests.data.serve_proxy import fake_proxy
from tests.data.tiny_maira2 import write_tiny
from tests.data.vllm_server import fake_vllm

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
        "deadline_seconds": 30.0,
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


def test_a_peer_that_knows_another_title_is_told_from_one_that_is_gone(
    tmp_path: Path,
) -> None:
    with listening(Recorder()) as listener:
        peer: Table = {"title": "OTHER", "host": "127.0.0.1", "port": listener.port}
        checks = by_name(run_checks(settings_with(tmp_path, peers={"pacs": peer})))
    gone = by_name(run_checks(settings_with(tmp_path, peers={"pacs": peer})))
    assert checks["echo pacs"].detail.startswith("refused: ")
    assert "another AE title" in checks["echo pacs"].detail
    assert gone["echo pacs"].detail.startswith("unreachable: ")


def test_a_ledger_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    check = check_ledger(settings_with(tmp_path))
    assert check.ok
    assert "serve makes it" in check.detail
    assert not (tmp_path / "data").exists()


def test_a_ledger_is_opened_and_stays_as_it_is(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    settings.storage.folder.mkdir()
    Ledger.open(settings.ledger_url).close()
    before = sorted(settings.storage.folder.iterdir())
    check = check_ledger(settings)
    assert (check.ok, check.detail) == (True, "can be opened")
    assert sorted(settings.storage.folder.iterdir()) == before


def test_a_file_that_is_no_ledger_is_named_by_its_key(tmp_path: Path) -> None:
    settings = settings_with(tmp_path)
    settings.storage.folder.mkdir()
    (settings.storage.folder / "ledger.sqlite").write_text("not a database" * 100)
    check = check_ledger(settings)
    assert not check.ok
    assert check.detail.startswith("ledger.url: ")


def test_a_driver_that_is_not_installed_is_named_by_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    settings = settings_with(tmp_path, ledger={"url": "postgresql://db/maira"})
    check = check_ledger(settings)
    assert not check.ok
    assert check.detail.startswith("ledger.url: the driver")
    assert check.detail.endswith("pip install 'maira-gateway[postgresql]'")


def test_tls_files_that_are_missing_or_broken_are_named(tmp_path: Path) -> None:
    for name in ("broken.pem", "broken.key", "broken-ca.pem"):
        (tmp_path / name).write_text("no PEM")
    broken: Table = {
        "certificate": str(tmp_path / "broken.pem"),
        "key": str(tmp_path / "broken.key"),
        "authority": str(tmp_path / "broken-ca.pem"),
    }
    missing: Table = {**broken, "key": str(tmp_path / "none.key")}
    peer: Table = {"title": "PACS", "host": "127.0.0.1", "port": 104, "tls": missing}
    listener: Table = {"host": "127.0.0.1", "port": 0, "tls": broken}
    settings = settings_with(tmp_path, listener=listener, peers={"pacs": peer})
    first, second = check_tls(settings)
    assert not first.ok
    assert first.detail.startswith("listener.tls: ")
    assert not second.ok
    assert second.detail == f"peers.pacs.tls: no file {tmp_path / 'none.key'}"


def test_our_own_gateway_on_the_port_is_recognised() -> None:
    with listening(Recorder()) as listener:
        check = check_port(replace(LOCAL, port=listener.port))
    assert check.ok
    assert "answers as MAIRA_GW" in check.detail


def test_another_node_on_our_port_is_a_no() -> None:
    with listening(Recorder(), replace(LOCAL, title=AETitle("OTHER"))) as listener:
        check = check_port(replace(LOCAL, port=listener.port))
    assert not check.ok
    assert "listener.port" in check.detail


def test_another_program_on_our_port_is_a_no() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            server.accept()[0].close()

        thread = Thread(target=hang_up)
        thread.start()
        check = check_port(replace(LOCAL, port=int(server.getsockname()[1])))
        thread.join()
    assert not check.ok
    assert "another program" in check.detail


def test_the_digest_of_the_checkpoint_is_named(tmp_path: Path) -> None:
    checkpoint, _ = check_checkpoint(settings_with(tmp_path))
    assert weights_digest(PHANTOM_CHECKPOINT)[:16] in checkpoint.detail


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


def test_an_engine_here_is_named_and_not_loaded(tmp_path: Path) -> None:
    check = by_name(run_checks(settings_with(tmp_path)))["engine"]
    assert (check.ok, "own process" in check.detail) == (True, True)


def apart(folder: Path, **listener: str | int) -> Settings:
    """Settings with an engine that loads at once, in a process."""
    model = write_tiny(folder / "model")
    engine: Table = {"kind": "process", "checkpoint": str(model), "threads": 1}
    engine["token_limits"] = {"findings": 2}
    return settings_with(
        folder, engine=engine, listener={"host": "127.0.0.1", "port": 0, **listener}
    )


def test_an_engine_as_a_process_must_answer(tmp_path: Path) -> None:
    check = check_engine(apart(tmp_path))
    assert check.ok
    assert "MAIRA-2 phantom on cpu answers from a child" in check.detail


def test_an_engine_as_a_process_that_does_not_start_says_why(tmp_path: Path) -> None:
    settings = apart(tmp_path)
    (tmp_path / "model" / "tokenizer.json").unlink()
    check = check_engine(settings)
    assert not check.ok
    assert "tokenizer.json" in check.detail


def test_no_second_engine_is_started_beside_a_gateway(tmp_path: Path) -> None:
    with listening(Recorder()) as listener:
        check = check_engine(apart(tmp_path, port=listener.port))
    assert check.ok
    assert "none is started" in check.detail


def behind_ray(folder: Path, address: str, reads: str) -> Settings:
    ray: Table = {"proxies": [address], "reads": reads}
    return settings_with(folder, engine={"kind": "ray"}, ray=ray)


def test_a_replica_behind_ray_serve_must_answer(tmp_path: Path) -> None:
    with fake_proxy() as proxy:
        films = behind_ray(tmp_path, proxy.address, "radiograph")
        check = check_engine(films)
        assert (check.ok, check.name) == (True, "engine")
        assert "behind Ray Serve, digest" in check.detail
        other = check_engine(behind_ray(tmp_path, proxy.address, "phantom"))
        assert not other.ok
        assert "ray.reads says phantom" in other.detail
    gone = check_engine(films)
    assert not gone.ok
    assert "cannot be reached" in gone.detail


def test_behind_ray_serve_the_licence_is_judged_by_what_is_to_be_read(
    tmp_path: Path,
) -> None:
    films = behind_ray(tmp_path, "http://127.0.0.1:1", "radiograph")
    assert by_name(check_checkpoint(films))["licence"].ok is False
    phantoms = behind_ray(tmp_path, "http://127.0.0.1:1", "phantom")
    assert by_name(check_checkpoint(phantoms))["licence"].ok


def test_a_server_of_vllm_must_be_there(tmp_path: Path) -> None:
    vllm: Table
    with fake_vllm() as server:
        vllm = {"servers": [server.address], "reads": "radiograph"}
        films = settings_with(tmp_path, engine={"kind": "vllm"}, vllm=vllm)
        check = check_engine(films)
        assert (check.ok, check.name) == (True, "engine")
        assert "behind vLLM, digest aaaa" in check.detail
        assert by_name(check_checkpoint(films))["licence"].ok is False
    gone = check_engine(films)
    assert not gone.ok
    assert "cannot be reached" in gone.detail
