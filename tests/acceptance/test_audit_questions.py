"""Twelve questions of a reviewer, each answered on the page and by one command.

The log has 20,000 records of a site's year; what is asked about happened after that,
in May, and is known.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Playwright
from typer.testing import CliRunner

from benchmarks.audit_rows import Year, fill, study_uid
from dicom_io.scp.admission import AssociationFacts
from gateway.audit import kinds
from gateway.audit.message import AuditEntry, Patient
from gateway.audit.of_installation import Change
from gateway.audit.parts import Person
from gateway.cli.verbs import app
from gateway.ledger import Ledger
from gateway.lifecycle import Event
from gateway.people import Decider, PersonRole
from tests.data.console import PASSWORD, opened_console
from tests.data.peers import require_peer
from tests.data.reviewing import model_read, results_taken
from tests.data.serving import served
from tests.data.sites import toml_of

RECORDS = 20_000
MAY = datetime(2026, 5, 1, tzinfo=UTC)
NOON = datetime(2026, 5, 12, 12, 0, tzinfo=UTC)  # a Tuesday
NIGHT = datetime(2026, 5, 13, 2, 30, tzinfo=UTC)
NOW = datetime(2026, 6, 1, 9, 0, tzinfo=UTC)

MARY = Patient(patient_id="MRN-0042", issuer="HOSPITAL")
HER_STUDY, HER_PRIOR = "1.2.3.42.1", "1.2.3.42.0"
SENT_TWICE = "1.2.3.43"

BERT = Person(name="bert.brecht", role="radiologist", address="10.9.0.4")
CARLA = Person(name="carla.c", role="viewer", address="10.9.0.5")
EVE = Person(name="eve", role="viewer", address="10.9.0.66")
INES = Person(name="ines", role="auditor", address="10.9.0.7")


def _happened() -> Iterator[AuditEntry]:
    """Yield what is asked about, in the order of time."""
    yield replace(kinds.study_viewed(HER_STUDY, BERT, NOON), patient=MARY)
    yield kinds.study_viewed(HER_STUDY, CARLA, NOON)
    yield model_read(HER_STUDY, HER_PRIOR, NOON)
    released = Decider(name="bert.brecht", why="agrees", role=PersonRole.RADIOLOGIST)
    yield kinds.study_decided(HER_STUDY, Event.RELEASED, released, NOON)
    yield results_taken(SENT_TWICE, "PACS-B", NOON)
    yield results_taken(SENT_TWICE, "PACS-B", NOON)
    yield kinds.association_refused(_stranger(), "unknown calling title", NOON)
    changed = Change(key="delivery.give_up_days", before="5.0", after="1.0")
    yield kinds.software_settings_changed([changed], NOON)
    for number in range(30):  # each of a patient of their own
        at = NOON + timedelta(minutes=number)
        yield kinds.study_viewed(study_uid(3 * number), EVE, at)
    yield kinds.login_failed(replace(EVE, name="root"), "wrong password", NOON)
    yield kinds.audit_exported(INES, "all records as csv", NOON)
    yield kinds.study_viewed(study_uid(50), CARLA, NIGHT)
    yield kinds.emergency_begun(study_uid(51), BERT, "patient in shock", NOON)


def _stranger() -> AssociationFacts:
    return AssociationFacts(
        association_id="7",
        calling_title="EVIL-SCU",
        called_title="MAIRA",
        peer_address="10.66.6.6",
        peer=None,
        encrypted=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How a question is asked on the page, what the answer shows, and the command.

    tab : the view that is chosen; fields : the filter bar; patient : who is looked
    for; opens : the record that is opened; shows, hides : words of the answer.
    """

    command: str
    shows: tuple[str, ...]
    hides: tuple[str, ...] = ()
    tab: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    patient: str = ""
    opens: str = ""


