"""Takes a picture of every page of the console, for docs/images.

A phantom checkpoint reads the studies, so that the pictures show what people see.
Usage: python -m tests.console [--out docs/images] [--only NAME ...] [--canned]
"""

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import BrowserContext, sync_playwright

from config.load import load_settings
from gateway.running.composition import load_engine
from tests.console.pages import PAGES, ConsolePage
from tests.console.stand import TAME, Stand, opened_browser, running_stand, sign_in
from tests.data.peers import require_peer

WIDTHS = {1280: 800, 1920: 1080}
_IMAGES = Path(__file__).parents[2] / "docs" / "images"


def main(words: list[str] | None = None) -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=_IMAGES)
    parser.add_argument(
        "--only", nargs="*", default=[each.name for each in PAGES if each.in_docs]
    )
    parser.add_argument("--canned", action="store_true", help="given answers")
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    engine = None if given.canned else load_engine(load_settings(None, {}))
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stand(Path(folder) / "stand", engine, TAME) as stand,
        sync_playwright() as playwright,
        opened_browser(
            playwright, require_peer("chromium"), Path(folder) / "profile"
        ) as browser,
    ):
        for shown in PAGES:
            if shown.name in given.only:
                take(stand, browser, shown, given.out)


def take(stand: Stand, browser: BrowserContext, shown: ConsolePage, out: Path) -> None:
    """Write the pictures of one page, one a width."""
    browser.clear_cookies()
    page = browser.new_page()
    if shown.role is not None:
        sign_in(page, stand.url, shown.role)
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.goto(shown.url(stand))
        page.screenshot(path=out / f"console-{shown.name}-{width}.png", full_page=True)
    page.close()


if __name__ == "__main__":
    main()
