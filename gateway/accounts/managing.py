"""Accounts, made and changed; each change is recorded in the same transaction.

All sessions of an account that is changed end, and so do the links that were given
out for it. There is always somebody who can manage accounts: the last administrator
stays one.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from gateway.accounts.passwords import hash_password
from gateway.accounts.person import Person
from gateway.accounts.records import AccountRecord
from gateway.accounts.roles import AccountRole
from gateway.accounts.sessions import demand_password
from gateway.accounts.throttle import Attempt, forgive
from gateway.audit import kinds, parts
from gateway.errors import AccountRefused
from gateway.ledger import Ledger, Reading, Writing

_NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}")


def demand_name(name: str) -> str:
    """Return a name as accounts have it; raises AccountRefused."""
    plain = name.strip().lower()
    if not _NAME.fullmatch(plain):
        raise AccountRefused(
            "a name is 1 to 64 of a-z, 0-9 and . _ @ -, and begins with a letter "
            "or digit"
        )
    return plain


def accounts(ledger: Ledger) -> Sequence[AccountRecord]:
    """Return every account, by name."""
    with ledger.reading() as rows:
        return rows.accounts()


def add_account(
    rows: Writing, name: str, role: AccountRole, by: parts.Person, now: datetime
) -> AccountRecord:
    """Add an account without a password; raises AccountRefused."""
    added = rows.add_account(demand_name(name), role, now)
    rows.append_audit(kinds.account_created(added.name, role, by, now))
    return added


def change_role(
    ledger: Ledger, name: str, role: AccountRole, by: parts.Person, now: datetime
) -> AccountRecord:
    """Give an account another role; raises AccountRefused."""
    with ledger.writing() as rows:
        account = known(rows, name)
        _demand_other(account, by)
        demand_own(account, "role")
        if account.role is role:
            return account
        if role is not AccountRole.ADMINISTRATOR:
            _demand_another_administrator(rows, account)
        rows.change_account(account.id, now, role=role)
        _end_sessions(rows, account)
        rows.append_audit(kinds.role_changed(account.name, account.role, role, by, now))
        return known(rows, name)


def disable(
    ledger: Ledger, name: str, why: str, by: parts.Person, now: datetime
) -> AccountRecord:
    """Close an account: nobody signs in to it, and its tokens open nothing."""
    with ledger.writing() as rows:
        account = known(rows, name)
        _demand_other(account, by)
        _demand_another_administrator(rows, account)
        if not account.disabled:
            rows.change_account(account.id, now, disabled=True)
            _end_sessions(rows, account)
            rows.append_audit(kinds.account_disabled(account.name, why, by, now))
        return known(rows, name)


def enable(
    ledger: Ledger, name: str, why: str, by: parts.Person, now: datetime
) -> AccountRecord:
    """Open a closed account again."""
    with ledger.writing() as rows:
        account = known(rows, name)
        if account.disabled:
            rows.change_account(account.id, now, disabled=False)
            rows.append_audit(kinds.account_enabled(account.name, why, by, now))
        return known(rows, name)


def set_password(
    rows: Writing, account: AccountRecord, hashed: str, by: parts.Person, now: datetime
) -> None:
    """Give an account a password, of which the hash is given, and end its sessions."""
    rows.change_account(account.id, now, password_hash=hashed)
    _end_sessions(rows, account)
    rows.forget_devices(account_id=account.id)
    rows.append_audit(kinds.account_changed(account.name, "password set", by, now))


def change_own_password(
    ledger: Ledger, person: Person, attempt: Attempt, old: str, new: str
) -> None:
    """Change the password of whoever knows the old one; all sessions end.

    Raises LoginRefused, TooManyFailures and PasswordRefused.
    """
    hashed = hash_password(new, person.name)
    account, counted = demand_password(ledger, attempt, old)
    with ledger.writing() as rows:
        forgive(rows, counted)
        set_password(rows, account, hashed, person.in_audit, attempt.at)


def known(rows: Reading, name: str) -> AccountRecord:
    """Return the account with this name; raises AccountRefused."""
    found = rows.account(name.strip().lower())
    if found is None:
        raise AccountRefused("there is no such account; `user list` shows them")
    return found


def demand_own(account: AccountRecord, what: str) -> None:
    """Refuse what an account of a provider has from there; raises AccountRefused."""
    if account.issuer is not None:
        raise AccountRefused(f"the {what} of this account is that of {account.issuer}")


def _end_sessions(rows: Writing, account: AccountRecord) -> None:
    rows.end_sessions(account.id)
    rows.drop_setup_links(account.id)


def _demand_other(account: AccountRecord, by: parts.Person) -> None:
    if account.name == by.name and by.role is not None:
        raise AccountRefused("nobody changes what their own account may do")


def _demand_another_administrator(rows: Reading, account: AccountRecord) -> None:
    is_one = account.role is AccountRole.ADMINISTRATOR and not account.disabled
    if is_one and rows.administrators() == 1:
        raise AccountRefused("this is the last administrator")
