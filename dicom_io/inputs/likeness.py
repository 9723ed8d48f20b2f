"""How an earlier study relates to the current one: time, place, region, view; pure."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import Enum, auto

from dicom_io.header import Instance
from dicom_io.identifiers import StudyAnswer
from dicom_io.inputs.projection import View, judge_view
from dicom_io.inputs.subject import says_chest, says_elsewhere

_PROJECTIONS = frozenset({View.PA, View.AP})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When a study was; `time` is None where only its day is known."""

    date: date
    time: time | None


class Region(Enum):
    """What the texts of an answer say of the region."""

    CHEST = auto()
    ELSEWHERE = auto()
    """Another region, and not the chest."""
    UNSAID = auto()


def moment_of(instance: Instance) -> Moment | None:
    """Return when the study was: Study Date, or else when it was acquired."""
    if instance.study_date is not None:
        return Moment(date=instance.study_date, time=instance.study_time)
    if instance.acquired_date is not None:
        return Moment(date=instance.acquired_date, time=instance.acquired_time)
    return None


def answered_moment(answer: StudyAnswer) -> Moment | None:
    """Return when an archive says that a study was."""
    if answer.study_date is None:
        return None
    return Moment(date=answer.study_date, time=answer.study_time)


def least_interval(earlier: Moment, later: Moment) -> timedelta:
    """Return the time that surely lies between two moments; negative: none does.

    A study without a time may have been at any moment of its day.
    """
    end = datetime.combine(earlier.date, earlier.time or time.max)
    return datetime.combine(later.date, later.time or time.min) - end


def say_interval(earlier: Moment, later: Moment) -> str:
    """Return how long before the later study the earlier one was, in words."""
    days = (later.date - earlier.date).days
    if days:
        return f"{days} day{'s' if days > 1 else ''} before"
    hours = least_interval(earlier, later) // timedelta(hours=1)
    return f"{hours} h before" if hours else "less than an hour before"


def region_of(answer: StudyAnswer) -> Region:
    """Read Body Part Examined and Study Description of an answer."""
    named = (answer.body_part, answer.study_description)
    if any(says_chest(value) for value in named):
        return Region.CHEST
    elsewhere = any(says_elsewhere(value) for value in named)
    return Region.ELSEWHERE if elsewhere else Region.UNSAID


def is_same_institution(one: str | None, other: str | None) -> bool:
    """Tell whether two Institution Names are equal but for case and spaces.

    Two that are missing are not the same.
    """
    folded = _fold(one)
    return folded is not None and folded == _fold(other)


def shares_projection(one: Instance, other: Instance) -> bool:
    """Tell whether both headers say PA, or both say AP."""
    view = judge_view(one).view
    return view in _PROJECTIONS and view is judge_view(other).view


def _fold(name: str | None) -> str | None:
    return " ".join((name or "").casefold().split()) or None
