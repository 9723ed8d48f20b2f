"""The URL of a ledger: is it one, does it hold a secret, and how is it shown."""

import re
from urllib.parse import unquote

_FORM = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://\S*")
_CREDENTIALS = re.compile(r"([^:/@]*):(.*)@")
_SECRET_KEY = re.compile(r"pass|pwd|secret|token|odbc_connect", re.IGNORECASE)
"""Query keys whose values are or hold passwords, of any driver."""

MASK = "***"


def is_url(text: str) -> bool:
    """Whether `text` has the form scheme://…; the driver judges the rest."""
    return _FORM.fullmatch(text) is not None


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
