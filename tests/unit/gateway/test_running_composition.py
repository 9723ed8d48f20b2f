"""What a site is put together from: its engine by the settings, and who closes it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.rounds import free_port
from config.load import Table, merge
from config.settings import Settings
from dicom_io.ae import Proof
from dicom_io.uid import is_uid
from gateway.errors import LedgerFailure, NotReady
from gateway.rules import view_rules
from gateway.running.composition import close_engine, close_site, load_engine, open_site
from gateway.sources.priors import ArchivePriors
from gateway.sources.worklist import WorklistOrders
from model.engines.collecting import CollectingEngine
from model.engines.local import LocalEngine
from model.engines.process import ProcessEngine
from model.engines.rayserve.asking import RayEngine
from model.engines.vllmserve.asking import VllmEngine
from model.errors import CheckpointError
from tests.data.engines import CannedEngine
from tests.data.sites import archive_peer, site_settings, toml_of
from tests.data.tiny_maira2 import write_tiny

ACKNOWLEDGED: Table = {
    "licence": {"acknowledged_by": "A. Reader", "acknowledged_on": "2026-01-02"}
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return site_settings(tmp_path / "data")


def tiny(tmp_path: Path, **engine: object) -> Table:
    """Return settings of a checkpoint that loads at once and says two words."""
    folder = write_tiny(tmp_path / "model")
    limits = {"findings": 2, "grounded_findings": 2, "phrase_grounding": 2}
    own = {"checkpoint": str(folder), "device": "cpu", "threads": 1}
    return {"engine": {**own, "token_limits": limits, **engine}}  # type: ignore[dict-item]


def test_an_engine_of_films_does_not_start_before_the_licence_is_acknowledged(
    tmp_path: Path,
) -> None:
    folder = write_tiny(tmp_path / "model", domain=None)
    settings = site_settings(tmp_path / "data", {"engine": {"checkpoint": str(folder)}})
    with pytest.raises(NotReady, match="acknowledged_by"):
        open_site(settings)
    assert not (tmp_path / "data").exists()


def test_an_acknowledged_engine_of_films_starts(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "model", domain=None)
    chosen: Table = {"engine": {"checkpoint": str(folder)}}
    settings = site_settings(tmp_path / "data", merge(ACKNOWLEDGED, chosen))
    assert load_engine(settings).identity.domain == "radiograph"


def test_an_engine_of_phantoms_needs_no_acknowledgement(tmp_path: Path) -> None:
    folder = write_tiny(tmp_path / "model")
    settings = site_settings(tmp_path / "data", {"engine": {"checkpoint": str(folder)}})
    assert load_engine(settings).identity.domain == "phantom"


def test_the_device_uid_is_made_once(settings: Settings, tmp_path: Path) -> None:
    uids: list[str] = []
    for _ in range(2):
        site = open_site(settings, CannedEngine())
        uids.append(site.device_uid)
        site.ledger.close()
    other = open_site(site_settings(tmp_path / "other"), CannedEngine())
    other.ledger.close()
    assert uids[0] == uids[1] != other.device_uid
    assert is_uid(uids[0])


def test_a_site_knows_the_peers_of_its_settings(tmp_path: Path) -> None:
    peer = archive_peer("ARCHIVE", 104, proof="read-back")
    site = open_site(site_settings(tmp_path / "data", peer), CannedEngine())
    site.ledger.close()
    assert isinstance(site.priors, ArchivePriors)
    assert [remote.name for remote in site.destinations] == ["archive"]
    assert site.destinations[0].proof is Proof.READ_BACK


def test_archive_and_worklist_are_asked_at_one_pace(tmp_path: Path) -> None:
    asked: Table = {"order": {"sources": ["worklist"], "worklist": "archive"}}
    table = merge(archive_peer("ARCHIVE", 104), asked)
    site = open_site(site_settings(tmp_path / "data", table), CannedEngine())
    site.ledger.close()
    assert isinstance(site.priors, ArchivePriors)
    (worklist,) = site.orders
    assert isinstance(worklist, WorklistOrders)
    assert worklist.pacing is site.priors.pacing


def test_a_site_without_an_archive_asks_nobody(settings: Settings) -> None:
    site = open_site(settings, CannedEngine())
    site.ledger.close()
    assert (site.priors, site.destinations) == (None, ())


def test_the_engine_of_the_settings_runs_here_by_default(tmp_path: Path) -> None:
    settings = site_settings(tmp_path / "data", tiny(tmp_path))
    engine = load_engine(settings)
    assert isinstance(engine, LocalEngine)
    assert engine.generate([]) == []
    close_engine(engine)


def test_an_engine_as_a_process_is_the_same_engine_and_is_closed_with_its_site(
    tmp_path: Path,
) -> None:
    here = load_engine(site_settings(tmp_path / "data", tiny(tmp_path)))
    apart = site_settings(tmp_path / "data", tiny(tmp_path, kind="process"))
    site = open_site(apart)
    assert isinstance(site.engine, ProcessEngine)
    assert site.engine.identity == here.identity
    number = site.engine.process_id
    close_site(site)
    assert not Path(f"/proc/{number}").exists()


def test_several_readers_share_one_engine(tmp_path: Path) -> None:
    chosen = tiny(tmp_path, kind="process", readers=2)
    engine = load_engine(site_settings(tmp_path / "data", chosen))
    assert isinstance(engine, CollectingEngine)
    assert isinstance(engine.inner, ProcessEngine)
    number = engine.inner.process_id
    close_engine(engine)
    assert not Path(f"/proc/{number}").exists()


def test_a_child_is_not_left_behind_where_the_ledger_does_not_open(
    tmp_path: Path,
) -> None:
    chosen = merge(
        tiny(tmp_path, kind="process"), {"ledger": {"url": "sqlite:////nowhere/x"}}
    )
    before = children()
    with pytest.raises(LedgerFailure):
        open_site(site_settings(tmp_path / "data", chosen))
    assert children() == before


def children() -> set[str]:
    own = Path(f"/proc/{os.getpid()}/task")
    return {n for t in own.iterdir() for n in (t / "children").read_text().split()}


@pytest.mark.parametrize("kind", ["local", "process"])
def test_a_checkpoint_that_is_not_there_is_named(tmp_path: Path, kind: str) -> None:
    chosen: Table = {"engine": {"checkpoint": str(tmp_path / "no"), "kind": kind}}
    with pytest.raises(CheckpointError, match=r"config\.json"):
        load_engine(site_settings(tmp_path / "data", chosen))


@pytest.mark.parametrize("kind", ["local", "process"])
def test_a_checkpoint_that_is_not_whole_is_named(tmp_path: Path, kind: str) -> None:
    chosen = tiny(tmp_path, kind=kind)
    (tmp_path / "model" / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load_engine(site_settings(tmp_path / "data", chosen))


OPENED = """
import sys
from pathlib import Path
from config.load import load_settings
from gateway.running import serve
from gateway.running.composition import close_site, open_site
close_site(open_site(load_settings(Path(sys.argv[1]))))
print([name for name in ("torch", "transformers") if name in sys.modules])
"""


def test_a_gateway_whose_engine_is_a_process_never_loads_torch(tmp_path: Path) -> None:
    config = tmp_path / "site.toml"
    chosen = tiny(tmp_path, kind="process")
    config.write_text(toml_of(tmp_path / "data", chosen), "utf-8")
    done = subprocess.run(
        [sys.executable, "-c", OPENED, str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def behind_ray(port: int, **ray: object) -> Table:
    own: Table = {"proxies": [f"http://127.0.0.1:{port}"], **ray}  # type: ignore[dict-item]
    return {"engine": {"kind": "ray"}, "ray": own}


def test_a_site_behind_ray_serve_opens_while_nobody_answers(tmp_path: Path) -> None:
    settings = site_settings(tmp_path / "data", behind_ray(free_port()))
    site = open_site(settings)
    assert isinstance(site.engine, RayEngine)
    assert view_rules(site).quality_control
    close_site(site)


def test_films_behind_ray_serve_need_the_licence_too(tmp_path: Path) -> None:
    chosen = behind_ray(free_port(), reads="radiograph")
    with pytest.raises(NotReady, match="acknowledged_by"):
        open_site(site_settings(tmp_path / "data", chosen))
    site = open_site(site_settings(tmp_path / "data", merge(chosen, ACKNOWLEDGED)))
    assert not view_rules(site).quality_control
    close_site(site)


def behind_vllm(port: int, **vllm: object) -> Table:
    own: Table = {"servers": [f"http://127.0.0.1:{port}"], **vllm}  # type: ignore[dict-item]
    return {"engine": {"kind": "vllm"}, "vllm": own}


def test_a_site_behind_vllm_opens_while_nobody_answers(tmp_path: Path) -> None:
    chosen = behind_vllm(free_port(), reads="radiograph")
    with pytest.raises(NotReady, match="acknowledged_by"):
        open_site(site_settings(tmp_path / "data", chosen))
    site = open_site(site_settings(tmp_path / "data", merge(chosen, ACKNOWLEDGED)))
    assert isinstance(site.engine, VllmEngine)
    assert not view_rules(site).quality_control
    close_site(site)


def test_asking_behind_a_server_loads_neither_its_library_nor_torch(
    tmp_path: Path,
) -> None:
    files = []
    for number, behind in enumerate((behind_ray, behind_vllm)):
        toml = toml_of(tmp_path / "data", behind(free_port()))
        files.append(tmp_path / f"{number}.toml")
        files[-1].write_text(toml, "utf-8")
    program = """
import sys
from pathlib import Path
from config.load import load_settings
from gateway.running.composition import load_engine
from model.errors import EngineAway
for file in sys.argv[1:]:
    try:
        load_engine(load_settings(Path(file))).generate([])
    except EngineAway:
        print(sorted({"ray", "torch", "vllm"} & sys.modules.keys()))
"""
    command = [sys.executable, "-c", program, *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout == "[]\n[]\n"
