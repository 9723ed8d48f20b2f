"""The verbs that make patients unreadable in the audit."""

from pathlib import Path

import pytest

from config.load import load_settings
from gateway.audit.message import Patient
from gateway.ledger import AuditFilter, Ledger
from gateway.patient_key import FILE_NAME, place_of
from tests.data.commands import call
from tests.data.ledgers import audit_entry

ANN = Patient(patient_id="ANN-4711", issuer="SITE")


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """A site whose audit knows one patient."""
    path = tmp_path / "site.toml"
    path.write_text(f'[storage]\nfolder = "{tmp_path / "data"}"\n', "utf-8")
    settings = load_settings(path)
    settings.storage.folder.mkdir()
    ledger = Ledger.open(settings.ledger_url, place_of(settings))
    with ledger.writing() as rows:
        rows.append_audit(audit_entry(patient=ANN))
    ledger.close()
    return path


def types(site_file: Path) -> list[str | None]:
    settings = load_settings(site_file)
    ledger = Ledger.open(settings.ledger_url, place_of(settings))
    with ledger.reading() as rows:
        found = [record.event_type for record in rows.audit(AuditFilter())]
    ledger.close()
    return found


def test_a_patient_is_erased_once_and_never_named(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = ("--config", site_file, "audit", "erase-patient", ANN.patient_id)
    words = (*verb, "--issuer", "SITE", "--why", "asked for")
    code, out, _ = call(monkeypatch, capsys, *words)
    assert code == 0
    assert "destroyed" in out
    assert types(site_file) == [None, "patient-erased"]
    code, out, err = call(monkeypatch, capsys, *words)
    assert code == 1
    assert "known: 'SITE'" in err
    assert ANN.patient_id not in out + err


def test_a_key_is_given_up_only_when_it_is_lost(
    site_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    verb = ("--config", site_file, "audit", "new-patient-key", "--why", "disk lost")
    assert call(monkeypatch, capsys, *verb)[0] == 1
    (load_settings(site_file).storage.folder / FILE_NAME).unlink()
    code, out, _ = call(monkeypatch, capsys, *verb)
    assert code == 0
    assert "1 patients are unreadable" in out
    assert types(site_file) == [None, "patient-key-replaced"]
