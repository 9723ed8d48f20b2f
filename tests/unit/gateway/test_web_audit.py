"""The Audit page as a browser sees it: who may, what is recorded, what is escaped."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import delete, update

from gateway.accounts.roles import AccountRole
from gateway.audit import verifier
from gateway.audit.message import Patient
from gateway.ledger import AuditFilter, schema
from gateway.ledger.review_tables import reviews, saved_filters
from gateway.log_keeping.sealing import find_signer
from tests.data.console import ELSEWHERE, Browser, Console, opened_console
from tests.data.ledgers import at, audit_entry

if TYPE_CHECKING:
    from config.load import Table

MARY = Patient(patient_id="MRN-0042", issuer="HOSPITAL")


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    overrides: Table = {"review": {"zone": "Europe/Berlin"}}
    with opened_console(tmp_path_factory.mktemp("site"), overrides) as console:
        yield console


@pytest.fixture(scope="module")
def browsers(opened: Console) -> dict[AccountRole, Browser]:
    return {role: opened.signed_in(role) for role in AccountRole}


@pytest.fixture
def auditor(opened: Console, browsers: dict[AccountRole, Browser]) -> Browser:
    """An auditor's browser, on a log that is empty."""
    with opened.site.ledger.writing() as rows:
        logged = (schema.audit, schema.audit_checkpoints)
        for table in (*logged, saved_filters, reviews):
            rows._connection.execute(delete(table))
        rows._connection.execute(update(schema.audit_head).values(last_sequence=0))
    return browsers[AccountRole.AUDITOR]


def keep(console: Console, **changes: object) -> int:
    with console.site.ledger.writing() as rows:
        return rows.append_audit(audit_entry(**changes))


def last_detail(console: Console) -> str | None:
    with console.site.ledger.reading() as rows:
        return rows.audit_records([rows.audit_size()])[0].detail


@pytest.mark.parametrize(
    "path",
    [
        "/audit",
        "/audit/records/1",
        "/audit/bulk",
        "/audit/repeats",
        "/audit/reviews",
    ],
)
def test_pages_of_the_audit_are_for_auditors_and_administrators(
    opened: Console, browsers: dict[AccountRole, Browser], path: str
) -> None:
    keep(opened)
    status = {role: browser.get(path).status_code for role, browser in browsers.items()}
    assert status == {
        AccountRole.VIEWER: 403,
        AccountRole.REVIEWER: 403,
        AccountRole.AUDITOR: 200,
        AccountRole.ADMINISTRATOR: 200,
    }


def test_an_administrator_signs_nothing_off(
    auditor: Browser, browsers: dict[AccountRole, Browser]
) -> None:
    browser = browsers[AccountRole.ADMINISTRATOR]
    assert "Sign off" not in browser.look("/audit").text
    answer = browser.submit("/audit/reviews", question="", outcome="nothing-found")
    assert answer.status_code == 403
    assert "Sign off" in auditor.look("/audit").text


@pytest.mark.parametrize(
    "path",
    [
        "/audit/reviews",
        "/audit/filters",
        "/audit/filters/forget",
        "/audit/bundle",
        "/audit/export",
        "/audit/patient",
        "/audit/records/1/reveal",
    ],
)
def test_nothing_is_done_without_the_token_of_a_form(
    auditor: Browser, path: str
) -> None:
    assert auditor.post(path, data={}).status_code == 403


def test_looking_is_recorded_with_the_question_and_the_address(
    opened: Console, auditor: Browser
) -> None:
    auditor.get("/audit?user=bert&outcome=failed")
    with opened.site.ledger.reading() as rows:
        (record,) = rows.audit(AuditFilter(event="audit-searched"))
    assert (record.user, record.address) == ("auditor", ELSEWHERE)
    assert record.detail == "user=bert, outcome=failed"


def test_text_of_the_network_stays_text(opened: Console, auditor: Browser) -> None:
    hostile = "<script>alert(1)</script>"
    number = keep(opened, user=hostile, detail=hostile, node=hostile)
    pages = [auditor.get("/audit").text, auditor.get(f"/audit/records/{number}").text]
    assert all(hostile not in page for page in pages)
    assert all("&lt;script&gt;alert(1)" in page for page in pages)


def test_times_are_those_of_the_site(opened: Console, auditor: Browser) -> None:
    keep(opened)
    assert "2026-03-02 11:30:00" in auditor.get("/audit").text
    day = auditor.get("/audit?from=2026-03-02&to=2026-03-02").text
    assert 'value="2026-03-02"' in day
    assert "maira-gateway</a>" in day


@pytest.mark.parametrize(
    "query",
    [
        "event=nonsense",
        "from=yesterday",
        "after=nowhere",
        "view=x",
        "study=%27",
        "user=a%0Ab",
    ],
)
def test_a_question_that_is_none_is_refused_with_words(
    auditor: Browser, query: str
) -> None:
    answer = auditor.get(f"/audit?{query}")
    assert answer.status_code == 422
    assert "Nothing was looked up" in answer.text


def test_a_patient_id_is_never_in_an_address_or_a_page(
    opened: Console, auditor: Browser
) -> None:
    keep(opened, patient=MARY, message="<AuditMessage><x/></AuditMessage>")
    auditor.look("/audit")
    answer = auditor.submit("/audit/patient", patient=" MRN-0042 ")
    address = answer.headers["Location"]
    assert answer.status_code == 303
    assert "MRN" not in address
    shown = auditor.get(address).text
    assert "MRN" not in shown
    assert "1 record" in shown


def test_an_unknown_patient_is_said_to_be(auditor: Browser) -> None:
    auditor.look("/audit")
    answer = auditor.submit("/audit/patient", patient="NOBODY-7")
    assert answer.status_code == 422
    assert "nobody in the log has this Patient ID" in answer.text
    assert "NOBODY-7" not in answer.text


