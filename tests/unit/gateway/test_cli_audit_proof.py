"""`audit verify|key|rotate-key|verifier|bundle` as a person calls them."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from config.load import Table
from gateway.audit import verifier
from gateway.audit.notes import parse_public_key
from gateway.ledger import Ledger
from gateway.log_keeping.handing import put_file
from gateway.log_keeping.sealing import find_signer, seal
from tests.data.audit_logs import append
from tests.data.commands import call
from tests.data.ledgers import NOW
from tests.data.sites import site_settings, toml_of

Verb = Callable[..., tuple[int, str, str]]


def settings_of(folder: Path) -> Table:
    return {"audit": {"checkpoint_folder": str(folder)}}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """The settings of a site with five records and a checkpoint in its folder."""
    overrides = settings_of(tmp_path / "elsewhere")
    data, path = tmp_path / "data", tmp_path / "site.toml"
    data.mkdir()
    path.write_text(toml_of(data, overrides), "utf-8")
    settings = site_settings(data, overrides)
    ledger = Ledger.open(settings.ledger_url)
    try:
        append(ledger, 5)
        seal(ledger, find_signer(settings.audit_key_path, ledger), NOW)
        with ledger.reading() as rows:
            for kept in rows.checkpoints():
                put_file(tmp_path / "elsewhere", kept.continuation())
    finally:
        ledger.close()
    return path


@pytest.fixture
def verb(
    site: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Verb:
    def called(*words: str | Path) -> tuple[int, str, str]:
        return call(monkeypatch, capsys, "--config", site, "audit", *words)

    return called


def test_an_intact_log_is_said_to_be(verb: Verb) -> None:
    code, out, _ = verb("verify")
    assert code == 0
    assert out.splitlines() == [
        "records 1 to 5; 1 checkpoints agree, the newest vouches for 5",
        "INTACT",
    ]


def test_a_log_that_was_changed_is_an_answer_of_no(verb: Verb, site: Path) -> None:
    database = sqlite3.connect(site.parent / "data" / "ledger.sqlite")
    with database:
        database.execute("UPDATE audit SET outcome = 12 WHERE sequence = 3")
    database.close()
    code, out, _ = verb("verify")
    assert code == 1
    assert "record-changed: record 3 is not what its leaf says" in out
    assert out.endswith("NOT WHAT WAS SIGNED\n")
    code, out, _ = verb("verify", "--json")
    assert code == 1
    found = json.loads(out)
    assert found["intact"] is False
    assert found["verdict"]["faults"][0]["record"] == 3


def test_the_key_is_printed_as_text_that_can_be_read_back(verb: Verb) -> None:
    code, out, _ = verb("key")
    assert code == 0
    assert parse_public_key(out).name.startswith("maira-gateway/audit/")


def test_a_key_that_was_kept_is_believed_and_another_is_not(
    verb: Verb, tmp_path: Path
) -> None:
    kept = verb("key")[1].strip()
    file = tmp_path / "public"
    file.write_text(kept, "utf-8")
    assert verb("verify", "--key", file)[0] == 0
    assert verb("rotate-key")[0] == 0
    assert verb("key")[1].strip() != kept
    assert verb("verify", "--key", kept)[0] == 0
    assert verb("verify")[0] == 0
    other = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    code, _, err = verb("verify", "--key", other)
    assert (code, "not the name of an audit log" in err) == (1, True)


@pytest.mark.parametrize(
    "words",
    [("--key", "nonsense"), ("--checkpoints", "no-such-folder")],
)
def test_wrong_use_is_told(verb: Verb, words: tuple[str, str]) -> None:
    code, _, err = verb("verify", *words)
    assert code == 2
    assert words[0] in err


def test_a_bundle_is_verified_by_the_file_that_is_taken_elsewhere(
    verb: Verb, tmp_path: Path
) -> None:
    key, bundle = verb("key")[1].strip(), tmp_path / "bundle.jsonl"
    code, out, _ = verb("bundle", "--out", bundle, "--study", "1.2.3.1")
    assert (code, out) == (0, f"1 records of 6 in {bundle}\n")
    program = tmp_path / "verifier.py"
    assert verb("verifier", "--out", program)[0] == 0
    source = Path(verifier.__file__).read_text("utf-8")
    assert program.read_text("utf-8") == source
    assert verifier.main(["--key", key, str(bundle)]) == 0


@pytest.mark.parametrize("word", ["bundle", "verifier"])
def test_a_file_that_is_there_is_not_written_over(
    verb: Verb, tmp_path: Path, word: str
) -> None:
    there = tmp_path / "there"
    there.write_text("mine", "utf-8")
    code, _, err = verb(word, "--out", there)
    assert (code, "exists" in err) == (1, True)
    assert there.read_text("utf-8") == "mine"
    assert verb(word, "--out", tmp_path / "no" / "folder")[0] == 1
