"""The console on a real ledger, and browsers that are signed in to it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fastapi import FastAPI
from httpx2 import Response
from starlette.testclient import TestClient

from config.load import Table
from gateway.accounts.passwords import hash_password
from gateway.accounts.roles import AccountRole
from gateway.running.composition import close_site, open_site
from gateway.site import Clock, Site
from gateway.web.app import create_app
from tests.data.engines import CannedEngine
from tests.data.ledgers import NOW
from tests.data.sites import site_settings

PASSWORD = "correct horse battery"  # noqa: S105 - of the accounts of a test
ELSEWHERE = "192.0.2.7"
"""An address that is of no machine (RFC 5737)."""
TOKEN = re.compile(r'name="form_token" value="([0-9a-f]+)"')


@cache
def hashed_password() -> str:
    """Argon2 takes its time: once is enough."""
    return hash_password(PASSWORD, "nobody")


class Browser(TestClient):
    """A browser that follows no redirect by itself and sends our forms' token."""

    def __init__(self, app: FastAPI, address: str, scheme: str = "http") -> None:
        super().__init__(
            app,
            base_url=f"{scheme}://127.0.0.1",
            follow_redirects=False,
            raise_server_exceptions=False,
            client=(address, 50000),
        )
        self.form_token = ""

    def look(self, path: str) -> Response:
        """Return a page, and keep the token that its forms carry."""
        answer = self.get(path)
        found = TOKEN.search(answer.text)
        self.form_token = found[1] if found else self.form_token
        return answer

    def shows(self, role: AccountRole) -> bool:
        """Whether a page says that the account of a role is signed in."""
        return f"{role}, {role}" in self.look("/login").text

    def submit(self, path: str, **fields: str) -> Response:
        """Send a form with the token of the page that was looked at last."""
        return self.post(path, data={"form_token": self.form_token, **fields})

    def sign_in(self, name: str, password: str = PASSWORD) -> Response:
        """Sign in as a person does; the token is that of the session then."""
        self.look("/login")
        answer = self.submit("/login", name=name, password=password)
        self.look("/login")
        return answer


@dataclass(kw_only=True)
class Console:
    """A console, and who may look at it: an account for each role, named like it."""

    site: Site
    app: FastAPI
    browsers: list[Browser] = field(default_factory=list)

    def stranger(self, address: str = ELSEWHERE, scheme: str = "http") -> Browser:
        """Return a browser that nobody signed in with."""
        browser = Browser(self.app, address, scheme)
        self.browsers.append(browser)
        return browser

    def signed_in(self, role: AccountRole) -> Browser:
        """Return a browser in which the account of a role signed in."""
        browser = self.stranger()
        answer = browser.sign_in(role.value)
        assert answer.status_code == 303, answer.text
        return browser


def add_accounts(site: Site) -> None:
    """Add an account for each role, named like it."""
    with site.ledger.writing() as rows:
        for role in AccountRole:
            rows.add_account(
                role.value, role, site.clock(), password_hash=hashed_password()
            )


@contextmanager
def opened_console(
    folder: Path,
    overrides: Table | None = None,
    clock: Clock = lambda: NOW,
    *,
    accounts: bool = True,
) -> Iterator[Console]:
    """Open a site, its console and, as a rule, an account for each role; no server."""
    settings = site_settings(folder / "data", overrides)
    site = open_site(settings, CannedEngine(), clock)
    try:
        if accounts:
            add_accounts(site)
        console = Console(site=site, app=create_app(site))
        yield console
        for browser in console.browsers:
            browser.close()
    finally:
        close_site(site)
