"""Every real film through the pipeline, with boxes given, so that only their
placement and the headers are on trial."""

from pathlib import Path

import pydicom
import pytest

from dicom_io.results.read import read_findings
from gateway.lifecycle import State
from gateway.process import ProcessedStudy, process_files
from tests.data.engines import HEART, NODULE, CannedEngine
from tests.data.films import real_film, real_films
from tests.data.geometry import edges_in_image
from tests.data.sites import site_settings

FILMS = [
    "mhh_327d82ca_1_pa",
    "mhh_327d82ca_2_ap",
    "mhh_8d6990f2_1_pa",
    "mhh_8d6990f2_1_pa_bigendian",
    "mhh_8d6990f2_1_pa_deflated",
    "mhh_8d6990f2_1_pa_implicit",
    "mhh_8d6990f2_1_pa_jpegbaseline",
    "mhh_8d6990f2_1_pa_rle",
    "mhh_8d6990f2_2_pa",
    "mhh_8d6990f2_3_pa",
    "mhh_88b33741_1_pa",
    "mhh_88b33741_2_pa",
    "mhh_024e7871_1_pa",
    "mhh_327d82ca_3_ap",
    "cc0_pa_2010_mono1_jpegls",
    "sim_lidc_pa",
    "RG1_J2KI",
    "RG1_j2k_lossless",
    "RG1_jpegll_sv1",
    "RG1_jpegls",
]

REFUSED = {
    "dog_lateral_thorax_dx_mono1": "not-human",
    "cr_cspine_ll_16px": "not-chest",
    "chrJapMulti": "no-pixels",
    "chrKoreanMulti": "no-pixels",
}


def process(tmp_path: Path, *files: Path) -> ProcessedStudy:
    outcome = process_files(
        site_settings(tmp_path / "site"), files, tmp_path / "out", CannedEngine()
    )
    assert outcome.refused == ()
    (study,) = outcome.studies
    return study


@pytest.mark.parametrize("name", FILMS)
def test_each_film_is_reported_with_its_boxes_where_they_belong(
    name: str, tmp_path: Path
) -> None:
    path = real_film(f"dicom/{name}.dcm")
    study = process(tmp_path, path)
    assert study.state is State.KEPT, study.reason
    (report,) = [f for f in study.files if f.name.endswith("findings-sr.dcm")]
    ds = pydicom.dcmread(path, stop_before_pixels=True)
    found = read_findings(report)
    assert len(found) == 2
    for finding, box in zip(found, (NODULE, HEART), strict=True):
        assert finding.referenced_sop_instance_uid == ds.SOPInstanceUID
        share = (box.x_min, box.y_min, box.x_max, box.y_max)
        expected = edges_in_image(share, ds.Rows, ds.Columns, 518)
        found_edges = [
            finding.box.left,
            finding.box.top,
            finding.box.right,
            finding.box.bottom,
        ]
        assert found_edges == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("name", "reason"), REFUSED.items())
def test_what_is_no_human_chest_film_is_declined_with_the_reason(
    name: str, reason: str, tmp_path: Path
) -> None:
    study = process(tmp_path, real_film(f"odd/{name}.dcm"))
    assert study.state is State.DECLINED
    assert study.reason is not None
    assert study.reason.startswith(reason)


def test_every_film_that_is_at_hand_is_on_trial() -> None:
    assert {path.stem for path in real_films("dicom")} == {*FILMS, "sim_lidc_lat"}
    assert {path.stem for path in real_films("odd")} == set(REFUSED)


def test_frontal_and_lateral_of_one_study_fill_their_inputs(tmp_path: Path) -> None:
    engine = CannedEngine()
    files = [real_film(f"dicom/sim_lidc_{view}.dcm") for view in ("lat", "pa")]
    outcome = process_files(
        site_settings(tmp_path / "site"), files, tmp_path / "out", engine
    )
    assert [study.state for study in outcome.studies] == [State.KEPT]
    (request,) = engine.asked
    frontal = pydicom.dcmread(files[1], stop_before_pixels=True)
    assert request.inputs.current_frontal.shape == (frontal.Rows, frontal.Columns)
    assert request.inputs.current_lateral is not None


def test_the_earlier_film_of_a_patient_becomes_the_prior(tmp_path: Path) -> None:
    engine = CannedEngine()
    names = ("mhh_88b33741_1_pa", "mhh_88b33741_2_pa")
    files = [real_film(f"dicom/{name}.dcm") for name in names]
    process_files(site_settings(tmp_path / "site"), files, tmp_path / "out", engine)
    priors = [request.inputs.prior_frontal is not None for request in engine.asked]
    assert sorted(priors) == [False, True]
