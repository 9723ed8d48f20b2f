"""Phantom studies as files: read back by the parts of the gateway they are for."""

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.evidence import SlotName
from dicom_io.header import read_instance
from dicom_io.inputs.looking import HEADERS_ALONE
from dicom_io.inputs.sections import read_sections
from dicom_io.inputs.view import Views, select_views
from dicom_io.options import ViewRules
from dicom_io.phantom import (
    PhantomFile,
    PhantomFileOptions,
    Polarity,
    phantom_study_files,
)
from dicom_io.reports.choice import find_prior_report
from model.phantom.generator import PhantomOptions, PhantomStudy, make_phantom

OPTIONS = PhantomOptions(short_side=64, with_lateral=True, with_prior=True)
STUDY = make_phantom(7, OPTIONS)


def opened(files: tuple[PhantomFile, ...]) -> dict[SlotName, Dataset]:
    return {file.slot: dcmread(BytesIO(file.data)) for file in files}


def written(study: PhantomStudy, folder: Path) -> dict[SlotName, Path]:
    paths = {}
    for file in phantom_study_files(study):
        paths[file.slot] = folder / f"{file.slot}.dcm"
        paths[file.slot].write_bytes(file.data)
    return paths


def views(paths: dict[SlotName, Path]) -> Views:
    current = (SlotName.CURRENT_FRONTAL, SlotName.CURRENT_LATERAL)
    chosen = select_views(
        [read_instance(paths[slot]) for slot in current],
        HEADERS_ALONE,
        ViewRules(quality_control=True),
    )
    assert isinstance(chosen, Views)
    return chosen


def test_the_same_study_gives_the_same_bytes() -> None:
    assert phantom_study_files(STUDY) == phantom_study_files(make_phantom(7, OPTIONS))


def test_a_whole_study_has_two_films_a_prior_film_and_its_report() -> None:
    assert [file.slot for file in phantom_study_files(STUDY)] == [
        SlotName.CURRENT_FRONTAL,
        SlotName.CURRENT_LATERAL,
        SlotName.PRIOR_FRONTAL,
        SlotName.PRIOR_REPORT,
    ]


def test_what_the_phantom_lacks_is_left_out() -> None:
    alone = make_phantom(
        7, PhantomOptions(short_side=64, with_lateral=False, with_prior=False)
    )

    assert [file.slot for file in phantom_study_files(alone)] == [
        SlotName.CURRENT_FRONTAL
    ]


def test_another_salt_is_another_patient_and_study() -> None:
    one = opened(phantom_study_files(STUDY))[SlotName.CURRENT_FRONTAL]
    other = opened(phantom_study_files(STUDY, PhantomFileOptions(salt="again")))[
        SlotName.CURRENT_FRONTAL
    ]

    assert one.StudyInstanceUID != other.StudyInstanceUID
    assert one.SOPInstanceUID != other.SOPInstanceUID
    assert one.PatientID != other.PatientID


def test_all_files_are_of_one_patient_and_the_prior_is_earlier() -> None:
    made = opened(phantom_study_files(STUDY))

    assert len({(ds.PatientID, ds.IssuerOfPatientID) for ds in made.values()}) == 1
    current, prior = made[SlotName.CURRENT_FRONTAL], made[SlotName.PRIOR_FRONTAL]
    assert prior.StudyDate < current.StudyDate
    assert prior.StudyInstanceUID != current.StudyInstanceUID
    assert made[SlotName.PRIOR_REPORT].StudyInstanceUID == prior.StudyInstanceUID


def test_the_stored_values_are_those_of_the_phantom() -> None:
    film = opened(phantom_study_files(STUDY))[SlotName.CURRENT_FRONTAL]

    assert np.array_equal(film.pixel_array, STUDY.current_frontal)
    assert film.QualityControlImage == "YES"


def test_monochrome1_stores_the_complement() -> None:
    options = PhantomFileOptions(polarity=Polarity.MONOCHROME1)

    film = opened(phantom_study_files(STUDY, options))[SlotName.CURRENT_FRONTAL]

    assert film.PhotometricInterpretation == "MONOCHROME1"
    assert film.PresentationLUTShape == "INVERSE"
    assert np.array_equal(4095 - film.pixel_array, STUDY.current_frontal)


def test_the_header_names_frontal_and_lateral(tmp_path: Path) -> None:
    paths = written(STUDY, tmp_path)

    chosen = views(paths)

    assert chosen.frontal.path == paths[SlotName.CURRENT_FRONTAL]
    assert chosen.lateral is not None
    assert chosen.lateral.path == paths[SlotName.CURRENT_LATERAL]
    assert chosen.frontal.quality_control_image


@pytest.mark.parametrize("indication", ["Evaluate for pneumothorax.", None])
def test_the_order_carries_the_indication(
    tmp_path: Path, indication: str | None
) -> None:
    chosen = views(written(replace(STUDY, indication=indication), tmp_path))

    assert read_sections(chosen.frontal, chosen.lateral, None).indication == indication


def test_the_prior_report_is_one_that_the_gateway_reads(tmp_path: Path) -> None:
    path = written(STUDY, tmp_path)[SlotName.PRIOR_REPORT]

    found = find_prior_report([path])

    assert found.report is not None
    assert found.report.text == STUDY.prior_report
