"""The audit read back by ITI-81, as a program sees it."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome

from gateway.accounts.roles import PERMISSIONS, AccountRole, Permission
from gateway.audit.as_fhir import Json
from gateway.audit.message import Patient
from gateway.ledger import AuditFilter, AuditRecord
from tests.data.console import Browser, Console, opened_console
from tests.data.ledgers import NOW, STUDY_UID, at, audit_entry

EVENTS = "/fhir/AuditEvent"
DAY = "date=ge2026-03-02&date=lt2026-03-03"
MESSAGE = (
    '<AuditMessage><ActiveParticipant UserID="maira-gateway" UserIsRequestor="true"/>'
    "</AuditMessage>"
)
ANN = Patient(patient_id="ANN-4711", issuer="SITE")


@pytest.fixture
def console(tmp_path: Path) -> Iterator[Console]:
    with opened_console(tmp_path, clock=lambda: NOW + timedelta(days=30)) as opened:
        yield opened


@pytest.fixture
def auditor(console: Console) -> Browser:
    return console.signed_in(AccountRole.AUDITOR)


def put(console: Console, count: int, **changes: object) -> None:
    with console.site.ledger.writing() as rows:
        for number in range(count):
            given = {"recorded_at": at(number), "message": MESSAGE, **changes}
            rows.append_audit(audit_entry(**given))


def log_of(console: Console) -> list[AuditRecord]:
    with console.site.ledger.reading() as rows:
        return rows.audit(AuditFilter(limit=10_000))


def found(browser: Browser, query: str) -> Json:
    answer = browser.get(query if "://" in query else f"{EVENTS}?{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/fhir+json"
    bundle: Json = answer.json()
    Bundle.model_validate(bundle)
    return bundle


def ids(bundle: Json) -> list[str]:
    entries = cast("list[dict[str, Json]]", bundle.get("entry", []))
    events = [entry["resource"] for entry in entries]
    return [str(e["id"]) for e in events if e["resourceType"] == "AuditEvent"]


def links(bundle: Json) -> dict[str, str]:
    return {
        each["relation"]: each["url"]
        for each in cast("list[dict[str, str]]", bundle["link"])
    }


def test_pages_give_each_record_of_the_interval_once_and_in_order(
    console: Console, auditor: Browser
) -> None:
    put(console, 25)
    put(console, 5, recorded_at=at(7))  # in the same moment as one before
    put(console, 3, recorded_at=at(86_400))  # the next day
    bundle = found(auditor, f"{DAY}&_count=10")
    seen = ids(bundle)
    for _ in range(10):
        if "next" not in links(bundle):
            break
        bundle = found(auditor, links(bundle)["next"])
        seen += ids(bundle)
    wanted = sorted(
        (r for r in log_of(console) if r.recorded_at < at(50_000)),
        key=lambda r: (r.recorded_at, r.sequence),
    )
    assert seen == [str(record.sequence) for record in wanted]
    assert len(seen) == 30


def test_what_is_added_meanwhile_moves_no_page(
    console: Console, auditor: Browser
) -> None:
    put(console, 4)
    first = found(auditor, f"{DAY}&_count=2")
    put(console, 1, recorded_at=at(0.5))
    second = found(auditor, links(first)["next"])
    assert not {*ids(first)} & {*ids(second)}
    assert len(ids(second)) == 2


SEARCHES = {
    "type=110103": 1,
    "type=110104": 1,
    "type=110103,110104": 2,
    "subtype=study-moved": 1,
    "action=D": 1,
    "outcome=8": 1,
    "agent.identifier=ann": 1,
    "entity.identifier=urn:dicom:uid|urn:oid:1.2.3": 1,
    "patient.identifier=ANN-4711": 1,
    "patient.identifier=SITE|ANN-4711": 1,
    "patient.identifier=OTHER|ANN-4711": 0,
    "type=110104&outcome=8": 0,
}


def test_a_search_finds_what_it_asks_for(console: Console, auditor: Browser) -> None:
    other = {"event": "110100", "study_instance_uid": None}
    put(console, 1, event="110103", study_instance_uid=None)
    put(console, 1, **other | {"event": "110104"})
    put(console, 1, **other, event_type="study-moved")
    put(console, 1, **other, action="D")
    put(console, 1, **other, outcome=8)
    put(console, 1, **other, user="ann")
    put(console, 1, **other | {"study_instance_uid": "1.2.3"})
    put(console, 1, **other, patient=ANN)
    counts = {each: len(ids(found(auditor, f"{DAY}&{each}"))) for each in SEARCHES}
    assert counts == SEARCHES


def test_the_log_is_for_whoever_may_read_it(console: Console) -> None:
    for role in AccountRole:
        browser = console.signed_in(role)
        wanted = 200 if Permission.AUDIT_READ in PERMISSIONS[role] else 403
        for path in (f"{EVENTS}?{DAY}", f"{EVENTS}/1"):
            answer = browser.get(path)
            assert answer.status_code == wanted, (role, path)
            if wanted != 200:
                OperationOutcome.model_validate(answer.json())


def test_nobody_is_led_to_the_login_but_told(console: Console) -> None:
    answer = console.stranger().get(f"{EVENTS}?{DAY}")
    assert answer.status_code == 401
    assert OperationOutcome.model_validate(answer.json()).issue[0].code == "login"


def test_a_search_and_who_made_it_are_in_the_log(
    console: Console, auditor: Browser
) -> None:
    put(console, 2)
    found(auditor, f"{DAY}&patient.identifier=ANN-4711&outcome=0")
    last = log_of(console)[-1]
    assert (last.event, last.event_type, last.user) == (
        "110101",
        "audit-searched",
        "auditor",
    )
    assert "outcome 0" in (last.detail or "")
    assert "ANN-4711" not in f"{last.detail}{last.message}"


def test_a_search_without_an_interval_is_refused_and_finds_nothing(
    console: Console, auditor: Browser
) -> None:
    before = len(log_of(console))
    answer = auditor.get(EVENTS)
    assert answer.status_code == 400
    issue = OperationOutcome.model_validate(answer.json()).issue[0]
    assert "interval" in str(issue.diagnostics)
    assert len(log_of(console)) == before


def test_an_unknown_parameter_is_named_or_refused(auditor: Browser) -> None:
    bundle = found(auditor, f"{DAY}&address=10.0.0.1")
    assert "address" not in links(bundle)["self"]
    assert "ignored" in str(bundle["entry"])
    strict = auditor.get(
        f"{EVENTS}?{DAY}&address=10.0.0.1", headers={"Prefer": "handling=strict"}
    )
    assert strict.status_code == 400


def test_a_record_is_read_by_its_number_and_that_is_recorded(
    console: Console, auditor: Browser
) -> None:
    put(console, 1, study_instance_uid=STUDY_UID)
    number = log_of(console)[-1].sequence
    answer = auditor.get(f"{EVENTS}/{number}")
    assert answer.json()["id"] == str(number)
    assert log_of(console)[-1].event_type == "audit-viewed"


def test_a_record_that_is_not_there_is_an_outcome(auditor: Browser) -> None:
    for number in ("0", "999999", "x", "9" * 40, "-1"):
        answer = auditor.get(f"{EVENTS}/{number}")
        assert answer.status_code == 404, number
        OperationOutcome.model_validate(answer.json())


def test_the_server_says_what_it_can_do(console: Console) -> None:
    said = console.stranger().get("/fhir/metadata").json()
    CapabilityStatement.model_validate(said)
    assert said["description"] == "Research only, not for clinical use"
    names = {each["name"] for each in said["rest"][0]["resource"][0]["searchParam"]}
    assert {"date", "patient.identifier", "outcome"} <= names
