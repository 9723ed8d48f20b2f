"""The console as people use it: read, filtered, walked by keyboard, watched live."""

import re
from collections.abc import Sequence

import pytest
from playwright.sync_api import Page, expect

from gateway.lifecycle import State
from tests.console.conftest import SignedIn
from tests.console.pages import ADMINISTRATOR, PAGES, REVIEWER, ConsolePage
from tests.console.stand import SHORT_XSS, XSS, Stand

WIDTHS = (1280, 1920, 1024)
"""The last one is a tablet on its side."""
_RULES = "{runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa', 'best-practice']}"


def studies(page: Page) -> Sequence[str]:
    """Return the UIDs that the list shows."""
    return page.locator("tbody th a").all_inner_texts()


def faults(page: Page, axe: str) -> list[str]:
    """Return what axe-core finds. It is put in by the debugger, past the policy."""
    page.evaluate(axe)
    found = page.evaluate(f"axe.run(document, {_RULES})")
    return [
        f"{each['id']}: {node['html'][:160]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def test_axe_would_find_something(stand: Stand, signed_in: SignedIn, axe: str) -> None:
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/studies")
    page.evaluate("document.querySelector('label[for=state]').remove()")
    assert any(fault.startswith("select-name:") for fault in faults(page, axe))


@pytest.mark.parametrize("shown", PAGES, ids=lambda shown: shown.name)
def test_a_page_is_for_everybody_on_every_screen(
    shown: ConsolePage, stand: Stand, signed_in: SignedIn, axe: str
) -> None:
    page = signed_in(shown.role)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 768})
        page.goto(shown.url(stand))
        assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert faults(page, axe) == []
    # Neither a fault of a script nor anything that the policy forbids.
    assert [line for line in told if "status of 422" not in line] == []
    assert "Research only" in page.inner_text("body")


def test_what_others_wrote_is_shown_as_it_is_written(
    stand: Stand, signed_in: SignedIn
) -> None:
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/studies")
    expect(page.get_by_text(f"Accession {SHORT_XSS}")).to_be_visible()
    expect(page.get_by_text(XSS)).to_be_visible()
    page.goto(f"{stand.url}/system")
    expect(page.get_by_text(XSS)).to_be_visible()
    expect(page.get_by_text(SHORT_XSS)).to_be_visible()
    page.goto(f"{stand.url}/studies?q=%22%3E%3Cb%3Ex%3C%2Fb%3E")
    assert page.input_value("#q") == SHORT_XSS
    assert len(studies(page)) == 1
    assert page.locator("main img, main b").count() == 0
    assert page.evaluate("window.broken") is None


def test_a_filter_shows_what_it_says(stand: Stand, signed_in: SignedIn) -> None:
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/studies")
    assert set(studies(page)) >= set(stand.uids[:5])
    page.get_by_role("link", name="Needs a person").click()
    expect(page.locator("tbody tr")).to_have_count(2)
    assert set(studies(page)) == {stand.uids[3], stand.uids[4]}
    page.select_option("#state", "parked")
    page.click("text=Filter")
    expect(page.locator("tbody th a")).to_have_text([stand.uids[4]])
    assert studies(page) == [stand.uids[4]]
    page.click("text=Clear")
    page.wait_for_url(f"{stand.url}/studies")
    page.fill("#q", stand.uids[1][:-2])
    page.press("#q", "Enter")
    page.wait_for_url("**q=**")
    assert stand.uids[1] in studies(page)
    page.goto(f"{stand.url}/studies?q=A-2026-0007&said=findings")
    assert studies(page) == [stand.uids[2]]


def test_the_pages_of_a_list_lead_on_and_back(
    stand: Stand, signed_in: SignedIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.web.study_query.PAGE", 2)
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/studies")
    first = studies(page)
    assert len(first) == 2
    page.get_by_role("link", name="Older").click()
    page.wait_for_url("**after=**")
    second = studies(page)
    assert not set(first) & set(second)
    page.get_by_role("link", name="Newer").click()
    page.wait_for_url("**before=**")
    assert studies(page) == first


def test_a_study_that_comes_appears_by_itself(
    stand: Stand, signed_in: SignedIn
) -> None:
    page = signed_in(REVIEWER)
    page.goto(f"{stand.url}/studies")
    page.get_by_role("link", name=stand.uids[0]).focus()
    page.evaluate("window.here = 1")
    uid = stand.send(13)
    expect(page.get_by_role("link", name=uid)).to_be_visible()
    # The page was not loaded anew, and whoever walked to a row is still there.
    assert page.evaluate("window.here") == 1
    assert page.evaluate("document.activeElement.innerText") == stand.uids[0]
    stand.gateway.wait_for(uid, State.COMMITTED)


def test_whoever_pauses_is_not_disturbed(stand: Stand, signed_in: SignedIn) -> None:
    page = signed_in(REVIEWER)
    asked: list[str] = []
    # Nothing comes round by itself: one round, that is asked for here.
    page.add_init_script("window.setInterval = (round) => { window.round = round; };")
    page.goto(f"{stand.url}/studies")
    page.evaluate("document.querySelector('[data-live]').dataset.liveSeconds")
    page.get_by_role("button", name="Pause").click()
    page.on("request", lambda request: asked.append(request.url))
    page.evaluate("window.round()")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.get_by_text("Paused")).to_be_visible()
    assert asked == []
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_text("Live, checked")).to_be_visible()
    assert asked == [f"{stand.url}/live/studies"]


def test_the_list_is_read_without_a_mouse(stand: Stand, signed_in: SignedIn) -> None:
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/studies")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    walked = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen = "getComputedStyle(document.activeElement).outlineStyle"
        assert page.evaluate(seen) != "none"
        walked.append(
            page.evaluate(
                "document.activeElement.id || document.activeElement.innerText"
            )
        )
        if re.fullmatch(r"s\d+", walked[-1]):
            break
    assert {"q", "state", "said", "peer"} <= set(walked)
    page.keyboard.press("Enter")
    page.wait_for_url("**/studies/*")


def test_a_peer_answers_an_echo(stand: Stand, signed_in: SignedIn) -> None:
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/system")
    page.get_by_role("button", name="Echo archive").click()
    page.wait_for_url("**/system#peers")
    row = page.locator("#peers tr", has_text="archive,").first
    expect(page.locator("#peers").get_by_text("answered").first).to_be_visible()
    page.get_by_role("button", name="Echo modality").click()
    expect(page.locator("#peers").get_by_text("no answer").first).to_be_visible()
    assert row is not None


def test_the_system_page_tells_how_it_stands(stand: Stand, signed_in: SignedIn) -> None:
    page = signed_in(ADMINISTRATOR)
    page.goto(f"{stand.url}/system")
    text = page.inner_text("main")
    digest = stand.gateway.site.engine.identity.weights_digest
    for told in (digest, "pydicom", "listener", "finding the prior", "Disk free"):
        assert told in text
    assert page.get_by_role("link", name=stand.uids[4]).count() == 1
