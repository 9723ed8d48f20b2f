"""`delivery list|resend|destinations`, and what stands behind them."""

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from config.load import load_settings
from gateway.cli.site import os_user
from gateway.cli.verbs import app
from gateway.ledger import (
    AuditFilter,
    DeliveryState,
    Ledger,
    SilenceRecord,
    Writing,
)
from gateway.lifecycle import Event, State
from tests.data.ledgers import NOW, result_of

FIRST, SECOND = "1.2.3", "1.2.4"
ENCODING = (
    Event.QUIET_PERIOD_ENDED,
    Event.VIEWS_CHOSEN,
    Event.PRIOR_SETTLED,
    Event.REPORT_WRITTEN,
    Event.RESULTS_ENCODED,
)
SITE = """
[storage]
folder = "{folder}"
[peers.pacs]
title = "PACS"
host = "127.0.0.1"
port = 104
[peers.vna]
title = "VNA"
host = "127.0.0.1"
port = 105
[results]
destinations = ["pacs", "vna"]
"""


def add(rows: Writing, uid: str, states: dict[str, DeliveryState]) -> None:
    """Add a study whose one result stands so at each destination.

    It is parked where none is still to be tried.
    """
    study = rows.open_study(uid, "MODALITY", NOW)
    for event in ENCODING:
        study = rows.move(study, event, NOW)
    result = result_of(study)
    rows.add_results([result])
    for name, state in states.items():
        rows.add_deliveries(study.id, 1, name, [result])
        (row,) = rows.deliveries(study.id, 1, name)
        rows.update_delivery(
            row.id, now=NOW, state=state, attempts=4, detail="0xc000 'no'"
        )
    if DeliveryState.PENDING not in states.values():
        rows.move(study, Event.GAVE_UP, NOW, reason="pacs: 0xc000")


@pytest.fixture
def site_file(tmp_path: Path) -> Path:
    """A site with a parked study, and one that is still tried at one destination."""
    path = tmp_path / "site.toml"
    path.write_text(SITE.format(folder=tmp_path / "data"), "utf-8")
    settings = load_settings(path)
    settings.storage.folder.mkdir()
    ledger = Ledger.open(settings.ledger_url)
    refused, pending = DeliveryState.REFUSED, DeliveryState.PENDING
    with ledger.writing() as rows:
        add(rows, FIRST, {"pacs": refused, "vna": DeliveryState.COMMITTED})
        add(rows, SECOND, {"pacs": refused, "vna": pending})
    ledger.close()
    return path


def ask(site_file: Path, *words: str) -> list[dict[str, object]]:
    command = ["--config", str(site_file), "delivery", *words, "--json"]
    said = CliRunner().invoke(app, command)
    assert said.exit_code == 0, said.output
    found = json.loads(said.stdout)
    assert isinstance(found, list)
    return found


def keys(found: Sequence[dict[str, object]]) -> list[tuple[object, object]]:
    return [(each["study_instance_uid"], each["destination"]) for each in found]


def ledger_of(site_file: Path) -> Ledger:
    return Ledger.open(load_settings(site_file).ledger_url)


def test_what_is_not_over_is_listed(site_file: Path) -> None:
    found = ask(site_file, "list")
    assert keys(found) == [(FIRST, "pacs"), (SECOND, "pacs"), (SECOND, "vna")]


def test_what_is_parked_is_listed_with_its_answer(site_file: Path) -> None:
    found = ask(site_file, "list", "--parked")
    assert keys(found) == [(FIRST, "pacs"), (SECOND, "pacs")]
    assert {each["detail"] for each in found} == {"0xc000 'no'"}


def test_the_list_takes_a_destination_and_a_study(site_file: Path) -> None:
    assert keys(ask(site_file, "list", "--destination", "vna")) == [(SECOND, "vna")]
    assert keys(ask(site_file, "list", "--study", FIRST)) == [(FIRST, "pacs")]


def test_everything_refused_is_sent_again_by_one_command(site_file: Path) -> None:
    moved = ask(site_file, "resend", "--all", "--why", "repaired", "--by", "ann")
    states = {each["study_instance_uid"]: each["state"] for each in moved}
    assert states == {FIRST: "encoded", SECOND: "encoded"}
    assert ask(site_file, "list", "--parked") == []
    found = {each["destination"]: each for each in ask(site_file, "list")}
    assert (found["pacs"]["state"], found["pacs"]["attempts"]) == ("pending", 0)
    assert found["pacs"]["first_tried_at"] is None  # its age begins anew


def test_sending_again_is_audited_with_who_and_why(site_file: Path) -> None:
    ask(site_file, "resend", "--study", FIRST, "--why", "repaired", "--by", "ann")
    ledger = ledger_of(site_file)
    with ledger.reading() as rows:
        (entry,) = rows.audit(AuditFilter(event="resend-decided"))
    ledger.close()
    assert (entry.study_instance_uid, entry.user) == (FIRST, os_user())
    who = f"ann, entered by {os_user()}"
    told = f"1 refused results to pacs are sent again by {who}: repaired"
    assert entry.detail == told


def test_only_what_is_meant_is_sent_again(site_file: Path) -> None:
    ask(site_file, "resend", "--study", SECOND, "--why", "repaired")
    assert keys(ask(site_file, "list", "--parked")) == [(FIRST, "pacs")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((), 2, "say what"),
        (("--all", "--study", FIRST), 2, "say what"),
        (("--destination", "gone"), 1, "none of results.destinations: pacs, vna"),
        (("--destination", "vna"), 1, "nothing was refused"),
        (("--study", "1.2.9"), 1, "no study '1.2.9'"),
    ],
)
def test_a_wrong_wish_to_send_again_is_explained(
    site_file: Path, words: tuple[str, ...], code: int, said: str
) -> None:
    command = ["--config", str(site_file), "delivery", "resend", "--why", "x", *words]
    ended = CliRunner().invoke(app, command)
    told = f"{ended.stderr}{ended.exception}"
    assert said in told
    assert ended.exit_code == code


def test_destinations_are_shown_with_their_breaker_and_counts(site_file: Path) -> None:
    ledger = ledger_of(site_file)
    until = NOW + timedelta(seconds=30)
    with ledger.writing() as rows:
        rows.put_silence(
            SilenceRecord(peer="vna", failures=3, since=NOW, until=until, told=True)
        )
    ledger.close()
    pacs, vna = ask(site_file, "destinations")
    assert (pacs["state"], pacs["refused"], pacs["pending"]) == ("answers", 2, 0)
    assert (vna["state"], vna["failures"], vna["committed"]) == ("silent", 3, 1)
    assert vna["silent_since"] is not None


def test_tables_are_printed_for_people(site_file: Path) -> None:
    for verb in ("list", "destinations"):
        said = CliRunner().invoke(app, ["--config", str(site_file), "delivery", verb])
        assert said.exit_code == 0
        assert "DESTINATION" in said.stdout
        assert "pacs" in said.stdout


def test_a_study_that_was_parked_is_at_work_again(site_file: Path) -> None:
    ask(site_file, "resend", "--destination", "pacs", "--why", "repaired")
    ledger = ledger_of(site_file)
    with ledger.reading() as rows:
        first = rows.study(FIRST)
    ledger.close()
    assert first is not None
    assert first.state is State.ENCODED
    assert "sent again by" in (first.reason or "")
