"""The JSON API: the same functions and permissions, for programs."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis.core.result import Ok

from gateway.accounts.roles import AccountRole, Permission
from gateway.accounts.tokens import NewToken, make_token
from gateway.audit.parts import Person
from gateway.ledger import AuditFilter
from gateway.lifecycle import Event, State
from gateway.web.api import description
from tests.data.console import Browser, Console, opened_console
from tests.data.ledgers import NOW, STUDY_UID, given_study

EXAMPLES = 8
"""Requests of each kind that are made up; the operations are five."""


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with opened_console(tmp_path_factory.mktemp("console")) as opened:
        given_study(opened.site.ledger, state=State.PARKED)
        yield opened


def shown(console: Console, *permissions: Permission, account: str) -> dict[str, str]:
    """Return the headers of a program with a new token."""
    wanted = NewToken(account=account, name="test", permissions=permissions, days=1)
    by = Person(name="root")
    token = make_token(console.site.ledger, wanted, by, NOW)
    return {"Authorization": f"Bearer {token}"}


def test_a_token_reads_what_it_is_for_and_nothing_else(console: Console) -> None:
    program = console.stranger()
    headers = shown(console, Permission.STUDIES_READ, account="reviewer")
    (study,) = program.get("/api/v1/studies", headers=headers).json()
    assert (study["study_instance_uid"], study["state"]) == (STUDY_UID, "parked")
    detail = program.get(f"/api/v1/studies/{STUDY_UID}", headers=headers)
    assert detail.json()["moves"][0]["to_state"] == "receiving"
    refused = program.get("/api/v1/system", headers=headers)
    assert (refused.status_code, refused.json()) == (
        403,
        {"detail": "your account may not do this"},
    )
    assert program.get("/api/v1/studies").status_code == 401
    assert program.get("/api/v1/studies").headers["WWW-Authenticate"] == "Bearer"


def test_a_study_that_was_looked_at_is_in_the_audit(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    browser.get(f"/api/v1/studies/{STUDY_UID}")
    wanted = AuditFilter(event="study-viewed", limit=1000)
    with console.site.ledger.reading() as rows:
        assert rows.audit(wanted)[-1].user == "viewer"
    auditor = console.signed_in(AccountRole.AUDITOR)
    found = auditor.get("/api/v1/audit?event=study-viewed&limit=1").json()
    assert [record["user"] for record in found["records"]] == ["viewer"]


def test_the_audit_is_read_on_from_where_an_answer_ended(console: Console) -> None:
    auditor = console.signed_in(AccountRole.AUDITOR)
    path, asked = "/api/v1/audit", {"event": "110114", "newest_first": "false"}
    first = auditor.get(path, params={**asked, "limit": "1"}).json()
    second = auditor.get(path, params={**asked, "after": first["after"]}).json()
    sequences = [each["records"][0]["sequence"] for each in (first, second)]
    assert sequences == sorted(set(sequences))
    refused = auditor.get("/api/v1/audit?after=here")
    assert (refused.status_code, "after" in refused.json()["detail"]) == (422, True)


def test_a_decision_moves_a_study_by_the_table(console: Console) -> None:
    uid = "1.2.3.4"
    given_study(console.site.ledger, uid, State.DECLINED)
    headers = shown(console, Permission.STUDIES_DECIDE, account="reviewer")
    program, path = console.stranger(), f"/api/v1/studies/{uid}/decisions"
    wanted = {"decision": "retry", "why": "a better film came"}
    moved = program.post(path, json=wanted, headers=headers)
    assert (moved.status_code, moved.json()["state"]) == (200, "complete")
    again = program.post(path, json=wanted, headers=headers)
    assert again.status_code == 409
    wanted["decision"] = "release"
    assert program.post(path, json=wanted, headers=headers).status_code == 422
    unknown = "/api/v1/studies/9.9/decisions"
    assert (
        program.post(
            unknown, json=wanted | {"decision": "retry"}, headers=headers
        ).status_code
        == 404
    )
    with console.site.ledger.reading() as rows:
        study = rows.study(uid)
        assert study is not None
        (decided,) = [m for m in rows.moves(study.id) if m.event is Event.RETRIED]
    assert decided.reason == "retry by reviewer: a better film came"


def test_a_session_changes_nothing_by_the_api_without_its_token(
    console: Console,
) -> None:
    browser = console.signed_in(AccountRole.REVIEWER)
    path = f"/api/v1/studies/{STUDY_UID}/decisions"
    wanted = {"decision": "release", "why": "because", "role": "radiologist"}
    assert browser.post(path, json=wanted).status_code == 403
    ours = {"X-Form-Token": browser.form_token}
    assert browser.post(path, json=wanted, headers=ours).status_code == 409


def test_a_cookie_does_not_count_beside_a_wrong_token(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    wrong = {"Authorization": "Bearer maira_wrong"}
    assert browser.get("/api/v1/studies", headers=wrong).status_code == 401


def test_whatever_the_description_allows_fails_in_no_unforeseen_way(
    console: Console,
) -> None:
    may = {
        "reviewer": (Permission.STUDIES_READ, Permission.STUDIES_DECIDE),
        "auditor": (Permission.AUDIT_READ, Permission.SYSTEM_READ),
    }
    shows = [shown(console, *each, account=name) for name, each in may.items()]
    found = schemathesis.openapi.from_dict(description(console.app))
    program, asked = console.stranger(), []
    for result in found.get_all_operations():
        assert isinstance(result, Ok)
        operation = result.ok()
        asked.append(operation.label)
        ask_at_random(program, operation.as_strategy(), shows)
    assert len(asked) >= 5


def ask_at_random(
    program: Browser,
    cases: st.SearchStrategy[schemathesis.Case[Any]],
    shows: list[dict[str, str]],
) -> None:
    """Ask what the schema allows; every answer is one that was decided on."""

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases)
    def ask(case: schemathesis.Case[Any]) -> None:
        asked = case.as_transport_kwargs(base_url="http://127.0.0.1")
        allowed = {"method", "url", "params", "json", "data", "content"}
        plain = {key: value for key, value in asked.items() if key in allowed}
        for headers in shows:
            answer = program.request(**plain, headers=headers)
            assert answer.status_code < 500, (case.method, case.path, answer.text)

    ask()
