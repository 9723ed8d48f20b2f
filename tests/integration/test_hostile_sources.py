"""Hostile texts, messages and resources through the real doors of the gateway.

What gets in is one clean line that holds no token of the model; what does not is
answered or noted, and the next one is served as ever.
"""

import base64
import socket
import time
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from dicom_io.inputs.sections import MAX_INDICATION_CHARACTERS, read_sections
from dicom_io.reports.choice import MAX_REPORT_CHARACTERS, find_prior_report
from gateway.errors import SourceFailure
from gateway.ledger import Ledger
from gateway.sources.kinds import OrderKey, ReportKey
from gateway.sources.ledger_messages import (
    DeliveredOrders,
    DeliveredReports,
    MessageIntake,
)
from gateway.sources.mllp import MllpListener, MllpOptions
from model.engines.inputs import clean_question
from model.report import Question, ReportInputs, Task
from tests.data import fhir
from tests.data.films import film_instance
from tests.data.hostile import (
    CONTROL_TOKENS,
    MESSAGES,
    RESOURCES,
    TEXTS,
    UNREADABLE,
    escaped,
)
from tests.data.ledgers import NOW, url_of
from tests.data.messages import ACCESSION, STUDY_UID, order, result
from tests.data.person_reports import sr

SECONDS = 5.0
"""Of a processor, within which any of them is done with; both ends are here."""


class Gate:
    """A listener, its ledger, and a sender that has said good day."""

    def __init__(self, folder: Path, ledger: Ledger, listener: MllpListener) -> None:
        self.folder = folder
        self.ledger = ledger
        self.sender = socket.create_connection(("127.0.0.1", listener.port), timeout=60)

    def send(self, message: bytes) -> str:
        """Return what is answered to a message."""
        self.sender.sendall(b"\x0b" + message + b"\x1c\r")
        data = b""
        while not data.endswith(b"\x1c\r"):
            more = self.sender.recv(4096)
            assert more, "the connection was closed"
            data += more
        return data[1:-2].decode("ascii")


@pytest.fixture(scope="module")
def gate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    folder = tmp_path_factory.mktemp("gate")
    ledger = Ledger.open(url_of(folder))
    intake = MessageIntake(ledger=ledger, clock=lambda: NOW)
    options = MllpOptions(host="127.0.0.1", port=0)
    listener = MllpListener(options, intake.take, lambda: NOW)
    opened = Gate(folder, ledger, listener)
    yield opened
    opened.sender.close()
    listener.close()
    ledger.close()


@pytest.fixture(scope="module")
def server() -> Iterator[fhir.Server]:
    with fhir.serving() as opened:
        yield opened


@pytest.fixture(autouse=True)
def quick() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < SECONDS


def by_hl7(text: str, gate: Gate, server: fhir.Server) -> str | None:
    """Deliver a report, and return what the model is given of it."""
    _ = server
    assert "MSA|AA|" in gate.send(result(text=escaped(text)))
    patient = film_instance().patient
    key = ReportKey(
        study_instance_uid=STUDY_UID, accession_number=None, patient=patient
    )
    found = DeliveredReports(ledger=gate.ledger).find(key)
    chosen = find_prior_report([], found).report
    return None if chosen is None else chosen.text


def by_order(text: str, gate: Gate, server: fhir.Server) -> str | None:
    """Deliver an order, and return what the model is given as indication."""
    _ = server
    reason = b"Cough and fever"
    assert "MSA|AA|" in gate.send(order().replace(reason, escaped(text).encode()))
    key = OrderKey(accession_number=ACCESSION, patient=film_instance().patient)
    orders = DeliveredOrders(ledger=gate.ledger).find(key)
    return read_sections(film_instance(), None, None, orders).indication


def by_document(text: str, gate: Gate, server: fhir.Server) -> str | None:
    """Retrieve a structured report that says it."""
    _ = server
    path = sr(gate.folder / "sr.dcm", text=text, SpecificCharacterSet="ISO_IR 192")
    chosen = find_prior_report([path]).report
    return None if chosen is None else chosen.text


def by_conclusion(text: str, gate: Gate, server: fhir.Server) -> str | None:
    """Serve a report whose conclusion it is."""
    _ = gate
    return _served(server, {"conclusion": text})


def by_form(text: str, gate: Gate, server: fhir.Server) -> str | None:
    """Serve a report that has it as a form in HTML."""
    _ = gate
    data = base64.b64encode(text.encode()).decode()
    return _served(
        server, {"presentedForm": [{"contentType": "text/html", "data": data}]}
    )


def _served(server: fhir.Server, changes: Mapping[str, object]) -> str | None:
    server.answers["/DiagnosticReport"] = fhir.bundle(fhir.report(**changes))
    found = server.reports().find(fhir.report_key())
    chosen = find_prior_report([], found).report
    return None if chosen is None else chosen.text


@pytest.mark.parametrize(
    "door", [by_hl7, by_order, by_document, by_conclusion, by_form]
)
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
def test_a_hostile_text_is_one_clean_line_without_tokens(
    text: str,
    door: Callable[[str, Gate, fhir.Server], str | None],
    gate: Gate,
    server: fhir.Server,
) -> None:
    words = door(text, gate, server)
    if words is None:
        return
    assert len(words) <= max(MAX_REPORT_CHARACTERS, MAX_INDICATION_CHARACTERS)
    assert not any(unicodedata.category(each) in ("Cc", "Zl", "Zp") for each in words)
    assert not set(words) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2069")
    inputs = ReportInputs(
        current_frontal=np.zeros((2, 2), np.uint8), prior_report=words, indication=words
    )
    question = Question(task=Task.GROUNDED_FINDINGS, inputs=inputs)
    asked = clean_question(question, CONTROL_TOKENS).question.inputs
    for given in (asked.prior_report, asked.indication):
        assert not any(token in (given or "") for token in CONTROL_TOKENS)


@pytest.mark.parametrize(("code", "made"), MESSAGES.values(), ids=MESSAGES.keys())
def test_a_hostile_message_is_answered_by_its_code_and_the_next_one_is_kept(
    code: str, made: Callable[[], bytes], gate: Gate
) -> None:
    answer = gate.send(made())
    assert f"MSA|{code}|" in answer
    assert "PAT1" not in answer
    assert "Anna" not in answer
    assert ("ERR|||" in answer) == (code != "AA")
    assert "MSA|AA|CTRL-7" in gate.send(order())


@pytest.mark.parametrize("made", RESOURCES.values(), ids=RESOURCES.keys())
def test_a_hostile_resource_costs_only_itself(
    made: Callable[[], str], server: fhir.Server
) -> None:
    server.answers["/DiagnosticReport"] = fhir.bundle(made(), fhir.report())
    found = server.reports().find(fhir.report_key())
    assert "No change." in {each.text for each in found}
    assert all(each.patient.patient_id is None for each in found)


@pytest.mark.parametrize("made", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_answer_that_nobody_can_read_is_a_failure(
    made: Callable[[], str], server: fhir.Server
) -> None:
    server.answers["/DiagnosticReport"] = fhir.bundle(made(), fhir.report())
    with pytest.raises(SourceFailure, match="no Bundle"):
        server.reports().find(fhir.report_key())
