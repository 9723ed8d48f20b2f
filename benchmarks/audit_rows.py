"""An audit log of any length, as a busy site would have written it in a year.

Each study has what the gateway, its peers and people do with it, by the messages of
`gateway.audit.kinds`; between the studies stand sign-ins, searches, refused nodes and
changed settings. The rows go into the table directly, with their leaves, a thousand
times as fast as they come in life.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from random import Random

from sqlalchemy import update

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.scp.admission import AssociationFacts
from gateway.audit import codes, kinds
from gateway.audit.leaf import leaf_of
from gateway.audit.message import Action, AuditEntry, Outcome
from gateway.audit.parts import Happening, Person, gateway, node, record, study
from gateway.ledger import Ledger, schema
from gateway.lifecycle import Event
from gateway.people import Decider, PersonRole

STUDY, USER, ADDRESS = "1.2.3.4.5.6.7.8.9", "THE-USER", "192.0.2.255"
"""Stand in the patterns for what is different in each record."""

ROOT = "1.2.826.0.1.3680043.10.543.7"
PEOPLE = ("anna", "bert", "carla", "dirk", "elif", "fritz", "gerda", "hugo")
AUDITOR, ADMINISTRATOR = "ines", "jan"
STUDIES_OF_A_PATIENT = 3
AT_ONCE = 20_000
RECORDS = 1_000_000
"""Of which the targets of the audit speak."""


def size_of(records: int) -> str:
    """Return how a measurement is called that had fewer records than the targets."""
    return "" if records >= RECORDS else "short"


@dataclass(frozen=True, slots=True, kw_only=True)
class Year:
    """`count` records that end with `until`; the first is `days` earlier."""

    count: int
    until: datetime
    days: int = 365
    seed: int = 1


def fill(ledger: Ledger, year: Year) -> None:
    """Append the records to a ledger; other writers wait."""
    with ledger.reading() as rows:
        first = rows.audit_size() + 1
    made = _rows(year, first)
    while some := list(islice(made, AT_ONCE)):
        with ledger.writing() as rows:
            connection = rows._connection  # noqa: SLF001 - a record at a time is slow
            connection.execute(schema.audit.insert(), some)
            head = update(schema.audit_head).values(last_sequence=some[-1]["sequence"])
            connection.execute(head)


def patient_of(number: int) -> str:
    """Return the pseudonym of the patient with this number."""
    return sha256(f"patient {number}".encode()).hexdigest()


def study_uid(number: int) -> str:
    """Return the UID of the study with this number."""
    return f"{ROOT}.{number}"


def _rows(year: Year, first: int) -> Iterator[dict[str, object]]:
    step = timedelta(days=year.days) / max(year.count, 1)
    begin = year.until - step * year.count
    for number, (entry, patient) in enumerate(islice(_story(year), year.count), 1):
        at = begin + step * number
        row = {each.name: getattr(entry, each.name) for each in fields(entry)}
        row |= {
            "sequence": first + number - 1,
            "recorded_at": at,
            "patient": patient,
            "message": entry.message.replace(
                _THEN, at.isoformat(timespec="milliseconds")
            ),
        }
        yield {**row, "leaf": leaf_of(row).hex()}


def _story(year: Year) -> Iterator[tuple[AuditEntry, str | None]]:
    """Yield what happens, study after study, without end."""
    chance, number = Random(year.seed), 0  # noqa: S311 - a story, no secret
    ways, asides = _of_study(), _asides()
    while True:
        number += 1
        uid, patient = study_uid(number), patient_of(number // STUDIES_OF_A_PATIENT)
        modality = f"MODALITY{chance.randrange(6)}"
        for pattern, often in ways:
            if chance.random() < often:
                user = chance.choice(PEOPLE) if pattern.person_role else modality
                yield _filled(pattern, uid, user, chance), patient
        for pattern, often in asides:
            if chance.random() < often:
                yield _filled(pattern, uid, chance.choice(PEOPLE), chance), None


def _filled(pattern: AuditEntry, uid: str, user: str, chance: Random) -> AuditEntry:
    address = f"10.1.{chance.randrange(4)}.{chance.randrange(2, 250)}"

    def put(text: str | None) -> str | None:
        if text is None:
            return None
        filled = text.replace(STUDY, uid).replace(USER, user)
        return filled.replace(ADDRESS, address)

    return replace(
        pattern,
        study_instance_uid=put(pattern.study_instance_uid),
        user=put(pattern.user) or "",
        detail=put(pattern.detail),
        message=put(pattern.message) or "",
        node=put(pattern.node),
        address=put(pattern.address),
    )


_AT = datetime.fromisoformat("2001-02-03T04:05:06+00:00")
_THEN = _AT.isoformat(timespec="milliseconds")
_PERSON = Person(name=USER, role="reviewer", address=ADDRESS)
_PACS = RemoteAE(name="pacs", title=AETitle("PACS"), host="10.0.0.9", port=104)
_FACTS = AssociationFacts(
    association_id="0",
    calling_title=USER,
    called_title="MAIRA",
    peer_address=ADDRESS,
    peer=None,
    encrypted=False,
    user=None,
)


def _of_study() -> list[tuple[AuditEntry, float]]:
    """Return what happens to a study, each with how often it does."""
    released = Decider(name=USER, why="read it", role=PersonRole.RADIOLOGIST)
    received = _received()
    return [
        (received, 1.0),
        (received, 1.0),
        (kinds.study_complete(STUDY, "quiet for 60 s", _AT), 1.0),
        (kinds.study_moved(STUDY, Event.VIEWS_CHOSEN, None, _AT), 1.0),
        (kinds.study_moved(STUDY, Event.PRIOR_SETTLED, None, _AT), 1.0),
        (_read(), 1.0),
        (kinds.study_moved(STUDY, Event.RESULTS_ENCODED, None, _AT), 1.0),
        (_sent(Outcome.MINOR_FAILURE), 0.01),
        (_sent(Outcome.SUCCESS), 1.0),
        (_sent(Outcome.SUCCESS), 0.002),
        (kinds.study_moved(STUDY, Event.RESULTS_STORED, None, _AT), 1.0),
        (kinds.study_viewed(STUDY, _PERSON, _AT), 0.6),
        (kinds.study_decided(STUDY, Event.RELEASED, released, _AT), 0.1),
        (kinds.study_parked(STUDY, "the archive does not answer", _AT), 0.004),
        (kinds.study_purged(STUDY, 5, _AT), 0.9),
    ]


def _asides() -> list[tuple[AuditEntry, float]]:
    """Return what happens between studies."""
    auditor = Person(name=AUDITOR, role="auditor", address="10.2.0.5")
    return [
        (kinds.logged_in(_PERSON, "by password", _AT), 0.1),
        (kinds.logged_out(_PERSON, "by the person", _AT), 0.1),
        (kinds.login_failed(_PERSON, "wrong name or password", _AT), 0.01),
        (kinds.audit_searched(auditor, "outcome=failed", _AT), 0.02),
        (
            kinds.association_refused(
                replace(_FACTS, calling_title="STRANGER"), "unknown title", _AT
            ),
            0.01,
        ),
        (kinds.peer_silent("pacs", 3, _AT, _AT), 0.001),
        (kinds.peer_answers("pacs", _AT, _AT), 0.001),
    ]


def _received() -> AuditEntry:
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        action=Action.CREATE,
        at=_AT,
        detail=f"current instance {STUDY}.1.1",
    )
    sender = node(USER, ADDRESS, is_requestor=True, role=codes.SOURCE)
    us = gateway(is_requestor=False, role=codes.DESTINATION, title="MAIRA")
    about = study(STUDY, sop_classes=["1.2.840.10008.5.1.4.1.1.1.1"])
    return record(what, [sender, us], [about], study_instance_uid=STUDY)


def _read() -> AuditEntry:
    what = Happening(
        event=codes.INSTANCES_ACCESSED,
        event_type=codes.REPORT_WRITTEN,
        action=Action.READ,
        at=_AT,
        detail="maira-2 read it: grounded-findings",
    )
    made_by = (("Engine", "local"), ("Model", "maira-2"), ("WeightsDigest", "0" * 64))
    about = study(STUDY, sop_classes=["1.2.840.10008.5.1.4.1.1.1.1"], details=made_by)
    us = gateway(is_requestor=True, role=codes.APPLICATION)
    return record(what, [us], [about], study_instance_uid=STUDY)


def _sent(outcome: Outcome) -> AuditEntry:
    stored = 0 if outcome else 2
    what = Happening(
        event=codes.INSTANCES_TRANSFERRED,
        event_type=codes.RESULTS_SENT,
        action=Action.CREATE,
        at=_AT,
        outcome=outcome,
        detail=f"pacs: {stored} of 2 stored",
    )
    us = gateway(is_requestor=True, role=codes.SOURCE)
    there = node(_PACS.title, _PACS.host, is_requestor=False, role=codes.DESTINATION)
    return record(what, [us, there], [study(STUDY)], study_instance_uid=STUDY)
