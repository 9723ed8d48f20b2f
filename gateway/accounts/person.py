"""Who asks the console for something."""

from dataclasses import dataclass

from gateway.accounts.roles import AccountRole, Permission
from gateway.audit import parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody who signed in, or whose token was shown.

    `permissions` are those of the role, or fewer where a token is for less.
    `session` is the digest of the session; None: a token was shown. `address` is
    that of the browser; None: it is not known. `issuer` is the provider that vouches
    for them; None: they have a password here.
    """

    account_id: int
    name: str
    role: AccountRole
    permissions: frozenset[Permission]
    session: str | None = None
    address: str | None = None
    issuer: str | None = None

    def may(self, permission: Permission) -> bool:
        """Whether this is allowed."""
        return permission in self.permissions

    @property
    def in_audit(self) -> parts.Person:
        """The person as the audit knows them."""
        return parts.Person(name=self.name, role=self.role, address=self.address)
