from dataclasses import replace
from pathlib import Path

from dicom_io.evidence import Rejection, Slot, SlotName
from dicom_io.header import Instance, read_instance
from dicom_io.inputs.history import History
from dicom_io.inputs.prior import Prior
from dicom_io.inputs.sections import Sections
from dicom_io.inputs.slots import UsedImages, fill_slots
from dicom_io.inputs.view import Views
from dicom_io.options import ReportSource
from dicom_io.reports.values import PriorReport
from tests.data.films import film_dataset, write_film

REFUSED = Rejection(what="1.9", reason="a lateral image")
SECTIONS = Sections(
    indication="Cough.",
    indication_source="ReasonForStudy",
    technique="PA view of the chest.",
    comparison="Chest radiograph of 2020-04-01.",
)


def slots_of(film: Instance, prior: Prior | None) -> dict[SlotName, Slot]:
    views = Views(frontal=film, lateral=None, reasons=(), rejected=(REFUSED,))
    used = UsedImages(frontal=film, lateral=None, prior=film if prior else None)
    history = History(prior=prior, rejected_priors=(REFUSED,))
    return {slot.name: slot for slot in fill_slots(views, history, used, SECTIONS)}


def prior_of(film: Instance) -> Prior:
    return Prior(
        study_instance_uid="1.5",
        study_date=None,
        frontal=film,
        report=PriorReport(
            text="Clear.",
            source=ReportSource.HL7,
            document="MSG-1",
            section="findings",
            reason="findings section",
        ),
        reasons=("the only frontal",),
        flags=(),
        rejected_reports=(REFUSED,),
    )


def test_each_filled_slot_says_where_it_came_from(tmp_path: Path) -> None:
    film = read_instance(write_film(tmp_path / "film.dcm", film_dataset()))
    slots = slots_of(film, prior_of(film))
    assert {name: slot.source for name, slot in slots.items()} == {
        SlotName.CURRENT_FRONTAL: "image",
        SlotName.CURRENT_LATERAL: None,
        SlotName.PRIOR_FRONTAL: "image",
        SlotName.PRIOR_REPORT: "hl7",
        SlotName.INDICATION: "ReasonForStudy",
        SlotName.TECHNIQUE: "views",
        SlotName.COMPARISON: "prior",
    }
    assert slots[SlotName.PRIOR_REPORT].document == "MSG-1"


def test_what_was_not_used_stands_with_its_slot(tmp_path: Path) -> None:
    film = read_instance(write_film(tmp_path / "film.dcm", film_dataset()))
    slots = slots_of(film, replace(prior_of(film), report=None))
    refused = {name for name, slot in slots.items() if slot.rejected == (REFUSED,)}
    assert refused == set(list(SlotName)[:4])
    assert slots[SlotName.PRIOR_REPORT].reason == "1.9: a lateral image"
