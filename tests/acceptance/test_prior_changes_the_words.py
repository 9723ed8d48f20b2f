"""Words of change are said when the right prior arrived, and are others when not.

Each phantom enters by C-STORE four times, as four patients: with its prior in the
archive, with none, with another phantom's, and with a lateral image that is tagged
PA in the prior's place. What is said is read from the documents in the archive.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from pathlib import Path

import pytest
from pydicom import FileDataset

from dicom_io.archive import open_archive
from dicom_io.evidence import SlotName
from dicom_io.phantom import PhantomFile, PhantomFileOptions, phantom_study_files
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.lifecycle import State
from model.engines.local import LocalEngine
from model.options import EngineOptions
from model.phantom.asking import held_out_seeds
from model.phantom.generator import PhantomOptions, PhantomStudy, make_phantom
from model.phantom.sentences import Statement, read
from tests.data.archives import own_objects
from tests.data.returned import returned_findings
from tests.data.sites import MODALITY, archive_peer, running_gateway, site_settings

SEED, COUNT = 47, 6
CURRENT = (SlotName.CURRENT_FRONTAL, SlotName.CURRENT_LATERAL)
ENDED = (State.COMMITTED, State.PARKED, State.DECLINED, State.HELD)


class Given(StrEnum):
    """What the archive holds as a phantom's prior."""

    RIGHT = "right"
    NONE = "none"
    OTHER = "other"
    LATERAL = "lateral"


@dataclass(frozen=True, kw_only=True)
class Came:
    """What was planted, and what the archive holds about it in the end."""

    planted: frozenset[Statement]
    said: frozenset[Statement]
    documents: tuple[FileDataset, ...]
    prior_image: str | None


Answers = Mapping[Given, list[Came]]


def statements(sentences: Iterator[str]) -> frozenset[Statement]:
    """Return what is said of change, and only that."""
    found = map(read, sentences)
    return frozenset(one for one in found if one is not None and one.change)


def changed_phantoms() -> Iterator[PhantomStudy]:
    """Yield phantoms that no training has seen, with a prior and a change."""
    for seed in held_out_seeds(SEED, 400):
        study = make_phantom(seed, PhantomOptions(with_lateral=True))
        if study.prior_frontal is not None and any(f.change for f in study.findings):
            yield study


def as_given(study: PhantomStudy, other: PhantomStudy, given: Given) -> PhantomStudy:
    match given:
        case Given.RIGHT:
            return study
        case Given.NONE:
            return replace(study, prior_frontal=None, prior_report=None)
        case Given.OTHER:
            return replace(
                study,
                prior_frontal=other.prior_frontal,
                prior_report=other.prior_report,
            )
        case Given.LATERAL:
            return replace(study, prior_frontal=study.current_lateral)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    folder = tmp_path_factory.mktemp("words")
    studies = list(islice(changed_phantoms(), COUNT + 1))
    sent = {
        (given, number): phantom_study_files(
            as_given(study, studies[number + 1], given),
            PhantomFileOptions(salt=given.value),
        )
        for number, study in enumerate(studies[:COUNT])
        for given in Given
    }
    documents = whole_way(folder, sent)
    return {
        given: [
            came(studies[number], sent[given, number], documents)
            for number in range(COUNT)
        ]
        for given in Given
    }


def whole_way(
    folder: Path, sent: Mapping[tuple[Given, int], tuple[PhantomFile, ...]]
) -> list[FileDataset]:
    """Send everything through one gateway; return what the archive got back."""
    engine = LocalEngine(EngineOptions(threads=1))
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        settings = site_settings(folder / "data", archive_peer("ARCHIVE", archive.port))
        with running_gateway(settings, engine) as gateway:
            for (given, number), files in sent.items():
                for file in files:
                    if file.slot not in CURRENT:
                        archive.put(file.data)
                paths = written(folder / f"{given}-{number}", files)
                outcomes = store_instances(MODALITY, gateway.remote, paths)
                assert {each.status for each in outcomes} == {Status.SUCCESS}
            for files in sent.values():
                uid = files[0].instance.study_instance_uid
                study = gateway.wait_for(uid, *ENDED, seconds=120)
                assert study.state is State.COMMITTED, study.reason
        return list(own_objects(archive))


def written(folder: Path, files: tuple[PhantomFile, ...]) -> list[Path]:
    """Write the current images for a modality to send."""
    folder.mkdir()
    paths = []
    for file in files:
        if file.slot in CURRENT:
            paths.append(folder / f"{file.slot}.dcm")
            paths[-1].write_bytes(file.data)
    return paths


def came(
    study: PhantomStudy, files: tuple[PhantomFile, ...], documents: list[FileDataset]
) -> Came:
    uid = files[0].instance.study_instance_uid
    mine = [ds for ds in documents if ds.StudyInstanceUID == uid]
    priors = [f for f in files if f.slot is SlotName.PRIOR_FRONTAL]
    return Came(
        planted=statements(finding.sentence for finding in study.findings),
        said=statements(found.sentence for found in returned_findings(mine)),
        documents=tuple(mine),
        prior_image=priors[0].instance.sop_instance_uid if priors else None,
    )


def right_share(came: list[Came]) -> float:
    """Return the share of the planted changes that were told."""
    planted = sum(len(each.planted) for each in came)
    return sum(len(each.planted & each.said) for each in came) / planted


def test_the_right_prior_makes_the_words_of_change_right(answers: Answers) -> None:
    assert right_share(answers[Given.RIGHT]) >= 0.8


def test_without_a_prior_nothing_is_said_of_change(answers: Answers) -> None:
    assert not any(each.said for each in answers[Given.NONE])


@pytest.mark.parametrize("given", [Given.OTHER, Given.LATERAL])
def test_a_wrong_prior_changes_the_words(answers: Answers, given: Given) -> None:
    pairs = zip(answers[Given.RIGHT], answers[given], strict=True)
    assert sum(right.said != wrong.said for right, wrong in pairs) >= COUNT / 2
    assert right_share(answers[given]) < right_share(answers[Given.RIGHT])


def test_the_documents_name_the_prior_image_as_other_evidence(
    answers: Answers,
) -> None:
    for each in answers[Given.RIGHT]:
        named = {
            str(item.ReferencedSOPInstanceUID)
            for ds in each.documents
            for study in ds.get("PertinentOtherEvidenceSequence", ())
            for series in study.ReferencedSeriesSequence
            for item in series.ReferencedSOPSequence
        }
        assert each.prior_image in named
