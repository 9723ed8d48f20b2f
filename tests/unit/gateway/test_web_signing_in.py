"""Signing in and out, as a browser sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.accounts.roles import AccountRole
from gateway.web.guard import declarations
from tests.data.console import Console, opened_console


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with opened_console(tmp_path) as opened:
        yield opened


def test_whoever_signs_in_is_led_to_their_first_page(console: Console) -> None:
    browser = console.stranger()
    assert browser.get("/").headers["Location"] == "/login"
    answer = browser.sign_in("auditor")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert browser.get("/").headers["Location"] == "/audit"
    assert "auditor" in browser.look("/login").text


def test_a_wrong_password_and_an_unknown_name_are_told_alike(console: Console) -> None:
    answers = [
        console.stranger().sign_in(name, "a wrong password")
        for name in ("viewer", "nobody")
    ]
    assert {answer.status_code for answer in answers} == {401}
    said = [answer.text.split("<main")[1].split("<form")[0] for answer in answers]
    assert said[0] == said[1]


def test_a_session_is_over_once_signed_out(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    cookies = dict(browser.cookies)
    assert browser.submit("/logout").status_code == 303
    browser.cookies.update(cookies)
    assert browser.submit("/logout").status_code == 401


def test_a_form_without_the_token_of_its_session_changes_nothing(
    console: Console,
) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    assert browser.post("/logout").status_code == 403
    other = console.signed_in(AccountRole.VIEWER)
    browser.form_token = other.form_token
    assert browser.submit("/logout").status_code == 403


def test_a_page_is_for_whoever_may_see_it_alone(console: Console) -> None:
    declared = declarations(console.app.routes)
    assert {each.path for each in declared} >= {"/login", "/logout", "/health/live"}


def test_without_a_provider_there_is_no_way_to_one(console: Console) -> None:
    browser = console.stranger()
    assert "Sign in with" not in browser.look("/login").text
    for path in ("/login/openid", "/login/openid/return?code=x&state=y"):
        assert browser.get(path).status_code == 404
