"""Links by which people set their first password: single use, for a time.

No password is ever known to two people, and there is none to begin with: whoever
starts the gateway is given the link that makes the first administrator.
"""

from datetime import datetime, timedelta

from config.sections import WebSettings
from gateway.accounts.managing import (
    add_account,
    demand_name,
    demand_own,
    set_password,
)
from gateway.accounts.passwords import hash_password
from gateway.accounts.records import AccountRecord, SetupLinkRecord
from gateway.accounts.roles import AccountRole
from gateway.accounts.secrets import digest_of, new_secret
from gateway.audit import kinds, parts
from gateway.errors import LinkRefused
from gateway.ledger import Ledger, Reading, Writing

LASTS = timedelta(hours=24)

_GONE = "this link was used, or is too old: ask for another"


def address(web: WebSettings, secret: str, port: int | None = None) -> str:
    """Return the link itself; `port`: the one that is bound, where it is any."""
    host = web.names[0] if web.names else "127.0.0.1"
    if web.proxies:
        return f"https://{host}/setup/{secret}"
    scheme = "https" if web.certificate else "http"
    return f"{scheme}://{host}:{port or web.port}/setup/{secret}"


def first_link(ledger: Ledger, now: datetime) -> str | None:
    """Return a link for the first administrator; None where there is one.

    A link that was given out before opens nothing then.
    """
    with ledger.writing() as rows:
        return None if rows.administrators() else _new(rows, None, now)


def link_for(
    rows: Writing, account: AccountRecord, by: parts.Person, now: datetime
) -> str:
    """Return a link by which somebody sets the password of an account.

    Raises AccountRefused for one of a provider, where the password is.
    """
    demand_own(account, "password")
    secret = _new(rows, account.id, now)
    rows.append_audit(kinds.account_changed(account.name, "link given", by, now))
    return secret


def name_behind(ledger: Ledger, secret: str, now: datetime) -> str | None:
    """Return whose password a link sets; None: a first administrator's.

    Raises LinkRefused.
    """
    with ledger.reading() as rows:
        link = _demand_open(rows, rows.setup_link(digest_of(secret)), now)
        account = _account_of(rows, link)
    return None if account is None else account.name


def take_link(
    ledger: Ledger, secret: str, now: datetime, *, name: str, password: str
) -> AccountRecord:
    """Set the password, once; `name` counts for the first administrator alone.

    Raises LinkRefused, and AccountRefused, after which the link still opens.
    """
    owner = name_behind(ledger, secret, now) or demand_name(name)
    hashed = hash_password(password, owner)
    with ledger.writing() as rows:
        link = _demand_open(rows, rows.take_setup_link(digest_of(secret)), now)
        account = _account_of(rows, link)
        if account is None:
            by = parts.Person(name=owner, role=AccountRole.ADMINISTRATOR)
            account = add_account(rows, owner, AccountRole.ADMINISTRATOR, by, now)
        by = parts.Person(name=account.name, role=account.role)
        set_password(rows, account, hashed, by, now)
        return account


def _new(rows: Writing, account_id: int | None, now: datetime) -> str:
    secret = new_secret()
    rows.add_setup_link(
        SetupLinkRecord(
            digest=digest_of(secret), account_id=account_id, expires_at=now + LASTS
        )
    )
    return secret


def _demand_open(
    rows: Reading, link: SetupLinkRecord | None, now: datetime
) -> SetupLinkRecord:
    if link is None or link.expires_at <= now:
        raise LinkRefused(_GONE)
    if link.account_id is None and rows.administrators():
        raise LinkRefused(_GONE)
    return link


def _account_of(rows: Reading, link: SetupLinkRecord) -> AccountRecord | None:
    if link.account_id is None:
        return None
    account = rows.account_by_id(link.account_id)
    if account is None or account.disabled:
        raise LinkRefused(_GONE)
    return account
