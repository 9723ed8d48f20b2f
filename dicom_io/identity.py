"""Is another study of the same patient? One verdict table; pure.

A mistake here shows one patient's past in another one's report. So equality is
exact, doubt refuses, and a name never helps to accept.
"""

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from dicom_io.header import Instance, PatientIdentity
from dicom_io.options import AbsencePolicy, IdentityPolicy

_JOKERS = frozenset("*?\\")
_SEPARATORS = frozenset({"Zl", "Zp"})
"""Line and paragraph separator."""


class Key(StrEnum):
    """The attributes that are compared."""

    PATIENT_ID = "patient-id"
    ISSUER = "issuer"
    BIRTH_DATE = "birth-date"
    SEX = "sex"
    NAME = "name"


class Comparison(StrEnum):
    """What two values of one attribute are to each other."""

    EQUAL = "equal"
    CONFLICT = "conflict"
    ABSENT_ON_ONE_SIDE = "absent-on-one-side"
    ABSENT_ON_BOTH = "absent-on-both"


class Ruling(StrEnum):
    """What follows from one comparison."""

    ACCEPT = "accept"
    FLAG = "flag"
    """Accepted, and said so in the report's notes."""
    REFUSE = "refuse"
    BY_SETTING = "by-setting"
    """Refused, unless the site accepts the absence of this attribute."""


