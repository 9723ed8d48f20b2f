"""Who decides about a study, and in what capacity; pure values."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.errors import RoleNotStated


class PersonRole(StrEnum):
    """In what capacity a person decides. Stated by that person and recorded."""

    RADIOLOGIST = "radiologist"
    PHYSICIAN = "physician"
    """A physician who is no radiologist."""
    RESEARCHER = "researcher"
    ADMINISTRATOR = "administrator"
    """Who runs the gateway or the archive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Who decided, and why; all of it goes into the audit.

    `role` is None where none was stated: enough to repeat what failed, not to
    release or to reject. `entered_by` is who typed it for somebody else; None: the
    one who decided.
    """

    name: str
    why: str
    role: PersonRole | None = None
    entered_by: str | None = None

    def __str__(self) -> str:
        """Return name and role as the life of a study shows them."""
        who = self.name if self.role is None else f"{self.name} ({self.role})"
        return (
            who if self.entered_by is None else f"{who}, entered by {self.entered_by}"
        )


def demand_role(by: Decider, what: str) -> None:
    """Raise RoleNotStated where `what`, such as "a release", is decided in no role."""
    if by.role is None:
        roles = ", ".join(PersonRole)
        raise RoleNotStated(f"{what} is decided in a role: one of {roles}")
