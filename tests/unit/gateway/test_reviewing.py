"""Searching, signing off and exporting the log: what is found, and what is recorded."""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, time, timedelta
from itertools import islice
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from gateway.audit import codes, kinds
from gateway.audit.message import Action
from gateway.audit.parts import Happening, Person, node, record
from gateway.errors import BadQuestion
from gateway.ledger import (
    AuditFilter,
    AuditPage,
    AuditRecord,
    Finding,
    Ledger,
    Review,
    SavedFilter,
    schema,
)
from gateway.ledger.review_tables import reviews, saved_filters
from gateway.reviewing.asking import Question, read_question
from gateway.reviewing.bulk import bulk_access
from gateway.reviewing.desk import (
    Desk,
    find_bulk,
    find_repeats,
    open_record,
    search,
)
from gateway.reviewing.exports import (
    AT_ONCE,
    Exported,
    Format,
    _csv,
    _xml,
    csv_line,
    export,
    is_message,
    safe_cell,
)
from gateway.reviewing.hours import WorkingHours
from gateway.reviewing.sentences import sentence, short_uid
from gateway.reviewing.signing import (
    Gap,
    Verdict,
    drop_filter,
    gaps,
    not_reviewed,
    save_filter,
    sign_off,
)
from tests.data.ledgers import NOW, STUDY_UID, at, audit_entry, url_of
from tests.data.reviewing import kept_of

ANNA = Person(name="anna", role="auditor", address="10.0.0.7")
FINE = Verdict(outcome=Finding.NOTHING, note="")
LATER = at(3600)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path_factory.mktemp("ledger")))
    yield opened
    opened.close()


@pytest.fixture
def desk(shared: Ledger) -> Desk:
    """A desk over an empty log; NOW is a Monday, 10:30."""
    emptied(shared)
    hours = WorkingHours(
        days=frozenset(range(5)), opens=time(7), closes=time(19), zone=ZoneInfo("UTC")
    )
    return Desk(
        ledger=shared, hours=hours, bulk_subjects=2, bulk_window=timedelta(minutes=10)
    )


def walked(desk: Desk, question: Question, page: AuditPage) -> list[AuditRecord]:
    """Return what all pages hold, one after the other."""
    found: list[AuditRecord] = []
    for _ in range(40):
        part = search(desk, question, page, ANNA, LATER)
        found += part.records
        if part.after is None:
            return found
        page = replace(page, after=part.after)
    raise AssertionError("the pages do not end")


def emptied(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        for table in (schema.audit, saved_filters, reviews):
            rows._connection.execute(delete(table))
        rows._connection.execute(update(schema.audit_head).values(last_sequence=0))


def keep(desk: Desk, *changes: Mapping[str, object]) -> None:
    with desk.ledger.writing() as rows:
        for each in changes:
            rows.append_audit(audit_entry(**each))


def viewed(user: str, study: str, now: datetime) -> dict[str, object]:
    return {
        "user": user,
        "event_type": "study-viewed",
        "person_role": "radiologist",
        "study_instance_uid": study,
        "recorded_at": now,
    }


def last_record(desk: Desk) -> tuple[str | None, str, str | None]:
    with desk.ledger.reading() as rows:
        (record,) = rows.audit_records([rows.last_sequence()])
    return record.event_type, record.user, record.detail


def numbers(desk: Desk, given_: dict[str, str]) -> list[int]:
    found = search(desk, read_question(given_), AuditPage(), ANNA, LATER)
    return [record.sequence for record in found.records]


def test_a_search_is_recorded_with_what_was_asked_and_not_in_its_own_answer(
    desk: Desk,
) -> None:
    keep(desk, {"user": "bert"}, {})
    found = search(desk, read_question({"user": "bert"}), AuditPage(), ANNA, LATER)
    assert [record.sequence for record in found.records] == [1]
    assert (found.after, found.count) == (None, 1)
    assert last_record(desk) == ("audit-searched", "anna", "user=bert")


def test_a_full_page_says_where_the_next_begins_and_how_many_there_are(
    desk: Desk,
) -> None:
    keep(desk, {}, {}, {})
    found = search(desk, Question(), AuditPage(limit=2), ANNA, at(-1))
    assert found.after is not None
    assert found.after.sequence == 2
    assert found.count == 3
    page = AuditPage(limit=2, after=found.after)
    rest = search(desk, Question(), page, ANNA, at(-1))
    assert rest.records[0].sequence == 1


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    seconds=st.lists(st.integers(0, 6), min_size=1, max_size=14),
    in_order=st.booleans(),
    stretch=st.integers(1, 5),
    how=st.tuples(st.booleans(), st.sampled_from(["all", "people", "out-of-hours"])),
)
def test_pages_that_look_through_a_stretch_find_what_one_page_would(
    desk: Desk,
    seconds: list[int],
    in_order: bool,
    stretch: int,
    how: tuple[bool, str],
) -> None:
    emptied(desk.ledger)
    newest_first, view = how
    times = sorted(seconds) if in_order else seconds  # else the clock was set
    night = NOW.replace(hour=3)
    keep(
        desk,
        *(
            viewed("bert" if n % 3 else "carl", "1.1", night + timedelta(seconds=each))
            | {"detail": "wanted" if n % 2 else "other"}
            for n, each in enumerate(times)
        ),
    )
    question = read_question({"text": "wanted", "until": "2026-03-02", "view": view})
    one = AuditPage(newest_first=newest_first)
    whole = search(replace(desk, stretch=None), question, one, ANNA, LATER)
    assert (whole.after, whole.looked_to) == (None, None)
    narrow, page = replace(desk, stretch=stretch), replace(one, limit=2)
    assert walked(narrow, question, page) == whole.records


