"""Every kind of audit message as an AuditEvent, judged by an independent model."""

from pathlib import Path
from typing import cast

import pytest
from fhir.resources.R4B.auditevent import AuditEvent

from gateway.audit.as_fhir import DCM, Json, event_of
from gateway.audit.message import AuditEntry, Patient
from gateway.ledger import AuditFilter, AuditRecord, Ledger
from tests.data.ledgers import NOW, STUDY_UID, audit_entry, url_of
from tests.unit.gateway.test_audit_kinds import ALL, PATIENT_ID


def kept(folder: Path, entry: AuditEntry) -> AuditRecord:
    """Return an entry as the ledger has it."""
    ledger = Ledger.open(url_of(folder))
    with ledger.writing() as rows:
        rows.append_audit(entry)
        (record,) = rows.audit(AuditFilter())
    ledger.close()
    return record


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Json]:
    """Return each kind as a resource."""
    ledger = Ledger.open(url_of(tmp_path_factory.mktemp("ledger")))
    with ledger.writing() as rows:
        for make, *_ in ALL.values():
            rows.append_audit(make())
        records = rows.audit(AuditFilter(limit=len(ALL)))
    ledger.close()
    return dict(zip(ALL, map(event_of, records), strict=True))


@pytest.mark.parametrize("name", ALL)
def test_every_kind_is_an_audit_event(name: str, events: dict[str, Json]) -> None:
    judged = AuditEvent.model_validate(events[name])
    _, event, action, outcome = ALL[name]
    assert judged.type.model_dump()["system"] == DCM
    assert (judged.type.code, judged.action) == (event, action)
    assert judged.outcome == str(outcome)
    assert judged.recorded == NOW
    assert judged.agent
    assert sum(bool(agent.requestor) for agent in judged.agent) == 1
    for entity in judged.entity or []:
        assert not (entity.name and entity.query)  # sev-1


@pytest.mark.parametrize("name", ALL)
def test_no_event_says_who_the_patient_is(name: str, events: dict[str, Json]) -> None:
    assert PATIENT_ID not in str(events[name])


def entities(event: Json) -> list[Json]:
    return cast("list[Json]", event["entity"])


def test_a_study_is_named_as_fhir_names_it(tmp_path: Path) -> None:
    event = event_of(kept(tmp_path, ALL["purged"][0]()))
    what = cast("dict[str, Json]", entities(event)[0]["what"])["identifier"]
    assert (what["system"], what["value"]) == ("urn:dicom:uid", f"urn:oid:{STUDY_UID}")


def test_a_patient_stands_there_by_pseudonym(tmp_path: Path) -> None:
    patient = Patient(patient_id="ANN-4711", issuer="SITE")
    message = "<AuditMessage></AuditMessage>"
    record = kept(tmp_path, audit_entry(patient=patient, message=message))
    (entity,) = entities(event_of(record))
    what = cast("dict[str, Json]", entity["what"])["identifier"]
    assert what["value"] == record.patient
    assert "ANN-4711" not in str(event_of(record))
