from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.codes import EVENTS
from gateway.errors import BadQuestion
from gateway.ledger import AuditFilter, AuditPlace
from gateway.reviewing.asking import (
    Question,
    View,
    of_text,
    place_of,
    place_text,
    read_question,
    through,
    to_text,
)

BERLIN = ZoneInfo("Europe/Berlin")
PATIENT = "3fa2" * 16


def test_what_asks_nothing_finds_everything() -> None:
    assert read_question({"user": "  ", "page": "x"}) == Question()
    assert str(Question()) == "all records"


def test_a_day_begins_by_the_clock_of_the_site() -> None:
    question = read_question({"since": "2026-05-01"}, BERLIN)
    assert question.wanted.since == datetime(2026, 4, 30, 22, tzinfo=UTC)
    assert read_question({"since": "2026-05-01"}).wanted.since == datetime(
        2026, 5, 1, tzinfo=UTC
    )


def test_a_last_day_is_included() -> None:
    until = through("2026-05-31", BERLIN)
    question = read_question({"until": until}, BERLIN)
    assert question.wanted.until == datetime(2026, 5, 31, 22, tzinfo=UTC)
    assert through("2026-05-31T18:00", BERLIN) == "2026-05-31T18:00"
    assert through("9999-12-31", BERLIN) == "9999-12-31"


def test_the_audit_names_what_was_asked() -> None:
    question = read_question({"user": "anna", "outcome": "failed"})
    assert str(question) == "user=anna, outcome=failed"


@pytest.mark.parametrize(
    ("view", "wanted"),
    [
        (View.PEOPLE, AuditFilter(by_person=True)),
        (View.OUT_OF_HOURS, AuditFilter(by_person=True)),
        (View.BREAK_GLASS, AuditFilter(event_types=("110127", "110138"))),
        (View.FAILURES, AuditFilter(failed=True)),
    ],
)
def test_a_view_adds_its_condition(view: View, wanted: AuditFilter) -> None:
    assert read_question({"view": view}).wanted == wanted


@pytest.mark.parametrize(
    ("given_", "says"),
    [
        ({"since": "yesterday"}, "since: a day"),
        ({"since": "2026-05-02", "until": "2026-05-01"}, "since must be before"),
        ({"since": "2026-05-02", "until": "2026-05-02"}, "since must be before"),
        ({"since": "0001-01-01T00:00+23:59"}, "since: a day"),
        ({"event": "110199"}, "event: one of"),
        ({"action": "X"}, "action: one of"),
        ({"outcome": "5"}, "outcome: one of"),
        ({"view": "everything"}, "view: one of"),
        ({"study": "1.2'; DROP TABLE audit"}, "study: a Study Instance UID"),
        ({"patient": "DOE^JOHN"}, "patient: the 64 digits"),
        ({"user": "a\nb"}, "user: on one line"),
        ({"text": "x" * 257}, "text: at most 256"),
    ],
)
def test_a_question_that_can_find_nothing_says_what_would(
    given_: dict[str, str], says: str
) -> None:
    with pytest.raises(BadQuestion, match=says) as raised:
        read_question(given_)
    assert "DOE" not in str(raised.value)


_printable = st.text(
    st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30
)
_moments = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001 - the strategy gives the zone
    datetime(2030, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
_given = st.fixed_dictionaries(
    {},
    optional={
        "view": st.sampled_from(list(View)),
        "since": _moments.map(datetime.isoformat),
        "user": _printable,
        "node": _printable,
        "text": _printable,
        "patient": st.just(PATIENT),
        "study": st.just("1.2.3"),
        "action": st.sampled_from("CRUDE"),
        "outcome": st.sampled_from(["failed", "0", "4", "8", "12"]),
        "event": st.sampled_from([code.value for code in EVENTS]),
    },
)


@given(given_=_given)
def test_the_text_of_a_question_is_read_again(given_: dict[str, str]) -> None:
    question = read_question(given_)
    assert of_text(to_text(question)) == question


@given(moment=_moments, sequence=st.integers(1, 2**40))
def test_the_text_of_a_place_is_read_again(moment: datetime, sequence: int) -> None:
    place = AuditPlace(recorded_at=moment, sequence=sequence)
    assert place_of(place_text(place)) == place


@pytest.mark.parametrize(
    "text", ["", "~", "2026-05-01~", "2026-05-01~x", "x~1", "2026-05-01~²"]
)
def test_a_place_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(BadQuestion):
        place_of(text)
