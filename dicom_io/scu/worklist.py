"""C-FIND of a modality worklist as user (PS3.4 Annex K): one exact accession number.

An empty key would list every patient's appointments, and a wildcard several: neither
is ever sent.
"""

import time
from collections.abc import Sequence

from pydicom.dataset import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    ModalityWorklistInformationFind,
)

from dicom_io.ae import LocalAE, RemoteAE
from dicom_io.contexts import message_context
from dicom_io.errors import PeerTimedOut
from dicom_io.identity import is_exact_key
from dicom_io.inputs.orders import Order
from dicom_io.malformed import MALFORMED
from dicom_io.options import OrderSource
from dicom_io.scu.answers import patient_of, text_of
from dicom_io.scu.association import (
    PENDING,
    Proposal,
    answered_code,
    associated,
    require_context,
    require_success,
)

_FIND = ModalityWorklistInformationFind
_SHORT_STRING = 16
"""Characters of a VR SH."""
_MAX_ANSWERS = 50
_URGENT = frozenset({"STAT", "HIGH"})
"""Requested Procedure Priority (0040,1003), PS3.4 table K.6-1."""
_RETURN_KEYS = (
    "PatientName",
    "PatientID",
    "IssuerOfPatientID",
    "PatientBirthDate",
    "PatientSex",
    "AdditionalPatientHistory",
    "StudyInstanceUID",
    "RequestedProcedureID",
    "RequestedProcedureDescription",
    "RequestedProcedurePriority",
    "ReasonForTheRequestedProcedure",
)
_STEP_KEYS = (
    "ScheduledStationAETitle",
    "ScheduledProcedureStepStartDate",
    "ScheduledProcedureStepStartTime",
    "Modality",
    "ScheduledProcedureStepDescription",
    "ScheduledProcedureStepID",
)


def find_orders(local: LocalAE, remote: RemoteAE, accession_number: str) -> list[Order]:
    """Return the orders that a worklist has for an accession number.

    Another number's answers are dropped: servers exist that ignore the key. The
    patients are not compared here. Raises ValueError before anything is sent where
    the number is no exact key of at most 16 characters, or a kind of PeerFailure.
    """
    identifier = worklist_identifier(accession_number)
    proposal = Proposal(contexts=[message_context(_FIND)])
    with associated(local, remote, proposal) as assoc:
        require_context(assoc, _FIND, remote)
        answers = _found(assoc, remote, identifier)
    return read_orders(answers, accession_number)


def worklist_identifier(accession_number: str) -> Dataset:
    """Ask for the steps of one accession number; raises ValueError (PS3.4 K.6.1.2)."""
    text = accession_number.strip(" ")
    if len(text) > _SHORT_STRING or not is_exact_key(text):
        raise ValueError("the accession number is not one exact value: nothing is sent")
    identifier = _empty(_RETURN_KEYS)
    identifier.AccessionNumber = text
    identifier.ReasonForRequestedProcedureCodeSequence = []
    identifier.ScheduledProcedureStepSequence = [_empty(_STEP_KEYS)]
    if not text.isascii():
        identifier.SpecificCharacterSet = "ISO_IR 192"
    return identifier


def read_orders(answers: Sequence[Dataset], accession_number: str) -> list[Order]:
    """Return the answers about `accession_number` as orders; several steps are one."""
    wanted = accession_number.strip(" ")
    about = [each for each in answers if text_of(each, "AccessionNumber") == wanted]
    found = [_order(each, wanted) for each in about]
    return list(dict.fromkeys(found))


def _empty(keywords: Sequence[str]) -> Dataset:
    ds = Dataset()
    for keyword in keywords:
        setattr(ds, keyword, None)
    return ds


def _order(answer: Dataset, accession_number: str) -> Order:
    named = text_of(answer, "RequestedProcedureID")
    return Order(
        source=OrderSource.WORKLIST,
        document=named or text_of(answer, "StudyInstanceUID") or accession_number,
        accession_number=accession_number,
        patient=patient_of(answer),
        reason=text_of(answer, "ReasonForTheRequestedProcedure"),
        reason_codes=_meanings(answer, "ReasonForRequestedProcedureCodeSequence"),
        history=text_of(answer, "AdditionalPatientHistory"),
        procedure=text_of(answer, "RequestedProcedureDescription"),
        urgent=text_of(answer, "RequestedProcedurePriority") in _URGENT,
    )


def _meanings(answer: Dataset, keyword: str) -> str | None:
    try:
        codes = list(answer.get(keyword) or ())
    except MALFORMED:
        return None
    said = (text_of(c, "CodeMeaning") for c in codes if isinstance(c, Dataset))
    return "; ".join(each for each in said if each) or None


def _found(assoc: Association, remote: RemoteAE, identifier: Dataset) -> list[Dataset]:
    """Collect answers until the last, the limit, or the deadline."""
    answers: list[Dataset] = []
    end = time.monotonic() + remote.deadline_seconds
    for status, answer in assoc.send_c_find(identifier, _FIND):
        if answered_code(status, remote, "worklist C-FIND") not in PENDING:
            require_success(status, remote, "worklist C-FIND")
            return answers
        answers += [] if answer is None else [answer]
        if len(answers) >= _MAX_ANSWERS:
            assoc.send_c_cancel(1, query_model=_FIND)
            assoc.abort()
            return answers
        if time.monotonic() > end:
            break
    raise PeerTimedOut(f"{remote.name} did not end its answers to the worklist C-FIND")
