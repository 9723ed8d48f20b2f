"""A reviewer's question to the log, as text and as a value; pure.

The text is that of a web address, so a saved filter, a link and a command agree.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode
from zoneinfo import ZoneInfo

from gateway.audit import codes
from gateway.audit.codes import EVENTS
from gateway.audit.message import Action, Outcome
from gateway.errors import BadQuestion
from gateway.ledger import AuditFilter, AuditPlace

LONGEST = 256
"""Characters of a value; none of what is searched for is longer."""
FAILED = "failed"
"""Instead of an outcome: any but success."""

EMERGENCIES = tuple(
    code.value for code in (codes.EMERGENCY_STARTED, codes.EMERGENCY_STOPPED)
)
CHANGES = tuple(
    code.value
    for code in (
        codes.NETWORK_CONFIGURATION,
        codes.SECURITY_CONFIGURATION,
        codes.SOFTWARE_CONFIGURATION,
        codes.SOFTWARE_UPDATED,
        codes.SECURITY_ROLES_CHANGED,
        codes.USER_ATTRIBUTES_CHANGED,
        codes.ACCOUNT_CREATED,
        codes.ACCOUNT_DISABLED,
        codes.ACCOUNT_ENABLED,
        codes.TOKEN_MADE,
        codes.TOKEN_REVOKED,
        codes.PATIENT_KEY_REPLACED,
    )
)

_UID = re.compile(r"[0-9.]{1,64}")
_PSEUDONYM = re.compile(r"[0-9a-f]{64}")

Word = TypeVar("Word", bound=StrEnum)


class View(StrEnum):
    """What part of the log a reviewer looks at."""

    ALL = "all"
    PEOPLE = "people"
    """What people asked for, not what the gateway and other nodes did."""
    OUT_OF_HOURS = "out-of-hours"
    """Of people, outside of the site's working hours."""
    BREAK_GLASS = "break-glass"
    """What was opened in an emergency."""
    FAILURES = "failures"
    SETTINGS = "settings"
    """What was changed of the settings, the software, accounts and keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which records a reviewer wants; `wanted` holds what the view adds, too."""

    view: View = View.ALL
    wanted: AuditFilter = field(default_factory=AuditFilter)

    def __str__(self) -> str:
        """Return the question as the audit names it."""
        # Times are read by people; whatever else is escaped stays so.
        plain = to_text(self).replace("&", ", ").replace("%3A", ":")
        return plain or "all records"


_FIELDS = {
    "patient": "patient",
    "study": "study_instance_uid",
    "user": "user",
    "event": "event",
    "action": "action",
    "node": "node",
    "address": "address",
    "text": "text",
}
KEYS = ("view", "since", "until", *_FIELDS, "outcome")


def read_question(given: Mapping[str, str], zone: ZoneInfo | None = None) -> Question:
    """Return the question; raises BadQuestion for what can find nothing.

    given : values by KEYS; what is empty asks nothing, other keys are left alone.
    zone : of times without one; None: UTC. A day as `since` begins it.
    """
    asked = {key: given[key].strip() for key in KEYS if given.get(key, "").strip()}
    for key, value in asked.items():
        _demand_plain(key, value)
    view = _word(View, "view", asked.get("view", View.ALL))
    wanted = AuditFilter(
        since=_moment("since", asked.get("since"), zone),
        until=_moment("until", asked.get("until"), zone),
        patient=asked.get("patient"),
        study_instance_uid=asked.get("study"),
        user=asked.get("user"),
        event=asked.get("event"),
        action=asked.get("action"),
        node=asked.get("node"),
        address=asked.get("address"),
        text=asked.get("text"),
    )
    wanted = _with_outcome(wanted, asked.get("outcome"))
    _demand_findable(wanted)
    return Question(view=view, wanted=_of_view(view, wanted))


