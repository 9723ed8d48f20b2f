from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from pydantic import TypeAdapter

from dicom_io.coordinates import Orientation
from dicom_io.evidence import Evidence, SlotName, reference
from dicom_io.header import Instance, read_instance
from dicom_io.inputs.context import Case, assemble
from dicom_io.inputs.history import History
from dicom_io.inputs.looking import HEADERS_ALONE
from dicom_io.inputs.prior import Prior, PriorGuard, RetrievedStudy, gather_prior
from dicom_io.inputs.refusal import Declined, DeclineReason
from dicom_io.inputs.view import Views, select_views
from dicom_io.options import (
    IdentityPolicy,
    PictureOptions,
    PriorRules,
    Rendering,
    ReportRules,
    ReportSource,
    ViewRules,
)
from dicom_io.reports.values import PriorReport
from tests.data.films import film_dataset, real_film, write_film


def film(
    path: Path,
    pixels: npt.NDArray[np.uint16] | None = None,
    /,
    **attributes: object,
) -> Instance:
    uid = f"1.2.3.{sum(path.name.encode())}"
    ds = film_dataset(pixels, **{"SOPInstanceUID": uid, **attributes})
    return read_instance(write_film(path, ds))


GUARD = PriorGuard(
    identity=IdentityPolicy(),
    prior=PriorRules(),
    views=ViewRules(),
    reports=ReportRules(),
)


def case(
    *instances: Instance, prior: Prior | None = None, voi: bool = False
) -> Case | Declined:
    views = select_views(instances, HEADERS_ALONE, ViewRules())
    assert isinstance(views, Views), views
    rendering = Rendering.VOI if voi else Rendering.AS_TRAINED
    return assemble(views, History(prior=prior), PictureOptions(rendering=rendering))


def read(*instances: Instance, prior: Prior | None = None) -> Case:
    assembled = case(*instances, prior=prior)
    assert isinstance(assembled, Case), assembled
    return assembled


def slots(assembled: Case) -> dict[SlotName, bool]:
    return {slot.name: slot.filled for slot in assembled.evidence.slots}


def test_a_real_pair_fills_both_image_slots() -> None:
    names = ("dicom/sim_lidc_lat.dcm", "dicom/sim_lidc_pa.dcm")
    assembled = read(*(read_instance(real_film(name)) for name in names))
    assert assembled.inputs.current_lateral is not None
    assert assembled.inputs.current_frontal.mean() > 100
    assert assembled.inputs.current_lateral.mean() < 90
    assert list(slots(assembled)) == list(SlotName)
    assert slots(assembled)[SlotName.CURRENT_LATERAL]
    assert not slots(assembled)[SlotName.PRIOR_FRONTAL]


def test_a_prior_fills_its_slot_and_the_comparison() -> None:
    first, second = (
        read_instance(real_film(f"dicom/mhh_8d6990f2_{n}_pa.dcm")) for n in (1, 2)
    )
    prior = gather_prior(second, RetrievedStudy(instances=(first,)), GUARD)
    assert isinstance(prior, Prior)
    assembled = read(second, prior=prior)
    assert assembled.inputs.comparison == "Chest radiograph of 2020-04-01."
    assert assembled.inputs.prior_frontal is not None
    (used,) = assembled.evidence.prior_images
    assert used.sop_instance_uid == first.sop_instance_uid
    adapter = TypeAdapter(Evidence)
    kept = adapter.dump_json(assembled.evidence)
    assert adapter.validate_json(kept) == assembled.evidence


def test_a_mirrored_film_is_shown_upright_and_remembered(tmp_path: Path) -> None:
    plain = film(tmp_path / "plain.dcm")
    mirrored = film(tmp_path / "mirrored.dcm", PatientOrientation=["R", "F"])
    turned = read(mirrored)
    assert np.array_equal(
        turned.inputs.current_frontal, read(plain).inputs.current_frontal[:, ::-1]
    )
    assert turned.evidence.frame.orientation == Orientation(mirror_columns=True)
    assert any("turned upright" in note for note in turned.evidence.notes)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"PatientOrientation": ["L", "L"]}, DeclineReason.UNSUPPORTED_ORIENTATION),
        ({"Rows": 65}, DeclineReason.UNREADABLE_PIXELS),
        ({"NumberOfFrames": 2}, DeclineReason.UNREADABLE_PIXELS),
    ],
)
def test_a_frontal_that_cannot_be_shown_declines(
    attributes: dict[str, object], reason: DeclineReason, tmp_path: Path
) -> None:
    declined = case(film(tmp_path / "film.dcm", **attributes))
    assert isinstance(declined, Declined)
    assert declined.reason is reason


def test_a_constant_frontal_declines(tmp_path: Path) -> None:
    declined = case(film(tmp_path / "film.dcm", np.full((64, 48), 9, np.uint16)))
    assert isinstance(declined, Declined)
    assert declined.reason is DeclineReason.CONSTANT_IMAGE


def test_a_broken_lateral_is_left_out_with_a_note(tmp_path: Path) -> None:
    lateral = film(
        tmp_path / "lateral.dcm",
        ViewPosition="LL",
        PatientOrientation=["A", "F"],
        Rows=65,
    )
    assembled = read(film(tmp_path / "frontal.dcm"), lateral)
    assert assembled.inputs.current_lateral is None
    assert assembled.evidence.lateral is None
    assert assembled.inputs.technique == "PA view of the chest."
    assert any(note.startswith("left out") for note in assembled.evidence.notes)


def test_a_broken_prior_is_left_out_and_not_compared_with(tmp_path: Path) -> None:
    current = film(tmp_path / "current.dcm")
    older = {"StudyInstanceUID": "1.5", "StudyDate": "20230101", "Rows": 65}
    old = film(tmp_path / "old.dcm", **older)
    prior = gather_prior(current, RetrievedStudy(instances=(old,)), GUARD)
    assert isinstance(prior, Prior)
    assembled = read(current, prior=prior)
    assert assembled.inputs.prior_frontal is None
    assert assembled.inputs.comparison is None
    assert assembled.evidence.prior_images == ()


def test_a_prior_report_is_not_claimed_without_its_image(tmp_path: Path) -> None:
    current = film(tmp_path / "current.dcm")
    older = {"StudyInstanceUID": "1.5", "StudyDate": "20230101", "Rows": 65}
    old = film(tmp_path / "old.dcm", **older)
    prior = gather_prior(current, RetrievedStudy(instances=(old,)), GUARD)
    assert isinstance(prior, Prior)
    report = PriorReport(
        text="Clear.",
        source=ReportSource.SR,
        document=old.sop_instance_uid,
        section="findings",
        instance=reference(old),
        reason="findings",
    )
    assembled = read(current, prior=replace(prior, report=report))
    assert assembled.inputs.prior_report is None
    assert assembled.inputs.comparison is None
    assert assembled.evidence.prior_report is None
    said = {slot.name: slot for slot in assembled.evidence.slots}
    for name in (SlotName.PRIOR_REPORT, SlotName.COMPARISON):
        assert not said[name].filled
        assert "not usable" in said[name].reason
    assert any("prior report" in note for note in assembled.evidence.notes)


def test_a_shape_that_contradicts_the_photometry_is_noted(tmp_path: Path) -> None:
    assembled = read(film(tmp_path / "film.dcm", PresentationLUTShape="INVERSE"))
    assert any("contradicts" in note for note in assembled.evidence.notes)


def test_the_rendering_is_recorded(tmp_path: Path) -> None:
    assembled = case(film(tmp_path / "film.dcm"), voi=True)
    assert isinstance(assembled, Case)
    assert assembled.evidence.rendering == "voi"
