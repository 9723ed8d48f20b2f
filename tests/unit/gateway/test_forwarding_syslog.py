"""The syslog messages of the audit, against the grammar of RFC 5424 written anew."""

import re
from datetime import UTC, datetime, timedelta, timezone
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.audit.message import printable
from gateway.forwarding.syslog import Item, Origin, counted, message_of

ORIGIN = Origin(host="gateway.example", installation="2.25.7")
AT = datetime(2026, 3, 2, 10, 30, 0, 5, tzinfo=UTC)

# RFC 5424 6: the ABNF as a regular expression; MSG-UTF8 alone is used here.
GRAMMAR = re.compile(
    rb"<(?P<pri>0|[1-9][0-9]{0,2})>1"
    rb" (?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d))"
    rb" (?P<host>[\x21-\x7e]{1,255}) (?P<app>[\x21-\x7e]{1,48})"
    rb" (?P<proc>[\x21-\x7e]{1,128}) (?P<msgid>[\x21-\x7e]{1,32})"
    rb' (?P<data>\[meta sequenceId="[1-9][0-9]*"\])'
    rb" \xef\xbb\xbf(?P<text>.*)",
    re.DOTALL,
)


def parsed(item: Item, origin: Origin = ORIGIN) -> dict[str, str]:
    found = GRAMMAR.fullmatch(message_of(item, origin))
    assert found is not None
    return {name: value.decode() for name, value in found.groupdict(b"").items()}


def item(text: str = "<AuditMessage/>", sequence: int = 1) -> Item:
    return Item(sequence=sequence, at=AT, text=text)


def test_the_header_is_that_of_the_audit_profile() -> None:
    # PS3.15 A.6: "for most audit messages the PRI field will contain <85>".
    assert message_of(item(sequence=12), ORIGIN) == (
        b"<85>1 2026-03-02T10:30:00.000005Z gateway.example maira-gateway 2.25.7 "
        b'DICOM+RFC3881 [meta sequenceId="12"] \xef\xbb\xbf<AuditMessage/>'
    )


def test_another_facility_is_another_priority() -> None:
    origin = Origin(host="h", installation="1.2", facility=13)
    assert parsed(item(), origin)["pri"] == str(13 * 8 + 5)


def test_a_time_of_another_zone_is_sent_in_utc() -> None:
    zone = timezone(timedelta(hours=5, minutes=30))
    sent = Item(sequence=1, at=AT.astimezone(zone), text="")
    assert parsed(sent)["at"] == "2026-03-02T10:30:00.000005Z"


def test_a_message_that_is_sent_again_is_the_same() -> None:
    assert message_of(item(sequence=7), ORIGIN) == message_of(item(sequence=7), ORIGIN)


def test_after_the_largest_number_comes_one() -> None:
    # RFC 5424 7.3.1: the value is at most 2147483647, then it starts with 1 again.
    assert parsed(item(sequence=2_147_483_647))["data"].endswith('"2147483647"]')
    assert parsed(item(sequence=2_147_483_648))["data"] == '[meta sequenceId="1"]'


def test_a_host_without_a_name_is_a_hyphen() -> None:
    assert parsed(item(), Origin(host="", installation="1.2"))["host"] == "-"


@pytest.mark.parametrize("name", ["", "a b", "ä\n<>", "\ud800", "\x7f", "x" * 300])
def test_any_name_gives_a_header(name: str) -> None:
    parsed(item(), Origin(host=name, installation=name))


@given(st.text(alphabet=st.characters(), max_size=200))
def test_any_text_of_the_log_arrives_as_well_formed_xml(text: str) -> None:
    root = ET.Element("AuditMessage")
    root.text = printable(text)
    sent = parsed(item(ET.tostring(root, encoding="unicode")))["text"]
    read = ET.fromstring(sent)  # noqa: S314 - to see that it is well-formed
    assert (read.text or "") == root.text


def test_the_length_that_is_announced_is_that_of_the_octets() -> None:
    message = message_of(item("<A b='ä😀'/>"), ORIGIN)
    length, _, rest = counted(message).partition(b" ")
    assert int(length) == len(message)
    assert rest == message
