"""OHIF as a person would use it, and what it then holds in its annotation state."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

from tests.viewers.shown import Drawn, Shown
from viewer.stand import Stand

BROWSER_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--ignore-gpu-blocklist",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
TOLERANCE_PIXELS = 0.1
_LOAD_MS = 60_000
_SHOWN_MS = 30_000
_POLL_MS = 250
_DRAWN_MS, _HARDLY_DRAWN_MS = 20_000, 5_000
_SETTLED_MS = 500
_NO_TOUR = "localStorage.setItem('shownTours', JSON.stringify(['basicViewerTour']))"
_RECTANGLES = """() =>
  (window.cornerstoneTools?.annotation.state.getAllAnnotations() ?? [])
  .filter(each => each.metadata.toolName === 'RectangleROI')
  .map(each => ({
    image: each.metadata.referencedImageId,
    label: each.data.label ?? '',
    points: Array.from(each.data.handles.points, point => Array.from(point)),
  }))"""

# A camera without a finite scale draws nothing, whatever the annotations say.
_SCALES = """() => (window.cornerstone?.getEnabledElements() ?? [])
  .map(each => each.viewport.getCamera().parallelScale)
  .filter(scale => Number.isFinite(scale) && scale > 0)"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rectangle:
    """A rectangle of OHIF: its image, its label, its corners in mm."""

    image: str
    label: str
    corners: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A study in the browser; `errors` grows while the page lives.

    drawn_ms : how long the drawing of an image is awaited.
    """

    page: Page
    errors: list[str]
    drawn_ms: int

    def open_series(self, number: int) -> None:
        """Double-click the thumbnail of a series."""
        thumbnail = self.page.get_by_text(f"S:{number}", exact=True).first
        thumbnail.wait_for(timeout=_LOAD_MS)
        self.draws_the_image()  # or not: OHIF fails where one goes while it draws
        thumbnail.dblclick()

    def rectangles(self, at_least: int) -> list[Rectangle]:
        """Return the rectangles, once there are `at_least` or time is up."""
        for _ in range(_SHOWN_MS // _POLL_MS):
            if self.errors or len(self.page.evaluate(_RECTANGLES)) >= at_least:
                break
            self.page.wait_for_timeout(_POLL_MS)
        # one too many may come later than the last of those expected
        self.page.wait_for_timeout(_SETTLED_MS)
        return [_rectangle(each) for each in self.page.evaluate(_RECTANGLES)]

    def draws_the_image(self) -> bool:
        """Whether a viewport gets a camera that can show its image, in time."""
        for _ in range(self.drawn_ms // _POLL_MS):
            if self.page.evaluate(_SCALES):
                return True
            self.page.wait_for_timeout(_POLL_MS)
        return False

    def wait_for_text(self, text: str) -> None:
        """Wait until a viewport, not a list beside it, shows `text`."""
        viewport = self.page.locator("[data-cy='viewport-pane']")
        viewport.get_by_text(text).first.wait_for(timeout=_SHOWN_MS)


def _rectangle(found: dict[str, object]) -> Rectangle:
    points = found["points"]
    assert isinstance(points, list)
    return Rectangle(
        image=str(found["image"]),
        label=str(found["label"]),
        corners=tuple((float(point[0]), float(point[1])) for point in points),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewed:
    """The studies, the viewer that has them, and a browser to look with."""

    shown: dict[str, Shown]
    stand: Stand
    browser: BrowserContext

    @contextmanager
    def opened(self, study: Shown) -> Iterator[Opened]:
        """Open a study in a new page."""
        page = self.browser.new_page()
        page.add_init_script(_NO_TOUR)
        errors: list[str] = []

        def heard(message: ConsoleMessage) -> None:
            if "error boundary" in message.text.lower():
                errors.append(message.text[:200])

        page.on("console", heard)
        page.on("pageerror", lambda error: errors.append(str(error)[:200]))
        try:
            page.goto(self.stand.study_url(study.study_instance_uid), timeout=_LOAD_MS)
            drawn_ms = _DRAWN_MS if study.is_drawn else _HARDLY_DRAWN_MS
            yield Opened(page=page, errors=errors, drawn_ms=drawn_ms)
        finally:
            page.close()


def disagreements(
    shown: Shown, boxes: Sequence[Drawn], seen: Sequence[Rectangle]
) -> list[str]:
    """Return how what OHIF holds differs from `boxes`; empty when it does not.

    Each box takes the rectangle of its sentence whose corners are the nearest.
    OHIF places the middle of the first pixel at 0 mm; DICOM counts from its corner.
    """
    said = []
    if len(seen) != len(boxes):
        said.append(f"{len(seen)} rectangles, not {len(boxes)}")
    left = list(seen)
    for box in boxes:
        same = [each for each in left if each.label == box.sentence]
        if not same:
            said.append(f"no rectangle has the label {box.sentence!r}")
            continue
        nearest = min(same, key=lambda each: _deviation(shown, box, each))
        left.remove(nearest)
        said.extend(_differences(shown, box, nearest))
    return said


def _differences(shown: Shown, box: Drawn, seen: Rectangle) -> list[str]:
    said = []
    if shown.frontal_uid not in seen.image:
        said.append(f"{box.sentence!r} lies on {seen.image}")
    deviation = _deviation(shown, box, seen)
    if not deviation <= TOLERANCE_PIXELS:
        said.append(f"{box.sentence!r} is {deviation:.3f} px off")
    return said


def _deviation(shown: Shown, box: Drawn, seen: Rectangle) -> float:
    """Return the largest distance along an axis of a corner from its place."""
    left, top, right, bottom = box.edges
    places = ((left, top), (right, top), (right, bottom), (left, bottom))
    row_mm, column_mm = shown.spacing
    corners = [(x / column_mm + 0.5, y / row_mm + 0.5) for x, y in seen.corners]
    return max(
        min(max(abs(x - px), abs(y - py)) for x, y in corners) for px, py in places
    )
