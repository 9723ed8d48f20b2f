"""HL7 v2 messages, built and encoded by hl7apy."""

from hl7apy.consts import VALIDATION_LEVEL
from hl7apy.core import Group, Message

ACCESSION = "ACC-2026-1"
STUDY_UID = "1.2.826.0.1.3680043.10.543.77"


def message(kind: str, structure: str) -> Message:
    """Return a message of version 2.5 with MSH and PID."""
    made = Message(structure, version="2.5", validation_level=VALIDATION_LEVEL.TOLERANT)
    made.msh.msh_3, made.msh.msh_4 = "RIS", "HOSPITAL"
    made.msh.msh_5, made.msh.msh_6 = "GATEWAY", "RESEARCH"
    made.msh.msh_7, made.msh.msh_9 = "20260302101500", kind
    made.msh.msh_10, made.msh.msh_11 = "CTRL-7", "P"
    made.msh.msh_18 = "UNICODE UTF-8"
    return made


def _identify(patient: Group) -> None:
    pid = patient.add_segment("PID")
    pid.pid_3, pid.pid_5 = "PAT1^^^HOSP^MR", "Müller^Anna^B^III^Dr"
    pid.pid_7, pid.pid_8 = "19500102", "F"


def result(status: str = "F", text: str = "Heart normal.") -> bytes:
    """Return an ORU^R01 of one report."""
    made = message("ORU^R01^ORU_R01", "ORU_R01")
    group = made.add_group("ORU_R01_PATIENT_RESULT")
    patient = group.add_group("ORU_R01_PATIENT")
    _identify(patient)
    observed = group.add_group("ORU_R01_ORDER_OBSERVATION")
    request = observed.add_segment("OBR")
    request.obr_1, request.obr_2, request.obr_3 = "1", "PL1^RIS", "FL1^PACS"
    request.obr_4, request.obr_18 = "36643-5^XR Chest^LN", ACCESSION
    request.obr_22, request.obr_25 = "20260302080000+0100", status
    for number, (kind, name, value) in enumerate(
        (
            ("FT", "18782-3^Findings^LN", text),
            ("TX", "19005-8^Impression^LN", "No change."),
            ("ST", "113014^Study Instance UID^DCM", STUDY_UID),
        ),
        start=1,
    ):
        segment = observed.add_group("ORU_R01_OBSERVATION").add_segment("OBX")
        segment.obx_1, segment.obx_2, segment.obx_3 = str(number), kind, name
        segment.obx_5, segment.obx_11 = value, status
    return str(made.to_er7()).encode()


def order(control: str = "NW") -> bytes:
    """Return an ORM^O01 of one order."""
    made = message("ORM^O01^ORM_O01", "ORM_O01")
    patient = made.add_group("ORM_O01_PATIENT")
    _identify(patient)
    group = made.add_group("ORM_O01_ORDER")
    common = group.add_segment("ORC")
    common.orc_1, common.orc_2 = control, "PL1^RIS"
    detail = group.add_group("ORM_O01_ORDER_DETAIL")
    choice = detail.add_group("ORM_O01_OBRRQDRQ1RXOODSODT_SUPPGRP")
    request = choice.add_segment("OBR")
    request.obr_2, request.obr_4 = "PL1^RIS", "36643-5^XR Chest 2 views^LN"
    request.obr_13, request.obr_18 = "Smoker", ACCESSION
    for reason in ("^Cough and fever", "R05^Cough^I10"):
        request.add_field("OBR_31").value = reason
    return str(made.to_er7()).encode()
