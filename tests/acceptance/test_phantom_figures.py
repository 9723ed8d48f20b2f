"""The phantom checkpoint's figures, from DICOM in to the SR in the archive.

Thirty phantoms that no training has seen enter by C-STORE: both polarities, five
aspect ratios, with and without lateral and prior. Their findings are read from the
documents that the archive holds, by highdicom and not by our reader,
and compared with what was planted, in pixels of the image that was sent.
"""

from dataclasses import dataclass
from math import comb, sqrt
from pathlib import Path
from statistics import stdev

import pytest

from dicom_io.archive import Archive, open_archive
from dicom_io.evidence import SlotName
from dicom_io.phantom import (
    PhantomFile,
    PhantomFileOptions,
    Polarity,
    phantom_study_files,
)
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.lifecycle import State
from model.engines.local import LocalEngine
from model.options import EngineOptions
from model.phantom.asking import grounded_report, held_out_seeds
from model.phantom.findings import SIDED
from model.phantom.generator import PhantomStudy, make_phantom
from model.phantom.scoring import Score, score, summarise
from model.phantom.text import inputs_of, true_phrases
from model.report import GroundedPhrase, NormalizedBox
from tests.data.archives import own_objects
from tests.data.returned import Returned, returned_findings
from tests.data.sites import (
    MODALITY,
    Running,
    archive_peer,
    running_gateway,
    site_settings,
)