def test_a_page_says_how_far_it_looked_and_counts_no_more(desk: Desk) -> None:
    keep(desk, *({"recorded_at": at(n), "detail": f"no. {n}"} for n in range(9)))
    question = read_question({"text": "no. 0", "until": at(60).isoformat()})
    found = search(replace(desk, stretch=3), question, AuditPage(), ANNA, LATER)
    assert (found.records, found.count, found.looked_to) == ([], None, at(5))
    assert found.after is not None
    whole = search(replace(desk, stretch=9), question, AuditPage(), ANNA, LATER)
    assert (len(whole.records), whole.count, whole.looked_to) == (1, 1, None)


@pytest.mark.parametrize("given_", [{"user": "bert"}, {"study": STUDY_UID}, {}])
def test_what_an_index_finds_is_looked_for_in_the_whole_log(
    given_: dict[str, str], desk: Desk
) -> None:
    keep(desk, *({"recorded_at": at(n), "user": "bert"} for n in range(9)))
    narrow = replace(desk, stretch=9 if not given_ else 1)
    found = search(narrow, read_question(given_), AuditPage(), ANNA, LATER)
    assert len(found.records) == 9
    assert found.count == 9


def test_who_opens_a_record_is_recorded(desk: Desk) -> None:
    keep(desk, {"detail": "this one"})
    found = open_record(desk, 1, ANNA, LATER)
    assert found is not None
    assert found.detail == "this one"
    assert last_record(desk) == ("audit-viewed", "anna", "record 1")


def test_a_record_that_is_not_there_is_none(desk: Desk) -> None:
    assert open_record(desk, 7, ANNA, LATER) is None


def test_out_of_hours_is_what_people_did_at_night(desk: Desk) -> None:
    night = NOW.replace(hour=3)
    keep(
        desk,
        viewed("bert", "1.1", NOW),
        viewed("bert", "1.2", night),
        {"recorded_at": night},
    )
    assert numbers(desk, {"view": "out-of-hours"}) == [2]


def test_pages_of_out_of_hours_go_on_where_they_ended(desk: Desk) -> None:
    night = NOW.replace(hour=3)
    keep(desk, *(viewed("bert", "1.1", night) for _ in range(3)))
    question = read_question({"view": "out-of-hours"})
    first = search(desk, question, AuditPage(limit=2), ANNA, NOW)
    page = AuditPage(limit=2, after=first.after)
    rest = search(desk, question, page, ANNA, NOW)
    assert [each.sequence for each in (*first.records, *rest.records)] == [3, 2, 1]
    assert rest.after is None


def test_a_patient_is_found_by_studies_too(desk: Desk) -> None:
    keep(
        desk,
        {"patient": "a" * 64, "study_instance_uid": "1.1"},
        viewed("bert", "1.1", NOW),
        viewed("bert", "1.2", NOW),
    )
    assert numbers(desk, {"patient": "a" * 64}) == [2, 1]


