"""People of a hospital sign in at a real provider on loopback: oidc-provider of npm."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import pytest

from benchmarks.rounds import free_port
from config.load import Table, load_settings
from gateway.accounts import managing
from gateway.accounts.roles import AccountRole
from gateway.audit import parts
from gateway.ledger import AuditFilter
from gateway.openid.provider import provider_of
from gateway.site import utc_now
from tests.data.console import Browser, Console, opened_console
from tests.data.openid import SECRET, Provider, running_providers, walk

HERE = "http://127.0.0.1"
Line = tuple[str, str | None, int, str | None]
"""Who, what, outcome and detail of a record."""
Told = Callable[[], list[Line]]
ADMIN = parts.Person(name="administrator", role="administrator")


@pytest.fixture(scope="module")
def providers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Provider]]:
    """One that speaks TLS and says all in the ID token, one that does neither."""
    folder = tmp_path_factory.mktemp("providers")
    with running_providers(folder, [HERE], tls=(True, False)) as running:
        yield running


@pytest.fixture(scope="module")
def provider(providers: list[Provider]) -> Provider:
    return providers[0]


@pytest.fixture(scope="module")
def console(
    tmp_path_factory: pytest.TempPathFactory, provider: Provider
) -> Iterator[Console]:
    """One for all of them; so each signs in people of its own."""
    folder = tmp_path_factory.mktemp("console")
    with opened_console(folder, provider.settings(), utc_now) as opened:
        yield opened


@pytest.fixture
def told(console: Console) -> Told:
    """Return what the audit has about people since the test began."""
    before = len(lines_of(console))
    return lambda: lines_of(console)[before:]


@pytest.fixture
def instead(console: Console, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the console have another provider for the length of a test."""

    def replace(other: Provider, **more: object) -> None:
        own = load_settings(None, other.settings(**more)).openid
        monkeypatch.setitem(console.app.state._state, "openid", provider_of(own))

    return replace


def sent_to(browser: Browser, next_page: str = "/") -> str:
    """Begin, and return where the provider is asked."""
    answer = browser.get(f"/login/openid?{urlencode({'next': next_page})}")
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def back_from(provider: Provider, browser: Browser, name: str, page: str = "/") -> str:
    """Begin, sign in at the provider, and return where it leads back to."""
    with provider.browser() as there:
        return walk(there, sent_to(browser, page), name)


def enter(provider: Provider, browser: Browser, name: str) -> httpx2.Response:
    return browser.get(back_from(provider, browser, name))


def lines_of(console: Console) -> list[Line]:
    kinds = {"110122", "110123", "account-created", "110136"}
    with console.site.ledger.reading() as rows:
        found = rows.audit(AuditFilter(limit=10_000))
    return [
        (each.user, each.event_type, each.outcome, each.detail)
        for each in found
        if each.event_type in kinds
    ]


def test_the_first_sign_in_makes_the_account_of_a_person(
    console: Console, provider: Provider, told: Told
) -> None:
    provider.tell("s-1", preferred_username="Anna", groups=["others", "radiologists"])
    browser = console.stranger()
    answer = browser.get(back_from(provider, browser, "s-1", "/studies?group=person"))
    assert (answer.status_code, answer.headers["Location"]) == (
        303,
        "/studies?group=person",
    )
    page = browser.look("/account").text
    assert "anna, reviewer" in page
    assert "Change the password" not in page
    with console.site.ledger.reading() as rows:
        account = rows.account_of_subject(provider.issuer, "s-1")
    assert account is not None
    assert (account.name, account.password_hash) == ("anna", None)
    assert told() == [
        (provider.issuer, "account-created", 0, "anna: created as reviewer"),
        ("anna", "110122", 0, "by OpenID Connect"),
    ]


def test_what_the_token_lacks_the_userinfo_endpoint_says(
    console: Console, providers: list[Provider], instead: Callable[..., None]
) -> None:
    other = providers[1]
    other.tell("s-1", preferred_username="otto", realm_access={"roles": ["it"]})
    instead(other, groups_claim="realm_access.roles")
    browser = console.stranger()
    assert enter(other, browser, "s-1").status_code == 303
    assert "otto, administrator" in browser.look("/account").text
    page = browser.look("/accounts").text
    assert "of the OpenID provider, in use" in page
    assert f"The role follows the groups at {other.issuer}" not in page, "one's own"


def test_the_role_follows_the_groups_at_each_sign_in(
    console: Console, provider: Provider, told: Told
) -> None:
    provider.tell("s-2", preferred_username="berta", groups=["radiologists"])
    first, second = console.stranger(), console.stranger()
    enter(provider, first, "s-2")
    provider.tell("s-2", preferred_username="renamed", groups=["readers"])
    enter(provider, second, "s-2")
    assert "berta, viewer" in second.look("/account").text
    assert first.get("/account").status_code == 303, "what it was opened as is over"
    change = (provider.issuer, "110136", 0, "berta: reviewer -> viewer")
    assert change in told()


