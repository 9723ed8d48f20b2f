"""Texts of a network or a model change no element of the study page: 100 payloads."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest

from dicom_io.evidence import Rejection
from gateway.ledger import GroundingState
from gateway.showing.choices import Choice
from gateway.showing.study_page import StudyPage, open_page
from gateway.stages import grounding
from gateway.web.pages import TEMPLATES
from gateway.web.study_values import page_values
from tests.data.markup import PAYLOADS
from tests.data.study_pages import read_study

PLAIN = "plain words"
NOW = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)
COMMON = {
    "person": None,
    "may": {"STUDIES_GROUND"},
    "places": (),
    "path": "/studies/1",
    "form_token": "0",
    "form_field": "form_token",
    "research_only": "Research only",
    "version": "0",
}


class Skeleton(HTMLParser):
    """The elements of a page with the names of their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.texts: list[str] = []
        self.values: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(name for name, _ in attrs)))
        self.values += [value or "" for _, value in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")

    @property
    def text(self) -> str:
        return " ".join("".join(self.texts).split())


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> StudyPage:
    """A page with something in each of its places."""
    with read_study(tmp_path_factory.mktemp("read")) as study:
        site, uid = study.bench.site, study.uid
        for _ in range(2):
            grounding.ask(site.ledger, uid, PLAIN, "anna", NOW)
        study.bench.clock.now = NOW
        grounding.work(site)
        page = open_page(site, uid, "anna", NOW)
    first, last = page.groundings
    refused = replace(last.record, state=GroundingState.REFUSED, body=None)
    return replace(
        page, groundings=(first, replace(last, record=refused, reading=None))
    )


def name(page: StudyPage, text: str) -> StudyPage:
    assert page.subject
    patient = replace(page.subject.patient, name=text, patient_id=text, issuer=text)
    return replace(page, subject=replace(page.subject, patient=patient))


def header(page: StudyPage, text: str) -> StudyPage:
    assert page.subject
    subject = replace(
        page.subject, study_description=text, accession_number=text, institution=text
    )
    image = page.images[0]
    assert image.header
    odd = replace(image, header=replace(image.header, view_position=text))
    return replace(page, subject=subject, images=(odd, *page.images[1:]))


def sentence(page: StudyPage, text: str) -> StudyPage:
    reading = page.readings[0]
    findings = tuple(
        replace(
            finding,
            sentence=text,
            boxes=tuple(replace(box, identifier=text) for box in finding.boxes),
        )
        for finding in reading.overlay.findings
    )
    overlay = replace(reading.overlay, findings=findings, remarks=(text,))
    return replace(page, readings=(replace(reading, overlay=overlay, phrase=text),))


def reasons(page: StudyPage, text: str) -> StudyPage:
    detail = page.detail
    rejected = (Rejection(what=text, reason=text),)
    slots = tuple(
        replace(slot, reason=text, source=text, document=text, rejected=rejected)
        for slot in detail.slots
    )
    moves = tuple(replace(move, reason=text) for move in detail.moves)
    study = replace(detail.study, reason=text)
    changed = replace(detail, slots=slots, moves=moves, study=study, notes=(text,))
    return replace(page, detail=changed)


def phrase(page: StudyPage, text: str) -> StudyPage:
    groundings = tuple(
        replace(
            each,
            record=replace(each.record, phrase=text, asked_by=text, detail=text),
        )
        for each in page.groundings
    )
    return replace(page, groundings=groundings)


def engine(page: StudyPage, text: str) -> StudyPage:
    assert page.detail.engine
    named = replace(page.detail.engine, model_name=text, model_manufacturer=text)
    return replace(page, detail=replace(page.detail, engine=named))


def skeleton(page: StudyPage) -> Skeleton:
    values = page_values(page, tuple(Choice))
    html = TEMPLATES.get_template("study.html").render({**COMMON, **values})
    return Skeleton(html)


@pytest.mark.parametrize("change", [name, header, sentence, reasons, phrase, engine])
def test_a_text_is_shown_as_it_is_and_makes_no_element(
    shown: StudyPage, change: Callable[[StudyPage, str], StudyPage]
) -> None:
    assert len(set(PAYLOADS)) == 100
    plain = skeleton(change(shown, PLAIN)).elements
    for payload in PAYLOADS:
        found = skeleton(change(shown, payload))
        assert found.elements == plain, payload
        assert " ".join(payload.split()) in found.text, payload


def test_no_script_or_style_stands_in_the_page(shown: StudyPage) -> None:
    """The policy of the answers forbids both; the page must not need them."""
    found = skeleton(shown)
    assert [attributes for tag, attributes in found.elements if tag == "script"] == [
        ("type", "src")
    ]
    names = {name for _, attributes in found.elements for name in attributes}
    assert not {name for name in names if name == "style" or name.startswith("on")}
    assert "style" not in {tag for tag, _ in found.elements}
    assert not any(value.startswith("javascript:") for value in found.values)
