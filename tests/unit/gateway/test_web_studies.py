"""The list of studies and the System page, as a browser gets them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.accounts.roles import AccountRole
from gateway.ledger import AuditFilter
from gateway.lifecycle import State
from tests.data.console import Console, opened_console
from tests.data.ledgers import NOW, given_study

UID = "1.2.826.0.1.3680043.10.543.61"


class Clock:
    """A time that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> object:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def console(tmp_path: Path, clock: Clock) -> Iterator[Console]:
    with opened_console(tmp_path, clock=clock) as opened:  # type: ignore[arg-type]
        given_study(opened.site.ledger, f"{UID}.1", State.PARKED)
        given_study(opened.site.ledger, f"{UID}.2", State.SELECTED)
        yield opened


def details(console: Console, event: str) -> list[str | None]:
    with console.site.ledger.reading() as rows:
        return [record.detail for record in rows.audit(AuditFilter(event=event))]


def test_opening_the_list_is_recorded_and_its_refreshing_is_not(
    console: Console,
) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    assert browser.get("/studies?state=parked&q=1.2").status_code == 200
    assert browser.get("/live/studies").status_code == 200
    assert details(console, "studies-listed") == ["state parked, q 1.2"]


def test_rows_that_did_not_change_are_not_sent_again(
    console: Console, clock: Clock
) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    first = browser.get("/live/studies")
    again = {"If-None-Match": first.headers["ETag"]}
    clock.now = NOW + timedelta(seconds=30)
    assert browser.get("/live/studies", headers=again).status_code == 304
    given_study(console.site.ledger, f"{UID}.3")
    assert browser.get("/live/studies", headers=again).status_code == 200


def test_a_page_that_refreshes_itself_prolongs_no_session(
    console: Console, clock: Clock
) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    idle = timedelta(minutes=console.site.settings.web.session_idle_minutes)
    for _ in range(2):
        clock.now += idle / 2 - timedelta(seconds=1)
        answer = browser.get("/live/studies", headers={"X-Live": "1"})
        assert answer.status_code == 200
    clock.now += timedelta(seconds=3)
    answer = browser.get("/live/studies", headers={"X-Live": "1"})
    assert (answer.status_code, answer.headers["Location"][:6]) == (303, "/login")


READERS = {"viewer", "reviewer", "administrator"}
MAY_LOOK = {
    "/studies": READERS,
    "/live/studies": READERS,
    "/system": {"auditor", "administrator"},
    "/live/system": {"auditor", "administrator"},
}


def test_a_page_is_for_those_who_may_read_it(console: Console) -> None:
    for role in AccountRole:
        browser = console.signed_in(role)
        for path, allowed in MAY_LOOK.items():
            expected = 200 if role.value in allowed else 403
            assert browser.get(path).status_code == expected, (role, path)


def test_who_may_not_read_studies_gets_no_link_to_one(console: Console) -> None:
    page = console.signed_in(AccountRole.AUDITOR).get("/system").text
    assert f"{UID}.1" in page
    assert f"/studies/{UID}.1" not in page


def test_an_echo_is_asked_by_a_form_and_recorded(console: Console) -> None:
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    browser.look("/system")
    assert browser.post("/system/peers/modality/echo").status_code == 403
    answer = browser.submit("/system/peers/modality/echo")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/system#peers")
    (detail,) = details(console, "peer-echoed")
    assert detail is not None
    assert detail.startswith("modality: ")
    assert "no answer" in browser.get("/system").text


def test_an_echo_to_nobody_that_is_known_is_refused(console: Console) -> None:
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    browser.look("/system")
    assert browser.submit("/system/peers/nobody/echo").status_code == 404


def test_what_is_no_filter_is_told_and_not_repeated(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    for name in ("state", "changed_to", "after", "group"):
        answer = browser.get(f"/studies?{name}=nonsense-of-somebody")
        assert answer.status_code == 422
        assert "not understood" in answer.text
        assert "nonsense-of-somebody" not in answer.text
