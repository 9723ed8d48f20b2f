"""Takes a picture of every page of the console, for docs/images.

A phantom checkpoint reads the studies, so that the pictures show what people see.
Usage: python -m tests.console [--out docs/images] [--only NAME ...] [--canned]
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import BrowserContext, sync_playwright

from config.load import load_settings
from gateway.running.composition import load_engine
from tests.console.pages import PAGES, ConsolePage
from tests.console.stand import TAME, Stand, opened_browser, running_stand, sign_in
from tests.data.peers import require_peer

WIDTHS = {1280: 800, 1920: 1080}
TABLET = (1024, 768)
"""On its side; looked at, and not kept."""
TALLEST = 1800
"""Pixels; of a list that is longer its beginning is shown."""
_COLORS = (128, 64, 32)
"""Of a picture: as many as let it have few bytes, and nobody sees it."""
_HUE = 70
"""Between the least and the most of red, green and blue: more is no grey."""
_BYTES = 150_000
_FILM_BYTES = 390_000
"""A film is noise, of which every picture has some."""
_IMAGES = Path(__file__).parents[2] / "docs" / "images"


def main(words: list[str] | None = None) -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path, default=_IMAGES)
    parser.add_argument(
        "--only", nargs="*", default=[each.name for each in PAGES if each.in_docs]
    )
    parser.add_argument("--canned", action="store_true", help="given answers")
    parser.add_argument("--tablet", action="store_true", help="as a tablet shows it")
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
        sizes = [TABLET] if given.tablet else [*WIDTHS.items()]
        for shown in PAGES:
            if shown.name in given.only:
                take(stand, browser, shown, given.out, sizes)


def take(
    stand: Stand,
    browser: BrowserContext,
    shown: ConsolePage,
    out: Path,
    sizes: Sequence[tuple[int, int]],
) -> None:
    """Write the pictures of one page, one a size."""
    browser.clear_cookies()
    page = browser.new_page()
    if shown.role is not None:
        sign_in(page, stand.url, shown.role)
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        page.goto(shown.url(stand), wait_until="networkidle")
        path = out / f"console-{shown.name}-{width}.png"
        whole = page.evaluate("document.documentElement.scrollHeight")
        tall = min(whole, TALLEST)
        page.screenshot(
            path=path,
            full_page=True,
            clip={"x": 0, "y": 0, "width": width, "height": tall},
        )
        reduce(path, _FILM_BYTES if page.locator("svg.canvas").count() else _BYTES)
    page.close()


def reduce(path: Path, most: int) -> None:
    """Write a picture of `most` bytes with few colours in place of one with all."""
    with Image.open(path) as picture:
        whole = picture.convert("RGB")
    for colors in _COLORS:
        few = whole.quantize(palette=_palette(whole, colors), dither=Image.Dither.NONE)
        few.save(path, optimize=True)
        if path.stat().st_size <= most:
            return


def _palette(whole: Image.Image, colors: int) -> Image.Image:
    """Return so many colours: a quarter for the hues, which few pixels have."""
    pixels = np.asarray(whole).reshape(1, -1, 3)
    hues = pixels[:, np.ptp(pixels[0], axis=1) > _HUE]
    if not hues.size:
        return whole.quantize(colors)
    few = Image.fromarray(hues).quantize(colors // 4).getpalette() or []
    many = whole.quantize(colors - colors // 4).getpalette() or []
    found = Image.new("P", (1, 1))
    found.putpalette([*many[: 3 * (colors - colors // 4)], *few[: 3 * (colors // 4)]])
    return found


if __name__ == "__main__":
    main()
