"""Questions to a modality worklist, and its answers read."""

import pytest
from pydicom.dataset import Dataset

from dicom_io.scu.worklist import read_orders, worklist_identifier


@pytest.mark.parametrize("number", ["", " ", "*", "A?", "A\\B", "A" * 17, "A\n"])
def test_no_question_is_made_that_could_match_several(number: str) -> None:
    with pytest.raises(ValueError, match="nothing is sent"):
        worklist_identifier(number)


def test_the_accession_number_is_the_only_key() -> None:
    asked = worklist_identifier("ACC1 ")
    given = [each.keyword for each in asked if each.value]
    assert given == ["AccessionNumber", "ScheduledProcedureStepSequence"]
    assert asked.AccessionNumber == "ACC1"
    assert all(not each.value for each in asked.ScheduledProcedureStepSequence[0])


@pytest.mark.parametrize(
    ("priority", "urgent"),
    [("STAT", True), ("HIGH", True), ("ROUTINE", False), (None, False)],
)
def test_a_step_of_high_priority_is_urgent(priority: str | None, urgent: bool) -> None:
    answer = Dataset()
    answer.AccessionNumber, answer.RequestedProcedurePriority = "ACC1", priority
    (order,) = read_orders([answer], "ACC1")
    assert order.urgent is urgent


def test_answers_about_another_number_are_dropped_and_steps_are_one_order() -> None:
    code = Dataset()
    code.CodeMeaning = "Cough"
    answer = Dataset()
    answer.AccessionNumber, answer.PatientID = "ACC1", "PAT1"
    answer.RequestedProcedureID = "RP1"
    answer.ReasonForTheRequestedProcedure = "fever"
    answer.ReasonForRequestedProcedureCodeSequence = [code]
    other = Dataset()
    other.AccessionNumber = "ACC10"
    (order,) = read_orders([other, answer, answer], "ACC1")
    assert (order.document, order.reason, order.reason_codes) == (
        "RP1",
        "fever",
        "Cough",
    )
    assert order.patient.patient_id == "PAT1"
