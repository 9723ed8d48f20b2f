"""Options of this package's stages. Light: importing this loads no library."""

from dataclasses import dataclass, field
from enum import StrEnum


class Rendering(StrEnum):
    """How stored values become the 8-bit picture that the model reads."""

    AS_TRAINED = "as-trained"
    """The full range of the image, min-max (facts of RAD-DINO's preprocessing)."""
    VOI = "voi"
    """The first window or VOI LUT, as a viewer shows it (PS3.3 C.11.2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodeLimits:
    """What one decoding process may use."""

    seconds: float = 30.0
    memory_bytes: int = 2 << 30
    max_pixels: int = 100_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PictureOptions:
    """How stored values become pictures, and what decoding may use."""

    rendering: Rendering = Rendering.AS_TRAINED
    limits: DecodeLimits = field(default_factory=DecodeLimits)


class Disagreement(StrEnum):
    """What follows where header and pixels say different views."""

    DECLINE = "decline"
    """The image is not used."""
    FLAG = "flag"
    """The pixels decide, and every report says that the header differs."""
    TRUST_HEADER = "trust-header"
    """The header decides, and every report says that the pixels differ."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewRules:
    """Which images of a study may be read.

    quality_control : True for an engine that reads phantoms, which are marked by
    Quality Control Image (0028,0300) YES, and nothing else; False for one that
    reads patients' films and no phantom.
    minimum_age_years : a patient who was surely younger is declined; 0: no limit.
    disagreement : what follows where header and pixels differ.
    """

    quality_control: bool = False
    minimum_age_years: int = 18
    disagreement: Disagreement = Disagreement.DECLINE


class Match(StrEnum):
    """How much an equality of prior and current study counts."""

    IGNORE = "ignore"
    PREFER = "prefer"
    """What matches comes first; the rest may serve."""
    REQUIRE = "require"


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorRules:
    """Which earlier studies may serve as the prior, and which comes first.

    `body_part`: whether the answer names the chest; where it names another region
    alone, only IGNORE lets it pass. `view`: PA with PA, AP with AP, where both are
    known. `institution`: Institution Name, folded for case and spaces.
    """

    look_back_days: int = 3650
    minimum_interval_hours: float = 0.0
    max_candidates: int = 3
    modalities: frozenset[str] = frozenset({"CR", "DX"})
    body_part: Match = Match.PREFER
    view: Match = Match.IGNORE
    institution: Match = Match.IGNORE


class ReportSource(StrEnum):
    """Where the text of a prior report may come from."""

    SR = "sr"
    """A structured report in the prior study."""
    HL7 = "hl7"
    """An observation result that was delivered by HL7 v2 (ORU)."""
    FHIR = "fhir"
    """A DiagnosticReport of a FHIR server."""
    CDA = "cda"
    """An encapsulated CDA document in the prior study."""
    PDF = "pdf"
    """An encapsulated PDF document in the prior study."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRules:
    """Which texts may serve as the prior report; the first source is trusted most.

    `language`: primary subtag of BCP 47; a report in another one serves and is
    flagged.
    """

    sources: tuple[ReportSource, ...] = tuple(ReportSource)
    max_characters: int = 3000
    language: str = "en"


class OrderSource(StrEnum):
    """Where indication and history may come from."""

    HEADER = "header"
    """The attributes of the current image."""
    WORKLIST = "worklist"
    """A modality worklist, asked by accession number (PS3.4 K)."""
    HL7 = "hl7"
    """An order that was delivered by HL7 v2 (ORM, OMI)."""
    FHIR = "fhir"
    """A ServiceRequest of a FHIR server."""


class AbsencePolicy(StrEnum):
    """What it means that one side lacks an identity attribute."""

    REFUSE = "refuse"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPolicy:
    """What an attribute that is absent on one side means for the guard."""

    issuer: AbsencePolicy = AbsencePolicy.REFUSE
    birth_date: AbsencePolicy = AbsencePolicy.REFUSE
    sex: AbsencePolicy = AbsencePolicy.REFUSE
