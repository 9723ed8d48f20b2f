"""One gateway, one console and one browser for all tests of this folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright, expect

from gateway.accounts.roles import AccountRole
from tests.console.stand import Stand, opened_browser, running_stand, sign_in
from tests.data.peers import require_file, require_peer

AXE = Path(".peers/console/node_modules/axe-core/axe.min.js")
"""Where `npm ci` puts it, from the root of the repository."""

SignedIn = Callable[[AccountRole | None], Page]

expect.set_options(timeout=60_000)


@pytest.fixture(scope="session")
def axe() -> str:
    """Return the source of axe-core; skip where it is not installed."""
    return require_file(AXE, "run `make .peers/console.stamp`").read_text("utf-8")


@pytest.fixture(scope="session")
def chromium() -> str:
    return require_peer("chromium")


@pytest.fixture(scope="session")
def stand(
    tmp_path_factory: pytest.TempPathFactory,
    chromium: str,  # noqa: ARG001 - without it nothing is begun
) -> Iterator[Stand]:
    with running_stand(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="session")
def browser(
    chromium: str, playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[BrowserContext]:
    profile = tmp_path_factory.mktemp("profile")
    with opened_browser(playwright, chromium, profile) as context:
        yield context


@pytest.fixture
def signed_in(stand: Stand, browser: BrowserContext) -> Iterator[SignedIn]:
    """Open a page in which an account of a role is signed in; None: nobody is."""
    pages: list[Page] = []

    def open_page(role: AccountRole | None) -> Page:
        browser.clear_cookies()
        page = browser.new_page()
        page.set_viewport_size({"width": 1280, "height": 900})
        pages.append(page)
        if role is not None:
            sign_in(page, stand.url, role)
        return page

    yield open_page
    for page in pages:
        page.close()
