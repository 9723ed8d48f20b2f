"""highdicom, dcmjs and DCMTK read our findings SR; all say what the ledger says."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from highdicom import sr
from pydicom import dcmread

from dicom_io.results.kinds import ResultKind
from tests.data.peers import run_peer
from tests.viewers.shown import Drawn, Shown
from viewer.origin import OHIF

pytestmark = [pytest.mark.peers, pytest.mark.slow]

STUDIES = ["phantom", "many", "film"]
DCMJS = Path(__file__).with_name("read_with_dcmjs.mjs")
NODE_MODULES = OHIF.parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a toolkit returned of one box; `points` are x, y, x, y, ..."""

    sentence: str
    points: tuple[float, ...]


def by_highdicom(path: Path) -> list[Read]:
    document = sr.srread(path)
    assert isinstance(document, sr.Comprehensive3DSR)
    report = document.content
    assert isinstance(report, sr.MeasurementReport)
    groups = report.get_planar_roi_measurement_groups()
    return [
        Read(sentence=_comment(group), points=_outline_of(group)) for group in groups
    ]


def _comment(group: sr.PlanarROIMeasurementsAndQualitativeEvaluations) -> str:
    (said,) = (item for item in group[0].ContentSequence if item.name.value == "121106")
    return str(said.value)


def _outline_of(
    group: sr.PlanarROIMeasurementsAndQualitativeEvaluations,
) -> tuple[float, ...]:
    assert isinstance(group.roi, sr.ImageRegion)
    return tuple(float(number) for number in group.roi.value.ravel())


def by_dcmjs(path: Path) -> list[Read]:
    done = run_peer("node", DCMJS, NODE_MODULES, path)
    assert done.returncode == 0, done.stderr
    return [
        Read(sentence=each["sentence"], points=tuple(each["points"]))
        for each in json.loads(done.stdout)
    ]


def by_dsrdump(path: Path) -> list[Read]:
    done = run_peer("dsrdump", "+Pl", path)
    assert done.returncode == 0, done.stderr
    groups = done.stdout.split("Measurement Group")[1:]
    return [
        Read(sentence=_one(r'"Comment"\)="(.*?)"', group), points=_points(group))
        for group in groups
    ]


def _one(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    assert found, text
    return found[1]


def _points(group: str) -> tuple[float, ...]:
    listed = _one(r"POLYLINE,([0-9./,e+-]+)", group)
    return tuple(float(number) for number in re.split("[/,]", listed) if number)


def outline(box: Drawn) -> list[float]:
    left, top, right, bottom = box.edges
    return [left, top, right, top, right, bottom, left, bottom, left, top]


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("read", [by_highdicom, by_dcmjs, by_dsrdump])
def test_a_toolkit_reads_the_boxes_and_sentences_of_the_ledger(
    read: Callable[[Path], list[Read]], name: str, shown: dict[str, Shown]
) -> None:
    study = shown[name]
    found = read(study.objects[ResultKind.FINDINGS_SR])
    assert [each.sentence for each in found] == [box.sentence for box in study.boxes]
    for each, box in zip(found, study.boxes, strict=True):
        assert each.points == pytest.approx(outline(box), abs=0.01)


def test_dsr2html_has_every_sentence_of_the_narrative(shown: dict[str, Shown]) -> None:
    study = shown["phantom"]
    done = run_peer("dsr2html", study.objects[ResultKind.NARRATIVE_SR])
    assert done.returncode == 0, done.stderr
    assert [said for said in study.sentences if said not in done.stdout] == []


def test_the_study_says_that_it_is_research_and_not_verified(
    shown: dict[str, Shown],
) -> None:
    study = shown["phantom"]
    for kind in (ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR):
        ds = dcmread(study.objects[kind])
        assert (ds.VerificationFlag, ds.PreliminaryFlag) == (
            "UNVERIFIED",
            "PRELIMINARY",
        )
        assert "RESEARCH" in ds.SeriesDescription
