"""Who somebody is here, by what the provider says of them; pure."""

from collections.abc import Iterable, Mapping

from config.openid import OpenIdSettings
from gateway.accounts.records import Vouched
from gateway.accounts.roles import AccountRole
from gateway.errors import ProviderFailure
from gateway.openid.checking import Claims

_LONGEST_SUBJECT = 255
"""ASCII characters (OpenID Connect Core 1.0, 2)."""


def vouched(claims: Claims, own: OpenIdSettings) -> Vouched:
    """Return for whom the provider vouches; raises ProviderFailure without a subject.

    The name is None where the claim holds no text. Groups without a role here are left
    out.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _is_subject(subject):
        raise ProviderFailure("its token names nobody")
    name = claims.get(own.name_claim)
    roles = {
        AccountRole(own.roles[group])
        for group in groups_in(claims, own.groups_claim)
        if group in own.roles
    }
    return Vouched(
        issuer=own.issuer,
        subject=subject,
        name=name if isinstance(name, str) else None,
        roles=frozenset(roles),
    )


def groups_in(claims: Claims, claim: str) -> frozenset[str]:
    """Return the texts of a claim: a list, or one alone; nothing where it is absent.

    A claim of that very name counts first; then dots lead into tables.
    """
    found = claims[claim] if claim in claims else _within(claims, claim.split("."))
    if isinstance(found, str):
        return frozenset({found})
    listed: Iterable[object] = found if isinstance(found, list) else ()
    return frozenset(each for each in listed if isinstance(each, str))


def _within(claims: object, path: list[str]) -> object:
    for step in path:
        if not isinstance(claims, Mapping):
            return None
        claims = claims.get(step)
    return claims


def _is_subject(text: str) -> bool:
    return 1 <= len(text) <= _LONGEST_SUBJECT and text.isascii() and text.isprintable()
