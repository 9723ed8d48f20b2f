import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.load import load_settings
from gateway.cli import app, main
from gateway.ledger import Ledger
from gateway.lifecycle import Event, State

UID = "1.2.3"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    path.write_text(f'[storage]\nfolder = "{tmp_path / "data"}"\n', "utf-8")
    return path


@pytest.fixture
def held(site_file: Path) -> Path:
    """A site with one held study."""
    settings = load_settings(site_file)
    settings.storage.folder.mkdir()
    ledger = Ledger.open(settings.ledger_url)
    with ledger.writing() as rows:
        study = rows.open_study(UID, "MODALITY", NOW)
        for event in (
            Event.QUIET_PERIOD_ENDED,
            Event.VIEWS_CHOSEN,
            Event.PRIOR_SETTLED,
            Event.REPORT_HELD,
        ):
            study = rows.move(study, event, NOW)
    ledger.close()
    return site_file


def call(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *words: str | Path,
) -> tuple[int, str, str]:
    """Run the whole command as the console script does."""
    monkeypatch.setattr(sys, "argv", ["maira-gateway", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    code = ended.value.code
    return code if isinstance(code, int) else 0, said.out, said.err


def ask(*words: str | Path) -> object:
    """Run a verb with --json and return what it printed."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    return json.loads(result.stdout)


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['maira-gateway', '--help']\n"
        "from gateway.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pydicom', 'sqlalchemy', 'numpy', 'pydantic', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_an_unknown_option_is_wrong_use(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "study", "list", "--colour")
    assert code == 2
    assert "--colour" in err


def test_config_check_says_no_with_a_line_a_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "site.toml"
    path.write_text("[listener]\nport = 70000\nprot = 1\n", "utf-8")
    code, out, err = call(monkeypatch, capsys, "--config", path, "config", "check")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("maira-gateway: listener.") for line in lines)


def test_any_other_verb_calls_wrong_settings_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.toml"
    code, _, err = call(monkeypatch, capsys, "--config", path, "study", "list")
    assert code == 2
    assert len(err.splitlines()) == 1


def test_the_settings_file_may_come_from_the_environment(
    site_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIRA_GATEWAY_CONFIG", str(site_file))
    shown = ask("config", "show")
    assert isinstance(shown, dict)
    assert shown["storage"]["folder"] == str(site_file.parent / "data")


def test_a_site_without_a_ledger_is_told_so_and_none_is_made(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "--config", site_file, "study", "list")
    assert code == 1
    assert "no ledger" in err
    assert not (site_file.parent / "data").exists()


def test_studies_are_listed_by_state(held: Path) -> None:
    (study,) = _list(ask("--config", held, "study", "list", "--state", "held"))
    assert (study["study_instance_uid"], study["state"]) == (UID, "held")
    assert ask("--config", held, "study", "list", "--state", "parked") == []


def test_a_study_is_shown_with_its_life(held: Path) -> None:
    shown = ask("--config", held, "study", "show", UID)
    assert isinstance(shown, dict)
    assert [move["to_state"] for move in shown["moves"]][-1] == "held"


def test_a_person_reads_the_same_in_words(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(monkeypatch, capsys, "--config", held, "study", "show", UID)
    assert code == 0
    assert "state     held, revision 1" in out


def test_a_release_names_who_decided_and_why(held: Path) -> None:
    words = ("study", "release", UID, "--by", "anna", "--why", "fine")
    moved = ask("--config", held, *words)
    assert isinstance(moved, dict)
    assert moved["state"] == State.REPORTED
    (record,) = _list(ask("--config", held, "audit", "list", "--study", UID))
    assert record["user"] == "anna"


def test_a_decision_that_is_not_possible_is_a_no(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "--config", held, "study", "retry", UID)
    assert code == 1
    assert err == "maira-gateway: a study that is held cannot be decided: retry\n"


def test_an_unknown_study_is_a_no(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "--config", held, "study", "show", "9")
    assert code == 1
    assert "no study '9'" in err


def test_an_audit_message_is_shown_as_it_is_kept(held: Path) -> None:
    ask("--config", held, "audit", "list")
    record = ask("--config", held, "audit", "show", "1")
    assert isinstance(record, dict)
    assert record["message"].startswith("<AuditMessage>")


def test_an_export_never_overwrites_a_file(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = held.parent / "audit.jsonl"
    words = ("--config", held, "audit", "export", "--out", out)
    assert call(monkeypatch, capsys, *words)[0] == 0
    first = out.read_text("utf-8")
    code, _, err = call(monkeypatch, capsys, *words)
    assert code == 1
    assert "exists" in err
    assert out.read_text("utf-8") == first


def test_a_checkpoint_that_is_missing_is_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = call(
        monkeypatch, capsys, "model", "verify", "--checkpoint", tmp_path
    )
    assert code == 1
    assert "config.json" in out


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