def test_who_has_no_role_is_told_so_and_loses_the_sessions(
    console: Console, provider: Provider, told: Told
) -> None:
    provider.tell("s-3", preferred_username="carl", groups=["cleaners"])
    browser = console.stranger()
    answer = enter(provider, browser, "s-3")
    assert answer.status_code == 403
    assert "none of the groups has a role here" in answer.text
    why = "by OpenID Connect: none of the groups has a role here"
    assert told() == [("carl", "110122", 4, why)]
    names = [each.name for each in managing.accounts(console.site.ledger)]
    assert "carl" not in names
    provider.tell("s-3", preferred_username="carl", groups=["readers"])
    assert enter(provider, browser, "s-3").status_code == 303
    provider.tell("s-3", preferred_username="carl", groups=[])
    assert enter(provider, console.stranger(), "s-3").status_code == 403
    assert browser.get("/account").status_code == 303


def test_a_disabled_account_stays_out(
    console: Console, provider: Provider, told: Told
) -> None:
    provider.tell("s-4", preferred_username="dora", groups=["readers"])
    browser = console.stranger()
    assert enter(provider, browser, "s-4").status_code == 303
    ledger, now = console.site.ledger, console.site.clock()
    managing.disable(ledger, "dora", "left", ADMIN, now)
    answer = enter(provider, browser, "s-4")
    assert (answer.status_code, "this account is disabled" in answer.text) == (
        403,
        True,
    )
    assert told()[-1][:3] == ("dora", "110122", 4)


@pytest.mark.parametrize("name", ["Viewer", "viewer "])
def test_a_name_that_is_taken_is_not_taken_over(
    console: Console, provider: Provider, told: Told, name: str
) -> None:
    provider.tell("s-5", preferred_username=name, groups=["it"])
    answer = enter(provider, console.stranger(), "s-5")
    assert answer.status_code == 403
    assert "there is an account &#39;viewer&#39; already" in answer.text
    assert told()[-1][0] == "(unknown name)"
    assert console.signed_in(AccountRole.VIEWER).shows(AccountRole.VIEWER)


def test_an_answer_counts_once(
    console: Console, provider: Provider, told: Told
) -> None:
    provider.tell("s-6", preferred_username="emil", groups=["readers"])
    browser = console.stranger()
    back = back_from(provider, browser, "s-6")
    cookies = dict(browser.cookies)
    assert browser.get(back).status_code == 303
    assert "maira-openid" not in browser.cookies
    thief = console.stranger()
    thief.cookies.update({"maira-openid": cookies["maira-openid"]})
    answer = thief.get(back)
    assert answer.status_code == 401
    assert "not begun here, or is over" in answer.text
    # Nor does the code, in a sign-in that was begun.
    asked = parse_qs(urlsplit(sent_to(thief)).query)
    code = parse_qs(urlsplit(back).query)["code"][0]
    again = {"code": code, "state": asked["state"][0], "iss": provider.issuer}
    answer = thief.get(f"/login/openid/return?{urlencode(again)}")
    assert answer.status_code == 503
    assert thief.get("/account").status_code == 303
    assert [line[3] for line in told()[-2:]] == [
        "by OpenID Connect: not begun here, or over",
        "by OpenID Connect: it refuses: invalid_grant",
    ]


def test_an_answer_counts_in_the_browser_that_asked(
    console: Console, provider: Provider
) -> None:
    """Else a link would sign somebody in as whoever made it."""
    provider.tell("s-7", preferred_username="eve", groups=["readers"])
    eve, victim = console.stranger(), console.stranger()
    back = back_from(provider, eve, "s-7")
    assert victim.get(back).status_code == 401
    ours = back_from(provider, victim, "s-7")
    assert victim.get(back).status_code == 401
    assert victim.get("/account").status_code == 303
    assert victim.get(ours).status_code == 303, "what was begun here went on"


def test_a_session_that_was_planted_is_not_the_one_that_is_given(
    console: Console, provider: Provider
) -> None:
    provider.tell("s-8", preferred_username="fred", groups=["readers"])
    browser = console.stranger()
    for name in ("maira-session", "maira-visitor"):
        browser.cookies.set(name, "planted-by-somebody", domain="127.0.0.1")
    assert enter(provider, browser, "s-8").status_code == 303
    planted = console.stranger()
    planted.cookies.set("maira-session", "planted-by-somebody", domain="127.0.0.1")
    assert planted.get("/account").status_code == 303
    forged = console.stranger()
    forged.cookies.set("maira-openid", "planted-by-somebody", domain="127.0.0.1")
    assert forged.get("/login/openid/return?code=x&state=y").status_code == 401