def test_many_studies_of_one_patient_are_no_bulk(desk: Desk) -> None:
    of_one = [
        {"patient": "a" * 64, "study_instance_uid": f"1.{each}"} for each in range(4)
    ]
    keep(desk, *of_one, *(viewed("bert", f"1.{each}", NOW) for each in range(4)))
    keep(desk, *(viewed("carl", f"2.{each}", NOW) for each in range(4)))
    (bulk,) = find_bulk(desk, AuditFilter(), ANNA, LATER)
    assert (bulk.user, bulk.most) == ("carl", 4)
    assert last_record(desk)[2] == "bulk access: all records"


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    opened=st.lists(
        st.tuples(st.sampled_from("bc"), st.integers(0, 3000), st.integers(0, 6)),
        max_size=25,
    ),
    since=st.one_of(st.none(), st.integers(0, 3000)),
)
def test_bulk_is_found_as_if_every_record_were_looked_at(
    desk: Desk, opened: list[tuple[str, int, int]], since: int | None
) -> None:
    emptied(desk.ledger)
    keep(desk, *(viewed(user, f"1.{study}", at(sec)) for user, sec, study in opened))
    wanted = AuditFilter(since=None if since is None else at(since))
    page = AuditPage(newest_first=False)
    with desk.ledger.reading() as rows:
        whole = [
            (each, each.study_instance_uid or "")
            for each in rows.accesses(wanted, page)
        ]
    expected = bulk_access(whole, desk.bulk_window, desk.bulk_subjects)
    assert find_bulk(desk, wanted, ANNA, LATER) == expected


def test_results_sent_twice_are_found_and_the_question_is_recorded(desk: Desk) -> None:
    sent = {"event_type": "results-sent", "node": "PACS"}
    keep(desk, sent, sent)
    (repeat,) = find_repeats(desk, AuditFilter(), ANNA, LATER)
    assert repeat.study_instance_uid == STUDY_UID
    assert last_record(desk)[2] == "results sent twice: all records"


# Saved filters and sign-off.


def saved(name: str, question: str, owner: str, *, shared: bool = False) -> SavedFilter:
    return SavedFilter(
        owner=owner, name=name, question=question, shared=shared, saved_at=NOW
    )


CARL = Person(name="carl", role="auditor")


def test_a_saved_filter_is_seen_by_its_owner_and_where_it_is_shared(desk: Desk) -> None:
    save_filter(desk, saved("mine", "user=bert", "anna"), ANNA)
    save_filter(desk, saved("ours", "outcome=failed", "carl", shared=True), CARL)
    save_filter(desk, saved("theirs", "outcome=8", "carl"), CARL)
    save_filter(desk, saved("mine", "user=carl", "anna"), ANNA)
    with desk.ledger.reading() as rows:
        found = rows.saved_filters("anna")
    assert [(each.name, each.question) for each in found] == [
        ("mine", "user=carl"),
        ("ours", "outcome=failed"),
    ]


def test_a_saved_filter_goes_only_by_its_owner_and_both_are_recorded(
    desk: Desk,
) -> None:
    save_filter(desk, saved("ours", "outcome=8", "carl", shared=True), CARL)
    save_filter(desk, saved("all", "", "anna"), ANNA)
    assert not drop_filter(desk, "ours", ANNA, LATER)
    assert drop_filter(desk, "ours", CARL, LATER)
    with desk.ledger.reading() as rows:
        told = [(e.user, e.event_type, e.detail) for e in rows.audit(AuditFilter())]
    assert told == [
        ("carl", "audit-filter-saved", "filter ours, shared: outcome=8"),
        ("anna", "audit-filter-saved", "filter all, of one's own: everything"),
        ("carl", "audit-filter-deleted", "filter ours"),
    ]


@pytest.mark.parametrize("name", ["", " ", "x" * 81, "a\nb"])
def test_a_filter_needs_a_name_on_one_line(desk: Desk, name: str) -> None:
    with pytest.raises(BadQuestion, match="name"):
        save_filter(desk, saved(name, "user=bert", "anna"), ANNA)


def asked_of(since: datetime, until: datetime) -> Question:
    return Question(wanted=AuditFilter(since=since, until=until))


def test_a_sign_off_is_kept_with_what_it_covers_and_recorded(desk: Desk) -> None:
    keep(desk, {}, {"recorded_at": at(1)}, {"recorded_at": at(60)})
    verdict = Verdict(outcome=Finding.FOLLOWED_UP, note="asked bert\nabout it")
    review = sign_off(desk, asked_of(NOW, at(30)), verdict, ANNA, LATER)
    with desk.ledger.reading() as rows:
        assert rows.reviews() == [review]
    assert (review.records, review.last_sequence) == (2, 3)
    assert review.note == "asked bert about it"
    kind, user, detail = last_record(desk)
    assert (kind, user) == ("audit-reviewed", "anna")
    assert detail is not None
    assert detail.startswith("records 1 to 3 reviewed: ")
    assert "asked bert about it" in detail


