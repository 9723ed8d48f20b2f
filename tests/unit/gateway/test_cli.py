import json
import os
import pwd
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.load import load_settings
from dicom_io.evidence import Rejection
from gateway.cli.site import os_user
from gateway.cli.study import _print_detail
from gateway.cli.verbs import app
from gateway.ledger import Ledger, StudyRecord
from gateway.lifecycle import Event, State
from gateway.showing.review import FilledSlot, ShownReport, StudyDetail
from model.report import GroundedPhrase, NormalizedBox, Task
from model.version import VERSION
from tests.data.commands import call
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import given_study
from tests.data.tiny_maira2 import write_tiny

UID = "1.2.3"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
STUDY = StudyRecord(
    id=1,
    study_instance_uid=UID,
    state=State.KEPT,
    revision=1,
    reason=None,
    calling_title="MODALITY",
    opened_at=NOW,
    last_arrival_at=NOW,
    changed_at=NOW,
    attempts=0,
    not_before=None,
    lease_owner=None,
    lease_until=None,
)


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


def ask(*words: str | Path) -> object:
    """Run a verb with --json and return what it printed."""
    result = CliRunner().invoke(app, [*map(str, words), "--json"])
    return json.loads(result.stdout)


def test_help_loads_no_heavy_library() -> None:
    code = (
        "import sys; sys.argv = ['maira-gateway', '--help']\n"
        "from gateway.cli.verbs import main\n"
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


def test_a_release_names_who_decided_and_who_typed_it(held: Path) -> None:
    who = ("--by", "anna", "--role", "radiologist")
    moved = ask("--config", held, "study", "release", UID, *who, "--why", "fine")
    assert isinstance(moved, dict)
    assert moved["state"] == State.REPORTED
    (record,) = _list(ask("--config", held, "audit", "list", "--study", UID))
    us = os_user()
    assert (record["user"], record["person_role"]) == (us, "person")
    decided = f"anna (radiologist), entered by {us}"
    assert record["detail"] == f"released by {decided}: fine"
    shown = ask("--config", held, "audit", "show", str(record["sequence"]))
    assert isinstance(shown, dict)
    assert 'UserID="anna"' in shown["message"]
    assert 'csd-code="radiologist"' in shown["message"]


def test_what_stands_in_the_environment_makes_nobody_else_of_a_person(
    held: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME", "SUDO_USER"):
        monkeypatch.setenv(name, "somebody-else")
    ask("--config", held, "study", "show", UID)
    (record,) = _list(ask("--config", held, "audit", "list", "--study", UID))
    assert record["user"] == pwd.getpwuid(os.getuid()).pw_name


@pytest.mark.parametrize("role", [(), ("--role", "nobody")])
@pytest.mark.parametrize("verb", ["release", "reject", "rerun"])
def test_a_decision_on_what_leaves_takes_a_known_role(
    verb: str,
    role: tuple[str, ...],
    held: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = call(
        monkeypatch, capsys, "--config", held, "study", verb, UID, *role
    )
    assert code == 2
    assert "--role" in err
    (study,) = _list(ask("--config", held, "study", "list"))
    assert study["state"] == State.HELD


def test_a_decision_that_is_not_possible_is_a_no(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "--config", held, "study", "retry", UID)
    assert code == 1
    wanted = "a study that is held takes no retry; possible: release or reject"
    assert err == f"maira-gateway: {wanted}\n"


def test_only_a_finished_study_is_read_anew(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rerun = ("study", "rerun", UID, "--role", "researcher")
    code, _, err = call(monkeypatch, capsys, "--config", held, *rerun)
    assert code == 1
    assert "a study that is held takes no rerun" in err


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


@pytest.mark.parametrize("entry", [["-m", "gateway"], ["-m", "gateway.cli.verbs"]])
def test_the_version_is_printed_without_a_verb(entry: list[str]) -> None:
    if entry[-1] == "gateway.cli.verbs":  # as the console script calls it
        entry = ["-c", "from gateway.cli.verbs import main; main()"]
    command = [sys.executable, *entry, "--version"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout == f"{VERSION}\n"


@pytest.fixture
def kept(site_file: Path) -> Path:
    """A site without destinations and one study with its results."""
    settings = load_settings(site_file)
    settings.storage.folder.mkdir()
    ledger = Ledger.open(settings.ledger_url)
    given_study(ledger, UID, State.KEPT)
    ledger.close()
    return site_file


def test_a_retry_without_a_destination_says_what_to_set(
    kept: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = call(monkeypatch, capsys, "--config", kept, "study", "retry", UID)
    assert code == 1
    assert "results.destinations" in err
    (study,) = _list(ask("--config", kept, "study", "list"))
    assert study["state"] == "kept"


def test_the_repositories_of_the_audit_and_what_they_lack_are_listed(
    held: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = load_settings(held)
    ledger = Ledger.open(settings.ledger_url)
    with ledger.writing() as rows:
        rows.enlist_repositories(["hospital"])
        waiting = rows.last_audit_sequence()
    ledger.close()
    (found,) = _list(ask("--config", held, "audit", "repositories"))
    assert found["records"] == waiting
    words = ("--config", held, "audit", "repositories")
    code, shown, _ = call(monkeypatch, capsys, *words)
    assert code == 0
    assert shown.split()[:2] == ["NAME", "SENT"]
    assert f"hospital  0     {waiting}" in shown


def test_looking_at_a_study_is_in_the_audit(held: Path) -> None:
    ask("--config", held, "study", "show", UID)
    found = ask("--config", held, "audit", "list", "--event", "study-viewed")
    (record,) = _list(found)
    assert record["study_instance_uid"] == UID


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--event", "study-move"), "study-moved"),
        (("--outcome", "5"), "failed, 0, 4, 8, 12"),
        (
            ("--since", "2026-02-02", "--until", "2026-02-01"),
            "since must be before until",
        ),
    ],
)
def test_an_audit_filter_that_matches_nothing_is_wrong_use(
    held: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    said: str,
) -> None:
    asked: tuple[str | Path, ...] = ("--config", held, "audit", "list", *words)
    code, _, err = call(monkeypatch, capsys, *asked)
    assert code == 2
    assert said in err


def test_an_export_without_a_ledger_leaves_no_file(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = site_file.parent / "audit.jsonl"
    words = ("--config", site_file, "audit", "export", "--out", out)
    assert call(monkeypatch, capsys, *words)[0] == 1
    assert not out.exists()


def test_notes_empty_slots_and_single_boxes_are_told(
    capsys: pytest.CaptureFixture[str],
) -> None:
    box = NormalizedBox(x_min=0.1, y_min=0.1, x_max=0.2, y_max=0.2)
    report = ShownReport(
        task=Task.GROUNDED_FINDINGS,
        phrase=None,
        phrases=(
            GroundedPhrase(text="One.", boxes=(box,)),
            GroundedPhrase(text="Two.", boxes=(box, box)),
        ),
        flags=(),
    )
    empty = FilledSlot(
        name="prior_frontal",
        filled=False,
        reason="no study",
        source=None,
        sop_instance_uid=None,
        document=None,
        rejected=(Rejection(what="1.2.9", reason="older than 30 days"),),
    )
    detail = StudyDetail(
        study=STUDY,
        slots=(empty,),
        notes=("the archive did not answer",),
        reports=(report,),
        engine=None,
        instances=(),
        results=(),
        deliveries=(),
        moves=(),
    )
    _print_detail(detail)
    out = capsys.readouterr().out
    assert "One.  [1 box]\n" in out
    assert "Two.  [2 boxes]\n" in out
    assert "the archive did not answer" in out
    assert "1.2.9" in out
    assert "older than 30 days" in out
    assert re.search(r"prior_frontal +- +- +no study", out)


def _process(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: Path,
    out: Path,
) -> tuple[int, str, str]:
    return call(monkeypatch, capsys, "process", file, "--out", out)


def test_a_study_that_is_declined_is_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.dcm", film_dataset())
    code, out, _ = _process(monkeypatch, capsys, film, tmp_path / "out")
    assert code == 1
    assert "is declined" in out


def test_a_result_folder_that_is_a_file_is_wrong_use_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.dcm", film_dataset())
    (tmp_path / "out").touch()
    code, out, err = _process(monkeypatch, capsys, film, tmp_path / "out")
    assert (code, out) == (2, "")
    assert "is a file; name a folder" in err


def test_a_result_folder_below_a_file_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    film = write_film(tmp_path / "film.dcm", film_dataset())
    code, _, err = _process(monkeypatch, capsys, film, film / "out")
    assert code == 2
    assert "cannot be made" in err


def test_a_folder_given_as_a_file_is_wrong_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = _process(monkeypatch, capsys, tmp_path, tmp_path / "out")
    assert code == 2
    assert "is a folder" in err
    assert not (tmp_path / "out").exists()


def test_weights_that_are_no_numbers_are_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_tiny(tmp_path)
    weights = folder / "model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-4096] + b"\xff" * 4096)
    code, out, _ = call(monkeypatch, capsys, "model", "verify", "--checkpoint", folder)
    assert code == 1
    assert "no number" in out


def _list(value: object) -> list[dict[str, object]]:
    assert isinstance(value, list)
    return value
