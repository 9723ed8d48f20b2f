"""The DIMSE statuses that this node answers, and what answered ones mean to it.

PS3.4 B.2.3 (storage), PS3.7 Annex C (all services).
"""

from enum import Enum, IntEnum


class Status(IntEnum):
    """A status that this node answers: Status (0000,0900)."""

    SUCCESS = 0x0000
    PROCESSING_FAILURE = 0x0110
    INVALID_INSTANCE = 0x0117
    CLASS_NOT_SUPPORTED = 0x0122
    NOT_AUTHORISED = 0x0124
    OUT_OF_RESOURCES = 0xA700
    DATA_SET_MISMATCH = 0xA900
    CANNOT_UNDERSTAND = 0xC000
    DUPLICATE_CONFLICT = 0xC111

    def __repr__(self) -> str:
        """Name it as the standard and other nodes' logs do: in hexadecimal."""
        return f"{self.name} {self.value:04X}"

    @property
    def meaning(self) -> str:
        """What this node means by it."""
        return _MEANINGS[self][0]

    @property
    def section(self) -> str:
        """Where the standard defines it."""
        return _MEANINGS[self][1]


_MEANINGS = {
    Status.SUCCESS: ("stored durably, or already held", "PS3.7 C.1.1"),
    Status.PROCESSING_FAILURE: ("this node failed; try again", "PS3.7 C.5"),
    Status.INVALID_INSTANCE: ("the UID breaks the UID grammar", "PS3.7 C.5"),
    Status.CLASS_NOT_SUPPORTED: ("the class was not negotiated", "PS3.7 C.5"),
    Status.NOT_AUTHORISED: ("the sender may not store here", "PS3.7 C.5"),
    Status.OUT_OF_RESOURCES: ("no room, or over the size limit", "PS3.4 B.2.3"),
    Status.DATA_SET_MISMATCH: ("the data set is not what was announced", "PS3.4 B.2.3"),
    Status.CANNOT_UNDERSTAND: ("the data set cannot be read", "PS3.4 B.2.3"),
    Status.DUPLICATE_CONFLICT: (
        "other content is held under this UID; the first is kept",
        "PS3.4 B.2.3: a Cannot understand code of this node",
    ),
}


class StoreVerdict(Enum):
    """What became of an instance that we sent."""

    STORED = "stored"
    WARNING = "stored with a warning"
    TRANSIENT = "not stored; sending again may help"
    PERMANENT = "refused for good"

    @property
    def is_stored(self) -> bool:
        """Whether the destination says that it holds the instance."""
        return self in (StoreVerdict.STORED, StoreVerdict.WARNING)


_GENERAL_WARNINGS = frozenset({0x0001, 0x0107, 0x0111, 0x0116})
"""Warnings of PS3.7 C.4 outside the Bxxx range, and Duplicate SOP Instance (PS3.7
C.5): the destination holds the UID already, as after an attempt of ours whose
answer was lost. That it holds the content is for the proof of storage to show."""

_GENERAL_TRANSIENT = frozenset({0x0110, 0x0210, 0x0213, 0xFE00})
"""Processing failure, duplicate invocation, resource limitation, cancelled."""


def outcome_of(code: int) -> StoreVerdict:
    """Classify a status that a destination answered to a C-STORE request.

    A7xx is a lack of resources that may pass; A9xx and Cxxx blame the data set
    (PS3.4 B.2.3). A code that no table names counts as permanent, so that a
    person sees it.
    """
    if code == Status.SUCCESS:
        return StoreVerdict.STORED
    if code & 0xF000 == 0xB000 or code in _GENERAL_WARNINGS:
        return StoreVerdict.WARNING
    if code & 0xFF00 == 0xA700 or code in _GENERAL_TRANSIENT:
        return StoreVerdict.TRANSIENT
    return StoreVerdict.PERMANENT
