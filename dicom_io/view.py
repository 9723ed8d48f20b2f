"""Which instance is the frontal, which the lateral; pure, with reasons."""

from dataclasses import dataclass
from enum import StrEnum

from dicom_io.header import Instance


class DeclineReason(StrEnum):
    """Why a study is not read; a state of the study, never an error."""

    NO_FRONTAL = "no-frontal"
    NOT_HUMAN = "not-human"
    NOT_CHEST = "not-chest"
    NO_PIXELS = "no-pixels"
    UNREADABLE_PIXELS = "unreadable-pixels"
    SECONDARY_CAPTURE = "secondary-capture"
    CONSTANT_IMAGE = "constant-image"
    UNSUPPORTED_ORIENTATION = "unsupported-orientation"
    OUTSIDE_DOMAIN = "outside-domain"
    """The engine does not read this: a film for the phantom engine, or a phantom
    for an engine of films."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A refusal with its reason; `detail` is a sentence without patient data."""

    reason: DeclineReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The images chosen from a study; `reasons` has one line a decision."""

    frontal: Instance
    lateral: Instance | None
    reasons: tuple[str, ...]
