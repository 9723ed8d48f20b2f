"""What can be planted in a phantom, and in which words it is described."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TypeAlias

from model.phantom.anatomy import Side

Box: TypeAlias = tuple[float, float, float, float]
"""x_min, y_min, x_max, y_max."""


class Kind(StrEnum):
    """What can be planted. The order is that of the sentences in a report."""

    NODULE = "nodule"
    CONSOLIDATION = "consolidation"
    ATELECTASIS = "atelectasis"
    EFFUSION = "pleural effusion"
    PNEUMOTHORAX = "pneumothorax"
    CARDIOMEGALY = "cardiomegaly"
    RETROCARDIAC_NODULE = "retrocardiac nodule"
    """Seen on the lateral view only."""
    PACEMAKER = "pacemaker"


class Zone(StrEnum):
    """A third of the lung by height."""

    UPPER = "upper"
    MID = "mid"
    LOWER = "lower"


class Size(StrEnum):
    """How large, in steps that a reader can tell apart."""

    SMALL = "small"
    MODERATE = "moderate"
    LARGE = "large"


class Change(StrEnum):
    """How a finding compares with the prior image."""

    NEW = "new"
    LARGER = "larger"
    SMALLER = "smaller"
    UNCHANGED = "unchanged"
    RESOLVED = "resolved"


SIZES = tuple(Size)
SIZED = frozenset({Kind.NODULE, Kind.CONSOLIDATION, Kind.EFFUSION, Kind.PNEUMOTHORAX})
ZONED = frozenset({Kind.NODULE, Kind.CONSOLIDATION, Kind.ATELECTASIS})
SIDED = ZONED | {Kind.EFFUSION, Kind.PNEUMOTHORAX, Kind.PACEMAKER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesion:
    """A finding's appearance. `side`, `zone`, `size` are None where not said.

    `at` is its place inside the lung: distance from the midline as a share of
    the chest's half width, and y in the crop frame. `spread` in [0, 1] varies
    the shape within a size; `shape` seeds the outline.
    """

    kind: Kind
    side: Side | None = None
    zone: Zone | None = None
    size: Size | None = None
    at: tuple[float, float] = (0.5, 0.5)
    spread: float = 0.5
    shape: int = 0

    def resized(self, size: Size) -> "Lesion":
        """Return the same lesion in another size."""
        return replace(self, size=size)

    @property
    def scale(self) -> float:
        """Return the size as a number in [0, 1]; moderate where none is said."""
        index = 1 if self.size is None else SIZES.index(self.size)
        return (index + 0.15 + 0.5 * self.spread) / 3.0
