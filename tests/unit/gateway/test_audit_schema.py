"""Every kind of audit message against a schema of PS3.15 A.5 of our own."""

import random
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from xmlschema import XMLSchema

from gateway.audit import kinds
from gateway.audit.message import AuditEntry
from gateway.ledger import AuditFilter, Ledger
from tests.data.audit_examples import EXAMPLES
from tests.data.ledgers import url_of

SCHEMA = XMLSchema(Path(__file__).parents[2] / "data" / "audit_message.xsd")
WORDS = 200
FORMS = [
    (name, number) for name in sorted(EXAMPLES) for number in range(len(EXAMPLES[name]))
]
PIECES = (
    *("<", ">", "&", '"', "'", "]]>", "<!--", "<x/>", "&#0;", "%s", "{}", "\\"),
    *("\x00", "\x1b[31m", "\t", "\r\n", "\x7f", "\x85", "\u2028", "\ufeff"),
    *("\ud800", "\udfff", "\ufffe", "\uffff", "\U0001d11e", "\U0010ffff"),
    *("\u202e", "a\u0301", "é", "中", "عربي", "^", "=", " ", "Müller", "x" * 1500),
)


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    ledger = Ledger.open(url_of(tmp_path_factory.mktemp("ledger")))
    yield ledger
    ledger.close()


def words() -> list[str]:
    """Return names as nobody should have; the same ones in every run."""
    chance = random.Random(20261129)  # noqa: S311 - no secret
    return [
        "".join(chance.choices(PIECES, k=chance.randint(1, 6))) for _ in range(WORDS)
    ]


def kept(ledger: Ledger, entries: list[AuditEntry]) -> list[tuple[str, str]]:
    """Return each message as it is kept, and as it is shown to the entitled."""
    with ledger.writing() as rows:
        last = 0
        for entry in entries:
            last = rows.append_audit(entry)
    wanted = AuditFilter(after_sequence=last - len(entries), limit=len(entries))
    with ledger.reading() as rows:
        found = [record.message for record in rows.audit(wanted)]
        return [(message, rows.revealed(message)) for message in found]


def tags(message: str) -> list[str]:
    """Return the elements, but for what a data set has and a text has not."""
    elements = ET.fromstring(message).iter()  # noqa: S314 - ours
    return [each.tag for each in elements if each.get("type") != "TransferSyntax"]


def test_every_kind_has_an_example_that_makes_it() -> None:
    assert sorted(EXAMPLES) == sorted(kinds.__all__)


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_every_kind_is_what_the_schema_says(name: str, ledger: Ledger) -> None:
    for message in kept(ledger, [form("ann") for form in EXAMPLES[name]]):
        for text in message:
            SCHEMA.validate(text)


def test_every_kind_stays_valid_with_hostile_names(ledger: Ledger) -> None:
    """Each of 200 names in one kind after the other, some names in all of them."""
    plain = {key: tags(EXAMPLES[key[0]][key[1]]("ann").message) for key in FORMS}
    entries = []
    for number, word in enumerate(words()):
        chosen = FORMS if number < 2 else FORMS[number % 16 :: 16]
        for key in chosen:
            entry = EXAMPLES[key[0]][key[1]](word)
            assert tags(entry.message) == plain[key], key
            entries.append(entry)
    for pair in kept(ledger, entries):
        for text in pair:
            assert len(text.splitlines()) == 1
            SCHEMA.validate(text)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('EventActionCode="X"', 'EventActionCode="E"'),
        ('EventOutcomeIndicator="5"', 'EventOutcomeIndicator="0"'),
        ('UserID=""', 'UserID="maira-gateway"'),
        ('.000"', '.000+00:00"'),
    ],
)
def test_the_schema_refuses_what_is_wrong(wrong: str, right: str) -> None:
    message = EXAMPLES["application_stopped"][0]("").message
    assert SCHEMA.is_valid(message)
    assert right in message
    assert not SCHEMA.is_valid(message.replace(right, wrong, 1))


def test_the_schema_refuses_another_order_and_a_missing_part() -> None:
    root = ET.fromstring(EXAMPLES["clock_set"][0]("").message)  # noqa: S314 - ours
    first = root[0]
    root.remove(first)
    assert not SCHEMA.is_valid(ET.tostring(root, encoding="unicode"))
    root.append(first)
    assert not SCHEMA.is_valid(ET.tostring(root, encoding="unicode"))
