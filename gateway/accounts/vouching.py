"""Accounts of people for whom an OpenID provider vouches.

An account is of the subject that its provider names, and of no name: a name that is
taken, by whomever, is never taken over. The role is what the provider says at each
sign-in; nobody sets it here, and no password and no token goes with it.
"""

from dataclasses import replace
from datetime import datetime

from gateway.accounts.flows import BY_PROVIDER
from gateway.accounts.managing import demand_name
from gateway.accounts.records import AccountRecord, Vouched
from gateway.accounts.roles import AccountRole, widest
from gateway.accounts.sessions import UNKNOWN, SignedIn, admit
from gateway.audit import kinds, parts
from gateway.errors import AccountRefused, PersonRefused
from gateway.ledger import Ledger, Reading, Writing


def enter(
    ledger: Ledger, who: Vouched, attempt: int, address: str, now: datetime
) -> SignedIn:
    """Open a session of somebody; recorded either way.

    The account is made where there is none yet. `attempt` is what was counted as a
    failure until now. Raises PersonRefused.
    """
    with ledger.writing() as rows:
        try:
            account = _account_of(rows, who, now)
        except PersonRefused as error:
            refusal = error
            by = _known_as(rows, who, address)
            why = f"{BY_PROVIDER}: {error}"
            rows.append_audit(kinds.login_failed(by, why, now))
        else:
            rows.forget_failed_logins(numbers=[attempt])
            return admit(rows, account, address, BY_PROVIDER, now)
    raise refusal


def _account_of(rows: Writing, who: Vouched, now: datetime) -> AccountRecord:
    """Return the account of somebody as the provider has it now.

    Raises PersonRefused. Whoever has lost every role is signed out everywhere.
    """
    account = rows.account_of_subject(who.issuer, who.subject)
    role = widest(who.roles)
    if role is None:
        if account is not None:
            rows.end_sessions(account.id)
        raise PersonRefused(_why_no_role(who))
    if account is None:
        return _made(rows, who, role, now)
    if account.disabled:
        raise PersonRefused("this account is disabled")
    if account.role is role:
        return account
    by = parts.Person(name=who.issuer)
    rows.change_account(account.id, now, role=role)
    rows.end_sessions(account.id)
    rows.append_audit(kinds.role_changed(account.name, account.role, role, by, now))
    return replace(account, role=role, changed_at=now)


def _made(
    rows: Writing, who: Vouched, role: AccountRole, now: datetime
) -> AccountRecord:
    if who.name is None:
        raise PersonRefused("the provider gives no name for an account")
    try:
        name = demand_name(who.name)
        made = rows.add_account(name, role, now, issuer=who.issuer, subject=who.subject)
    except AccountRefused as error:
        raise PersonRefused(f"no account can be made: {error}") from error
    by = parts.Person(name=who.issuer)
    rows.append_audit(kinds.account_created(made.name, role, by, now))
    return made


def _why_no_role(who: Vouched) -> str:
    if not who.roles:
        return "none of the groups has a role here"
    roles = ", ".join(sorted(who.roles))
    return f"the groups have roles that do not go together: {roles}"


def _known_as(rows: Reading, who: Vouched, address: str) -> parts.Person:
    """Return who was refused; a name that another account has is not named for it."""
    account = rows.account_of_subject(who.issuer, who.subject)
    if account is not None:
        return parts.Person(name=account.name, role=account.role, address=address)
    try:
        name = demand_name(who.name or "")
    except AccountRefused:
        name = UNKNOWN
    is_taken = rows.account(name) is not None
    return parts.Person(name=UNKNOWN if is_taken else name, address=address)
