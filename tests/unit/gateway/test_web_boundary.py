"""What comes in and goes out around every page: hosts, sizes, headers, cookies."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from gateway.accounts.roles import AccountRole
from gateway.web.boundary import Boundary, Limits
from gateway.web.login_page import own_path
from tests.data.console import PASSWORD, Console, opened_console

if TYPE_CHECKING:
    from config.load import Table


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    settings: Table = {"web": {"max_request_bytes": 4096, "names": ["Gateway.example"]}}
    with opened_console(tmp_path_factory.mktemp("console"), settings) as opened:
        yield opened


@pytest.mark.parametrize(
    "path", ["/login", "/none", "/static/style.css", "/health/live", "/api/v1/studies"]
)
def test_every_answer_says_what_a_browser_may_do_with_it(
    console: Console, path: str
) -> None:
    headers = console.stranger().get(path).headers
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Frame-Options"] == "DENY"
    assert "Server" not in headers
    is_static = path.startswith("/static/")
    assert headers.get("Cache-Control") == (None if is_static else "no-store")


def test_every_page_says_that_it_is_for_research(console: Console) -> None:
    for path in ("/login", "/none"):
        assert (
            "Research only, not for clinical use" in console.stranger().get(path).text
        )


def test_no_page_holds_a_script_or_a_style_of_its_own(console: Console) -> None:
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    for path in ("/login", "/account", "/accounts"):
        text = browser.get(path).text
        assert "<style" not in text
        assert "style=" not in text
        assert "<script>" not in text
        assert " on" + "click" not in text


@pytest.mark.parametrize(
    ("host", "is_ours"),
    [
        ("127.0.0.1", True),
        ("localhost:8080", True),
        ("[::1]:8080", True),
        ("gateway.example", True),
        ("GATEWAY.example:443", True),
        ("evil.example", False),
        ("gateway.example.evil.example", False),
        ("gateway.example:80@evil.example", False),
        ("", False),
    ],
)
def test_a_request_names_a_host_that_is_ours(
    console: Console, host: str, is_ours: bool
) -> None:
    answer = console.stranger().get("/login", headers={"Host": host})
    assert answer.status_code == (200 if is_ours else 421)


def test_two_hosts_are_none(console: Console) -> None:
    hosts = [("Host", "127.0.0.1"), ("Host", "127.0.0.1")]
    assert console.stranger().get("/login", headers=hosts).status_code == 421


def test_a_request_that_is_too_large_is_refused_said_or_not(console: Console) -> None:
    browser = console.stranger()
    browser.look("/login")
    much = "x" * 5000
    assert browser.submit("/login", name="viewer", password=much).status_code == 413
    pieces = (b"x" * 1000 for _ in range(5))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    assert browser.post("/login", content=pieces, headers=form).status_code == 413


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e%2f%2e%2e%2fserve.py",
        "/static//etc/passwd",
        "/static/..%5capp.py",
        "/static/%00",
        "/static/",
    ],
)
def test_nothing_but_static_files_is_read(console: Console, path: str) -> None:
    answer = console.stranger().get(path)
    assert answer.status_code == 404
    assert "import" not in answer.text


@pytest.mark.parametrize(
    ("wanted", "led_to"),
    [
        ("/studies?state=held", "/studies?state=held"),
        ("https://evil.example", "/"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("/\t/evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("studies", "/"),
        ("", "/"),
        ("/é", "/"),
    ],
)
def test_signing_in_leads_to_a_path_of_ours(wanted: str, led_to: str) -> None:
    assert own_path(wanted) == led_to


def test_whoever_must_sign_in_is_led_back(console: Console) -> None:
    browser = console.stranger()
    asked = browser.get("/accounts?x=1")
    assert asked.headers["Location"] == "/login?next=%2Faccounts%3Fx%3D1"
    browser.look(asked.headers["Location"])
    answer = browser.submit(
        "/login", name="administrator", password=PASSWORD, next="/accounts?x=1"
    )
    assert answer.headers["Location"] == "/accounts?x=1"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_cookies_are_for_this_host_and_no_script(console: Console, scheme: str) -> None:
    browser = console.stranger(scheme=scheme)
    browser.look("/login")
    answer = browser.submit("/login", name="viewer", password=PASSWORD)
    given = answer.headers.get_list("Set-Cookie")
    sessions = [each for each in given if "maira-session=" in each]
    assert len(sessions) == 1
    prefix = "__Host-" if scheme == "https" else ""
    for each in given:
        words = {word.strip().lower() for word in each.split(";")[1:]}
        assert each.startswith(f"{prefix}maira-")
        assert {"httponly", "samesite=lax", "path=/"} <= words
        assert ("secure" in words) == (scheme == "https")
        assert not any(word.startswith("domain") for word in words)
    assert ("Strict-Transport-Security" in answer.headers) == (scheme == "https")


def test_what_was_sent_is_not_repeated(console: Console) -> None:
    browser = console.stranger()
    browser.look("/login")
    answer = browser.submit("/login", name="Doe^Jane" * 20)
    assert answer.status_code == 422
    assert "name, password" in answer.text
    assert "Doe" not in answer.text


def test_what_fails_is_logged_and_not_explained(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = FastAPI(openapi_url=None)
    limits = Limits(hosts=None, body_bytes=100, seconds=30.0)
    app.add_middleware(Boundary, limits=limits)

    @app.get("/")
    def fail() -> None:
        raise RuntimeError("a detail for the log")

    with TestClient(app) as browser:
        answer = browser.get("/")
    assert answer.status_code == 500
    assert "detail" not in answer.text
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
    assert "a detail for the log" in caplog.text
