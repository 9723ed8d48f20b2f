"""What a search for AuditEvents asks: every parameter, and every wrong one."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ledger import AuditColumn, AuditFilter
from gateway.web.fhir_query import KNOWN, Misasked, Pairs, Query, read_query

MARCH = (("date", "ge2026-03-01"), ("date", "lt2026-04-01"))


def understood(*pairs: tuple[str, str], dates: Pairs = MARCH) -> Query:
    return read_query([*dates, *pairs], lambda issuer, number: [f"{issuer}:{number}"])


def asked(*pairs: tuple[str, str], dates: Pairs = MARCH) -> AuditFilter:
    return understood(*pairs, dates=dates).wanted


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# FHIR R4 3.1.1.4.7: a date is as long as it is exact.
INTERVALS = {
    ("2026-03-02",): ("2026-03-02T00:00:00", "2026-03-03T00:00:00"),
    ("2026",): ("2026-01-01T00:00:00", "2027-01-01T00:00:00"),
    ("2026-12",): ("2026-12-01T00:00:00", "2027-01-01T00:00:00"),
    ("eq2026-02",): ("2026-02-01T00:00:00", "2026-03-01T00:00:00"),
    ("gt2026-03-01", "le2026-03-05"): ("2026-03-02T00:00:00", "2026-03-06T00:00:00"),
    ("ge2026-03-01T10:30:00Z", "lt2026-03-01T10:31Z"): (
        "2026-03-01T10:30:00",
        "2026-03-01T10:31:00",
    ),
    ("ge2026-03-01T10:30:00+02:00", "le2026-03-01T10:30:00.250Z"): (
        "2026-03-01T08:30:00",
        "2026-03-01T10:30:00.251000",
    ),
    ("ge2026-03-01", "lt2026-04-01", "lt2026-03-15"): (
        "2026-03-01T00:00:00",
        "2026-03-15T00:00:00",
    ),
}


@pytest.mark.parametrize("dates", INTERVALS)
def test_dates_give_an_interval(dates: tuple[str, ...]) -> None:
    found = asked(dates=[("date", date) for date in dates])
    since, until = map(moment, INTERVALS[dates])
    assert (found.since, found.until) == (since, until)


def test_a_plus_that_was_not_encoded_is_one() -> None:
    found = asked(dates=[("date", "2026-03-01T10:30:00 01:00")])
    assert found.since == moment("2026-03-01T09:30:00")


WRONG: dict[str, Pairs] = {
    "no date": (),
    "no end": (("date", "ge2026-03-01"),),
    "no beginning": (("date", "lt2026-03-01"),),
    "no such day": (("date", "2026-02-30"),),
    "no such hour": (("date", "2026-03-01T25:00:00Z"),),
    "beyond all time": (("date", "9999"),),
    "a prefix that is none": (("date", "ne2026-03-01"),),
    "no date at all": (("date", "yesterday"),),
    "an empty value": (*MARCH, ("type", "")),
    "no count": (*MARCH, ("_count", "0")),
    "a count that is no number": (*MARCH, ("_count", "many")),
    "two counts": (*MARCH, ("_count", "1"), ("_count", "2")),
    "another format": (*MARCH, ("_format", "xml")),
    "no such outcome": (*MARCH, ("outcome", "1")),
    "no such action": (*MARCH, ("action", "X")),
    "no code": (*MARCH, ("type", "http://example.org|")),
    "no study": (*MARCH, ("entity.identifier", "Doe^Jane")),
    "a cursor of somebody else": (*MARCH, ("_cursor", "abc")),
    "a cursor without a zone": (*MARCH, ("_cursor", "WyIyMDI2LTAzLTAxIiwgMV0")),
    "a long value": (*MARCH, ("agent.identifier", "x" * 1001)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_search_says_what_is_wrong_and_repeats_no_value(name: str) -> None:
    with pytest.raises(Misasked) as raised:
        asked(dates=WRONG[name])
    assert "Doe" not in str(raised.value)


ASKED = {
    ("type", "110104"): (AuditColumn.EVENT, {"110104"}),
    ("type", "http://dicom.nema.org/resources/ontology/DCM|110104,110112"): (
        AuditColumn.EVENT,
        {"110104", "110112"},
    ),
    ("type", "http://example.org|110104"): (AuditColumn.EVENT, set()),
    ("type", "nothing"): (AuditColumn.EVENT, set()),
    ("subtype", "urn:maira-gateway:audit:code|peer-silent"): (
        AuditColumn.EVENT_TYPE,
        {"peer-silent"},
    ),
    ("subtype", "110120"): (AuditColumn.EVENT_TYPE, {"110120"}),
    ("action", "C"): (AuditColumn.ACTION, {"C"}),
    ("outcome", "4,8"): (AuditColumn.OUTCOME, {"4", "8"}),
    ("agent.identifier", "ann"): (AuditColumn.USER, {"ann"}),
    ("entity.identifier", "urn:dicom:uid|urn:oid:1.2.3"): (
        AuditColumn.STUDY,
        {"1.2.3"},
    ),
    ("entity.identifier", "1.2.3"): (AuditColumn.STUDY, {"1.2.3"}),
    ("patient.identifier", "ANN"): (AuditColumn.PATIENT, {"None:ANN"}),
    ("patient.identifier", "SITE|ANN"): (AuditColumn.PATIENT, {"SITE:ANN"}),
    ("patient.identifier", "urn:maira-gateway:audit:patient|ab12"): (
        AuditColumn.PATIENT,
        {"ab12"},
    ),
}


@pytest.mark.parametrize("pair", ASKED)
def test_a_parameter_asks_for_values_of_a_column(pair: tuple[str, str]) -> None:
    ((column, values),) = asked(pair).among
    assert (column, set(values)) == ASKED[pair]


def test_a_parameter_that_comes_twice_must_hold_twice() -> None:
    found = asked(("outcome", "4,8"), ("outcome", "8,12"))
    assert [set(values) for _, values in found.among] == [{"4", "8"}, {"8", "12"}]


def test_a_page_has_a_thousand_at_most() -> None:
    assert understood().page.limit == 100
    assert understood(("_count", "20")).page.limit == 20
    assert understood(("_count", "1000000")).page.limit == 1000


def test_an_unknown_parameter_is_left_out_or_refused() -> None:
    pairs = [*MARCH, ("address", "10.0.0.1")]
    query = read_query(pairs, lambda *_: [])
    assert query.ignored == ("address",)
    assert "address" not in query.link("http://h/fhir/AuditEvent")
    with pytest.raises(Misasked, match="address"):
        read_query(pairs, lambda *_: [], is_strict=True)


@given(st.lists(st.tuples(st.sampled_from(sorted(KNOWN)), st.text(max_size=40))))
def test_whatever_is_asked_is_understood_or_misasked(
    pairs: list[tuple[str, str]],
) -> None:
    try:
        found = understood(*pairs)
    except Misasked:
        return
    assert 1 <= found.page.limit <= 1000
