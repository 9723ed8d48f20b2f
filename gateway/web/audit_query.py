"""A reviewer's question as it stands in the address of a page; pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from gateway.errors import BadQuestion
from gateway.ledger import AuditPage, AuditPlace
from gateway.reviewing.asking import (
    KEYS,
    Question,
    place_of,
    place_text,
    read_question,
    through,
)

PATH = "/audit"
OLDEST = "oldest"

FIELDS = tuple(key for key in KEYS if key not in ("since", "until"))
"""What the filter bar has besides its two days, which are `from` and `to`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the address asks.

    fields : the text of each field of the filter bar, empty for none.
    refused : why it is no question; `question` is then that for everything, and
    nothing is looked up.
    """

    question: Question
    page: AuditPage
    fields: Mapping[str, str] = field(default_factory=dict)
    refused: str | None = None

    def link(self, path: str = PATH, **changes: str) -> str:
        """Return an address with the same question but for `changes`, from its start.

        An empty change takes a field away.
        """
        values = {**self.fields, **changes}
        asked = urlencode({name: value for name, value in values.items() if value})
        return f"{path}?{asked}" if asked else path

    def next(self, after: AuditPlace) -> str:
        """Return the address of the page after a place."""
        return self.link(after=place_text(after))


def asked_of(given: Mapping[str, str], zone: ZoneInfo) -> Asked:
    """Return what an address asks, by the clock of the site's zone."""
    names = ("from", "to", "order", *FIELDS)
    fields = {name: given.get(name, "").strip() for name in names}
    try:
        page = AuditPage(newest_first=fields["order"] != OLDEST)
        if given.get("after"):
            page = replace(page, after=place_of(given["after"]))
        question = read_question(_with_times(given, fields, zone), zone)
    except BadQuestion as error:
        return Asked(
            question=Question(),
            page=AuditPage(),
            fields=_safe(fields),
            refused=str(error),
        )
    fields |= {"from": _first_day(question, zone), "to": _last_day(question, zone)}
    return Asked(question=question, page=page, fields=fields)


def _first_day(question: Question, zone: ZoneInfo) -> str:
    """Return the field of the first moment: a day where it is the beginning of one."""
    since = question.wanted.since
    return "" if since is None else _day_or_moment(since.astimezone(zone))


def _last_day(question: Question, zone: ZoneInfo) -> str:
    """Return the field of the end: the last day where it is the end of one."""
    if question.wanted.until is None:
        return ""
    until = question.wanted.until.astimezone(zone)
    if until.time() == time():
        return (until.date() - timedelta(days=1)).isoformat()
    return _day_or_moment(until)


def _day_or_moment(at: datetime) -> str:
    if at.time() == time():
        return at.date().isoformat()
    return at.replace(tzinfo=None).isoformat()


def _with_times(
    given: Mapping[str, str], fields: Mapping[str, str], zone: ZoneInfo
) -> dict[str, str]:
    """Return the fields with their times; a link may name moments instead of days."""
    times = {key: given[key] for key in ("since", "until") if given.get(key)}
    if fields["from"]:
        times["since"] = fields["from"]
    if fields["to"]:
        times["until"] = through(fields["to"], zone)
    return {**fields, **times}


def _safe(fields: Mapping[str, str]) -> dict[str, str]:
    """Return what may be shown again in the fields of a question that was refused.

    A Patient ID that was typed into an address is not repeated in the page's links.
    """
    return {**fields, "patient": ""}
