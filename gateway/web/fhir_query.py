"""What a search for AuditEvents asks (IHE ITI-81, FHIR R4 3.1.1); pure."""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from gateway.audit import codes
from gateway.audit.as_fhir import PATIENT_SYSTEM, STUDY_SYSTEM, SYSTEMS
from gateway.audit.message import Action, Outcome
from gateway.ledger import (
    AuditColumn,
    AuditFilter,
    AuditPage,
    AuditPlace,
    AuditRecord,
)

DEFAULT_COUNT = 100
MOST = 1000
"""Resources of a page; who asks for more gets so many (FHIR R4 3.1.1.5.1)."""

_CURSOR = "_cursor"
_NO_CURSOR = "_cursor: none that was given here"
_JSON = frozenset({"json", "application/json", "application/fhir+json"})
_LONGEST = 1000
"""Characters of a value."""

Pairs = Sequence[tuple[str, str]]
Pseudonyms = Callable[[str | None, str], Sequence[str]]
"""Returns what an issuer's Patient ID is known by; issuer None: of whichever."""


class Misasked(ValueError):  # noqa: N818 - says what was asked
    """A search that cannot be made; the message says why, and repeats no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A search as it was understood.

    `used` are its parameters, `ignored` the names of those that nobody here knows.
    """

    wanted: AuditFilter
    page: AuditPage
    used: Pairs
    ignored: tuple[str, ...]

    def link(self, base: str, *, after: AuditRecord | None = None) -> str:
        """Return the address of this page, or of the one that begins after a record."""
        pairs = [pair for pair in self.used if after is None or pair[0] != _CURSOR]
        if after is not None:
            pairs.append((_CURSOR, cursor_of(after)))
        return f"{base}?{urlencode(pairs)}"


def read_query(
    pairs: Pairs, pseudonyms: Pseudonyms, *, is_strict: bool = False
) -> Query:
    """Return what is asked; raises Misasked.

    is_strict : a parameter that is not known is an error, and not ignored.
    """
    ignored = tuple(sorted({name for name, _ in pairs if name not in KNOWN}))
    if ignored and is_strict:
        raise Misasked(f"not known: {', '.join(map(_shown, ignored))}")
    used = [pair for pair in pairs if pair[0] in KNOWN]
    if any(not value or len(value) > _LONGEST for _, value in used):
        raise Misasked(f"a value has 1 to {_LONGEST} characters")
    if any(value not in _JSON for value in _of(used, "_format")):
        raise Misasked("_format: JSON alone is given")
    since, until = _interval(_of(used, "date"))
    among = tuple(
        (column, _values(name, value, pseudonyms))
        for name, value in used
        if (column := _COLUMNS.get(name)) is not None
    )
    return Query(
        wanted=AuditFilter(since=since, until=until, among=among),
        page=AuditPage(
            newest_first=False,
            limit=_count(_of(used, "_count")),
            after=_after(_of(used, _CURSOR)),
        ),
        used=used,
        ignored=ignored,
    )


def cursor_of(record: AuditRecord) -> str:
    """Return where a page ends, as a word without meaning to whoever asks."""
    place = [record.recorded_at.astimezone(UTC).isoformat(), record.sequence]
    return urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _of(pairs: Pairs, name: str) -> list[str]:
    return [value for known, value in pairs if known == name]


def _shown(name: str) -> str:
    return re.sub(r"[^\w.:-]", "?", name, flags=re.ASCII)[:64]


_UID = re.compile(r"[0-9.]{1,64}", re.ASCII)
_DATE = re.compile(
    r"(eq|ge|gt|le|lt)?(\d{4})(?:-(\d\d)(?:-(\d\d)"
    r"(?:T(\d\d:\d\d)(:\d\d)?(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?)?)?)?",
    re.ASCII,
)


def _interval(dates: Sequence[str]) -> tuple[datetime, datetime]:
    """Return the interval that all conditions leave; a time without zone is UTC."""
    since, until = [], []
    for text in dates:
        prefix, begin, end = _moment(text)
        if prefix in {"eq", "ge"}:
            since.append(begin)
        if prefix == "gt":
            since.append(end)
        if prefix in {"eq", "le"}:
            until.append(end)
        if prefix == "lt":
            until.append(begin)
    if not since or not until:
        raise Misasked(
            "date: an interval is needed, as date=ge2026-03-01&date=lt2026-04-01"
        )
    return max(since), min(until)


