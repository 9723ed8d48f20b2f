"""Patients of the audit: a pseudonym in the column, sealed words in the message."""

import stat
from base64 import b64decode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from sqlalchemy import select

from dicom_io.identifiers import StudyAnswers, StudyQuery
from gateway.audit import kinds
from gateway.audit.message import AuditEntry, Patient
from gateway.audit.parts import Person
from gateway.audit.patients import DataKey, MasterKey, new_key
from gateway.errors import NoSuchPatient, NotReady, WrongKey
from gateway.ledger import AuditFilter, AuditRecord, Ledger, schema
from gateway.log_keeping.erasing import erase_patient, replace_key
from gateway.patient_key import KeyPlace, text_of_key
from tests.data.ledgers import NOW, STUDY_UID, at, audit_entry, url_of

ANN = Patient(patient_id="ANN-4711", issuer="SITE")
EMPTY = "<AuditMessage></AuditMessage>"
PHRASE = "nodule that Mrs. Example was told of"
NURSE = Person(name="ann", role="auditor")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path))
    yield ledger
    ledger.close()


def given(ledger: Ledger, *entries: AuditEntry) -> None:
    for entry in entries:
        with ledger.writing() as rows:
            rows.append_audit(entry)


def named(patient: Patient = ANN, **changes: object) -> AuditEntry:
    return audit_entry(patient=patient, message=EMPTY, **changes)


def queried() -> AuditEntry:
    question = StudyQuery(patient_id=ANN.patient_id, issuer=ANN.issuer)
    nothing = StudyAnswers(studies=())
    return kinds.prior_queried(STUDY_UID, question, "pacs", nothing, NOW)


def log_of(ledger: Ledger) -> list[AuditRecord]:
    with ledger.reading() as rows:
        return rows.audit(AuditFilter(limit=1000))


def shown(ledger: Ledger, record: AuditRecord) -> ET.Element:
    with ledger.reading() as rows:
        text = rows.revealed(record.message)
    return ET.fromstring(text)  # noqa: S314 - our own text


def patients_in(message: ET.Element) -> list[str | None]:
    objects = message.findall("ParticipantObjectIdentification")
    return [
        found.get("ParticipantObjectID")
        for found in objects
        if found.get("ParticipantObjectTypeCodeRole") == "1"
    ]


def query_in(message: ET.Element) -> bytes:
    return b64decode(message.findtext(".//ParticipantObjectQuery", ""))


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("ledger.db*"))


def test_no_patient_id_stands_in_the_file_and_who_is_entitled_reads_it(
    ledger: Ledger, tmp_path: Path
) -> None:
    given(ledger, named(), queried())
    assert ANN.patient_id.encode() not in bytes_of(tmp_path)
    plain, query = (shown(ledger, record) for record in log_of(ledger))
    assert patients_in(plain) == patients_in(query) == [ANN.patient_id]
    assert ANN.patient_id.encode() in query_in(query)
    sealed = ET.fromstring(log_of(ledger)[1].message)  # noqa: S314 - our own text
    assert query_in(sealed).startswith(b"sealed:1:")


def test_every_later_message_about_a_study_names_its_patient(ledger: Ledger) -> None:
    given(ledger, named(), kinds.study_complete(STUDY_UID, "quiet", NOW))
    first, later = log_of(ledger)
    assert later.patient == first.patient == ledger.pseudonym(ANN)
    assert patients_in(shown(ledger, later)) == [ANN.patient_id]


def test_a_study_of_nobody_known_has_an_empty_patient(ledger: Ledger) -> None:
    given(ledger, kinds.study_complete(STUDY_UID, "quiet", NOW))
    (record,) = log_of(ledger)
    assert record.patient is None
    assert patients_in(shown(ledger, record)) == [""]


def test_a_persons_words_are_sealed_with_the_patient(
    ledger: Ledger, tmp_path: Path
) -> None:
    by = Person(name="ann")
    given(ledger, named(), kinds.phrase_grounded(STUDY_UID, PHRASE, 1, by, NOW))
    record = log_of(ledger)[1]
    said = shown(ledger, record).find(".//ParticipantObjectDetail")
    assert said is not None
    assert b64decode(said.get("value", "")).decode() == PHRASE
    assert PHRASE not in record.message
    assert PHRASE.encode() not in bytes_of(tmp_path)


def test_eight_writers_who_meet_a_new_patient_make_one_key(ledger: Ledger) -> None:
    def write(_: int) -> None:
        given(ledger, named(), named())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    messages = [shown(ledger, record) for record in log_of(ledger)]
    assert [patients_in(each) for each in messages] == [[ANN.patient_id]] * 16
    assert keys_in(ledger) == 1