TIME = "--since 2026-05-01 --until 2026-06-01"
QUESTIONS = {
    "who saw patient X in May": Asked(
        patient="MRN-0042",
        tab="People",
        shows=("bert.brecht opened study 1.2.3.42.1", "carla.c"),
        hides=("eve", "MRN-0042"),
        command=f"list --patient MRN-0042 --view people {TIME}",
    ),
    "which results were sent twice": Asked(
        tab="Sent twice",
        shows=(SENT_TWICE, "PACS-B"),
        hides=(HER_STUDY,),
        command=f"repeats {TIME}",
    ),
    "which nodes were refused": Asked(
        fields={"Event": "Node Authentication"},
        shows=("EVIL-SCU", "10.66.6.6", "unknown calling title"),
        hides=("bert",),
        command=f"list --event 110126 {TIME}",
    ),
    "what did the model see for study Y": Asked(
        fields={"Study Instance UID": HER_STUDY, "Event": "Study read by a model"},
        opens="had the model read",
        shows=(HER_STUDY, HER_PRIOR, "maira-2"),
        command=f"list --study {HER_STUDY} --event report-written",
    ),
    "what changed in the settings, and when": Asked(
        tab="Changed settings",
        shows=("delivery.give_up_days", "2026-05-12 12:00:00"),
        hides=("bert",),
        command=f"list --view settings {TIME}",
    ),
    "who released study Y, in which role and why": Asked(
        fields={"Study Instance UID": HER_STUDY, "Event": "Person decided on a study"},
        shows=("radiologist bert.brecht released study 1.2.3.42.1", "agrees"),
        command=f"list --study {HER_STUDY} --event study-decided",
    ),
    "what did a person do": Asked(
        fields={"User or node": "carla.c"},
        tab="People",
        shows=("carla.c opened study 1.2.3.42.1", "543.7.50"),
        hides=("bert", "eve"),
        command=f"list --user carla.c --view people {TIME}",
    ),
    "what was done out of hours": Asked(
        tab="Out of hours",
        shows=("carla.c", "2026-05-13 02:30:00"),
        hides=("eve", "bert"),
        command=f"list --view out-of-hours {TIME}",
    ),
    "who opened many patients within an hour": Asked(
        tab="Bulk access",
        shows=("eve", "30"),
        hides=("bert", "carla"),
        command=f"bulk {TIME}",
    ),
    "who broke the glass, and why": Asked(
        tab="Break-glass",
        shows=("bert.brecht broke the glass", "patient in shock"),
        hides=("eve", "carla"),
        command=f"list --view break-glass {TIME}",
    ),
    "who took the audit log away": Asked(
        fields={"Event": "Audit log exported"},
        shows=("ines", "all records as csv"),
        hides=("eve",),
        command=f"list --event audit-exported {TIME}",
    ),
    "who was not let in, and from where": Asked(
        fields={"Event": "Login", "Outcome": "any failure"},
        shows=("root was not let in", "10.9.0.66"),
        hides=("bert",),
        command=f"list --event 110122 --outcome failed {TIME}",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A browser that an auditor signed in with, and the settings of its site."""

    page: Page
    url: str
    settings: Path


@pytest.fixture(scope="module")
def place(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    chromium = require_peer("chromium")
    folder = tmp_path_factory.mktemp("site")
    settings = folder / "site.toml"
    settings.write_text(toml_of(folder / "data", {}), "utf-8")
    with opened_console(folder, clock=lambda: NOW) as console:
        _write_log(console.site.ledger)
        with served(console.app) as url:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.set_default_timeout(60_000)
            _sign_in(page, url)
            yield Place(page=page, url=url, settings=settings)
            browser.close()


def _write_log(ledger: Ledger) -> None:
    fill(ledger, Year(count=RECORDS, until=MAY - timedelta(hours=1)))
    with ledger.writing() as rows:
        for entry in _happened():
            rows.append_audit(entry)


def _sign_in(page: Page, url: str) -> None:
    page.goto(f"{url}/login")
    page.get_by_label("Name").fill("auditor")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{url}/audit")


def _walk(place: Place, asked: Asked) -> str:
    """Ask on the page as a reviewer does, all of it in May; return what it shows."""
    page = place.page
    page.goto(f"{place.url}/audit")
    page.get_by_label("From").fill("2026-05-01")
    page.get_by_label("to (included)").fill("2026-05-31")
    bar = page.get_by_role("search")
    for label, value in asked.fields.items():
        box = bar.get_by_label(label, exact=True)
        if box.evaluate("each => each.tagName") == "SELECT":
            box.select_option(label=value)
        else:
            box.fill(value)
    _follow(page, bar.get_by_role("button", name="Filter"))
    if asked.patient:
        page.get_by_label("Patient ID, or the pseudonym").fill(asked.patient)
        _follow(page, page.get_by_role("button", name="Find patient"))
    if asked.tab:
        _follow(page, page.get_by_role("link", name=asked.tab, exact=True))
    if asked.opens:
        _follow(page, page.get_by_role("link", name=asked.opens).first)
        return page.get_by_role("main").inner_text()
    return page.locator("main table tbody").inner_text()


def _follow(page: Page, way: Locator) -> None:
    """Click on what leads to another page, and be there."""
    with page.expect_navigation():
        way.click()


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_on_the_page(place: Place, question: str) -> None:
    asked = QUESTIONS[question]
    shown = _walk(place, asked)
    assert all(words in shown for words in asked.shows), shown
    assert not any(words in shown for words in asked.hides), shown


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_is_answered_by_one_command(place: Place, question: str) -> None:
    asked = QUESTIONS[question]
    words = ["--config", str(place.settings), "audit", *asked.command.split()]
    told = CliRunner().invoke(app, [*words, "--json"])
    assert told.exit_code == 0, told.output
    rows = json.loads(told.stdout)
    assert rows
    plain = CliRunner().invoke(app, words).stdout + told.stdout
    assert all(words in plain for words in asked.shows), plain
    names = " ".join(
        str(row.get("user", row.get("study_instance_uid"))) for row in rows
    )
    assert not any(words in names for words in asked.hides)


def test_no_page_breaks_its_own_rules_of_content(place: Place) -> None:
    """The policy of the console forbids inline scripts and styles: none is blocked."""
    said: list[str] = []
    place.page.on("console", lambda message: said.append(message.text))
    place.page.goto(f"{place.url}/audit/records/{RECORDS}")
    place.page.goto(f"{place.url}/audit/reviews")
    assert said == []
