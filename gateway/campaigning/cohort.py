"""The studies of a campaign, from a file or from what an archive answers."""

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import product

from dicom_io.identifiers import CohortQuery
from dicom_io.uid import is_uid
from gateway.errors import CampaignRefused

COLUMNS = ("studyinstanceuid", "study_instance_uid", "study instance uid")
"""What a column of UIDs is called where nobody says, in any case of letters."""

MOST_DAYS = 3660
"""Days of one question: ten years. Each is asked for by itself."""

_NAMED = 5
"""Lines that are named where several are wrong."""

Ask = Callable[[CohortQuery], tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Studies in their order, each once; `repeated`: how many were named again."""

    uids: tuple[str, ...]
    source: str
    repeated: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What is asked of the archive; days are included at both ends."""

    first: date
    last: date
    modalities: tuple[str, ...] = ()
    description: str | None = None
    institution: str | None = None

    def __str__(self) -> str:
        """Return it as people read it."""
        parts = [f"studies of {self.first} to {self.last}"]
        parts += [f"modality {'/'.join(self.modalities)}"] if self.modalities else []
        parts += [f"description {self.description!r}"] if self.description else []
        parts += [f"institution {self.institution!r}"] if self.institution else []
        return ", ".join(parts)


def read_cohort(lines: Iterable[str], name: str, column: str | None = None) -> Cohort:
    """Return the UIDs of a file: one a line, or a column of CSV.

    Empty lines and what begins with # are passed over. Raises CampaignRefused for a
    file without any study, or with anything that is no UID.
    """
    found = list(_cells(lines, name, column))
    wrong = [number for number, text in found if not is_uid(text)]
    if wrong:
        shown = ", ".join(map(str, wrong[:_NAMED]))
        more = f" and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
        raise CampaignRefused(f"{name}: no Study Instance UID in line {shown}{more}")
    uids = tuple(dict.fromkeys(text for _, text in found))
    if not uids:
        raise CampaignRefused(f"{name} names no study")
    repeated = len(found) - len(uids)
    return Cohort(uids=uids, source=f"file {name}", repeated=repeated)


def selection(
    days: str,
    modalities: Sequence[str] = (),
    description: str | None = None,
    institution: str | None = None,
) -> Selection:
    """Return what a person asks for; `days` as 20260131 or 20260101-20260131.

    Raises CampaignRefused without two days at most ten years apart, whatever else is
    asked: a question without a bound means the whole archive, and an archive that
    cuts its answer off would leave part of a cohort for all of it.
    """
    first, last = _days(days)
    if not timedelta(0) <= last - first < timedelta(days=MOST_DAYS):
        raise CampaignRefused(
            f"--date {days}: the last day comes after the first, and within "
            f"{MOST_DAYS} days"
        )
    texts = [("--description", description), ("--institution", institution)]
    for option, text in (*texts, *(("--modality", each) for each in modalities)):
        if text is not None and not text.strip(" *?"):
            raise CampaignRefused(
                f"{option}: wildcards alone say nothing; leave it out"
            )
    return Selection(
        first=first,
        last=last,
        modalities=tuple(dict.fromkeys(each.strip().upper() for each in modalities)),
        description=description,
        institution=institution,
    )


def questions(wanted: Selection) -> Iterator[CohortQuery]:
    """Yield a question for each day and modality."""
    days = (wanted.last - wanted.first).days + 1
    every = [wanted.first + timedelta(days=number) for number in range(days)]
    for day, modality in product(every, wanted.modalities or (None,)):
        yield CohortQuery(
            study_date=day,
            modality=modality,
            description=wanted.description,
            institution=wanted.institution,
        )


def ask_cohort(wanted: Selection, ask: Ask) -> Cohort:
    """Return what an archive names, day by day.

    Raises CampaignRefused where it names nothing, or a key cannot be sent; what
    `ask` raises where it does not do its part.
    """
    try:
        found = [uid for question in questions(wanted) for uid in ask(question)]
    except ValueError as error:
        raise CampaignRefused(f"the archive was not asked: {error}") from error
    if not found:
        raise CampaignRefused(f"the archive names no study: {wanted}")
    uids = tuple(dict.fromkeys(found))
    return Cohort(uids=uids, source=str(wanted), repeated=len(found) - len(uids))


def _cells(
    lines: Iterable[str], name: str, column: str | None
) -> Iterator[tuple[int, str]]:
    """Yield the number of each line that says something, and its UID."""
    place: int | None = None
    for number, row in enumerate(csv.reader(lines), 1):
        cells = [cell.strip().lstrip("\ufeff") for cell in row]
        if not any(cells) or cells[0].startswith("#"):
            continue
        if place is None:
            place, is_heading = _place(cells, name, column)
            if is_heading:
                continue
        yield number, cells[place] if place < len(cells) else ""


def _place(cells: Sequence[str], name: str, column: str | None) -> tuple[int, bool]:
    """Return where the UIDs are, and whether this line is the heading."""
    lower = [cell.lower() for cell in cells]
    wanted = COLUMNS if column is None else (column.lower(),)
    for each in wanted:
        if each in lower:
            return lower.index(each), True
    if column is not None:
        raise CampaignRefused(f"{name} has no column {column!r}")
    if len(cells) > 1:
        raise CampaignRefused(
            f"{name} has several columns, and none is StudyInstanceUID: name --column"
        )
    return 0, False


def _days(text: str) -> tuple[date, date]:
    first, dash, last = text.partition("-")
    try:
        return _day(first), _day(last if dash else first)
    except ValueError:
        raise CampaignRefused(
            f"--date {text[:40]!r}: two days, as 20260101-20260131, or one"
        ) from None


def _day(text: str) -> date:
    if len(text) != len("YYYYMMDD") or not text.isdecimal() or not text.isascii():
        raise ValueError
    return datetime.strptime(text, "%Y%m%d").date()  # noqa: DTZ007 - a day has no zone