def test_nobody_is_led_elsewhere(console: Console, provider: Provider) -> None:
    provider.tell("s-9", preferred_username="gina", groups=["readers"])
    for elsewhere in ("//evil.example", "https://evil.example", "/\\evil.example"):
        browser = console.stranger()
        answer = browser.get(back_from(provider, browser, "s-9", elsewhere))
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")


def test_whoever_turns_back_at_the_provider_is_not_signed_in(
    console: Console, provider: Provider, told: Told
) -> None:
    browser = console.stranger()
    with provider.browser() as there:
        page = there.get(sent_to(browser), follow_redirects=True)
        abort = re.search(r'href="([^"]+/abort)"', page.text)
        assert abort is not None
        answer = there.get(abort[1])
        while "/login/openid/return" not in answer.headers["Location"]:
            answer = there.get(answer.headers["Location"])
    answer = browser.get(answer.headers["Location"])
    assert answer.status_code == 403
    assert "the provider says access_denied" in answer.text
    assert told()[-1][1:3] == ("110122", 4)


@pytest.mark.parametrize(
    "wrong",
    [{"authority": ""}, {"issuer": f"https://127.0.0.1:{free_port()}"}],
    ids=["nobody vouches for it", "nobody is there"],
)
def test_a_provider_that_cannot_be_asked_keeps_nobody_out_who_has_a_password(
    console: Console,
    provider: Provider,
    instead: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    wrong: Table,
) -> None:
    instead(provider, **wrong)
    browser = console.stranger()
    answer = browser.get("/login/openid")
    assert answer.status_code == 503
    assert "sign in by password" in answer.text
    assert browser.sign_in("viewer").status_code == 303
    assert "no answer: ConnectError" in caplog.text


def test_a_wrong_secret_lets_nobody_in_and_is_not_told(
    console: Console,
    provider: Provider,
    instead: Callable[..., None],
    told: Told,
    caplog: pytest.LogCaptureFixture,
) -> None:
    provider.tell("s-10", preferred_username="hugo", groups=["readers"])
    wrong = provider.secret.with_name("wrong")
    wrong.write_text("hush-hush-hush")
    instead(provider, secret_file=str(wrong))
    answer = enter(provider, console.stranger(), "s-10")
    assert answer.status_code == 503
    assert [line[3] for line in told()] == [
        "by OpenID Connect: it refuses: invalid_client"
    ]
    for text in (answer.text, caplog.text):
        assert "hush" not in text
        assert SECRET not in text


@contextmanager
def signed_in_there(provider: Provider, browser: Browser) -> Iterator[httpx2.Client]:
    with provider.browser() as there:
        provider.tell("s-11", preferred_username="ida", groups=["readers"])
        assert browser.get(walk(there, sent_to(browser), "s-11")).status_code == 303
        yield there


def test_who_signs_out_is_led_on_to_sign_out_there(
    console: Console, provider: Provider, told: Told
) -> None:
    browser = console.stranger()
    with signed_in_there(provider, browser) as there:
        browser.look("/account")
        answer = browser.submit("/logout")
        assert answer.status_code == 200
        assert browser.get("/account").status_code == 303
        seconds, _, address = answer.headers["Refresh"].partition("; url=")
        assert (seconds, address.startswith(provider.issuer)) == ("0", True)
        asked = parse_qs(urlsplit(address).query)
        assert asked["post_logout_redirect_uri"] == [f"{HERE}/login"]
        page = there.get(address)
        xsrf = re.search(r'name="xsrf" value="(\w+)"', page.text)
        assert xsrf is not None
        confirmed = {"xsrf": xsrf[1], "logout": "yes"}
        done = there.post(f"{provider.issuer}/session/end/confirm", data=confirmed)
        assert done.headers["Location"] == f"{HERE}/login"
    assert told()[-1][:2] == ("ida", "110123")


def test_a_local_account_signs_out_here_alone(console: Console) -> None:
    browser = console.signed_in(AccountRole.VIEWER)
    assert browser.submit("/logout").headers["Location"] == "/login"


def test_too_many_who_do_not_come_back_are_sent_no_more(
    console: Console, told: Told
) -> None:
    browser = console.stranger("192.0.2.66")
    answers = [browser.get("/login/openid").status_code for _ in range(31)]
    assert answers == [303] * 30 + [429]
    assert console.stranger().get("/login/openid").status_code == 303
    assert told() == [
        (
            "(unknown name)",
            "110122",
            8,
            "by OpenID Connect: too many that did not end",
        )
    ]
