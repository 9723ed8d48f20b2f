"""The narrative SR: what a person reads."""

from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.evidence import Evidence
from dicom_io.results.encode import encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.read import read_sentences
from model.report import FlagKind, GroundedPhrase, GroundedReport, NormalizedBox, Task
from tests.data.reports import (
    EFFUSIONS,
    NO_PNEUMOTHORAX,
    OPACITY,
    context,
    evidence,
    film_file,
    report,
)

SQUARE = evidence(rows=1000, columns=1000)


@pytest.fixture
def frontal(tmp_path: Path) -> Path:
    return film_file(tmp_path)


def narrative(frontal: Path, said: GroundedReport, seen: Evidence = SQUARE) -> bytes:
    made = encode_results(frontal, said, seen, context())
    assert made[-1].kind is ResultKind.NARRATIVE_SR
    return made[-1].data


def described(data: bytes) -> list[str]:
    heading = section(data, "Current Procedure Descriptions")
    return [str(item.TextValue) for item in heading.ContentSequence]


def section(data: bytes, wanted: str) -> Dataset:
    items: list[Dataset] = list(dcmread(BytesIO(data)).ContentSequence)
    return next(
        item for item in items if item.ConceptNameCodeSequence[0].CodeMeaning == wanted
    )


def test_all_sentences_are_there_in_order(frontal: Path) -> None:
    said = (NO_PNEUMOTHORAX, OPACITY, EFFUSIONS)

    assert read_sentences(narrative(frontal, report(said))) == tuple(
        phrase.text for phrase in said
    )


def test_the_research_notice_comes_first(frontal: Path) -> None:
    first = described(narrative(frontal, report()))[0]

    assert first.startswith("Research only, not for clinical use")
    assert "MAIRA-2" in first


def test_an_empty_answer_says_that_nothing_was_written(frontal: Path) -> None:
    said = report((), task=Task.FINDINGS, flags=[FlagKind.EMPTY])

    assert read_sentences(narrative(frontal, said)) == ("The model wrote no findings.",)


@pytest.mark.parametrize("kind", FlagKind)
def test_every_flag_has_a_sentence(frontal: Path, kind: FlagKind) -> None:
    plain = described(narrative(frontal, report()))
    flagged = described(narrative(frontal, report(flags=[kind])))

    assert len(flagged) == len(plain) + 1


def test_a_box_that_could_not_be_drawn_is_told(frontal: Path) -> None:
    line = NormalizedBox(x_min=0.2, y_min=0.5, x_max=0.2, y_max=0.6)
    said = report((GroundedPhrase(text="A line.", boxes=(line,)),))

    assert "Finding 1: 1 of its boxes" in described(narrative(frontal, said))[-1]


def test_the_margins_that_the_model_did_not_see_are_told(frontal: Path) -> None:
    data = narrative(frontal, report(), evidence(rows=1000, columns=800))

    # 1000 - 800 = 200 of 1000 rows, half at each end
    told = "10.0 % at the top and 10.0 % at the bottom were not seen"
    assert any(told in line for line in described(data))


def test_a_square_film_is_seen_whole(frontal: Path) -> None:
    assert not any(
        "not seen" in line for line in described(narrative(frontal, report()))
    )


def test_the_inputs_of_the_model_are_named_and_referenced(frontal: Path) -> None:
    data = narrative(frontal, report(), evidence(with_prior=True))

    read = section(data, "Current Procedure Descriptions").ContentSequence[1]
    assert read.TextValue.startswith("Read: current_frontal, current_lateral")
    assert [item.ValueType for item in read.ContentSequence] == [
        "IMAGE",
        "IMAGE",
        "IMAGE",
        "COMPOSITE",
    ]


def test_a_missing_input_is_named(frontal: Path) -> None:
    assert "Not available: prior_frontal." in described(narrative(frontal, report()))[1]


def test_an_asked_phrase_without_a_place_is_told(frontal: Path) -> None:
    asked = report((NO_PNEUMOTHORAX,), task=Task.PHRASE_GROUNDING, phrase="air")

    assert "Asked to locate: air" in described(narrative(frontal, asked))
