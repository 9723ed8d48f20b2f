"""`user ...`: the same functions as the page, and the same audit."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.load import load_settings
from gateway.accounts.records import Vouched
from gateway.accounts.roles import AccountRole
from gateway.accounts.vouching import enter
from gateway.cli.verbs import app
from gateway.ledger import AuditFilter, Ledger
from tests.data.ledgers import NOW


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    path = tmp_path / "site.toml"
    folder = tmp_path / "data"
    path.write_text(f'[storage]\nfolder = "{folder}"\n[web]\nport = 8123\n', "utf-8")
    folder.mkdir()
    Ledger.open(load_settings(path).ledger_url).close()
    return path


def run(site_file: Path, *words: str) -> str:
    call = CliRunner().invoke(app, ["--config", str(site_file), "user", *words])
    assert call.exit_code == 0, call.output
    return call.stdout


def refused(site_file: Path, *words: str) -> BaseException | None:
    call = CliRunner().invoke(app, ["--config", str(site_file), "user", *words])
    assert call.exit_code != 0
    return call.exception


def test_an_account_is_added_changed_and_closed(site_file: Path) -> None:
    told = run(site_file, "add", "Rita", "--role", "reviewer")
    assert "http://127.0.0.1:8123/setup/" in told
    assert "rita is viewer, no password yet" in run(
        site_file, "role", "rita", "--to", "viewer"
    )
    run(site_file, "disable", "rita", "--why", "left")
    (shown,) = json.loads(run(site_file, "list", "--json"))
    assert (shown["name"], shown["role"], shown["state"]) == (
        "rita",
        "viewer",
        "disabled",
    )
    assert "password_hash" not in shown
    assert "no password yet" in run(site_file, "enable", "rita", "--why", "back")
    assert "/setup/" in json.loads(run(site_file, "password", "rita", "--json"))["link"]
    ledger = Ledger.open(load_settings(site_file).ledger_url)
    with ledger.reading() as rows:
        kinds = [each.event_type for each in rows.audit(AuditFilter())]
    ledger.close()
    assert len(kinds) == 6


def test_a_token_is_shown_once_and_revoked(site_file: Path) -> None:
    run(site_file, "add", "rita", "--role", "viewer")
    made = run(
        *(site_file, "token", "rita", "--called", "backup"),
        *("--permission", "studies-read"),
    )
    assert made.startswith("maira_")
    (listed,) = json.loads(run(site_file, "token", "rita", "--json"))
    assert (listed["name"], listed["revoked"]) == ("backup", False)
    assert made.strip() not in json.dumps(listed)
    run(site_file, "token", "rita", "--revoke", str(listed["number"]))
    (listed,) = json.loads(run(site_file, "token", "rita", "--json"))
    assert listed["revoked"]


def test_what_cannot_be_done_is_said(site_file: Path) -> None:
    assert "no such account" in str(refused(site_file, "password", "nobody"))
    assert "a name is" in str(refused(site_file, "add", "a b", "--role", "viewer"))
    refused(site_file, "add", "rita", "--role", "king")
    run(site_file, "add", "rita", "--role", "viewer")
    wide = ("token", "rita", "--called", "x", "--permission", "audit-read")
    assert "cannot be for audit-read" in str(refused(site_file, *wide))


def test_an_account_of_a_provider_is_listed_as_such(site_file: Path) -> None:
    who = Vouched(
        issuer="https://login.example",
        subject="s-1",
        name="rita",
        roles=frozenset({AccountRole.VIEWER}),
    )
    ledger = Ledger.open(load_settings(site_file).ledger_url)
    enter(ledger, who, 0, "192.0.2.7", NOW)
    ledger.close()
    (shown,) = json.loads(run(site_file, "list", "--json"))
    assert (shown["provider"], shown["state"]) == (who.issuer, "in use")
    assert "https://login.example" in run(site_file, "list")
    for words in (("password", "rita"), ("role", "rita", "--to", "auditor")):
        assert "is that of https://login" in str(refused(site_file, *words))
