"""The study page in a browser: boxes in their places, what lights up, what is asked."""

import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from math import isclose

import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright
from pydicom import dcmread

from gateway.documents import REPORTS
from gateway.ledger import Document
from gateway.stages import grounding
from model.report import GroundedPhrase
from tests.data.console import PASSWORD
from tests.data.markup import PAYLOADS
from tests.data.peers import require_peer
from tests.data.study_pages import CROP_SIDE, ReadStudy, read_study, served

pytestmark = pytest.mark.peers

WAIT_MS = 60_000
"""Milliseconds in which something must be there: the machine may be busy."""
RECTANGLE = """element => {
  const [box, matrix] = [element.getBBox(), element.getScreenCTM()];
  const [right, bottom] = [box.x + box.width, box.y + box.height];
  const from = new DOMPoint(box.x, box.y).matrixTransform(matrix);
  const to = new DOMPoint(right, bottom).matrixTransform(matrix);
  return [from.x, from.y, to.x, to.y];
}"""
Rectangle = tuple[float, float, float, float]


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A page of a person, the study on it, and all that went wrong there."""

    page: Page
    study: ReadStudy
    origin: str
    wrong: list[str] = field(default_factory=list)

    def open(self) -> None:
        answer = self.page.goto(f"{self.origin}/studies/{self.study.uid}")
        assert answer
        assert answer.status == 200
        self.page.wait_for_selector("[data-window=center]:enabled", timeout=WAIT_MS)

    def outline(self, finding: str) -> list[Locator]:
        return self.page.locator(f'.box[data-finding="{finding}"] > rect').all()

    def share_of(self, element: Locator) -> Rectangle:
        """Return where an element lies in the frontal image, in shares of its sides."""
        left, top, right, bottom = self.page.locator(".film-frontal image").evaluate(
            RECTANGLE
        )
        x0, y0, x1, y1 = element.evaluate(RECTANGLE)
        wide, high = right - left, bottom - top
        return (
            (x0 - left) / wide,
            (y0 - top) / high,
            (x1 - left) / wide,
            (y1 - top) / high,
        )


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadStudy]:
    with read_study(tmp_path_factory.mktemp("read")) as read:
        yield read


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    opened = playwright.chromium.launch(
        executable_path=require_peer("chromium"),
        args=["--no-sandbox", "--disable-gpu"],
    )
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def origin(study: ReadStudy) -> Iterator[str]:
    with served(study.bench.site) as at:
        yield at


@pytest.fixture(scope="module")
def signed_in(browser: Browser, study: ReadStudy, origin: str) -> Iterator[Desk]:
    page = browser.new_page(viewport={"width": 1600, "height": 1000})
    desk = Desk(page=page, study=study, origin=origin)
    _listen(desk)
    _sign_in(desk)
    yield desk
    page.close()


@pytest.fixture
def desk(signed_in: Desk) -> Iterator[Desk]:
    """The page of the study, newly opened; nothing may go wrong on it."""
    signed_in.wrong.clear()
    signed_in.open()
    yield signed_in
    assert signed_in.wrong == []


def _sign_in(desk: Desk) -> None:
    page = desk.page
    page.goto(f"{desk.origin}/login")
    page.fill("[name=name]", "reviewer")
    page.fill("[name=password]", PASSWORD)
    with page.expect_navigation():
        page.click("main button[type=submit]")
    desk.wrong.clear()  # the first page of a reviewer is not of these tests


def _listen(desk: Desk) -> None:
    def asked(url: str) -> None:
        if not url.startswith(desk.origin):
            desk.wrong.append(f"a request to {url}")

    page = desk.page
    page.on("request", lambda request: asked(request.url))
    page.on("pageerror", lambda error: desk.wrong.append(str(error)))
    page.on(
        "console",
        lambda said: desk.wrong.append(said.text) if said.type == "error" else None,
    )

    def dismiss(dialog: object) -> None:
        desk.wrong.append("a dialog")
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", dismiss)


def by_hand(study: ReadStudy) -> list[tuple[float, float, float, float]]:
    """Return the report's boxes in pixels, mapped by the rule and not by our code.

    The shorter edge is resized to the crop's side, the centre is kept (processor of
    MAIRA-2): for a film that is higher than wide, the crop has all columns and begins
    half of what is too much below the top.
    """
    with study.bench.site.ledger.reading() as rows:
        found = rows.study(study.uid)
        assert found
        body = rows.document(found.id, found.revision, Document.REPORTS)
    (said,) = REPORTS.validate_json(body or "")
    columns, rows_ = study.frame.columns, study.frame.rows
    assert rows_ > columns
    high = int(CROP_SIDE * rows_ / columns)
    start = (high - CROP_SIDE) // 2
    return [
        (
            box.x_min * columns,
            (box.y_min * CROP_SIDE + start) * rows_ / high,
            box.x_max * columns,
            (box.y_max * CROP_SIDE + start) * rows_ / high,
        )
        for phrase in said.phrases
        for box in phrase.boxes
    ]


def assert_lies(found: Rectangle, wanted: Rectangle, tolerance: float) -> None:
    pairs = zip(found, wanted, strict=True)
    assert all(isclose(a, b, abs_tol=tolerance) for a, b in pairs), (found, wanted)


def test_boxes_lie_where_the_report_has_them(desk: Desk) -> None:
    columns, rows = desk.study.frame.columns, desk.study.frame.rows
    outlines = desk.page.locator(".film-frontal .box > rect").all()
    wanted = by_hand(desk.study)
    assert len(outlines) == len(wanted) >= 2
    for outline, (left, top, right, bottom) in zip(outlines, wanted, strict=True):
        shares = (left / columns, top / rows, right / columns, bottom / rows)
        assert_lies(desk.share_of(outline), shares, 0.5 / rows)


def test_a_sentence_and_its_box_light_up_together(desk: Desk) -> None:
    page = desk.page
    page.hover('.finding[data-finding="r0-1"] .sentence')
    assert page.locator(".box.lit").count() == 1
    assert page.locator('.box.lit[data-finding="r0-1"]').count() == 1
    page.locator('.box[data-finding="r0-2"]').hover()
    lit = page.locator(".finding.lit")
    assert lit.count() == 1
    assert lit.get_attribute("data-finding") == "r0-2"
    page.hover("h1")
    assert page.locator(".lit").count() == 0


def test_keys_light_up_what_the_pointer_does(desk: Desk) -> None:
    desk.page.hover("h1")
    desk.page.focus('.finding[data-finding="r0-2"] .sentence')
    assert desk.page.locator('.box.lit[data-finding="r0-2"]').count() == 1
    desk.page.focus('.box[data-finding="r0-1"]')
    assert desk.page.locator('.finding.lit[data-finding="r0-1"]').count() == 1


def test_boxes_are_hidden_and_shown_each_and_all(desk: Desk) -> None:
    page = desk.page
    first, boxes = '.box[data-finding="r0-1"]', page.locator(".film-frontal .box")
    page.uncheck('[data-toggle="r0-1"]')
    assert not page.is_visible(first)
    assert page.is_visible('.box[data-finding="r0-2"]')
    page.uncheck("[data-all]")
    assert not any(box.is_visible() for box in boxes.all())
    page.check("[data-all]")
    assert all(box.is_visible() for box in boxes.all())
    page.uncheck("[data-unseen]")
    assert not page.is_visible(".unseen >> nth=0")


def test_boxes_stay_in_their_places_however_near_the_film_is(desk: Desk) -> None:
    page = desk.page
    outline = desk.outline("r0-1")[0]
    before = desk.share_of(outline)
    view = page.locator(".film-frontal svg").get_attribute("viewBox")
    outline.hover()
    for _ in range(4):
        page.mouse.wheel(0, -200)
    page.wait_for_selector("[data-zoom-shown]:not(:text-is('100 %'))", timeout=WAIT_MS)
    zoomed = page.locator(".film-frontal svg").get_attribute("viewBox")
    assert zoomed != view
    assert_lies(desk.share_of(outline), before, 0.001)
    prior = page.locator(".film-prior svg").get_attribute("viewBox")
    assert (prior or "").split()[2] != f"{desk.study.frame.columns}"
    page.check("[name=drag][value=pan]")
    outline.hover()
    page.mouse.down()
    page.mouse.move(400, 400, steps=4)
    page.mouse.up()
    assert page.locator(".film-frontal svg").get_attribute("viewBox") != zoomed
    assert_lies(desk.share_of(outline), before, 0.001)
    page.click("[data-zoom=fit]")
    assert page.locator(".film-frontal svg").get_attribute("viewBox") == (
        f"0 0 {desk.study.frame.columns} {desk.study.frame.rows}"
    )


def test_dragging_windows_the_film_and_reset_gives_the_file_s_window(
    desk: Desk,
) -> None:
    page = desk.page
    image = page.locator(".film-frontal image")
    plain = image.get_attribute("href") or ""
    own = page.input_value("[data-window=center]")
    box = page.locator(".film-frontal svg").bounding_box()
    assert box
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 300, steps=3)
    page.mouse.up()
    settled = ".film-frontal image:not([filter])"
    windowed = f"{settled}[href*='center=']"
    page.wait_for_selector(windowed, state="attached", timeout=WAIT_MS)
    center = page.input_value("[data-window=center]")
    assert center != own
    shown = re.search(r"center=([-\d.]+)", image.get_attribute("href") or "")
    assert shown
    assert abs(float(shown[1]) - float(center)) < 0.01
    page.click("[data-window-reset]")
    again = f"{settled}[href='{plain}']"
    page.wait_for_selector(again, state="attached", timeout=WAIT_MS)
    assert page.input_value("[data-window=center]") == own


def test_a_phrase_is_looked_for_and_its_box_comes_to_the_film(desk: Desk) -> None:
    page = desk.page
    page.fill("[name=phrase]", "left <i>effusion")
    page.click(".ground-form button")
    page.wait_for_selector(".grounding .waiting", timeout=WAIT_MS)
    assert grounding.work(desk.study.bench.site) == 1
    page.wait_for_selector(".grounding .finding.located", timeout=WAIT_MS)
    assert "left <i>effusion" in page.inner_text(".grounding")
    page.wait_for_selector(".box.asked", timeout=WAIT_MS)
    page.hover(".grounding .sentence")
    assert page.locator(".box.asked.lit").count() == 1
    assert page.locator(".waiting").count() == 0


def test_a_download_is_the_presentation_state(desk: Desk) -> None:
    with desk.page.expect_download(timeout=WAIT_MS) as coming:
        desk.page.click(".downloads a:text-is('gsps')")
    ds = dcmread(coming.value.path())
    assert (ds.Modality, ds.StudyInstanceUID) == ("PR", desk.study.uid)


def test_a_choice_asks_for_role_and_reason_before_it_is_sent(desk: Desk) -> None:
    page = desk.page
    page.click(".choice summary:text-is('Rerun')")
    form = page.locator("form:has([value=rerun])")
    form.locator("button").click()  # the browser asks for the role
    assert page.url.endswith(desk.study.uid)
    assert desk.study.bench.study(desk.study.uid).revision == 1


def test_no_text_of_a_model_does_anything(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A hundred sentences, and header fields, that would act where unescaped."""
    fields = {
        "PatientName": PAYLOADS[0],
        "StudyDescription": PAYLOADS[11],
        "InstitutionName": PAYLOADS[21],
    }
    folder = tmp_path_factory.mktemp("hostile")
    with (
        read_study(folder, attributes=fields, phrases=_said()) as hostile,
        served(hostile.bench.site) as at,
        closing(browser.new_page()) as page,
    ):
        desk = Desk(page=page, study=hostile, origin=at)
        _listen(desk)
        _sign_in(desk)
        desk.open()
        for each in page.locator(".box, .sentence").all()[:20]:
            each.dispatch_event("pointerover", {"bubbles": True})
        text = " ".join(page.inner_text("body").split())
        for payload in (*PAYLOADS, *fields.values()):
            assert " ".join(payload.split()) in text, payload
        assert desk.wrong == []


def _said() -> tuple[GroundedPhrase, ...]:
    return tuple(GroundedPhrase(text=each) for each in PAYLOADS)