@pytest.mark.parametrize(
    ("question", "verdict", "says"),
    [
        (Question(), FINE, "give since and until"),
        (asked_of(NOW, at(7200)), FINE, "is over"),
        (
            asked_of(NOW, at(1)),
            Verdict(outcome=Finding.FOLLOWED_UP, note=" "),
            "what was followed up",
        ),
        (
            asked_of(NOW, at(1)),
            Verdict(outcome=Finding.NOTHING, note="x" * 1001),
            "at most 1000",
        ),
    ],
)
def test_a_sign_off_that_says_too_little_is_refused(
    desk: Desk, question: Question, verdict: Verdict, says: str
) -> None:
    with pytest.raises(BadQuestion, match=says):
        sign_off(desk, question, verdict, ANNA, LATER)


def test_what_nobody_signed_off_is_listed_for_each_question(desk: Desk) -> None:
    keep(desk, {}, {"recorded_at": at(100)})
    sign_off(desk, asked_of(at(10), at(20)), FINE, ANNA, LATER)
    failed = Question(wanted=AuditFilter(since=at(40), until=at(50), failed=True))
    sign_off(desk, failed, FINE, ANNA, LATER)
    everything = not_reviewed(desk, "", None, at(100))
    assert everything == [
        Gap(since=NOW, until=at(10)),
        Gap(since=at(20), until=at(100)),
    ]
    assert not_reviewed(desk, "outcome=failed", at(10), at(60)) == [
        Gap(since=at(20), until=at(40)),
        Gap(since=at(50), until=at(60)),
    ]


def test_an_empty_log_leaves_nothing_to_review(desk: Desk) -> None:
    assert not_reviewed(desk, "", None, LATER) == []


@given(
    times=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=8),
)
def test_every_second_is_reviewed_or_in_a_gap(times: list[tuple[int, int]]) -> None:
    signed = [
        Review(
            question="",
            since=at(begin),
            until=at(begin + length),
            last_sequence=1,
            records=1,
            outcome=Finding.NOTHING,
            note="",
            reviewer="anna",
            reviewed_at=LATER,
        )
        for begin, length in times
    ]
    found = gaps(signed, at(5), at(25))
    for second in range(5, 25):
        covered = any(each.since <= at(second) < each.until for each in signed)
        missing = any(each.since <= at(second) < each.until for each in found)
        assert covered is not missing


# Exports.


def exported(desk: Desk, format_: Format, question: Question | None = None) -> str:
    wanted = Exported(question=question or Question(), by=ANNA, clock=lambda: LATER)
    return "".join(export(desk, wanted, format_))


def test_an_export_is_recorded_before_and_after_and_holds_the_first_record(
    desk: Desk,
) -> None:
    keep(desk, {}, {})
    text = exported(desk, Format.JSON)
    assert len(text.splitlines()) == 3
    assert '"event_type":"audit-exported"' in text.splitlines()[-1]
    kind, _, detail = last_record(desk)
    assert kind == "audit-exported"
    assert detail == "export: all records as jsonl: complete, 3 records"


def test_an_export_that_is_broken_off_says_so(desk: Desk) -> None:
    keep(desk, *({} for _ in range(3)))
    wanted = Exported(question=Question(), by=ANNA, clock=lambda: LATER)
    pieces = export(desk, wanted, Format.CSV)
    list(islice(pieces, 1))
    pieces.close()  # type: ignore[attr-defined]
    assert last_record(desk)[2] == ("export: all records as csv: broken off, 0 records")


def test_an_export_has_every_record_of_several_pages_once(desk: Desk) -> None:
    keep(desk, *({"recorded_at": at(-each)} for each in range(AT_ONCE + 3)))
    rows = list(csv.reader(io.StringIO(exported(desk, Format.CSV), newline="")))
    told = sorted(int(row[0]) for row in rows[1:])
    assert told == list(range(1, AT_ONCE + 5))


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+49", "-2", "@SUM(A1)", "\t=1", "\r=1", "  =1", "\n=1", "\uff1d1"],
)
def test_a_cell_that_begins_as_a_formula_is_none(text: str) -> None:
    assert safe_cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "a=1", "1.2.3", "anna", "'x"])
