"""Signing in and out at a real provider, as a browser does it: cookies and policy."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from benchmarks.rounds import free_port
from config.load import merge
from gateway.site import utc_now
from gateway.web.serving import WebPort, port_options
from tests.console.test_pages import faults
from tests.data.console import opened_console
from tests.data.openid import running_providers


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    """Run a console and its provider, where Anna is a reviewer; yield its address."""
    port = free_port()
    here = f"http://127.0.0.1:{port}"
    with running_providers(tmp_path, [here], tls=(False,)) as (provider,):
        provider.tell("s-1", preferred_username="Anna", groups=["radiologists"])
        own = merge(provider.settings(), {"web": {"port": port}})
        with opened_console(tmp_path, own, utc_now) as console:
            open_port = WebPort(console.app, port_options(console.site.settings.web))
            yield here
            open_port.close()


def test_a_person_signs_in_and_out_at_both(
    address: str, browser: BrowserContext, axe: str
) -> None:
    browser.clear_cookies()
    page = browser.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.goto(f"{address}/studies")
    assert faults(page, axe) == []
    page.click("text=Sign in with Test Hospital")
    page.fill("[name=login]", "s-1")
    page.fill("[name=password]", "x")
    page.click("button[type=submit]")
    page.wait_for_url(f"{address}/studies")
    expect(page.get_by_text("anna, reviewer")).to_be_visible()
    names = {each.get("name"): each.get("sameSite") for each in browser.cookies()}
    assert names["maira-session"] == "Lax"
    assert "maira-openid" not in names
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/session/end**")
    page.click("button[value=yes]")
    page.wait_for_url(f"{address}/login**")
    assert [line for line in told if "Content Security Policy" in line] == []
    # The next one at this machine is asked who they are.
    page.click("text=Sign in with Test Hospital")
    expect(page.locator("[name=login]")).to_be_visible()
    page.close()