def keys_in(ledger: Ledger) -> int:
    with ledger.reading() as rows:
        found = rows._connection.execute(select(schema.patient_keys.c.id))
        return len(found.all())


def test_two_processes_that_meet_a_new_patient_make_one_key(
    ledger: Ledger, tmp_path: Path
) -> None:
    other = Ledger.open(url_of(tmp_path))
    given(other, named())
    given(ledger, named())
    assert keys_in(ledger) == 1
    assert patients_in(shown(other, log_of(other)[1])) == [ANN.patient_id]
    other.close()


def test_a_key_that_is_rolled_back_seals_nothing(ledger: Ledger) -> None:
    def fail() -> None:
        with ledger.writing() as rows:
            rows.append_audit(named())
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert keys_in(ledger) == 0
    given(ledger, named())
    assert patients_in(shown(ledger, log_of(ledger)[0])) == [ANN.patient_id]


def test_an_erased_patient_is_unreadable_and_no_record_changed(
    ledger: Ledger,
) -> None:
    phrase = kinds.phrase_grounded(STUDY_UID, PHRASE, 1, Person(name="ann"), NOW)
    given(ledger, named(), queried(), phrase)
    before = log_of(ledger)
    assert erase_patient(ledger, ANN, NURSE, "asked for", at(1))
    *after, erasure = log_of(ledger)
    assert after == before
    messages = [shown(ledger, record) for record in after]
    assert [patients_in(each) for each in messages] == [["erased"]] * 3
    assert query_in(messages[1]) == b"erased"
    assert erasure.event_type == "patient-erased"
    assert (erasure.user, erasure.patient) == ("ann", before[0].patient)
    assert patients_in(shown(ledger, erasure)) == []


def test_the_destroyed_key_is_nowhere_in_the_files(
    ledger: Ledger, tmp_path: Path
) -> None:
    given(ledger, named())
    with ledger.reading() as rows:
        column = schema.patient_keys.c.wrapped_key
        wrapped = str(rows._connection.scalar(select(column)))
    assert wrapped.encode() in bytes_of(tmp_path)
    erase_patient(ledger, ANN, NURSE, "asked for", at(1))
    assert wrapped.encode() not in bytes_of(tmp_path)


def test_an_erased_patient_who_comes_again_is_readable_from_then_on(
    ledger: Ledger,
) -> None:
    given(ledger, named())
    erase_patient(ledger, ANN, NURSE, "asked for", at(1))
    given(ledger, named())
    first, _, again = log_of(ledger)
    assert patients_in(shown(ledger, first)) == ["erased"]
    assert patients_in(shown(ledger, again)) == [ANN.patient_id]


def test_the_study_of_an_erased_patient_goes_on_without_a_name(ledger: Ledger) -> None:
    given(ledger, named())
    erase_patient(ledger, ANN, NURSE, "asked for", at(1))
    phrase = kinds.phrase_grounded(STUDY_UID, PHRASE, 1, Person(name="ann"), NOW)
    given(ledger, kinds.study_purged(STUDY_UID, 1, NOW), phrase, named())
    first, _, purged, asked, again = log_of(ledger)
    assert purged.patient == asked.patient == first.patient
    assert patients_in(shown(ledger, purged)) == [""]
    assert PHRASE not in asked.message
    assert patients_in(shown(ledger, again)) == [ANN.patient_id]


def test_who_is_not_known_cannot_be_erased_and_is_not_named(ledger: Ledger) -> None:
    given(ledger, named())
    nobody = Patient(patient_id=ANN.patient_id)
    with pytest.raises(NoSuchPatient, match="'SITE'") as refused:
        erase_patient(ledger, nobody, NURSE, "asked for", at(1))
    assert ANN.patient_id not in str(refused.value)
    assert len(log_of(ledger)) == 1


def test_an_erasure_takes_place_once(ledger: Ledger) -> None:
    given(ledger, named())
    erase_patient(ledger, ANN, NURSE, "asked for", at(1))
    with pytest.raises(NoSuchPatient):
        erase_patient(ledger, ANN, NURSE, "asked for", at(2))


def test_a_patient_is_found_whatever_the_issuer(ledger: Ledger) -> None:
    other = Patient(patient_id=ANN.patient_id, issuer="ELSEWHERE")
    given(ledger, named(), audit_entry(patient=other))
    with ledger.reading() as rows:
        found = rows.pseudonyms(ANN.patient_id)
    assert set(found) == {ledger.pseudonym(ANN), ledger.pseudonym(other)}


