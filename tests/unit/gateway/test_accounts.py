"""Accounts, sessions, links, tokens and the throttle, on a real ledger."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from argon2.exceptions import InvalidHashError

from gateway.accounts import links, managing, tokens
from gateway.accounts.passwords import SHORTEST, hash_password, is_password
from gateway.accounts.person import Person
from gateway.accounts.roles import PERMISSIONS, AccountRole, Permission
from gateway.accounts.sessions import (
    UNKNOWN,
    SessionLimits,
    SignedIn,
    person_of_session,
    sign_in,
    sign_out,
)
from gateway.accounts.throttle import OF_ADDRESS, OF_ALL, OF_ONE, WINDOW, Attempt
from gateway.audit import parts
from gateway.errors import (
    AccountRefused,
    LinkRefused,
    LoginRefused,
    PasswordRefused,
    TooManyFailures,
)
from gateway.ledger import AuditFilter, Ledger
from tests.data.console import PASSWORD, hashed_password
from tests.data.ledgers import NOW, at, url_of

LIMITS = SessionLimits(idle=timedelta(minutes=30), longest=timedelta(hours=12))
SYSTEM = parts.Person(name="root")
ADMIN = parts.Person(name="anna", role="administrator")
HERE, THERE = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """A ledger with two administrators, anna and adam, and the reviewer rita."""
    opened = Ledger.open(url_of(tmp_path))
    with opened.writing() as rows:
        for name, role in (
            ("anna", AccountRole.ADMINISTRATOR),
            ("adam", AccountRole.ADMINISTRATOR),
            ("rita", AccountRole.REVIEWER),
        ):
            rows.add_account(name, role, NOW, password_hash=hashed_password())
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords as they are: what is counted here needs no Argon2."""

    def compare(password: str, hashed: str | None) -> bool:
        return hashed is not None and password == PASSWORD

    monkeypatch.setattr("gateway.accounts.sessions.is_password", compare)


def attempt(
    name: str = "rita", address: str = HERE, seconds: float = 0, device: str = ""
) -> Attempt:
    return Attempt(name=name, address=address, device=device or None, at=at(seconds))


def device_of(opened: SignedIn) -> str:
    assert opened.device is not None
    return opened.device


def enter(ledger: Ledger, name: str = "rita") -> SignedIn:
    return sign_in(ledger, attempt(name), PASSWORD)


def fail(ledger: Ledger, tried: Attempt) -> None:
    with pytest.raises(LoginRefused) as refused:
        sign_in(ledger, tried, "wrong")
    assert not isinstance(refused.value, TooManyFailures)


def who(ledger: Ledger, opened: SignedIn, seconds: float = 0) -> Person | None:
    return person_of_session(ledger, opened.session, at(seconds), LIMITS)


def told(ledger: Ledger) -> list[tuple[str | None, str, int, str | None]]:
    with ledger.reading() as rows:
        found = rows.audit(AuditFilter(limit=1000))
    return [(each.event_type, each.user, each.outcome, each.detail) for each in found]


# Roles


def test_who_makes_accounts_neither_decides_nor_signs_off() -> None:
    may = PERMISSIONS[AccountRole.ADMINISTRATOR]
    assert may.isdisjoint(
        {Permission.STUDIES_DECIDE, Permission.STUDIES_GROUND, Permission.AUDIT_REVIEW}
    )


def test_every_permission_is_somebodys_and_every_role_has_some() -> None:
    assert set(PERMISSIONS) == set(AccountRole)
    assert frozenset().union(*PERMISSIONS.values()) == set(Permission)


# Passwords


@pytest.mark.parametrize("password", ["short", "a" * 20, "abababababababab", "x" * 257])
def test_a_password_that_is_guessed_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefused) as refused:
        hash_password(password, "rita")
    assert password not in str(refused.value)


def test_a_password_is_not_the_name_of_its_owner() -> None:
    with pytest.raises(PasswordRefused):
        hash_password("Rita-Reviewer", "rita-reviewer")