def test_another_cell_stays_as_it_is(text: str) -> None:
    assert safe_cell(text) == text


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_a_line_is_read_again_as_its_cells(cells: list[str]) -> None:
    (read,) = csv.reader(io.StringIO(csv_line(cells), newline=""))
    assert read == [safe_cell(cell) for cell in cells]


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text.encode())  # noqa: S314 - our own export


_HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["</log:AuditLog>", "]]>", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "=cmd|'/c calc'!A0"]
)


@settings(deadline=None, max_examples=30)
@given(user=_HOSTILE, detail=_HOSTILE)
def test_hostile_text_leaves_an_export_well_formed(user: str, detail: str) -> None:
    what = Happening(
        event=codes.SECURITY_ALERT, action=Action.READ, at=NOW, detail=detail
    )
    kept = kept_of(record(what, [node(user, None, is_requestor=True)]))
    root = parsed(f'<a xmlns:log="urn:x">{_xml(kept)}</a>')
    assert root[0][0].tag == "AuditMessage"
    (cells,) = csv.reader(io.StringIO(_csv(kept), newline=""))
    assert not any(cell.lstrip().startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<AuditMessage>",
        "<Other/>",
        "<AuditMessage/></log:Record>",
        '<!DOCTYPE a [<!ENTITY b "c">]><AuditMessage/>',
        '<?xml version="1.0"?><AuditMessage/>',
        "<AuditMessage>\ud800</AuditMessage>",
    ],
)
def test_a_message_that_was_altered_stands_in_an_export_as_text(
    desk: Desk, text: str
) -> None:
    assert not is_message(text)
    if "\ud800" in text:  # no database keeps that
        return
    keep(desk, {"message": text})
    root = parsed(exported(desk, Format.XML))
    assert root[0][0].tag == "{urn:maira-gateway:audit:1}Unreadable"
    assert (root[0][0].text or "") == text


# Sentences.


def told(**changes: object) -> str:
    return sentence(kept_of(audit_entry(**changes)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (
            {
                "event_type": "study-decided",
                "detail": "released by anna (radiologist): looked at it",
                "user": "anna",
                "person_role": "radiologist",
            },
            "radiologist anna released study …10.543.1",
        ),
        (
            {"event_type": "study-viewed", "user": "bert", "person_role": "person"},
            "bert opened study …10.543.1",
        ),
        (
            {
                "event": "110113",
                "event_type": "110126",
                "user": "STRANGER",
                "node": "STRANGER",
                "study_instance_uid": None,
            },
            "node STRANGER was refused",
        ),
        (
            {"event": "110114", "event_type": "110122", "outcome": 4, "user": "eve"},
            "eve was not let in",
        ),
        (
            {"event": "110104", "event_type": "results-sent", "node": "PACS"},
            "the gateway sent results of study …10.543.1 to PACS",
        ),
        (
            {"event": "110102", "node": "CR1", "user": "CR1"},
            "node CR1 began to send instances to the gateway",
        ),
        (
            {
                "event": "110103",
                "event_type": "phrase-grounded",
                "outcome": 4,
                "user": "rita",
                "person_role": "person",
            },
            "rita had a phrase for study …10.543.1 refused",
        ),
        (
            {"event": "?", "event_type": "{who.__class__}", "user": "x"},
            "x: {who.__class__}",
        ),
    ],
)
def test_a_record_is_told_in_one_sentence(
    changes: dict[str, object], says: str
) -> None:
    assert told(**changes) == says


ALWAYS_TYPED = {"110100", "110108", "110113", "110114"}
"""Events that come with a type in every record, which has the sentence."""


def test_every_kind_of_event_has_a_sentence_of_its_own() -> None:
    for code in codes.EVENTS:
        if code.value not in ALWAYS_TYPED:
            of_type = told(event="?", event_type=code.value, user="x")
            of_event = told(event=code.value, event_type=None, user="x")
            assert f"x: {code.meaning}" != of_type or of_type != of_event, code


def test_a_short_uid_stays_and_a_missing_one_is_said() -> None:
    assert short_uid("1.2.3") == "1.2.3"
    assert short_uid(None) == "unknown"


def test_the_person_of_a_record_is_known_by_role_and_address(desk: Desk) -> None:
    with desk.ledger.writing() as rows:
        number = rows.append_audit(kinds.audit_searched(ANNA, "all", NOW))
        (record,) = rows.audit_records([number])
    assert (record.person_role, record.address) == ("auditor", "10.0.0.7")
    assert record.node is None