def test_a_patient_is_shown_to_who_asks_and_that_is_recorded(
    opened: Console, auditor: Browser
) -> None:
    number = keep(opened, patient=MARY, message="<AuditMessage><x/></AuditMessage>")
    hidden = auditor.look(f"/audit/records/{number}").text
    assert "MRN-0042" not in hidden
    assert "sealed:" not in hidden
    shown = auditor.submit(f"/audit/records/{number}/reveal").text
    assert "MRN-0042" in shown
    assert last_detail(opened) == f"record {number}, its patient revealed"


def test_a_record_that_is_not_there_is_not_found(auditor: Browser) -> None:
    assert auditor.get("/audit/records/77").status_code == 404
    assert auditor.get("/audit/records/0").status_code == 422


def test_a_message_that_was_altered_is_said_to_be(
    opened: Console, auditor: Browser
) -> None:
    number = keep(opened, message="<!DOCTYPE a><AuditMessage/>")
    assert "the record was altered" in auditor.get(f"/audit/records/{number}").text


@pytest.mark.parametrize("kind", ["csv", "xml", "jsonl"])
def test_an_export_is_a_file_with_what_the_page_asked_for(
    opened: Console, auditor: Browser, kind: str
) -> None:
    keep(opened, user="bert", detail="=1+1")
    keep(opened, user="carla")
    auditor.look("/audit?user=bert")
    answer = auditor.submit("/audit/export", question="user=bert", format=kind)
    assert answer.status_code == 200
    assert f'filename="audit.{kind}"' in answer.headers["Content-Disposition"]
    assert "carla" not in answer.text
    assert last_detail(opened) == f"export: user=bert as {kind}: complete, 1 records"


def test_a_review_is_signed_off_on_the_page_and_listed(
    opened: Console, auditor: Browser
) -> None:
    keep(opened, recorded_at=at(-86400 * 30))
    auditor.look("/audit")
    question = "since=2026-01-01T00:00:00Z&until=2026-03-01T00:00:00Z"
    answer = auditor.submit(
        "/audit/reviews",
        question=question,
        outcome="followed-up",
        note="<b>asked</b> bert",
    )
    assert answer.headers["Location"] == "/audit/reviews"
    shown = auditor.get("/audit/reviews").text
    assert "&lt;b&gt;asked&lt;/b&gt; bert" in shown
    assert "followed up" in shown


def test_a_review_without_a_time_is_refused(auditor: Browser) -> None:
    auditor.look("/audit")
    answer = auditor.submit("/audit/reviews", question="", outcome="nothing-found")
    assert answer.status_code == 422
    assert "give since and until" in answer.text


def test_a_saved_filter_is_a_link_with_its_time(auditor: Browser) -> None:
    auditor.look("/audit")
    question = "since=2026-01-01T00:00:00Z&user=bert"
    answer = auditor.submit("/audit/filters", question=question, name="Bert's year")
    assert answer.status_code == 303
    page = auditor.look(answer.headers["Location"]).text
    assert ">Bert&#39;s year</a>" in page
    assert 'value="2026-01-01T01:00:00"' in page
    auditor.submit("/audit/filters/forget", name="Bert's year")
    assert ">Bert&#39;s year</a>" not in auditor.look("/audit").text


def test_the_pages_go_on_where_they_ended(opened: Console, auditor: Browser) -> None:
    for second in range(101):
        keep(opened, recorded_at=at(second), user=f"user-{second:03}")
    first = auditor.get("/audit?event=110103").text
    assert "user-100" in first
    assert "user-000" not in first
    link = first.split('rel="next" href="')[1].split('"')[0].replace("&amp;", "&")
    rest = auditor.get(link).text
    assert "user-000" in rest
    assert "user-100" not in rest


def test_the_state_of_the_log_is_in_the_head_of_every_page(
    opened: Console, auditor: Browser
) -> None:
    number = keep(opened)
    paths = ("", "/bulk", "/repeats", "/reviews", f"/records/{number}")
    for path in paths:
        assert "not signed yet" in auditor.get(f"/audit{path}").text
    with opened.site.ledger.writing() as rows:
        rows.remember("audit-alarm", "3 records were changed")
    for path in paths:
        assert "3 records were changed" in auditor.get(f"/audit{path}").text


@pytest.mark.parametrize(("question", "count"), [("", 3), ("user=bert", 2)])
def test_a_bundle_of_the_page_is_proven_by_the_verifier_alone(
    opened: Console, auditor: Browser, tmp_path: Path, question: str, count: int
) -> None:
    for user in ("bert", "carl", "bert"):
        keep(opened, user=user)
    auditor.look("/login")
    answer = auditor.submit("/audit/bundle", question=question)
    assert answer.status_code == 200
    disposition = 'attachment; filename="audit-bundle.jsonl"'
    assert answer.headers["Content-Disposition"] == disposition
    records = [line for line in answer.text.split("\n") if '"sequence":' in line]
    exported = '"event_type":"audit-exported"'
    assert len([line for line in records if exported not in line]) == count
    path = opened.site.settings.audit_key_path
    public = find_signer(path, opened.site.ledger).public
    (bundle := tmp_path / "bundle.jsonl").write_text(answer.text)
    words = ["--key", str(public), str(bundle)]
    assert verifier.main(words) == 0
    bundle.write_text(answer.text.replace("bert", "dirk"))
    assert verifier.main(words) == 1


def test_a_bundle_of_an_hour_is_refused_for_a_bundle_knows_no_hours(
    auditor: Browser,
) -> None:
    auditor.look("/login")
    answer = auditor.submit("/audit/bundle", question="view=out-of-hours")
    assert answer.status_code == 422
