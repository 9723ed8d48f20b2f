"""The page of a study without a browser: who may what, values, downloads, records."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from gateway.accounts.roles import AccountRole
from gateway.ledger import AuditFilter, AuditRecord
from gateway.lifecycle import State
from gateway.running import retention
from gateway.stages import grounding
from gateway.web.app import create_app
from model.report import FlagKind
from tests.data.console import Browser, Console, add_accounts
from tests.data.study_pages import SENTENCES, WITHOUT_A_PLACE, ReadStudy, read_study

if TYPE_CHECKING:
    from config.load import Table

FLAG = FlagKind.REPEATED_SENTENCE
GSPS = "1.2.840.10008.5.1.4.1.1.11.1"


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReadStudy]:
    """A study that was read and kept; nothing here moves it."""
    with read_study(tmp_path_factory.mktemp("read")) as read:
        add_accounts(read.bench.site)
        yield read


@pytest.fixture(scope="module")
def console(study: ReadStudy) -> Iterator[Console]:
    yield from _console(study)


@pytest.fixture(scope="module")
def viewer(console: Console) -> Browser:
    return console.signed_in(AccountRole.VIEWER)


@pytest.fixture(scope="module")
def reviewer(console: Console) -> Browser:
    return console.signed_in(AccountRole.REVIEWER)


@pytest.fixture
def held(tmp_path: Path) -> Iterator[ReadStudy]:
    """A study of its own that waits for a person."""
    holds: Table = {"results": {"hold_flags": [FLAG.value]}}
    with read_study(tmp_path, holds, flags=(FLAG,)) as read:
        add_accounts(read.bench.site)
        yield read


def _console(study: ReadStudy) -> Iterator[Console]:
    site = study.bench.site
    console = Console(site=site, app=create_app(site))
    yield console
    for browser in console.browsers:
        browser.close()


def audit(study: ReadStudy, event: str) -> list[AuditRecord]:
    with study.bench.site.ledger.reading() as rows:
        return rows.audit(AuditFilter(event=event, limit=1000))


def path_of(study: ReadStudy, *parts: str) -> str:
    return "/".join((f"/studies/{study.uid}", *parts))


def frontal(study: ReadStudy) -> str:
    return str(dcmread(study.phantom.frontal).SOPInstanceUID)


def results(study: ReadStudy) -> dict[str, str]:
    """Return the UID of each kind of result."""
    with study.bench.site.ledger.reading() as rows:
        found = rows.results(study.bench.study(study.uid).id)
    return {each.kind: each.sop_instance_uid for each in found}


def test_the_page_says_who_what_and_how(study: ReadStudy, viewer: Browser) -> None:
    answer = viewer.look(path_of(study))
    assert answer.status_code == 200
    for word in (
        *SENTENCES[:2],
        WITHOUT_A_PLACE,
        "Research only, not for clinical use",
        "Preliminary, not verified by a person",
        "prior_frontal",
        "canned answers",
        study.bench.engine.identity.weights_digest,
        "results-kept",
    ):
        assert word in answer.text, word


def test_a_look_at_the_page_is_recorded_and_its_pictures_are_part_of_it(
    study: ReadStudy, console: Console
) -> None:
    browser = console.signed_in(AccountRole.REVIEWER)
    before = len(audit(study, "study-viewed"))
    browser.look(path_of(study))
    browser.get(path_of(study, "pictures", f"{frontal(study)}.png"))
    browser.get(path_of(study, "groundings"))
    assert len(audit(study, "study-viewed")) == before + 1
    assert audit(study, "study-viewed")[-1].user == "reviewer"
    assert audit(study, "study-viewed")[-1].person_role == "reviewer"
    assert audit(study, "study-viewed")[-1].address is not None


def test_a_picture_without_its_page_is_recorded_as_a_look(
    study: ReadStudy, console: Console
) -> None:
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    before = len(audit(study, "study-viewed"))
    for _ in range(2):
        browser.get(path_of(study, "pictures", f"{frontal(study)}.png"))
    assert len(audit(study, "study-viewed")) == before + 1


@pytest.mark.parametrize(
    "parts",
    [
        (),
        ("pictures", "1.2.3.png"),
        ("pictures", "1.2.3.json"),
        ("results", "1.2.3.dcm"),
        ("report.json",),
        ("report-1.png",),
        ("groundings",),
    ],
)
def test_an_auditor_and_a_stranger_are_shown_no_study(
    study: ReadStudy, console: Console, parts: tuple[str, ...]
) -> None:
    path = path_of(study, *parts)
    assert console.stranger().get(path).status_code == 303
    assert console.signed_in(AccountRole.AUDITOR).get(path).status_code == 403


def test_a_viewer_is_offered_nothing_and_may_do_nothing(
    study: ReadStudy, viewer: Browser
) -> None:
    page = viewer.look(path_of(study))
    for word in ("/choose", 'name="phrase"', "Retract"):
        assert word not in page.text
    form = {"choice": "retract", "state": "kept", "revision": "1", "role": "physician"}
    assert viewer.submit(path_of(study, "choose"), **form).status_code == 403
    asked = viewer.submit(path_of(study, "groundings"), phrase="effusion")
    assert asked.status_code == 403
    assert study.bench.study(study.uid).state is State.KEPT


def test_a_reviewer_is_offered_what_is_possible(
    study: ReadStudy, reviewer: Browser
) -> None:
    page = reviewer.look(path_of(study)).text
    offered = ["release", "reject", "retry", "rerun", "retract"]
    shown = [name for name in offered if f'name="choice" value="{name}"' in page]
    assert shown == ["rerun", "retract"]


def test_a_picture_is_windowed_and_made_small_as_asked(
    study: ReadStudy, viewer: Browser
) -> None:
    path = path_of(study, "pictures", frontal(study))
    plain = viewer.get(f"{path}.png")
    assert (plain.status_code, plain.headers["Content-Type"]) == (200, "image/png")
    assert plain.headers["Cache-Control"] == "no-store"
    with Image.open(BytesIO(plain.content)) as picture:
        assert picture.size == (study.frame.columns, study.frame.rows)
    dark = viewer.get(f"{path}.png", params={"center": 5000, "width": 10})
    assert not np.asarray(Image.open(BytesIO(dark.content))).any()
    told = viewer.get(f"{path}.json").json()
    assert (told["rows"], told["columns"]) == (study.frame.rows, study.frame.columns)
    assert told["low"] < told["center"] < told["high"]


@pytest.mark.parametrize(
    "query",
    [
        {"center": "nan", "width": "5"},
        {"center": "0", "width": "0.1"},
        {"center": "0", "width": "inf"},
        {"center": "1e12", "width": "5"},
        {"center": "5"},
        {"width": "5"},
        {"center": "x", "width": "5"},
        {"center": "0", "width": "5", "other": "1"},
        {"whole": "perhaps"},
    ],
)
def test_a_window_that_is_none_is_refused(
    study: ReadStudy, viewer: Browser, query: dict[str, str]
) -> None:
    path = path_of(study, "pictures", f"{frontal(study)}.png")
    assert viewer.get(path, params=query).status_code == 422


@pytest.mark.parametrize("uid", ["1.2.3.4.5", "..", "0" * 65, "%2e%2e%2fledger", "a"])
def test_an_image_that_is_not_of_the_study_is_not_shown(
    study: ReadStudy, viewer: Browser, uid: str
) -> None:
    answer = viewer.get(path_of(study, "pictures", f"{uid}.png"))
    assert answer.status_code in {404, 422}


def test_an_image_of_another_study_is_not_shown_below_this_one(
    study: ReadStudy, viewer: Browser
) -> None:
    """The prior is, for the model read it; below its own UID there is no study."""
    prior = dcmread(study.phantom.prior[0])
    below = path_of(study, "pictures", f"{prior.SOPInstanceUID}.png")
    assert viewer.get(below).status_code == 200
    own = f"/studies/{prior.StudyInstanceUID}/pictures/{prior.SOPInstanceUID}.png"
    assert viewer.get(own).status_code == 404


def test_result_objects_are_handed_over_as_they_are_kept(
    study: ReadStudy, viewer: Browser
) -> None:
    before = len(audit(study, "results-downloaded"))
    for kind, uid in results(study).items():
        answer = viewer.get(path_of(study, "results", f"{uid}.dcm"))
        assert answer.headers["Content-Type"] == "application/dicom"
        assert f'filename="{kind}-{uid}.dcm"' in answer.headers["Content-Disposition"]
        ds = dcmread(BytesIO(answer.content))
        assert ds.SOPInstanceUID == uid
    taken = audit(study, "results-downloaded")[before:]
    assert [record.user for record in taken] == ["viewer"] * len(results(study))
    assert GSPS in "".join(record.message for record in taken)


def test_the_report_is_handed_over_as_json_and_as_a_picture(
    study: ReadStudy, viewer: Browser
) -> None:
    before = len(audit(study, "results-downloaded"))
    told = json.loads(viewer.get(path_of(study, "report.json")).content)
    assert told["study"]["study_instance_uid"] == study.uid
    assert next(each["text"] for each in told["reports"][0]["phrases"]) == SENTENCES[0]
    png = viewer.get(path_of(study, "report-1.png"))
    with Image.open(BytesIO(png.content)) as picture:
        assert picture.getpixel((1, 1)) == (255, 196, 0)  # the research banner
    assert len(audit(study, "results-downloaded")) == before + 2


@pytest.mark.parametrize(
    "parts", [("results", "1.2.3.dcm"), ("report-2.png",), ("report-0.png",)]
)
def test_what_is_not_there_is_not_handed_over(
    study: ReadStudy, viewer: Browser, parts: tuple[str, ...]
) -> None:
    before = len(audit(study, "results-downloaded"))
    assert viewer.get(path_of(study, *parts)).status_code in {404, 422}
    assert len(audit(study, "results-downloaded")) == before


def test_a_study_that_is_not_there_is_said_to_be(viewer: Browser) -> None:
    for path in ("/studies/1.2.999", "/studies/1.2.999/groundings"):
        assert viewer.get(path).status_code == 404


def test_boxes_are_drawn_where_the_presentation_state_has_them(
    study: ReadStudy, viewer: Browser
) -> None:
    """An upright film: the rectangles of the page are the outlines of the GSPS."""
    page = viewer.look(path_of(study)).text
    uid = results(study)["gsps"]
    state = dcmread(
        BytesIO(viewer.get(path_of(study, "results", f"{uid}.dcm")).content)
    )
    outlines = [
        list(graphic.GraphicData)
        for annotation in state.GraphicAnnotationSequence
        for graphic in annotation.GraphicObjectSequence
    ]
    assert len(outlines) >= 2
    for left, top, right, _, _, bottom, *_ in outlines:
        drawn = (
            f'<rect x="{left}" y="{top}" width="{right - left}" '
            f'height="{bottom - top}"/>'
        )
        assert drawn in page


def test_a_reviewer_has_a_phrase_looked_for(
    study: ReadStudy, reviewer: Browser
) -> None:
    reviewer.look(path_of(study))
    answer = reviewer.submit(path_of(study, "groundings"), phrase=" a <b>pacemaker ")
    assert answer.status_code == 303
    waiting = reviewer.get(path_of(study, "groundings")).text
    assert 'data-groundings="1"' in waiting
    grounding.work(study.bench.site)
    shown = reviewer.get(path_of(study, "groundings")).text
    assert 'data-groundings="0"' in shown
    assert "a &lt;b&gt;pacemaker" in shown
    assert "<b>" not in shown
    assert shown.count('class="box hue-') == 1
    assert audit(study, "phrase-grounded")[-1].user == "reviewer"


@pytest.mark.parametrize("phrase", ["", "   ", "x" * 401, "x" * 4001])
def test_a_phrase_that_is_none_is_refused(
    study: ReadStudy, reviewer: Browser, phrase: str
) -> None:
    reviewer.look(path_of(study))
    answer = reviewer.submit(path_of(study, "groundings"), phrase=phrase)
    assert answer.status_code == 422


def test_a_change_without_the_form_is_refused(
    study: ReadStudy, reviewer: Browser
) -> None:
    for path in ("choose", "groundings"):
        answer = reviewer.post(path_of(study, path), data={"phrase": "effusion"})
        assert answer.status_code == 403


def test_a_held_study_is_released_by_who_saw_it(held: ReadStudy) -> None:
    for console in _console(held):
        browser = console.signed_in(AccountRole.REVIEWER)
        page = browser.look(path_of(held)).text
        assert "held for repeated-sentence" in page
        assert "A sentence stands twice." in page
        form = {"choice": "release", "state": "held", "revision": "1", "why": "fine"}
        nobody = browser.submit(path_of(held, "choose"), **form)
        assert nobody.status_code == 422
        stale = browser.submit(
            path_of(held, "choose"), **{**form, "revision": "2", "role": "physician"}
        )
        assert stale.status_code == 409
        assert held.bench.study(held.uid).state is State.HELD
        done = browser.submit(path_of(held, "choose"), **form, role="physician")
        assert (done.status_code, done.headers["Location"]) == (303, path_of(held))
    assert held.turn_all() is State.KEPT
    assert "released by reviewer (physician): fine" in held.bench.told()


def test_a_purged_study_shows_its_records_alone(held: ReadStudy) -> None:
    for console in _console(held):
        browser = console.signed_in(AccountRole.REVIEWER)
        browser.look(path_of(held))
        form = {"choice": "reject", "state": "held", "revision": "1"}
        browser.submit(path_of(held, "choose"), **form, role="physician", why="no")
        held.bench.clock.add(days=4000)
        assert retention.purge(held.bench.site) == 1
        browser.sign_in("reviewer")
        page = browser.look(path_of(held))
        assert page.status_code == 200
        assert SENTENCES[0] in page.text
        assert "Its file is gone" in page.text
        assert "images were deleted after their retention" in page.text
        assert "report-1.png" not in page.text
        png = browser.get(path_of(held, "pictures", f"{frontal(held)}.png"))
        assert png.status_code == 404
        assert browser.get(path_of(held, "report-1.png")).status_code == 404


def test_files_that_are_lost_are_said_to_be(held: ReadStudy) -> None:
    """As after a purge that a new image followed, or a disk that lost some."""
    for console in _console(held):
        browser = console.signed_in(AccountRole.REVIEWER)
        browser.look(path_of(held))
        form = {"choice": "release", "state": "held", "revision": "1", "why": "fine"}
        browser.submit(path_of(held, "choose"), **form, role="physician")
        assert held.turn_all() is State.KEPT
        for path in held.bench.kept_files():
            path.unlink()
        assert "Its file is gone" in browser.look(path_of(held)).text
        uid = results(held)["gsps"]
        for parts, status in (
            (("pictures", f"{frontal(held)}.png"), 404),
            (("results", f"{uid}.dcm"), 404),
            (("report-1.png",), 422),
            (("report.json",), 200),
        ):
            assert browser.get(path_of(held, *parts)).status_code == status, parts
