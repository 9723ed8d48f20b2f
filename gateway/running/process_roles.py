"""The roles that a process of the gateway plays, one or several."""

from collections.abc import Collection
from enum import StrEnum

from gateway.errors import NotReady


class ProcessRole(StrEnum):
    """What a process does for all of them."""

    LISTENER = "listener"
    """Takes what others send: the DICOM port, and that of HL7."""
    WORKER = "worker"
    """Takes studies on; the only one that loads the engine."""
    SCHEDULER = "scheduler"
    """Does what comes round again, once for all."""
    WEB = "web"
    """Shows the console."""


ALL_ROLES = frozenset(ProcessRole)

Roles = Collection[ProcessRole]


def parse_roles(text: str) -> frozenset[ProcessRole]:
    """Return the roles of a list of words with commas; raises NotReady."""
    words = [word.strip() for word in text.split(",")]
    known = {role.value: role for role in ProcessRole}
    unknown = [word for word in words if word not in known]
    if unknown:
        raise NotReady(
            f"{unknown[0]!r} is no role: name some of {', '.join(known)}, with commas"
        )
    return frozenset(known[word] for word in words)


def words_of(roles: Roles) -> str:
    """Return roles as `parse_roles` reads them, in their usual order."""
    return ",".join(role for role in ProcessRole if role in roles)
