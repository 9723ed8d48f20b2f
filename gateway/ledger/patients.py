"""The keys of patients in the ledger: made with the first record, destroyed on demand.

The audit is written with the head of its order held: two that meet a new patient at
once do so one after the other.
"""

from dataclasses import dataclass, fields, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from gateway.audit.message import AuditEntry, Patient
from gateway.audit.patients import DataKey, new_key
from gateway.audit.sealing import has_words, token, with_patient, with_words_sealed
from gateway.errors import WrongKey
from gateway.ledger import schema
from gateway.ledger.master import Patients


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """A row of `patient_keys`; `wrapped_key` is None once it is destroyed.

    `identity` is the sealed Patient ID; None: only the pseudonym was known.
    """

    id: int
    pseudonym: str
    wrapped_key: str | None
    identity: str | None

    def key(self, patients: Patients) -> DataKey | None:
        """Return the key of the patient, None where it is destroyed."""
        if self.wrapped_key is None:
            return None
        return DataKey(patients.master.unwrap(self.wrapped_key, self.pseudonym))


def kept(
    connection: Connection, patients: Patients, entry: AuditEntry
) -> tuple[str | None, str]:
    """Return pseudonym and message of an entry as they are kept.

    A study's patient is the first that its records name.
    """
    pseudonym = _pseudonym(connection, patients, entry)
    row = _row(connection, patients, entry, pseudonym)
    message = entry.message
    if row is not None and has_words(message) and (key := row.key(patients)):
        message = with_words_sealed(message, row.id, key)
    if entry.study_instance_uid is not None or isinstance(entry.patient, Patient):
        message = with_patient(message, _token(row))
    return pseudonym, message


def key_with(connection: Connection, patients: Patients, number: int) -> DataKey | None:
    """Return the key with a number, None where it is destroyed; raises WrongKey."""
    found = connection.execute(_NUMBERED, {"number": number}).mappings().first()
    if found is None:
        raise WrongKey(f"the ledger has no patient key {number}")
    return KeyRow(**found).key(patients)


def issuers(connection: Connection) -> list[str | None]:
    """Return the issuers of all patients who were ever met."""
    return list(connection.scalars(select(_KEYS.c.issuer).distinct()))


def destroy(connection: Connection, pseudonym: str | None, now: datetime) -> int:
    """Destroy the key of a patient, of all for None; return how many had one.

    SQLite overwrites what it deletes, so the file does not hold it any more.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    living = _KEYS.c.erased_at.is_(None)
    whose = [living] if pseudonym is None else [living, _KEYS.c.pseudonym == pseudonym]
    gone = {"wrapped_key": None, "identity": None, "erased_at": now}
    return connection.execute(update(_KEYS).where(*whose).values(gone)).rowcount


_KEYS = schema.patient_keys
_ROW = select(*(_KEYS.c[each.name] for each in fields(KeyRow)))
_NUMBERED = _ROW.where(_KEYS.c.id == bindparam("number"))
_LIVING = _ROW.where(
    _KEYS.c.pseudonym == bindparam("whose"), _KEYS.c.erased_at.is_(None)
)
_NEW = _KEYS.insert().returning(*_ROW.selected_columns)
_OF_STUDY = (
    select(schema.audit.c.patient)
    .where(
        schema.audit.c.study_instance_uid == bindparam("study"),
        schema.audit.c.patient.is_not(None),
    )
    .order_by(schema.audit.c.sequence)
    .limit(1)
)


def _pseudonym(
    connection: Connection, patients: Patients, entry: AuditEntry
) -> str | None:
    if isinstance(entry.patient, Patient):
        return patients.master.pseudonym(entry.patient)
    if entry.patient is not None or entry.study_instance_uid is None:
        return entry.patient
    study = {"study": entry.study_instance_uid}
    found: str | None = connection.scalar(_OF_STUDY, study)
    return found


def _row(
    connection: Connection,
    patients: Patients,
    entry: AuditEntry,
    pseudonym: str | None,
) -> KeyRow | None:
    """Return the living key of a patient, made where there is something to seal."""
    if pseudonym is None:
        return None
    named = entry.patient if isinstance(entry.patient, Patient) else None
    found = connection.execute(_LIVING, {"whose": pseudonym}).mappings().first()
    if found is None:
        if named is None and not has_words(entry.message):
            return None
        return _made(connection, patients, pseudonym, named, entry.recorded_at)
    row = KeyRow(**found)
    if row.identity is None and named is not None:
        return _named(connection, patients, row, named)
    return row


def _made(
    connection: Connection,
    patients: Patients,
    pseudonym: str,
    named: Patient | None,
    now: datetime,
) -> KeyRow:
    secret = new_key()
    values = {
        "pseudonym": pseudonym,
        "wrapped_key": patients.master.wrap(secret, pseudonym),
        "identity": None if named is None else _identity(DataKey(secret), named),
        "issuer": None if named is None else named.issuer,
        "created_at": now,
    }
    made = connection.execute(_NEW, values).mappings().one()
    return KeyRow(**made)


def _named(
    connection: Connection, patients: Patients, row: KeyRow, named: Patient
) -> KeyRow:
    """Add the Patient ID to a key that was made when only a study was known."""
    key = row.key(patients)
    identity = None if key is None else _identity(key, named)
    values = {"identity": identity, "issuer": named.issuer}
    connection.execute(update(_KEYS).where(_KEYS.c.id == row.id).values(values))
    return replace(row, identity=identity)


def _identity(key: DataKey, named: Patient) -> str:
    return key.seal(named.patient_id.encode("utf-8", "backslashreplace"))


def _token(row: KeyRow | None) -> str:
    return "" if row is None or row.identity is None else token(row.id, row.identity)
