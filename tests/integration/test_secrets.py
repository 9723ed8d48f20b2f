"""Secrets that are planted, and that nothing this gateway says may hold."""

import logging
import shutil
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from pydantic_core import to_json

from config.errors import InvalidSettings
from config.load import Table, load_settings, show_settings
from dicom_io.errors import ListenerFailure
from dicom_io.passcodes import hash_passcode
from dicom_io.scp.listener import open_listener
from dicom_io.tls import RenewedContext
from gateway.errors import LedgerFailure
from gateway.running.check import check_ledger, check_tls
from gateway.running.composition import open_site
from tests.data.certificates import authority
from tests.data.commands import call
from tests.data.engines import CannedEngine
from tests.data.network import Recorder
from tests.data.sites import site_settings, toml_of

PASSWORD = "canary-database-8472"  # noqa: S105 - a canary
TOKEN = "canary-bearer-8472"  # noqa: S105 - a canary
PASSCODE = "canary-passcode-8472"
URL = f"postgresql+psycopg://gateway:{PASSWORD}@127.0.0.1:1/maira"


@dataclass
class Said:
    """Everything that was logged, printed or raised, and what must not be in it."""

    planted: set[str] = field(default_factory=lambda: {PASSWORD, TOKEN, PASSCODE})
    texts: list[str] = field(default_factory=list)

    def hear(self, what: Callable[[], object]) -> None:
        """Keep what comes of a call; an error with its whole traceback."""
        try:
            self.texts.append(repr(what()))
        except Exception:  # noqa: BLE001 - whatever it says is what is looked at
            self.texts.append(traceback.format_exc())

    def leaks(self) -> list[str]:
        return [secret for secret in self.planted if secret in "\n".join(self.texts)]


class _Ear(logging.Handler):
    def __init__(self, said: Said) -> None:
        super().__init__(0)
        self.setFormatter(logging.Formatter())
        self._said = said

    def emit(self, record: logging.LogRecord) -> None:
        self._said.texts.append(self.format(record))


@pytest.fixture
def said() -> Iterator[Said]:
    """Listen to every logger, at every level."""
    heard, root = Said(), logging.getLogger()
    ear, level = _Ear(heard), root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    yield heard
    root.setLevel(level)
    root.removeHandler(ear)
    assert heard.texts
    assert heard.leaks() == []


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: Said) -> Table:
    """Settings in which every secret that there can be is planted."""
    monkeypatch.setenv("MAIRA_GATEWAY_LEDGER_URL", URL)
    monkeypatch.setenv("CANARY_TOKEN", TOKEN)
    node = authority(tmp_path / "own").node("node")
    key = node.key.read_text()
    hashed = hash_passcode(PASSCODE.encode())
    said.planted |= {line for line in key.splitlines() if not line.startswith("-")}
    said.planted.add(hashed.rpartition("$")[2])
    tls: Table = {
        "certificate": str(node.certificate),
        "key": str(node.key),
        "authority": str(node.authority),
    }
    return {
        "listener": {
            "tls": tls,
            "user_identity": "optional",
            "users": {"alice": hashed},
        },
        "fhir": {"url": "https://127.0.0.1:1/fhir", "token_variable": "CANARY_TOKEN"},
        "peers": {
            "web": {
                "title": "WEB",
                "web": {"url": "https://127.0.0.1:1", "token_variable": "CANARY_TOKEN"},
            }
        },
    }


def _wrong(site: Table, table: str, key: str, value: object) -> Table:
    inner = site[table]
    assert isinstance(inner, dict)
    return {**site, table: {**inner, key: value}}  # type: ignore[dict-item]


def test_settings_are_shown_without_secrets(
    tmp_path: Path,
    site: Table,
    said: Said,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "site.toml"
    file.write_text(toml_of(tmp_path / "data", site), "utf-8")
    for words in (
        ("config", "show"),
        ("config", "show", "--json"),
        ("config", "check"),
    ):
        code, out, err = call(monkeypatch, capsys, "--config", file, *words)
        assert code == 0, err
        said.texts += [out, err]
    settings = load_settings(file)
    said.hear(lambda: to_json(show_settings(settings)))
    assert "alice" in said.texts[0]


def test_wrong_settings_are_explained_without_secrets(
    tmp_path: Path, site: Table, said: Said
) -> None:
    wrong = [
        _wrong(site, "listener", "users", {"alice": PASSCODE}),
        _wrong(site, "listener", "users", PASSCODE),
        _wrong(site, "listener", "port", -1),
        _wrong(site, "listener", "tls", None),
        _wrong(site, "fhir", "url", f"https://user:{PASSWORD}@127.0.0.1/fhir"),
        {**site, "surprise": 1},
    ]
    for table in wrong:
        with pytest.raises(InvalidSettings) as raised:
            load_settings(None, table)
        said.texts.append(str(raised.value))
    file = tmp_path / "site.toml"
    file.write_text(f'[ledger]\nurl = "{URL}"\n')
    with pytest.raises(InvalidSettings) as raised:
        load_settings(file)
    said.texts.append(str(raised.value))


def test_what_fails_is_told_without_secrets(
    tmp_path: Path, site: Table, said: Said
) -> None:
    settings = site_settings(tmp_path / "data", site)
    with pytest.raises(LedgerFailure):
        open_site(settings, CannedEngine())
    said.hear(lambda: open_site(settings, CannedEngine()))
    said.hear(lambda: check_ledger(settings))
    said.hear(lambda: list(check_tls(settings)))
    local, recorder = settings.local_ae(), Recorder()
    assert local.tls is not None
    renewed = RenewedContext(local.tls)
    # A key of another certificate, and a key that is none.
    other = authority(tmp_path / "other").node("node")
    shutil.copy(other.key, local.tls.key)
    renewed.current()
    local.tls.key.write_text(f"{PASSCODE}\n")
    renewed.current()
    said.hear(lambda: list(check_tls(settings)))
    with pytest.raises(ListenerFailure):
        open_listener(local, (), recorder.sink, recorder.events())
    said.hear(lambda: open_listener(local, (), recorder.sink, recorder.events()))
    assert any("broken" in text for text in said.texts)
