"""Every route of the console, as every role and as nobody; from the table of routes."""

import re
from collections.abc import Iterator

import pytest
from fastapi import APIRouter, FastAPI
from httpx2 import Response

from gateway.accounts.roles import PERMISSIONS, AccountRole, Permission
from gateway.ledger import AuditFilter
from gateway.web.guard import Declaration, FromHere, declarations
from tests.data.console import Browser, Console, opened_console

PUBLIC = {
    "/",
    "/login",
    "/login/openid",
    "/login/openid/return",
    "/setup/{secret}",
    "/fhir/metadata",
    "/health/live",
    "/health/ready",
}
"""What nobody need sign in for."""

VALUES = {"study_instance_uid": "1.2.3", "name": "nobody", "secret": "none"}
"""What stands in a path for a parameter; for others "1"."""

CHANGES = {"POST", "PUT", "PATCH", "DELETE"}


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with opened_console(tmp_path_factory.mktemp("console")) as opened:
        yield opened


@pytest.fixture(scope="module")
def routes(console: Console) -> list[Declaration]:
    found = declarations(console.app.routes)
    # What ends the session that asks comes last.
    return sorted(found, key=lambda each: (each.path == "/logout", each.path))


def path_of(route: Declaration) -> str:
    return re.sub(r"{(\w+)[^}]*}", lambda name: VALUES.get(name[1], "1"), route.path)


def call(browser: Browser, method: str, path: str) -> Response:
    """Ask with what a form of ours carries."""
    fields = {"form_token": browser.form_token} if method in CHANGES else None
    return browser.request(method, path, data=fields)


def is_denied(answer: Response) -> bool:
    leads_to_login = answer.headers.get("Location", "").startswith("/login?next=")
    return answer.status_code in {401, 403} or leads_to_login


def is_wanted(route: Declaration, role: AccountRole | None) -> bool:
    """Whether a role may, by what the route declares; None: nobody signed in."""
    if route.guard is None:
        return True
    permission = route.guard.permission
    if role is None:
        return False
    return permission is None or permission in PERMISSIONS[role]


@pytest.mark.parametrize("role", [*AccountRole, None])
def test_a_route_lets_in_whom_it_declares_and_nobody_else(
    console: Console, routes: list[Declaration], role: AccountRole | None
) -> None:
    browser = console.signed_in(role) if role else console.stranger()
    browser.look("/login")
    wrong = []
    for route in routes:
        for method in sorted(route.methods):
            answer = call(browser, method, path_of(route))
            is_right = is_denied(answer) != is_wanted(route, role)
            if not is_right or answer.status_code >= 500:
                wrong.append((method, route.path, answer.status_code))
    assert wrong == []
    assert len(routes) >= 20


def test_what_is_public_is_a_short_list(routes: list[Declaration]) -> None:
    assert {route.path for route in routes if route.guard is None} == PUBLIC


def test_a_route_that_declares_nothing_lets_no_application_start() -> None:
    router = APIRouter()
    router.get("/patients")(lambda: "all of them")
    app = FastAPI(openapi_url=None)
    app.include_router(router)
    with pytest.raises(TypeError, match="/patients: who may call it"):
        declarations(app.routes)
    with pytest.raises(TypeError, match="no handler of ours"):
        declarations(FastAPI().routes)  # FastAPI's own pages of documentation


def test_a_change_takes_the_token_of_the_forms_of_its_session(
    console: Console, routes: list[Declaration]
) -> None:
    """So it is whatever the role may: the token is looked at before anything else."""
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    other = console.signed_in(AccountRole.REVIEWER)
    ours = {"form_token": browser.form_token}
    foreign = [
        ({}, {}),
        ({"form_token": other.form_token}, {}),
        ({"form_token": ""}, {"X-Form-Token": ""}),
        (ours, {"Origin": "http://evil.example"}),
        (ours, {"Origin": "null"}),
        (ours, {"Sec-Fetch-Site": "cross-site"}),
        (ours, {"Sec-Fetch-Site": "same-site"}),
    ]
    wrong, tried = [], 0
    for route in routes:
        for method in route.methods & CHANGES:
            for fields, headers in foreign:
                answer = browser.request(
                    method, path_of(route), data=fields, headers=headers
                )
                tried += 1
                if answer.status_code != 403:
                    wrong.append((method, route.path, fields, headers))
    assert wrong == []
    assert tried >= 7 * 8
    assert browser.shows(AccountRole.ADMINISTRATOR), "and nobody was signed out"


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
def test_a_method_that_no_route_has_does_nothing(
    console: Console, routes: list[Declaration], method: str
) -> None:
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    for route in routes:
        answer = call(browser, method, path_of(route))
        assert answer.status_code in {403, 405}, route.path
    assert browser.shows(AccountRole.ADMINISTRATOR)


def test_metrics_are_for_this_machine_and_for_whoever_reads_the_system(
    console: Console, routes: list[Declaration]
) -> None:
    (metrics,) = [route for route in routes if isinstance(route.guard, FromHere)]
    assert metrics.path == "/metrics"
    answer = console.stranger("127.0.0.1").get("/metrics")
    assert answer.status_code == 200
    assert 'maira_gateway_studies{state="held"} 0' in answer.text
    assert console.stranger("not an address").get("/metrics").status_code == 303
    wrong = {"Authorization": "Bearer none"}
    local = console.stranger("127.0.0.1").get("/metrics", headers=wrong)
    assert is_denied(local)


def test_what_a_role_may_not_do_is_recorded_when_it_is_tried(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    assert browser.get("/accounts").status_code == 403
    with console.site.ledger.reading() as rows:
        last = max(rows.audit(wanted()), key=lambda record: record.sequence)
    assert (last.user, last.detail) == ("viewer", Permission.ACCOUNTS_MANAGE)


def wanted() -> AuditFilter:
    return AuditFilter(limit=10_000)