def test_a_password_is_known_by_its_hash_alone() -> None:
    hashed = hash_password("längeres Passwort", "rita")
    assert hashed.startswith("$argon2id$")
    assert is_password("längeres Passwort", hashed)
    assert not is_password("langeres Passwort", hashed)
    assert not is_password("", None)
    assert not is_password("x" * (SHORTEST + 300), hashed)


def test_a_name_of_nobody_costs_the_same_work(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is compared in each case is a hash with the same costs."""
    compared = []

    class Hasher:
        def verify(self, hashed: str, _password: str) -> bool:
            compared.append(hashed.rsplit("$", 2)[0])
            raise InvalidHashError

        def hash(self, _password: str) -> str:
            return hashed_password()

    monkeypatch.setattr("gateway.accounts.sessions.is_password", is_password)
    monkeypatch.setattr("gateway.accounts.passwords._HASHER", Hasher())
    monkeypatch.setattr("gateway.accounts.passwords._of_nobody", hashed_password)
    managing.disable(ledger, "adam", "left", ADMIN, NOW)
    for name in ("rita", "nobody", "adam"):
        fail(ledger, attempt(name))
    assert len(compared) == 3
    assert len(set(compared)) == 1


# Sessions


def test_a_session_knows_its_person_until_they_leave(ledger: Ledger) -> None:
    opened = enter(ledger)
    person = who(ledger, opened)
    assert person is not None
    assert (person.name, person.role) == ("rita", AccountRole.REVIEWER)
    sign_out(ledger, person, "by its person", NOW)
    assert who(ledger, opened) is None
    sign_out(ledger, person, "by its person", NOW)
    assert [line[:2] for line in told(ledger)] == [
        ("110122", "rita"),
        ("110123", "rita"),
    ]


def test_the_ledger_keeps_no_secret(ledger: Ledger, tmp_path: Path) -> None:
    opened = enter(ledger)
    token = make(ledger, Permission.STUDIES_READ)
    link = links.first_link(ledger, NOW)
    assert link is None, "there is an administrator"
    with ledger.writing() as rows:
        link = links.link_for(rows, managing.known(rows, "rita"), ADMIN, NOW)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"rita" in kept
    for secret in (opened.session, device_of(opened), token, link, PASSWORD):
        assert secret.encode() not in kept


def test_a_session_ends_without_use_and_at_its_age(ledger: Ledger) -> None:
    opened = enter(ledger)
    for minutes in range(25, 12 * 60, 25):
        assert who(ledger, opened, 60 * minutes) is not None
    assert who(ledger, opened, 12 * 3600 + 1) is None
    other = enter(ledger)
    assert who(ledger, other, 30 * 60) is not None
    third = enter(ledger)
    assert who(ledger, third, 30 * 60 + 1) is None
    assert ("110123", "rita", 0, "by time") in told(ledger)


@pytest.mark.parametrize("change", ["disable", "role", "password"])
def test_a_change_of_an_account_ends_its_sessions(ledger: Ledger, change: str) -> None:
    opened = enter(ledger)
    match change:
        case "disable":
            managing.disable(ledger, "rita", "left", ADMIN, NOW)
        case "role":
            managing.change_role(ledger, "rita", AccountRole.VIEWER, ADMIN, NOW)
        case _:
            person = who(ledger, opened)
            assert person is not None
            new = "another long password"
            managing.change_own_password(ledger, person, attempt(), PASSWORD, new)
    assert who(ledger, opened) is None


def test_a_disabled_account_lets_nobody_in_until_it_is_enabled(ledger: Ledger) -> None:
    managing.disable(ledger, "rita", "left", ADMIN, NOW)
    fail(ledger, attempt())
    managing.enable(ledger, "rita", "came back", ADMIN, NOW)
    assert who(ledger, enter(ledger)) is not None


# The throttle


def test_an_account_is_not_tried_again_from_a_place_that_failed(ledger: Ledger) -> None:
    for _ in range(OF_ONE):
        fail(ledger, attempt())
    with pytest.raises(TooManyFailures):
        sign_in(ledger, attempt(), PASSWORD)
    sign_in(ledger, attempt(address=THERE), PASSWORD)
    sign_in(ledger, attempt(seconds=WINDOW.total_seconds() + 1), PASSWORD)


def test_whoever_signed_in_before_is_not_locked_out_by_strangers(
    ledger: Ledger,
) -> None:
    device = device_of(sign_in(ledger, attempt(), PASSWORD))
    for number in range(OF_ALL):
        fail(ledger, attempt(address=f"198.51.100.{number}"))
    with pytest.raises(TooManyFailures):
        sign_in(ledger, attempt(address=THERE), PASSWORD)
    with pytest.raises(TooManyFailures):
        sign_in(ledger, attempt(), PASSWORD)
    device = device_of(sign_in(ledger, attempt(device=device), PASSWORD))
    for _ in range(OF_ONE):
        fail(ledger, attempt(device=device))
    with pytest.raises(TooManyFailures):
        sign_in(ledger, attempt(device=device), PASSWORD)


def test_an_address_that_tries_many_names_is_stopped(ledger: Ledger) -> None:
    for number in range(OF_ADDRESS):
        fail(ledger, attempt(f"name{number}"))
    with pytest.raises(TooManyFailures):
        sign_in(ledger, attempt("rita"), PASSWORD)


def test_failures_before_a_success_are_forgotten(ledger: Ledger) -> None:
    for _ in range(3):
        for _ in range(OF_ONE - 1):
            fail(ledger, attempt())
        sign_in(ledger, attempt(), PASSWORD)


def test_the_audit_says_who_failed_and_when_it_was_too_often(ledger: Ledger) -> None:
    fail(ledger, attempt("my secret passphrase"))
    for _ in range(OF_ONE):
        fail(ledger, attempt())
    for _ in range(20):
        with pytest.raises(TooManyFailures):
            sign_in(ledger, attempt(), PASSWORD)
    assert told(ledger) == [
        ("110122", UNKNOWN, 4, "wrong password"),
        *[("110122", "rita", 4, "wrong password")] * (OF_ONE - 1),
        ("110122", "rita", 8, "wrong password"),
    ]


# Accounts


@pytest.mark.parametrize("name", ["", "Üwe", "a b", "-a", "a" * 65, "a/b", "a\nb"])
def test_a_name_that_is_no_word_is_refused(ledger: Ledger, name: str) -> None:
    with pytest.raises(AccountRefused), ledger.writing() as rows:
        managing.add_account(rows, name, AccountRole.VIEWER, ADMIN, NOW)


def test_a_name_is_taken_whatever_its_case(ledger: Ledger) -> None:
    with pytest.raises(AccountRefused), ledger.writing() as rows:
        managing.add_account(rows, "RITA", AccountRole.VIEWER, ADMIN, NOW)


def test_the_last_administrator_stays_one(ledger: Ledger) -> None:
    managing.disable(ledger, "adam", "left", ADMIN, NOW)
    with pytest.raises(AccountRefused, match="last"):
        managing.disable(ledger, "anna", "left", SYSTEM, NOW)
    with pytest.raises(AccountRefused, match="last"):
        managing.change_role(ledger, "anna", AccountRole.VIEWER, SYSTEM, NOW)


def test_nobody_changes_what_they_may_do_themselves(ledger: Ledger) -> None:
    with pytest.raises(AccountRefused, match="own"):
        managing.change_role(ledger, "anna", AccountRole.REVIEWER, ADMIN, NOW)
    with pytest.raises(AccountRefused, match="own"):
        managing.disable(ledger, "anna", "left", ADMIN, NOW)


def test_what_changed_is_recorded_once(ledger: Ledger) -> None:
    for _ in range(2):
        managing.change_role(ledger, "rita", AccountRole.AUDITOR, ADMIN, NOW)
        managing.disable(ledger, "rita", "left", ADMIN, NOW)
        managing.enable(ledger, "rita", "back", ADMIN, NOW)
    details = [line[3] for line in told(ledger)]
    assert details[:3] == [
        "rita: reviewer -> auditor",
        "rita: disabled: left",
        "rita: enabled: back",
    ]
    assert len(details) == 5


# Links


def test_the_first_administrator_comes_in_by_a_link_once(tmp_path: Path) -> None:
    ledger = Ledger.open(url_of(tmp_path))
    old = links.first_link(ledger, NOW)
    link = links.first_link(ledger, NOW)
    assert link is not None
    assert old is not None
    with pytest.raises(LinkRefused):
        links.name_behind(ledger, old, NOW)
    with pytest.raises(PasswordRefused):
        links.take_link(ledger, link, NOW, name="anna", password=PASSWORD[:5])
    with pytest.raises(AccountRefused):
        links.take_link(ledger, link, NOW, name="no name", password=PASSWORD)
    made = links.take_link(ledger, link, NOW, name="Anna", password=PASSWORD)
    assert (made.name, made.role) == ("anna", AccountRole.ADMINISTRATOR)
    with pytest.raises(LinkRefused):
        links.take_link(ledger, link, NOW, name="eve", password=PASSWORD)
    assert links.first_link(ledger, NOW) is None
    assert who(ledger, enter(ledger, "anna")) is not None
    ledger.close()


def test_a_link_opens_nothing_when_it_is_old(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        link = links.link_for(rows, managing.known(rows, "rita"), ADMIN, NOW)
    assert links.name_behind(ledger, link, NOW) == "rita"
    with pytest.raises(LinkRefused):
        links.take_link(ledger, link, NOW + links.LASTS, name="", password=PASSWORD)


def test_a_link_of_a_disabled_account_opens_nothing(ledger: Ledger) -> None:
    with ledger.writing() as rows:
        link = links.link_for(rows, managing.known(rows, "rita"), ADMIN, NOW)
    managing.disable(ledger, "rita", "left", ADMIN, NOW)
    with pytest.raises(LinkRefused):
        links.take_link(ledger, link, NOW, name="", password=PASSWORD)


# Tokens


def make(ledger: Ledger, *permissions: Permission, days: int = 1) -> str:
    wanted = tokens.NewToken(
        account="rita", name="script", permissions=permissions, days=days
    )
    return tokens.make_token(ledger, wanted, ADMIN, NOW)


def test_a_token_is_for_what_it_names_until_it_ends(ledger: Ledger) -> None:
    token = make(ledger, Permission.STUDIES_READ)
    person = tokens.person_of_token(ledger, token, NOW)
    assert person is not None
    assert person.name == "rita"
    assert person.permissions == {Permission.STUDIES_READ}
    assert tokens.person_of_token(ledger, token + "x", NOW) is None
    assert tokens.person_of_token(ledger, token, at(24 * 3600)) is None


def test_a_revoked_token_opens_nothing(ledger: Ledger) -> None:
    token = make(ledger, Permission.STUDIES_READ)
    (listed,) = tokens.tokens_of(ledger, "rita")
    with pytest.raises(AccountRefused):
        tokens.revoke_token(ledger, "anna", listed.id, ADMIN, NOW)
    tokens.revoke_token(ledger, "rita", listed.id, ADMIN, NOW)
    assert tokens.person_of_token(ledger, token, NOW) is None
    assert [line[3] for line in told(ledger)] == [
        "rita: token script for studies-read",
        "rita: token script revoked",
    ]


def test_a_token_may_no_more_than_its_account(ledger: Ledger) -> None:
    with pytest.raises(AccountRefused):
        make(ledger, Permission.AUDIT_READ)
    token = make(ledger, Permission.STUDIES_READ, Permission.STUDIES_DECIDE)
    managing.change_role(ledger, "rita", AccountRole.VIEWER, ADMIN, NOW)
    person = tokens.person_of_token(ledger, token, NOW)
    assert person is not None
    assert person.permissions == {Permission.STUDIES_READ}
    managing.disable(ledger, "rita", "left", ADMIN, NOW)
    assert tokens.person_of_token(ledger, token, NOW) is None


@pytest.mark.parametrize("days", [0, 366, -1])
def test_a_token_lasts_a_year_at_most(ledger: Ledger, days: int) -> None:
    with pytest.raises(AccountRefused):
        make(ledger, Permission.STUDIES_READ, days=days)
