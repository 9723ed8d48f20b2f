"""The URL of a ledger: what is wrong with it, has it a secret, how is it shown."""

import re
from urllib.parse import quote, unquote

_FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S*")
_CREDENTIALS = re.compile(r"([^:/@]*):(.*)@")
_SECRET_KEY = re.compile(r"pass|pwd|secret|token|odbc_connect", re.IGNORECASE)
"""Query keys whose values are or hold passwords, of any driver."""

MASK = "***"


def is_url(text: str) -> bool:
    """Whether `text` has the form scheme://…; the driver judges the rest."""
    return _FORM.fullmatch(text) is not None


def fault_of(url: str) -> str | None:
    """Return what keeps a URL from naming a ledger; None: it can be tried."""
    if not is_url(url):
        return 'a URL, as "postgresql://user@host/database"'
    scheme, _, rest = url.partition("://")
    database, _, driver = scheme.lower().partition("+")
    if database == "sqlite":
        return None
    if database != "postgresql" or driver not in ("", "psycopg"):
        return 'begins with "postgresql://", "postgresql+psycopg://" or "sqlite:///"'
    if not rest.partition("?")[0].partition("/")[2]:
        return 'names its database: "postgresql://user@host/database"'
    return None


def with_password(url: str, password: str) -> str:
    """Return the URL with the password of its user, who must stand in it.

    Raises ValueError where none does, or one with a password.
    """
    scheme, _, rest = url.partition("://")
    user, at, place = rest.partition("@")
    if not at or not user or ":" in user or "/" in user or has_secret(url):
        raise ValueError(
            'needs a user and no password in ledger.url: "postgresql://user@host/name"'
        )
    return f"{scheme}://{user}:{quote(password, safe='')}@{place}"


def has_secret(url: str) -> bool:
    """Whether a password stands in the URL."""
    return masked(url) != url


def masked(url: str) -> str:
    """Return the URL with each password replaced.

    What might be a password is taken for one: of an unquoted `@` the last ends it.
    """
    scheme, separator, rest = url.partition("://")
    if not separator:
        return url
    found = _CREDENTIALS.match(rest)
    if found is not None:
        rest = f"{found[1]}:{MASK}@{rest[found.end() :]}"
    place, mark, query = rest.partition("?")
    pairs = "&".join(_masked_pair(pair) for pair in query.split("&"))
    return f"{scheme}://{place}{mark}{pairs}"


def _masked_pair(pair: str) -> str:
    key, equals, value = pair.partition("=")
    secret = bool(value) and _SECRET_KEY.search(unquote(key)) is not None
    return f"{key}{equals}{MASK}" if secret else pair