def to_text(question: Question) -> str:
    """Return the text that `read_question` reads again, its keys in order."""
    wanted = question.wanted
    values = {
        "view": None if question.view is View.ALL else question.view.value,
        "since": wanted.since and _utc(wanted.since),
        "until": wanted.until and _utc(wanted.until),
        **{key: getattr(wanted, name) for key, name in _FIELDS.items()},
        "outcome": _outcome_text(question),
    }
    return urlencode({key: value for key, value in values.items() if value})


def of_text(text: str) -> Question:
    """Return the question of a text; raises BadQuestion."""
    return read_question(dict(parse_qsl(text)))


def is_pseudonym(text: str) -> bool:
    """Whether a text is one by which the log knows a patient."""
    return _PSEUDONYM.fullmatch(text) is not None


def place_text(place: AuditPlace) -> str:
    """Return a place in the log as the address of a page holds it."""
    return f"{_utc(place.recorded_at)}~{place.sequence}"


def place_of(text: str) -> AuditPlace:
    """Return the place of a text; raises BadQuestion."""
    moment, _, number = text.partition("~")
    at = _moment("after", moment, None)
    if at is None or not number.isascii() or not number.isdigit():
        raise BadQuestion("after: a place as the link to the next page names it")
    return AuditPlace(recorded_at=at, sequence=min(int(number[:18]), 2**53))


def through(day: str, zone: ZoneInfo) -> str:
    """Return the end of a day, as `until` takes it; another text stays as it is."""
    try:
        last = date.fromisoformat(day.strip())
    except ValueError:
        return day
    if last == date.max:
        return day
    return datetime.combine(last + timedelta(days=1), time(), zone).isoformat()


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _demand_plain(key: str, value: str) -> None:
    if len(value) > LONGEST:
        raise BadQuestion(f"{key}: at most {LONGEST} characters")
    if not value.isprintable():
        raise BadQuestion(f"{key}: on one line, without control characters")


def _word(kind: type[Word], key: str, value: str) -> Word:
    try:
        return kind(value)
    except ValueError:
        raise BadQuestion(f"{key}: one of {', '.join(kind)}") from None


def _moment(key: str, text: str | None, zone: ZoneInfo | None) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=zone or UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadQuestion(
            f"{key}: a day or a moment, as 2026-05-31 or 2026-05-31T18:00"
        ) from None


def _with_outcome(wanted: AuditFilter, outcome: str | None) -> AuditFilter:
    if outcome is None:
        return wanted
    if outcome == FAILED:
        return replace(wanted, failed=True)
    known = [str(each.value) for each in Outcome]
    if outcome not in known:
        raise BadQuestion(f"outcome: one of {FAILED}, {', '.join(known)}")
    return replace(wanted, outcome=int(outcome))


def _demand_findable(wanted: AuditFilter) -> None:
    if wanted.since and wanted.until and wanted.since >= wanted.until:
        raise BadQuestion("since must be before until")
    events = [code.value for code in EVENTS]
    if wanted.event is not None and wanted.event not in events:
        raise BadQuestion(f"event: one of {', '.join(events)}")
    if wanted.action is not None:
        _word(Action, "action", wanted.action)
    if wanted.study_instance_uid and not _UID.fullmatch(wanted.study_instance_uid):
        raise BadQuestion("study: a Study Instance UID, digits and dots")
    if wanted.patient is not None and not is_pseudonym(wanted.patient):
        raise BadQuestion("patient: the 64 digits by which the log knows the patient")


def _of_view(view: View, wanted: AuditFilter) -> AuditFilter:
    match view:
        case View.ALL:
            return wanted
        case View.PEOPLE | View.OUT_OF_HOURS:
            return replace(wanted, by_person=True)
        case View.BREAK_GLASS:
            return replace(wanted, event_types=EMERGENCIES)
        case View.FAILURES:
            return replace(wanted, failed=True)
        case View.SETTINGS:
            return replace(wanted, event_types=CHANGES)


def _outcome_text(question: Question) -> str | None:
    wanted = question.wanted
    if wanted.outcome is not None:
        return str(wanted.outcome)
    return FAILED if wanted.failed and question.view is not View.FAILURES else None
