"""HL7 messages into a running gateway, and a real modality worklist."""

import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian

from benchmarks.rounds import free_port
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.scu.worklist import find_orders
from tests.data.messages import ACCESSION, order
from tests.data.network import caller
from tests.data.peers import answers_tcp, process_of, require_peer
from tests.data.sites import running_gateway, site_settings


def test_a_running_gateway_keeps_orders(tmp_path: Path) -> None:
    settings = site_settings(tmp_path, {"hl7": {"enabled": True, "port": 0}})
    with running_gateway(settings) as running:
        port = running.gateway.hl7_port
        assert port is not None
        with socket.create_connection(("127.0.0.1", port), timeout=20) as sender:
            sender.sendall(b"\x0b" + order() + b"\x1c\r")
            assert b"MSA|AA|CTRL-7" in sender.recv(4096)
        with running.site.ledger.reading() as rows:
            assert [o.reason for o in rows.orders(ACCESSION)] == ["Cough and fever"]


@pytest.mark.peers
def test_the_worklist_of_dcmtk_answers_one_accession_number(tmp_path: Path) -> None:
    program, port = require_peer("wlmscpfs"), free_port()
    folder = tmp_path / "RIS"
    folder.mkdir()
    (folder / "lockfile").touch()
    for number in ("ACC1", "ACC10"):
        _step(folder / f"{number}.wl", number)
    command = [program, "-dfp", str(tmp_path), str(port)]
    with process_of(command, lambda: answers_tcp(port)):
        remote = RemoteAE(name="ris", title=AETitle("RIS"), host="127.0.0.1", port=port)
        (found,) = find_orders(caller(), remote, "ACC1")
    assert (found.accession_number, found.reason) == ("ACC1", "cough")
    assert found.patient.patient_id == "P-ACC1"


def _step(path: Path, number: str) -> None:
    now = datetime(2026, 3, 2, 10, tzinfo=UTC)
    step = Dataset()
    step.ScheduledStationAETitle, step.Modality = "XRAY", "DX"
    step.ScheduledProcedureStepStartDate = now.strftime("%Y%m%d")
    step.ScheduledProcedureStepStartTime = now.strftime("%H%M%S")
    step.ScheduledProcedureStepDescription = "Chest"
    step.ScheduledProcedureStepID = "S1"
    step.ScheduledPerformingPhysicianName = "Doc^A"
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.AccessionNumber, ds.PatientID = number, f"P-{number}"
    ds.PatientName, ds.PatientBirthDate, ds.PatientSex = "Doe^Jane", "19500102", "F"
    ds.StudyInstanceUID = "1.2.826.0.1.3680043.10.543.5"
    ds.RequestedProcedureID, ds.RequestedProcedureDescription = "RP1", "XR chest"
    ds.ReasonForTheRequestedProcedure = "cough"
    ds.ScheduledProcedureStepSequence = [step]
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = UID("1.2.276.0.7230010.3.1.0.1")
    ds.file_meta.MediaStorageSOPInstanceUID = UID("1.2.826.0.1.3680043.10.543.6")
    ds.save_as(path, enforce_file_format=True)