VERDICTS: Mapping[Key, Mapping[Comparison, Ruling]] = {
    Key.PATIENT_ID: {
        Comparison.EQUAL: Ruling.ACCEPT,
        Comparison.CONFLICT: Ruling.REFUSE,
        Comparison.ABSENT_ON_ONE_SIDE: Ruling.REFUSE,
        Comparison.ABSENT_ON_BOTH: Ruling.REFUSE,
    },
    Key.ISSUER: {
        Comparison.EQUAL: Ruling.ACCEPT,
        Comparison.CONFLICT: Ruling.REFUSE,
        Comparison.ABSENT_ON_ONE_SIDE: Ruling.BY_SETTING,
        Comparison.ABSENT_ON_BOTH: Ruling.ACCEPT,
    },
    Key.BIRTH_DATE: {
        Comparison.EQUAL: Ruling.ACCEPT,
        Comparison.CONFLICT: Ruling.REFUSE,
        Comparison.ABSENT_ON_ONE_SIDE: Ruling.BY_SETTING,
        Comparison.ABSENT_ON_BOTH: Ruling.FLAG,
    },
    Key.SEX: {
        Comparison.EQUAL: Ruling.ACCEPT,
        Comparison.CONFLICT: Ruling.REFUSE,
        Comparison.ABSENT_ON_ONE_SIDE: Ruling.BY_SETTING,
        Comparison.ABSENT_ON_BOTH: Ruling.FLAG,
    },
    Key.NAME: {
        Comparison.EQUAL: Ruling.ACCEPT,
        Comparison.CONFLICT: Ruling.FLAG,
        Comparison.ABSENT_ON_ONE_SIDE: Ruling.ACCEPT,
        Comparison.ABSENT_ON_BOTH: Ruling.ACCEPT,
    },
}
"""The whole rule; the documentation prints this table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityVerdict:
    """Whether two identities are taken for one patient.

    `reasons` names each attribute that refused, `flags` each that is odd, and
    `compared` every one with what came of it; all without any value.
    """

    accepted: bool
    reasons: tuple[str, ...]
    flags: tuple[str, ...]
    compared: tuple[str, ...]


def guard_identity(
    current: PatientIdentity, other: PatientIdentity, policy: IdentityPolicy
) -> IdentityVerdict:
    """Apply `VERDICTS` to each attribute; one refusal refuses."""
    reasons, flags = [], []
    comparisons = compare(current, other)
    for key, comparison in comparisons.items():
        ruling = _settle(key, VERDICTS[key][comparison], policy)
        if ruling is Ruling.REFUSE:
            reasons.append(f"{key}: {comparison}")
        elif ruling is Ruling.FLAG:
            flags.append(f"{key}: {comparison}")
    return IdentityVerdict(
        accepted=not reasons,
        reasons=tuple(reasons),
        flags=tuple(flags),
        compared=tuple(f"{key} {found}" for key, found in comparisons.items()),
    )


def compare(
    current: PatientIdentity, other: PatientIdentity
) -> Mapping[Key, Comparison]:
    """Compare each attribute; a Patient ID that cannot be queried is absent.

    A birth date that is no date differs from any date and from any other text;
    equal texts prove nothing and count as absent on both sides.
    """
    return {
        Key.PATIENT_ID: _compare(_exact(current.patient_id), _exact(other.patient_id)),
        Key.ISSUER: _compare(current.issuer, other.issuer),
        Key.BIRTH_DATE: _compare_birth_dates(current, other),
        Key.SEX: _compare(_upper(current.sex), _upper(other.sex)),
        Key.NAME: _compare(_name_parts(current.name), _name_parts(other.name)),
    }


def one_patient(instances: Sequence[Instance]) -> str | None:
    """Return how the instances of one study contradict each other, or None.

    An absence is no contradiction here, and neither is another name. The reason
    names attributes and no values.
    """
    patients = [instance.patient for instance in instances]
    found: dict[Key, set[object]] = {
        Key.PATIENT_ID: {patient.patient_id for patient in patients},
        Key.ISSUER: {patient.issuer for patient in patients},
        Key.BIRTH_DATE: {_birth_date(patient) for patient in patients},
        Key.SEX: {_upper(patient.sex) for patient in patients},
    }
    contradicted = [key for key, values in found.items() if len(values - {None}) > 1]
    return "; ".join(f"{key}: {Comparison.CONFLICT}" for key in contradicted) or None


def is_exact_key(value: str) -> bool:
    """Tell whether a value matches itself alone in a query (PS3.4 C.2.2.2).

    Empty values match everything, `*` and `?` are wildcards, a backslash makes a
    list, and two quotation marks match what is empty. Controls, and the separators
    of lines, are in no identifier that a person gave; nor is one without any letter
    or digit, such as the wildcards of SQL.
    """
    if not any(character.isalnum() for character in value) or set(value) & _JOKERS:
        return False
    return not any(
        unicodedata.category(character) in _SEPARATORS
        or unicodedata.category(character)[0] == "C"
        for character in value
    )


def _settle(key: Key, ruling: Ruling, policy: IdentityPolicy) -> Ruling:
    if ruling is not Ruling.BY_SETTING:
        return ruling
    settings = {
        Key.ISSUER: policy.issuer,
        Key.BIRTH_DATE: policy.birth_date,
        Key.SEX: policy.sex,
    }
    accepted = settings[key] is AbsencePolicy.ACCEPT
    return Ruling.FLAG if accepted else Ruling.REFUSE


def _compare(current: object | None, other: object | None) -> Comparison:
    if current is None and other is None:
        return Comparison.ABSENT_ON_BOTH
    if current is None or other is None:
        return Comparison.ABSENT_ON_ONE_SIDE
    return Comparison.EQUAL if current == other else Comparison.CONFLICT


def _compare_birth_dates(
    current: PatientIdentity, other: PatientIdentity
) -> Comparison:
    comparison = _compare(_birth_date(current), _birth_date(other))
    if comparison is Comparison.EQUAL and current.birth_date is None:
        return Comparison.ABSENT_ON_BOTH
    return comparison


def _birth_date(patient: PatientIdentity) -> date | str | None:
    return patient.birth_date or patient.birth_date_text


def _exact(patient_id: str | None) -> str | None:
    usable = patient_id is not None and is_exact_key(patient_id)
    return patient_id if usable else None


def _upper(sex: str | None) -> str | None:
    return None if sex is None else sex.upper()


def _name_parts(name: str | None) -> tuple[str, ...] | None:
    """Fold a name so that case, accents, order and padding make no conflict."""
    if name is None:
        return None
    decomposed = unicodedata.normalize("NFKD", name.split("=")[0]).casefold()
    plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return tuple(sorted(plain.replace("^", " ").split())) or None