def test_hostile_patient_ids_are_shown_as_they_were(ledger: Ledger) -> None:
    hostile = ["sealed:1:AAAA", '"><x/>', "a&b", "\ud800", "a\x00\n", "\U0001d11e"]
    for text in hostile:
        patient = Patient(patient_id=text)
        given(ledger, named(patient, study_instance_uid=None))
    found = [patients_in(shown(ledger, record)) for record in log_of(ledger)]
    wanted = ["sealed:1:AAAA", '"><x/>', "a&b", "\\ud800", "a\ufffd\ufffd"]
    assert found == [[text] for text in [*wanted, "\U0001d11e"]]


def test_the_key_lies_in_a_file_of_this_user_alone(
    ledger: Ledger, tmp_path: Path
) -> None:
    ledger.demand_patient_key()
    key = tmp_path / "patients.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert list(tmp_path.glob("patients.key.*")) == []


def test_eight_that_make_the_key_at_once_get_the_same(tmp_path: Path) -> None:
    place = KeyPlace(path=tmp_path / "patients.key")
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: place.make().fingerprint, range(8)))
    assert len(set(made)) == 1


def test_a_lost_key_refuses_patients_and_nothing_else(
    ledger: Ledger, tmp_path: Path
) -> None:
    given(ledger, named())
    (tmp_path / "patients.key").unlink()
    keyless = Ledger.open(url_of(tmp_path))
    with pytest.raises(WrongKey, match="missing: restore it"):
        keyless.demand_patient_key()
    with pytest.raises(WrongKey):
        given(keyless, audit_entry(patient=Patient(patient_id="BOB")))
    given(keyless, audit_entry(study_instance_uid=None))
    (first, _) = log_of(keyless)
    assert patients_in(shown(keyless, first)) == ["unreadable"]
    assert not (tmp_path / "patients.key").exists()
    keyless.close()


@pytest.mark.parametrize(
    "text",
    ["", "short", "ä" * 44, text_of_key(new_key())],
    ids=["empty", "short", "letters", "another"],
)
def test_a_wrong_key_is_refused(ledger: Ledger, tmp_path: Path, text: str) -> None:
    given(ledger, named())
    (tmp_path / "patients.key").write_text(text, "utf-8")
    wrong = Ledger.open(url_of(tmp_path))
    with pytest.raises(WrongKey) as refused:
        wrong.demand_patient_key()
    assert not text or text not in str(refused.value)
    wrong.close()


def test_a_key_from_the_environment_needs_no_file(tmp_path: Path) -> None:
    place = KeyPlace(path=tmp_path / "patients.key", given=text_of_key(new_key()))
    ledger = Ledger.open(url_of(tmp_path), place)
    given(ledger, named())
    assert patients_in(shown(ledger, log_of(ledger)[0])) == [ANN.patient_id]
    assert not (tmp_path / "patients.key").exists()
    ledger.close()


def test_a_lost_key_can_be_given_up(ledger: Ledger, tmp_path: Path) -> None:
    given(ledger, named())
    path = tmp_path / "patients.key"
    path.unlink()
    keyless = Ledger.open(url_of(tmp_path))
    assert replace_key(keyless, KeyPlace(path=path), NURSE, "disk lost", at(1)) == 1
    keyless.close()
    again = Ledger.open(url_of(tmp_path))
    given(again, named())
    first, replaced, last = log_of(again)
    assert patients_in(shown(again, first)) == ["erased"]
    assert patients_in(shown(again, last)) == [ANN.patient_id]
    assert (replaced.event_type, replaced.outcome) == ("patient-key-replaced", 8)
    again.close()


def test_a_key_that_fits_is_not_given_up(ledger: Ledger, tmp_path: Path) -> None:
    given(ledger, named())
    with pytest.raises(NotReady):
        replace_key(ledger, KeyPlace(path=tmp_path / "patients.key"), NURSE, "", NOW)


def test_a_ledger_without_a_place_takes_no_patient(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path), KeyPlace(path=None))
    with pytest.raises(WrongKey, match="without a place"):
        given(ledger, named())
    ledger.close()


def test_a_wrapped_key_of_another_patient_does_not_open() -> None:
    master = MasterKey(bytes(32))
    wrapped = master.wrap(new_key(), "ann")
    with pytest.raises(WrongKey):
        master.unwrap(wrapped, "bob")
    with pytest.raises(WrongKey):
        MasterKey(bytes([1]) * 32).unwrap(wrapped, "ann")


def test_sealed_words_that_were_changed_do_not_open() -> None:
    key = DataKey(new_key())
    sealed = key.seal(b"ANN")
    other = "A" if sealed[-1] != "A" else "B"
    for changed in (other + sealed[1:], sealed[:-4], "", "not base64!"):
        with pytest.raises(WrongKey):
            key.unseal(changed)


def test_no_key_is_printed() -> None:
    secret = new_key()
    for shown_text in (repr(MasterKey(secret)), repr(DataKey(secret))):
        assert repr(secret) not in shown_text
