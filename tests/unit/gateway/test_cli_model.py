import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.load import load_settings
from gateway.cli.verbs import main
from gateway.ledger import AuditFilter, Ledger
from tests.data.hub import Hub, serving
from tests.data.tiny_maira2 import write_tiny

TOKEN = "hf_right"  # noqa: S105 - of the test's own server


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(f'[storage]\nfolder = "{tmp_path / "data"}"\n', "utf-8")
    return path


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    stored = write_tiny(tmp_path / "stored", domain=None, shard_bytes=20_000)
    files = {path.name: path.read_bytes() for path in stored.iterdir()}
    with serving(files | {"modeling_maira2.py": b"never run"}) as served:
        monkeypatch.setenv("HF_ENDPOINT", served.address)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield served


def call(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *words: str | Path,
) -> tuple[int, str, str]:
    """Run the whole command as the console script does."""
    monkeypatch.setattr(sys, "argv", ["maira-gateway", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return int(ended.value.code or 0), out, err


def acknowledgements(site_file: Path) -> list[str]:
    """The messages in the site's audit that name the licence."""
    ledger = Ledger.open(load_settings(site_file).ledger_url)
    with ledger.reading() as rows:
        messages = [row.message for row in rows.audit(AuditFilter())]
    ledger.close()
    return [message for message in messages if "licence" in message]


def test_a_fetched_snapshot_is_verified_and_the_audit_names_who_acknowledged(
    hub: Hub,
    site_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "fetched"
    words = ("--config", site_file, "model", "fetch", folder)
    code, out, _ = call(monkeypatch, capsys, *words, "--acknowledged-by", "Dr. Example")
    assert code == 0
    assert "The checkpoint is whole" in out
    assert not (folder / "modeling_maira2.py").exists()
    (message,) = acknowledgements(site_file)
    assert "Dr. Example" in message
    assert TOKEN not in message
    assert f"Bearer {TOKEN}" in hub.authorisations


def test_nothing_is_fetched_before_the_licence_is_acknowledged(
    hub: Hub,
    site_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = call(
        monkeypatch, capsys, "--config", site_file, "model", "fetch", tmp_path / "to"
    )
    assert code != 0
    assert "--acknowledged-by" in err
    assert hub.asked == []


def test_an_acknowledgement_in_the_settings_is_enough(
    hub: Hub,
    site_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    keys = 'acknowledged_by = "Dr. Example"\nacknowledged_on = "2026-03-04"\n'
    site_file.write_text(f"{site_file.read_text()}[licence]\n{keys}")
    words = ("--config", site_file, "model", "fetch", tmp_path / "to")
    assert call(monkeypatch, capsys, *words)[0] == 0
    assert call(monkeypatch, capsys, *words)[0] == 0
    assert len(acknowledgements(site_file)) == 1
    assert hub.asked


def test_a_refusal_is_one_line_without_the_token(
    hub: Hub,
    site_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    hub.refusal = (403, "GatedRepo")
    words = ("--config", site_file, "model", "fetch", tmp_path / "to")
    code, out, err = call(monkeypatch, capsys, *words, "--acknowledged-by", "A")
    assert code == 1
    assert "accept its conditions at" in err
    assert TOKEN not in out + err


def test_verify_tells_what_is_right_and_what_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny(tmp_path)
    (folder / "tokenizer.json").write_text("{}")
    code, out, _ = call(monkeypatch, capsys, "model", "verify", "--checkpoint", folder)
    assert code == 1
    lines = out.splitlines()
    assert "ok     names and shapes of the tensors" in lines
    assert any(line.startswith("WRONG  tokenizer: ") for line in lines)


def test_a_script_gets_the_checks_and_the_digest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("model", "verify", "--json", "--checkpoint", write_tiny(tmp_path))
    code, out, _ = call(monkeypatch, capsys, *words)
    answer = json.loads(out)
    assert code == 0
    assert all(check["problems"] == [] for check in answer["checks"])
    assert len(answer["weights_digest"]) == 64
