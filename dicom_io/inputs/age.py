"""How old the patient was when the image was made; pure.

Doubt counts for reading: only who was surely too young is told apart.
"""

import re
from datetime import date

from dicom_io.header import Instance

_AGE = re.compile(r"(\d{3})([DWMY])")
"""VR AS (PS3.5 6.2)."""
_PER_YEAR = {"D": 365.25, "W": 52.18, "M": 12.0, "Y": 1.0}


def years_old(instance: Instance) -> float | None:
    """Return the completed years by birth date, or else Patient's Age.

    None where neither says it. An age in months, weeks or days gives a part of a
    year; a birth date after the image says nothing.
    """
    born, made = instance.patient.birth_date, _made(instance)
    if born is not None and made is not None and born <= made:
        return float(made.year - born.year - ((made.month, made.day) < _day(born)))
    stated = _AGE.fullmatch(instance.text_value("PatientAge") or "")
    return None if stated is None else int(stated[1]) / _PER_YEAR[stated[2]]


def _made(instance: Instance) -> date | None:
    return instance.study_date or instance.acquired_date


def _day(when: date) -> tuple[int, int]:
    return when.month, when.day