def _moment(text: str) -> tuple[str, datetime, datetime]:
    """Return the comparison, and the first moment of a date and the one after it."""
    # A plus sign that was not encoded arrives as a blank.
    found = _DATE.fullmatch(text.replace(" ", "+"))
    if found is None:
        raise Misasked("date: not understood; as ge2026-03-01T10:30:00Z")
    prefix, year, month, day, minute, second, fraction, zone = found.groups()
    try:
        begin = datetime.fromisoformat(
            f"{year}-{month or '01'}-{day or '01'}T{minute or '00:00'}"
            f"{second or ':00'}{(fraction or '')[:7]}{zone or '+00:00'}"
        ).astimezone(UTC)
        return prefix or "eq", begin, _end(begin, found)
    except (ValueError, OverflowError) as error:
        raise Misasked("date: there is no such time") from error


def _end(begin: datetime, found: "re.Match[str]") -> datetime:
    """Return the moment after a date, which is as long as it is exact."""
    _, _, month, day, minute, second, fraction, _ = found.groups()
    if fraction:
        return begin + timedelta(microseconds=10 ** max(0, 7 - len(fraction)))
    if minute:
        return begin + (timedelta(seconds=1) if second else timedelta(minutes=1))
    if day:
        return begin + timedelta(days=1)
    if month and begin.month < 12:
        return begin.replace(month=begin.month + 1)
    return begin.replace(year=begin.year + 1, month=1)


def _count(values: Sequence[str]) -> int:
    if not values:
        return DEFAULT_COUNT
    if len(values) > 1 or not re.fullmatch("[1-9][0-9]{0,8}", values[0]):
        raise Misasked("_count: one whole number, 1 or more")
    return min(int(values[0]), MOST)


def _after(values: Sequence[str]) -> AuditPlace | None:
    if not values:
        return None
    try:
        (text,) = values
        at, sequence = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        moment, number = datetime.fromisoformat(at), int(sequence)
    except (ValueError, TypeError, RecursionError) as error:
        raise Misasked(_NO_CURSOR) from error
    if moment.tzinfo is None or not 0 <= number < 1 << 63:
        raise Misasked(_NO_CURSOR)
    return AuditPlace(recorded_at=moment, sequence=number)


_COLUMNS = {
    "type": AuditColumn.EVENT,
    "subtype": AuditColumn.EVENT_TYPE,
    "action": AuditColumn.ACTION,
    "outcome": AuditColumn.OUTCOME,
    "agent.identifier": AuditColumn.USER,
    "entity.identifier": AuditColumn.STUDY,
    "patient.identifier": AuditColumn.PATIENT,
}
KNOWN = frozenset({*_COLUMNS, "date", "_count", "_format", _CURSOR})
"""Every parameter that is not ignored."""

_FIXED: dict[str, tuple[str, frozenset[str]]] = {
    "action": (
        "http://hl7.org/fhir/audit-event-action",
        frozenset(action.value for action in Action),
    ),
    "outcome": (
        "http://hl7.org/fhir/audit-event-outcome",
        frozenset(str(outcome.value) for outcome in Outcome),
    ),
}


def _values(name: str, value: str, pseudonyms: Pseudonyms) -> frozenset[str]:
    """Return the values of which one is asked for: a comma says or."""
    found: set[str] = set()
    for each in value.split(","):
        system, bar, code = each.rpartition("|")
        if not code:
            raise Misasked(f"{name}: a value, or SYSTEM|VALUE")
        found.update(_meant(name, system if bar and system else None, code, pseudonyms))
    return frozenset(found)


def _meant(
    name: str, system: str | None, code: str, pseudonyms: Pseudonyms
) -> Sequence[str]:
    """Return the values of a column that a token means; none: nothing can have it."""
    match name:
        case "patient.identifier":
            return [code] if system == PATIENT_SYSTEM else pseudonyms(system, code)
        case "entity.identifier":
            uid = code.removeprefix("urn:oid:")
            if not _UID.fullmatch(uid):
                raise Misasked(f"{name}: a Study Instance UID")
            return [uid] if system in {None, STUDY_SYSTEM} else []
        case "agent.identifier":
            return [code] if system is None else []
        case "action" | "outcome":
            expected, allowed = _FIXED[name]
            if code not in allowed:
                raise Misasked(f"{name}: one of {', '.join(sorted(allowed))}")
            return [code] if system in {None, expected} else []
        case _:
            return [
                known.value
                for known in codes.EVENTS
                if known.value == code and system in {None, SYSTEMS.get(known.scheme)}
            ]
