"""Make a patient unreadable in the audit; give up a master key that is lost."""

from datetime import datetime

from gateway.audit import kinds
from gateway.audit.message import Patient
from gateway.audit.parts import Person
from gateway.errors import NoSuchPatient, NotReady
from gateway.ledger import Ledger
from gateway.patient_key import KeyPlace


def erase_patient(
    ledger: Ledger, patient: Patient, by: Person | str, why: str, now: datetime
) -> bool:
    """Destroy the key of a patient, with its audit record.

    Returns whether the file of the ledger holds nothing of the key any more; where
    somebody reads just now, its write-ahead log may, until it is next emptied.
    Raises NoSuchPatient where there is no key, and WrongKey.
    """
    pseudonym = ledger.pseudonym(patient)
    with ledger.writing() as rows:
        if not rows.destroy_patient(pseudonym, now):
            raise NoSuchPatient(
                "the audit knows no such patient, or it is erased already: give the "
                f"issuer as the images have it; known: {_listed(rows.issuers())}"
            )
        rows.append_audit(kinds.patient_erased(pseudonym, why, by, now))
    return ledger.forget_deleted()


def replace_key(
    ledger: Ledger, place: KeyPlace, by: Person | str, why: str, now: datetime
) -> int:
    """Go on with a new master key; return how many patients are unreadable now.

    place : what is there becomes the key, or it is made. Raises NotReady where the
    key is not lost, WrongKey where what is there is no key.
    """
    if ledger.has_patient_key:
        raise NotReady("the patient key fits this ledger: there is nothing to give up")
    key = place.make()
    with ledger.writing() as rows:
        lost = rows.destroy_all_patients(key, now)
        rows.append_audit(kinds.patient_key_replaced(lost, why, by, now))
    return lost


def _listed(issuers: list[str | None]) -> str:
    return ", ".join(repr(each or "") for each in issuers) or "none"
