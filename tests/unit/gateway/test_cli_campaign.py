"""`campaign`: what a person types, and what is refused."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from config.load import load_settings
from dicom_io.archive import open_archive
from gateway.cli.site import os_user
from gateway.cli.verbs import app
from gateway.ledger import AuditFilter, AuditRecord, Ledger
from tests.data.films import film_dataset
from tests.data.network import part10
from tests.data.sites import archive_peer, toml_of

NAMED = ("--name", "lung", "--why", "IRB 12/345")


@pytest.fixture(scope="module")
def site_file(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A site with a ledger, and an archive of three films on two days."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "data").mkdir()
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        for uid, day, modality in (
            ("1.2.1", "20260101", "DX"),
            ("1.2.2", "20260102", "CR"),
            ("1.2.3", "20260109", "DX"),
        ):
            ds = film_dataset(
                StudyInstanceUID=uid,
                SeriesInstanceUID=f"{uid}.1",
                SOPInstanceUID=f"{uid}.1.1",
                StudyDate=day,
                Modality=modality,
            )
            archive.put(part10(ds))
        path = folder / "site.toml"
        peer = archive_peer("ARCHIVE", archive.port, keep_open_seconds=0.0)
        path.write_text(toml_of(folder / "data", peer), "utf-8")
        Ledger.open(load_settings(path).ledger_url).close()
        yield path


def ask(site_file: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["--config", str(site_file), "campaign", *words])


def uids_of(site_file: Path, tmp_path: Path, text: str, *words: str) -> Result:
    file = tmp_path / "cohort.csv"
    file.write_text(text, "utf-8")
    return ask(site_file, "start", str(file), *words)


def records(site_file: Path, event: str) -> list[AuditRecord]:
    ledger = Ledger.open(load_settings(site_file).ledger_url)
    with ledger.reading() as rows:
        found = rows.audit(AuditFilter(event=event))
    ledger.close()
    return found


def test_a_campaign_from_a_file_is_shown_paused_and_cancelled(
    site_file: Path, tmp_path: Path
) -> None:
    words = ("--name", "file", "--why", "IRB 12/345", "--hours", "20:00-06:00")
    text = "StudyInstanceUID\n1.2.3\n1.2.4\n1.2.3\n"
    said = uids_of(site_file, tmp_path, text, *words)
    assert said.exit_code == 0, said.output
    assert "studies   2: file cohort.csv, from archive" in said.stdout
    assert "results   stay here" in said.stdout
    assert "20:00-06:00" in said.stdout
    assert "1 were named more than once" in said.stdout
    paused = ask(site_file, "pause", "file", "--why", "late", "--json")
    assert json.loads(paused.stdout)["state"] == "paused"
    again = ask(site_file, "pause", "file", "--why", "late")
    assert (again.exit_code, "is paused" in str(again.exception)) == (1, True)
    assert ask(site_file, "resume", "file", "--why", "go on").exit_code == 0
    assert ask(site_file, "cancel", "file", "--why", "enough").exit_code == 0
    listed = json.loads(ask(site_file, "list", "--json").stdout)
    assert [each["state"] for each in listed if each["name"] == "file"] == ["cancelled"]
    (entry,) = records(site_file, "campaign-paused")
    assert (entry.user, "by" in (entry.detail or "")) == (os_user(), True)


def test_a_campaign_of_days_asks_the_archive_and_says_so(site_file: Path) -> None:
    words = ("start", "--date", "20260101-20260103", "--modality", "DX")
    said = ask(site_file, *words, "--name", "days", "--why", "IRB", "--emit", "--json")
    assert said.exit_code == 0, said.output
    shown = json.loads(said.stdout)
    assert (shown["progress"]["total"], shown["emit"]) == (1, True)
    assert shown["source"] == "studies of 2026-01-01 to 2026-01-03, modality DX"
    (asked,) = records(site_file, "campaign-queried")
    assert asked.detail == "1 studies named by archive"
    (started,) = records(site_file, "campaign-started")[-1:]
    assert "results are sent" in (started.detail or "")


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("start", *NAMED), 2, "give FILE, or --date"),
        (("start", "--modality", "DX", *NAMED), 2, "without a bound"),
        (("start", "x.csv", "--date", "20260101", *NAMED), 2, "give FILE, or --date"),
        (("start", "x.csv", "--modality", "DX", *NAMED), 2, "go with --date"),
        (("start", "/no/such.csv", *NAMED), 2, "cannot be read"),
    ],
)
def test_wrong_use_is_told(
    site_file: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    said = ask(site_file, *words)
    assert (said.exit_code, told in said.output) == (code, True), said.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("start", "--date", "*", *NAMED), "two days"),
        (("start", "--date", "20260101", "--description", "*", *NAMED), "wildcards"),
        (("start", "--date", "20300101", *NAMED), "names no study"),
        (("start", "--date", "20260101", "--hours", "9-5", *NAMED), "--hours"),
        (("start", "--date", "20260101", "--per-hour", "0", *NAMED), "--per-hour"),
        (("start", "--date", "20260101", "--in-flight", "0", *NAMED), "--in-flight"),
        (("start", "--date", "20260101", "--name", "/", "--why", "x"), "--name"),
        (("show", "nobody"), "no campaign 'nobody'"),
    ],
)
def test_what_cannot_be_started_is_refused(
    site_file: Path, words: tuple[str, ...], told: str
) -> None:
    said = ask(site_file, *words)
    assert said.exit_code == 1
    assert told in str(said.exception)


def test_a_file_that_is_no_text_is_refused(site_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "film.dcm"
    file.write_bytes(b"\xff\xfe\x00")
    said = ask(site_file, "start", str(file), *NAMED)
    assert (said.exit_code, "no text of UTF-8" in said.output) == (2, True)
