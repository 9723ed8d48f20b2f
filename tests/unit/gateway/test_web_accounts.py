"""Set-up links, the page of accounts and one's own password, as browsers see them."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.accounts.links import address, first_link
from gateway.accounts.roles import AccountRole
from gateway.web.app import create_app
from tests.data.console import PASSWORD, Browser, Console, opened_console

NEW = "entirely another one"
LINK = re.compile(r"<code>(http://127\.0\.0\.1/setup/[\w-]+)</code>")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with opened_console(tmp_path) as opened:
        yield opened


def set_up(browser: Browser, link: str, **fields: str) -> int:
    """Look at a set-up page twice and send its form."""
    assert browser.look(link).status_code == browser.look(link).status_code == 200
    filled = {"password": NEW, "again": NEW, **fields}
    return browser.submit(link, **filled).status_code


def link_on(text: str) -> str:
    found = LINK.search(text)
    assert found is not None
    return found[1]


def test_an_added_account_sets_its_own_password_and_comes_in(console: Console) -> None:
    manager = console.signed_in(AccountRole.ADMINISTRATOR)
    manager.look("/accounts")
    link = link_on(manager.submit("/accounts", name="Rita", role="reviewer").text)
    rita = console.stranger()
    assert set_up(rita, link, again="not the same at all") == 422
    assert set_up(rita, link, password="rita", again="rita") == 422  # noqa: S106
    assert set_up(rita, link, name="administrator") == 200
    assert rita.get(link).status_code == 404
    assert rita.sign_in("rita", NEW).status_code == 303
    assert "rita, reviewer" in rita.look("/account").text


def test_a_name_that_is_taken_is_told_on_the_page(console: Console) -> None:
    manager = console.signed_in(AccountRole.ADMINISTRATOR)
    manager.look("/accounts")
    answer = manager.submit("/accounts", name="viewer", role="auditor")
    assert answer.status_code == 422
    assert "there is an account &#39;viewer&#39; already" in answer.text


def test_what_is_changed_on_the_page_ends_the_sessions(console: Console) -> None:
    manager = console.signed_in(AccountRole.ADMINISTRATOR)
    viewer = console.signed_in(AccountRole.VIEWER)
    manager.look("/accounts")
    manager.submit("/accounts/viewer/role", role="reviewer")
    assert viewer.get("/account").status_code == 303
    viewer.sign_in("viewer")
    assert "viewer, reviewer" in viewer.look("/account").text
    manager.submit("/accounts/viewer/disable", why="left")
    assert viewer.get("/account").status_code == 303
    assert viewer.sign_in("viewer").status_code == 401
    manager.submit("/accounts/viewer/enable", why="came back")
    assert viewer.sign_in("viewer").status_code == 303
    page = manager.look("/accounts").text
    assert page.count("<tr>") == 1 + len(AccountRole)


def test_a_new_link_lets_a_forgotten_password_be_set(console: Console) -> None:
    manager = console.signed_in(AccountRole.ADMINISTRATOR)
    manager.look("/accounts")
    old = link_on(manager.submit("/accounts/viewer/link").text)
    link = link_on(manager.submit("/accounts/viewer/link").text)
    viewer = console.stranger()
    assert viewer.get(old).status_code == 404
    assert set_up(viewer, link) == 200
    assert viewer.sign_in("viewer").status_code == 401
    assert viewer.sign_in("viewer", NEW).status_code == 303


def test_whoever_knows_the_old_password_changes_it(console: Console) -> None:
    one, other = (console.signed_in(AccountRole.VIEWER) for _ in range(2))
    one.look("/account")
    wrong = one.submit("/account/password", old="x", password=NEW, again=NEW)
    assert wrong.status_code == 422
    short = one.submit("/account/password", old=PASSWORD, password="x", again="x")  # noqa: S106
    assert (short.status_code, "12 to 256" in short.text) == (422, True)
    done = one.submit("/account/password", old=PASSWORD, password=NEW, again=NEW)
    assert done.headers["Location"] == "/login"
    assert one.get("/account").status_code == 303
    assert other.get("/account").status_code == 303
    assert one.sign_in("viewer", NEW).status_code == 303


def test_an_old_password_is_guessed_no_more_often_than_at_the_door(
    console: Console,
) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    browser.look("/account")
    answers = [
        browser.submit("/account/password", old="x", password=NEW, again=NEW)
        for _ in range(6)
    ]
    assert [each.status_code for each in answers] == [422] * 5 + [429]


def test_the_first_administrator_is_made_by_the_link_of_the_start(
    tmp_path: Path,
) -> None:
    with opened_console(tmp_path, accounts=False) as console:
        site = console.site
        secret = first_link(site.ledger, site.clock())
        assert secret is not None
        where = address(site.settings.web, secret, 8080)
        assert where == f"http://127.0.0.1:8080/setup/{secret}"
        browser = console.stranger()
        assert set_up(browser, f"/setup/{secret}", name="Anna") == 200
        assert browser.sign_in("anna", NEW).status_code == 303
        assert browser.get("/accounts").status_code == 200


def test_a_session_that_was_planted_is_not_the_one_that_is_given(
    console: Console,
) -> None:
    browser = console.stranger()
    browser.cookies.set("maira-session", "planted-by-somebody", domain="127.0.0.1")
    browser.cookies.set("maira-visitor", "planted-as-well", domain="127.0.0.1")
    browser.sign_in("viewer")
    given = {cookie.value for cookie in browser.cookies.jar if "session" in cookie.name}
    planted = console.stranger()
    planted.cookies.set("maira-session", "planted-by-somebody", domain="127.0.0.1")
    assert planted.get("/account").status_code == 303
    assert given != {"planted-by-somebody"}


def test_another_process_knows_the_same_sessions(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    twin = Browser(create_app(console.site), "192.0.2.8")
    twin.cookies.update(browser.cookies)
    assert twin.get("/account").status_code == 200
    twin.close()
