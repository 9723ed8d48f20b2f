from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.ledger import Access
from gateway.reviewing.bulk import bulk_access
from gateway.reviewing.hours import WorkingHours
from tests.data.ledgers import at

BERLIN = WorkingHours(
    days=frozenset(range(5)),
    opens=time(7),
    closes=time(19),
    zone=ZoneInfo("Europe/Berlin"),
)


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        (datetime(2026, 1, 5, 6, 0, tzinfo=UTC), True),  # Monday, 07:00 CET
        (datetime(2026, 1, 5, 5, 59, tzinfo=UTC), False),
        (datetime(2026, 7, 6, 5, 0, tzinfo=UTC), True),  # Monday, 07:00 CEST
        (datetime(2026, 7, 6, 17, 0, tzinfo=UTC), False),  # 19:00, not included
        (datetime(2026, 7, 4, 10, 0, tzinfo=UTC), False),  # Saturday
        (datetime(2026, 7, 5, 23, 0, tzinfo=UTC), False),  # Monday, 01:00 there
    ],
)
def test_hours_are_those_of_the_clock_on_the_wall(
    moment: datetime, is_open: bool
) -> None:
    assert BERLIN.hold(moment) is is_open


def test_midnight_ends_the_day() -> None:
    late = WorkingHours(
        days=frozenset({0}), opens=time(7), closes=time(), zone=ZoneInfo("UTC")
    )
    assert late.hold(datetime(2026, 1, 5, 23, 59, tzinfo=UTC))
    assert not late.hold(datetime(2026, 1, 6, 0, 0, tzinfo=UTC))


def opened(*given: tuple[str, float, str]) -> list[tuple[Access, str]]:
    """Return openings: user, seconds, subject."""
    return [
        (
            Access(
                recorded_at=at(seconds),
                sequence=number,
                user=user,
                event="110103",
                event_type="study-viewed",
                study_instance_uid=subject,
            ),
            subject,
        )
        for number, (user, seconds, subject) in enumerate(given)
    ]


MINUTE = timedelta(minutes=1)


def test_many_subjects_within_the_window_are_bulk() -> None:
    given = opened(("anna", 0, "a"), ("anna", 20, "b"), ("anna", 59, "c"))
    (found,) = bulk_access(given, MINUTE, 2)
    assert (found.user, found.most) == ("anna", 3)
    assert (found.since, found.until) == (at(0), at(59))


def test_the_same_number_over_a_longer_time_is_not() -> None:
    given = opened(("anna", 0, "a"), ("anna", 30, "b"), ("anna", 60, "c"))
    assert bulk_access(given, MINUTE, 2) == []


def test_one_subject_opened_again_and_again_counts_once() -> None:
    given = opened(*(("anna", second, "a") for second in range(9)))
    assert bulk_access(given, MINUTE, 1) == []


def test_each_person_is_counted_alone_and_the_most_comes_first() -> None:
    given = opened(
        ("anna", 0, "a"),
        ("bert", 1, "b"),
        ("bert", 2, "c"),
        ("anna", 3, "d"),
        ("bert", 4, "e"),
    )
    found = bulk_access(given, MINUTE, 1)
    assert [(each.user, each.most) for each in found] == [("bert", 3), ("anna", 2)]