SEED, COUNT = 31, 30
CURRENT = (SlotName.CURRENT_FRONTAL, SlotName.CURRENT_LATERAL)
ENDED = (State.COMMITTED, State.PARKED, State.DECLINED, State.HELD)
CHANCE = 0.01
"""How rarely a checkpoint that is just as good as required may fall below a floor."""


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One phantom as it was sent; `frontal` is the SOP Instance UID of its film."""

    study: PhantomStudy
    files: tuple[PhantomFile, ...]

    @property
    def study_instance_uid(self) -> str:
        return self.files[0].instance.study_instance_uid

    @property
    def frontal(self) -> str:
        return self.files[0].instance.sop_instance_uid


@dataclass(frozen=True, kw_only=True)
class Came:
    """What the archive holds about one phantom in the end."""

    sent: Sent
    phrases: tuple[GroundedPhrase, ...]
    referenced: frozenset[str]
    """SOP Instance UIDs of the images that boxes were drawn on."""


@pytest.fixture(scope="module")
def sent() -> list[Sent]:
    polarities = tuple(Polarity)
    return [
        Sent(
            study=study,
            files=phantom_study_files(
                study, PhantomFileOptions(polarity=polarities[study.seed % 2])
            ),
        )
        for study in map(make_phantom, held_out_seeds(SEED, COUNT))
    ]


@pytest.fixture(scope="module")
def engine() -> LocalEngine:
    return LocalEngine(EngineOptions(threads=1))


@pytest.fixture(scope="module")
def came(
    sent: list[Sent], engine: LocalEngine, tmp_path_factory: pytest.TempPathFactory
) -> list[Came]:
    """Send every phantom through a gateway; return what the archive holds then."""
    folder = tmp_path_factory.mktemp("figures")
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        peer = archive_peer("ARCHIVE", archive.port)
        with running_gateway(site_settings(folder / "data", peer), engine) as gateway:
            for each in sent:
                _enter(each, gateway, archive, folder)
            for each in sent:
                study = gateway.wait_for(each.study_instance_uid, *ENDED, seconds=120)
                assert study.state is State.COMMITTED, study.reason
        return [_came(each, archive) for each in sent]


def _enter(one: Sent, gateway: Running, archive: Archive, folder: Path) -> None:
    """Put the prior into the archive and send the current images."""
    paths = []
    for file in one.files:
        if file.slot not in CURRENT:
            archive.put(file.data)
            continue
        paths.append(folder / f"{one.study.seed}-{file.slot}.dcm")
        paths[-1].write_bytes(file.data)
    outcomes = store_instances(MODALITY, gateway.remote, paths)
    assert {outcome.status for outcome in outcomes} == {Status.SUCCESS}


def _came(one: Sent, archive: Archive) -> Came:
    uid = one.study_instance_uid
    mine = [ds for ds in own_objects(archive) if ds.StudyInstanceUID == uid]
    found = returned_findings(mine)
    uids = (each.referenced_sop_instance_uid for each in found)
    return Came(
        sent=one,
        phrases=tuple(_phrase(each, one.study) for each in found),
        referenced=frozenset(uid for uid in uids if uid is not None),
    )


def _phrase(found: Returned, study: PhantomStudy) -> GroundedPhrase:
    box = found.box
    if box is None:
        return GroundedPhrase(text=found.sentence)
    share = _share((box.left, box.top, box.right, box.bottom), study)
    return GroundedPhrase(text=found.sentence, boxes=(share,))


def _share(
    box: tuple[float, float, float, float], study: PhantomStudy
) -> NormalizedBox:
    """Return a box in pixels as shares of columns and rows: overlaps stay the same."""
    rows, columns = study.current_frontal.shape
    return NormalizedBox(
        x_min=box[0] / columns,
        y_min=box[1] / rows,
        x_max=box[2] / columns,
        y_max=box[3] / rows,
    )


def _planted(study: PhantomStudy) -> list[GroundedPhrase]:
    """Return the truth in pixels of the stored film, clipped to what a model sees.

    A model is not asked for what the centre crop cuts off.
    """
    rows, columns = study.current_frontal.shape
    side = min(rows, columns)
    left, top = (columns - side) // 2, (rows - side) // 2
    phrases = [GroundedPhrase(text=text) for text in study.normal]
    for finding in study.findings:
        boxes = [] if finding.box is None else [finding.box]
        seen = [
            (
                max(x_min, left),
                max(y_min, top),
                min(x_max, left + side),
                min(y_max, top + side),
            )
            for x_min, y_min, x_max, y_max in boxes
        ]
        shares = tuple(_share(box, study) for box in seen)
        phrases.append(GroundedPhrase(text=finding.sentence, boxes=shares))
    return phrases


@pytest.fixture(scope="module")
def scores(came: list[Came]) -> list[Score]:
    return [score(_planted(each.sent.study), each.phrases) for each in came]


def floor_of(required: float, asked: int) -> float:
    """Return the lowest share of `asked` that chance explains, if `required` is true.

    A checkpoint of exactly the required share falls below it in less than `CHANCE`
    of all samples (binomial): what fails here is worse than required.
    """
    below, right = 0.0, 0
    while (below := below + _exactly(right, required, asked)) <= CHANCE:
        right += 1
    return right / asked


def _exactly(right: int, share: float, asked: int) -> float:
    return comb(asked, right) * share**right * (1 - share) ** (asked - right)


def test_the_floor_is_that_of_the_binomial_distribution() -> None:
    # Two tries at a half: none is right in 0.25 of all samples, so none may be
    # asked for. At 0.99 none is right in 0.0001, fewer than two in 0.0199.
    assert floor_of(0.5, 2) == 0.0
    assert floor_of(0.99, 2) == 0.5


def test_the_phantoms_are_of_all_sorts(sent: list[Sent]) -> None:
    studies = [each.study for each in sent]
    shapes = {study.current_frontal.shape for study in studies}
    assert len(shapes) == 5
    assert 10 <= sum(study.prior_frontal is not None for study in studies) <= 20
    assert 10 <= sum(study.current_lateral is not None for study in studies) <= 20
    assert any(not study.findings for study in studies)


def test_what_was_planted_is_found(scores: list[Score]) -> None:
    found = summarise(scores).finding_f1 or 0.0
    # F1 is the share of right ones among planted and answered, half of it each.
    asked = sum(one.planted + one.answered for one in scores) // 2
    assert found >= floor_of(0.95, asked)


def test_its_boxes_lie_where_it_was_planted_in_pixels_of_the_film(
    scores: list[Score],
) -> None:
    overlaps = [match.overlap for one in scores for match in one.matches]
    # 2.326 deviations of the mean: one in a hundred lies lower by chance.
    reach = 2.326 * stdev(overlaps) / sqrt(len(overlaps))
    assert sum(overlaps) / len(overlaps) >= 0.70 - reach


def test_its_side_is_named(scores: list[Score]) -> None:
    named = summarise(scores).side_accuracy or 0.0
    matches = [match for one in scores for match in one.matches]
    asked = sum(match.planted.kind in SIDED for match in matches)
    assert asked >= 30
    assert named >= floor_of(0.99, asked)


def test_its_change_is_told_by_the_prior_from_the_archive(scores: list[Score]) -> None:
    told = summarise(scores).change_accuracy or 0.0
    asked = sum(len(one.changes) for one in scores)
    assert asked >= 20
    assert told >= floor_of(0.90, asked)


def test_every_box_is_drawn_on_the_film_that_was_sent(came: list[Came]) -> None:
    for each in came:
        assert each.referenced <= {each.sent.frontal}


def test_dicom_costs_none_of_it(
    sent: list[Sent], scores: list[Score], engine: LocalEngine
) -> None:
    direct = summarise(
        score(
            true_phrases(one.study),
            grounded_report(engine, inputs_of(one.study)).phrases,
        )
        for one in sent
    )
    whole_way = summarise(scores)
    # One finding of some forty, and the rounding of a box to the film's pixels.
    assert whole_way.finding_f1 == pytest.approx(direct.finding_f1, abs=0.025)
    assert whole_way.mean_iou == pytest.approx(direct.mean_iou, abs=0.02)
    assert whole_way.side_accuracy == pytest.approx(direct.side_accuracy, abs=0.025)
