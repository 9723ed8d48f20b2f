"""What an account may do; pure.

The role of an account says what its owner may ask of the console. In what capacity
somebody decides about a study (`people.PersonRole`) is stated with each decision.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum


class Permission(StrEnum):
    """One thing that the console does for some and not for others."""

    STUDIES_READ = "studies-read"
    STUDIES_DECIDE = "studies-decide"
    """Release, reject, retry, read again, retract, send again."""
    STUDIES_GROUND = "studies-ground"
    """Have the model look for a phrase."""
    AUDIT_READ = "audit-read"
    AUDIT_REVIEW = "audit-review"
    """Sign off what was reviewed."""
    AUDIT_EXPORT = "audit-export"
    SYSTEM_READ = "system-read"
    ACCOUNTS_MANAGE = "accounts-manage"


class AccountRole(StrEnum):
    """What an account is for."""

    VIEWER = "viewer"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    ADMINISTRATOR = "administrator"


_READS = frozenset({Permission.STUDIES_READ})

PERMISSIONS: Mapping[AccountRole, frozenset[Permission]] = {
    AccountRole.VIEWER: _READS,
    AccountRole.REVIEWER: _READS
    | {Permission.STUDIES_DECIDE, Permission.STUDIES_GROUND},
    AccountRole.AUDITOR: frozenset(
        {
            Permission.AUDIT_READ,
            Permission.AUDIT_REVIEW,
            Permission.AUDIT_EXPORT,
            Permission.SYSTEM_READ,
        }
    ),
    # Who makes accounts neither decides about studies nor signs off the log of it.
    AccountRole.ADMINISTRATOR: _READS
    | {
        Permission.AUDIT_READ,
        Permission.AUDIT_EXPORT,
        Permission.SYSTEM_READ,
        Permission.ACCOUNTS_MANAGE,
    },
}
"""Each role and what it may do; what is not named it may not."""


def widest(roles: Collection[AccountRole]) -> AccountRole | None:
    """Return the role that may do all that the others may; None: none of them may."""
    for role in roles:
        if all(PERMISSIONS[role] >= PERMISSIONS[other] for other in roles):
            return role
    return None
