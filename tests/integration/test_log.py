"""What the log of a served association holds, and what it must not hold."""

import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydicom import uid
from pydicom.filereader import read_file_meta_info
from pynetdicom import AE

from gateway.cli.output import start_log
from gateway.lifecycle import State
from tests.data.engines import CannedEngine
from tests.data.network import radiograph, written
from tests.data.sites import Running, running_gateway, site_settings, wait_until

NAME, FORGED = "Canary^Zebra", "forged line"
HOSTILE = f"1.2.3\n2026 {FORGED} %s"
GOOD = "1.2.3.1"


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Log as `serve` does, into a text; warnings are what a process would print."""
    text, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(text)
    levels = {
        name: logging.getLogger(name).level for name in ("", "pydicom", "alembic")
    }
    root.addHandler(handler)
    with warnings.catch_warnings(record=True) as warned:
        start_log()
        root.setLevel(logging.INFO)
        yield text
    root.removeHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    assert [str(each.message) for each in warned] == []


def send(running: Running, path: Path, sop_instance_uid: str) -> None:
    """Send a file under a UID that need not be its own, as a hostile peer might."""
    ae = AE("MODALITY")
    ae.add_requested_context(uid.ComputedRadiographyImageStorage)
    assoc = ae.associate("127.0.0.1", running.gateway.port, ae_title="MAIRA_GW")
    assert assoc.is_established
    ds = radiograph(PatientName=NAME, PatientID=f"{NAME}-1", StudyDate=f"{NAME}-2")
    ds.SOPInstanceUID = sop_instance_uid
    ds.file_meta = read_file_meta_info(path)
    assoc.send_c_store(ds)
    assoc.release()


def test_neither_a_patient_nor_a_forged_line_reaches_the_log(
    tmp_path: Path, log: io.StringIO
) -> None:
    path = written(tmp_path, radiograph())
    settings = site_settings(tmp_path / "data")
    with running_gateway(settings, CannedEngine()) as running:
        send(running, path, HOSTILE)
        send(running, path, "1.2.3.1.1.1")
        wait_until(
            lambda: (
                ((s := running.study(GOOD)) and s.state is not State.RECEIVING) or None
            ),
            30.0,
            log.getvalue,
        )
    said = log.getvalue()
    assert "instance refused" in said
    assert "Canary" not in said
    assert not any(line.startswith("2026") for line in said.splitlines())


def test_a_patient_in_a_record_is_heard() -> None:
    from tests import conftest

    ear = conftest._Ear()
    logger = logging.getLogger("gateway.canary")
    logger.addHandler(ear)
    logger.propagate = False
    try:
        logger.error("study of %s failed", NAME)
        logging.getLogger("gateway.canary").info("study 1.2.3 failed")
    finally:
        logger.removeHandler(ear)
        logger.propagate = True
    assert ear.heard == [f"gateway.canary study of {NAME} failed"]
