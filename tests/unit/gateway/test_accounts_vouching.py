"""People for whom a provider vouches, on a real ledger; and browsers on their way."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.accounts import flows, links, managing, tokens
from gateway.accounts.records import FlowRecord, Vouched
from gateway.accounts.roles import AccountRole, Permission
from gateway.accounts.secrets import new_secret
from gateway.accounts.sessions import (
    SessionLimits,
    SignedIn,
    person_of_session,
    sign_in,
)
from gateway.accounts.throttle import OF_ADDRESS, WINDOW, Attempt
from gateway.accounts.vouching import enter
from gateway.audit import parts
from gateway.errors import (
    AccountRefused,
    FlowRefused,
    LoginRefused,
    PersonRefused,
    TooManyFailures,
)
from gateway.ledger import AuditFilter, Ledger
from tests.data.console import PASSWORD
from tests.data.ledgers import NOW, at, url_of

ISSUER, PLACE = "https://login.example", "192.0.2.7"
LIMITS = SessionLimits(idle=timedelta(minutes=30), longest=timedelta(hours=12))
ADMIN = parts.Person(name="anna", role="administrator")
VIEWER, REVIEWER = AccountRole.VIEWER, AccountRole.REVIEWER
AUDITOR, ADMINISTRATOR = AccountRole.AUDITOR, AccountRole.ADMINISTRATOR


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = Ledger.open(url_of(tmp_path))
    with opened.writing() as rows:
        rows.add_account("anna", ADMINISTRATOR, NOW)
    yield opened
    opened.close()


def vouched(name: str | None, *roles: AccountRole, subject: str = "s-1") -> Vouched:
    return Vouched(issuer=ISSUER, subject=subject, name=name, roles=frozenset(roles))


def come_in(ledger: Ledger, who: Vouched) -> SignedIn:
    return enter(ledger, who, 0, PLACE, NOW)


def role_in(ledger: Ledger, opened: SignedIn) -> AccountRole | None:
    person = person_of_session(ledger, opened.session, NOW, LIMITS)
    return None if person is None else person.role


def details(ledger: Ledger) -> list[str | None]:
    with ledger.reading() as rows:
        return [each.detail for each in rows.audit(AuditFilter(limit=1000))]


def test_the_same_subject_keeps_the_account_whatever_the_name(ledger: Ledger) -> None:
    come_in(ledger, vouched("Rita", REVIEWER))
    come_in(ledger, vouched("Another", REVIEWER))
    come_in(ledger, vouched(None, REVIEWER))
    names = [each.name for each in managing.accounts(ledger)]
    assert names == ["anna", "rita"]


def test_another_subject_of_the_same_name_is_somebody_else(ledger: Ledger) -> None:
    come_in(ledger, vouched("rita", REVIEWER))
    for issuer, subject in ((ISSUER, "s-2"), ("https://other.example", "s-1")):
        other = Vouched(
            issuer=issuer,
            subject=subject,
            name="rita",
            roles=frozenset({ADMINISTRATOR}),
        )
        with pytest.raises(PersonRefused, match="'rita' already"):
            come_in(ledger, other)


def test_a_name_that_no_account_can_have_makes_none(ledger: Ledger) -> None:
    for name in (None, "", "HOSPITAL\\rita", "Rita Müller", "x" * 65):
        with pytest.raises(PersonRefused, match="name"):
            come_in(ledger, vouched(name, REVIEWER))
    assert len(managing.accounts(ledger)) == 1


def test_roles_that_do_not_go_together_are_said_to(ledger: Ledger) -> None:
    with pytest.raises(PersonRefused, match="together: administrator, reviewer"):
        come_in(ledger, vouched("rita", REVIEWER, ADMINISTRATOR))


def test_another_role_ends_what_was_opened_in_the_old_one(ledger: Ledger) -> None:
    first = come_in(ledger, vouched("rita", REVIEWER))
    same = come_in(ledger, vouched("rita", VIEWER, REVIEWER))
    assert role_in(ledger, first) is role_in(ledger, same) is REVIEWER
    second = come_in(ledger, vouched("rita", AUDITOR))
    assert (role_in(ledger, first), role_in(ledger, second)) == (None, AUDITOR)
    assert details(ledger)[-2:] == ["rita: reviewer -> auditor", "by OpenID Connect"]


def test_whoever_lost_every_role_is_out_and_the_last_administrator_too(
    ledger: Ledger,
) -> None:
    managing_one = come_in(ledger, vouched("rita", ADMINISTRATOR))
    managing.disable(ledger, "anna", "left", parts.Person(name="root"), NOW)
    with pytest.raises(PersonRefused):
        come_in(ledger, vouched("rita"))
    assert role_in(ledger, managing_one) is None
    come_in(ledger, vouched("rita", VIEWER))
    assert links.first_link(ledger, NOW) is not None, "the next start prints a link"


def test_nothing_of_such_an_account_is_set_here_but_its_end(ledger: Ledger) -> None:
    come_in(ledger, vouched("rita", REVIEWER))
    with pytest.raises(AccountRefused, match=f"the role of .* {ISSUER}"):
        managing.change_role(ledger, "rita", VIEWER, ADMIN, NOW)
    with (
        pytest.raises(AccountRefused, match="the password of"),
        ledger.writing() as rows,
    ):
        links.link_for(rows, managing.known(rows, "rita"), ADMIN, NOW)
    wanted = tokens.NewToken(
        account="rita", name="x", permissions={Permission.STUDIES_READ}, days=1
    )
    with pytest.raises(AccountRefused, match="the permission of"):
        tokens.make_token(ledger, wanted, ADMIN, NOW)
    attempt = Attempt(name="rita", address=PLACE, device=None, at=NOW)
    with pytest.raises(LoginRefused):
        sign_in(ledger, attempt, PASSWORD)
    managing.disable(ledger, "rita", "left", ADMIN, NOW)
    with pytest.raises(PersonRefused, match="disabled"):
        come_in(ledger, vouched("rita", REVIEWER))


# Browsers


def begin(ledger: Ledger, destination: str = "/", place: str = PLACE) -> str:
    secret = new_secret()
    flows.begin(ledger, secret, destination, place, NOW)
    return secret


def take(ledger: Ledger, secret: str | None, state: str, seconds: float) -> FlowRecord:
    return flows.take(ledger, secret, state, PLACE, at(seconds))


def test_what_goes_to_the_provider_tells_nothing_of_the_secret() -> None:
    secret = new_secret()
    proofs = flows.proofs_of(secret)
    made = {proofs.state, proofs.nonce, proofs.verifier}
    assert len(made | {secret}) == 4
    assert {len(each) for each in made} == {64}
    assert flows.proofs_of(secret) == proofs


def test_a_browser_comes_back_once_and_in_time(ledger: Ledger) -> None:
    one, late = begin(ledger, "/studies"), begin(ledger)
    state = flows.proofs_of(one).state
    for secret, said in ((None, state), (one, "x"), (late, state), ("x" * 43, state)):
        with pytest.raises(FlowRefused):
            take(ledger, secret, said, 1)
    assert take(ledger, one, state, 1).destination == "/studies"
    with pytest.raises(FlowRefused):
        take(ledger, one, state, 1)
    with pytest.raises(FlowRefused):
        take(ledger, late, flows.proofs_of(late).state, flows.LASTS.total_seconds())
    assert details(ledger) == ["by OpenID Connect: not begun here, or over"] * 6


def test_strangers_cannot_fill_the_log_nor_the_ledger(ledger: Ledger) -> None:
    for _ in range(OF_ADDRESS):
        with pytest.raises(FlowRefused):
            take(ledger, None, "x", 1)
    with pytest.raises(TooManyFailures):
        take(ledger, None, "x", 1)
    with pytest.raises(TooManyFailures):
        flows.begin(ledger, new_secret(), "/", PLACE, at(2))
    assert len(details(ledger)) == OF_ADDRESS
    begin(ledger, place="192.0.2.8")
    flows.begin(ledger, new_secret(), "/", PLACE, at(WINDOW.total_seconds() + 2))


def test_who_comes_back_does_not_count(ledger: Ledger) -> None:
    for number in range(OF_ADDRESS + 1):
        secret = begin(ledger)
        flow = take(ledger, secret, flows.proofs_of(secret).state, 1)
        who = vouched("rita", REVIEWER, subject="s-1")
        assert enter(ledger, who, flow.attempt, PLACE, at(number)).session
