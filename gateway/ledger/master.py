"""The master key that the patients of a ledger are sealed with, and whether it fits."""

from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, select

from gateway.audit.patients import MasterKey
from gateway.errors import WrongKey
from gateway.ledger import schema
from gateway.patient_key import KeyPlace

FINGERPRINT = "patient-key"
"""The note that says which master key this ledger's patients are sealed with."""


@dataclass(frozen=True, slots=True)
class Patients:
    """The master key of a ledger; else why there is none."""

    key: MasterKey | WrongKey

    @property
    def master(self) -> MasterKey:
        """The key; raises WrongKey where it is lost or another one."""
        if isinstance(self.key, WrongKey):
            raise WrongKey(str(self.key))
        return self.key


def open_patients(engine: Engine, place: KeyPlace) -> Patients:
    """Return the master key of this ledger, made where the ledger knows none yet.

    A lost or wrong key does not keep a ledger from being read: it refuses only what
    needs it.
    """
    try:
        with engine.begin() as connection:
            known = _fingerprint(connection)
        return Patients(_first(engine, place) if known is None else _same(place, known))
    except WrongKey as error:
        return Patients(error)


def _fingerprint(connection: Connection) -> str | None:
    table = schema.notes
    asked = select(table.c.value).where(table.c.key == FINGERPRINT)
    found: str | None = connection.scalar(asked)
    return found


def _first(engine: Engine, place: KeyPlace) -> MasterKey:
    """Make the key durable, then note it; another process may do so meanwhile."""
    key = place.make()
    with engine.connect() as connection:
        connection.execution_options(writing=True)
        with connection.begin():
            if _fingerprint(connection) is None:
                note(connection, key)
            return _demand_same(key, _fingerprint(connection))


def _same(place: KeyPlace, known: str) -> MasterKey:
    key = place.find()
    if key is None:
        raise WrongKey(
            f"the patient key {place.path} is missing: restore it from your copy, or "
            "run `maira-gateway audit new-patient-key`, which gives up the old one"
        )
    return _demand_same(key, known)


def _demand_same(key: MasterKey, known: str | None) -> MasterKey:
    if key.fingerprint != known:
        raise WrongKey(
            "the patient key is not the one that this ledger's patients are sealed "
            "with: restore that one from your copy"
        )
    return key


def note(connection: Connection, key: MasterKey) -> None:
    """Say in the ledger that its patients are sealed with this key from now on."""
    table = schema.notes
    connection.execute(delete(table).where(table.c.key == FINGERPRINT))
    connection.execute(table.insert(), {"key": FINGERPRINT, "value": key.fingerprint})
