"""Pairs of patients that look alike and are two, and Patient IDs that are hostile."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta

from pydicom import config
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from dicom_io.header import PatientIdentity

Change = Callable[[PatientIdentity], PatientIdentity]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two patients, of whom a careless reader makes one, and what differs."""

    kind: str
    current: PatientIdentity
    other: PatientIdentity

    def __str__(self) -> str:
        return self.kind


_BIRTH = date(1950, 3, 1)
_FIRST = PatientIdentity(
    patient_id="00Äb4712",
    issuer="Köln A",
    birth_date=_BIRTH,
    sex="F",
    name="Müller^Anna Maria",
)
_PEOPLE = (
    _FIRST,
    replace(_FIRST, patient_id="000Éx10", name="Doe^Jane", issuer="Sté B"),
    replace(_FIRST, patient_id="0Ñu-1001", sex="M", name="Núñez^José"),
    replace(_FIRST, patient_id="00Öl 12/07", name="O'Brien^Mary^K"),
    replace(_FIRST, patient_id="01Ça.2001", sex="M", name="Yamada^Tarou=山田^太郎"),
)

_PLAIN = str.maketrans("ÄÉÑÖÇ", "AENOC")

_IDS: dict[str, Callable[[str], str | None]] = {
    "leading zeros lost": lambda text: text.lstrip("0"),
    "one leading zero more": lambda text: f"0{text}",
    "lower case": str.lower,
    "upper case": str.upper,
    "trailing dot": lambda text: f"{text}.",
    "leading dot": lambda text: f".{text}",
    "space within": lambda text: f"{text[:3]} {text[3:]}",
    "no-break space behind": lambda text: f"{text}\u00a0",
    "no-break space before": lambda text: f"\u00a0{text}",
    "ideographic space behind": lambda text: f"{text}\u3000",
    "zero width space within": lambda text: f"{text[:3]}\u200b{text[3:]}",
    "soft hyphen within": lambda text: f"{text[:3]}\u00ad{text[3:]}",
    "full-width digits": lambda text: _digits(text, 0xFF10),
    "Arabic-Indic digits": lambda text: _digits(text, 0x660),
    "decomposed accent": lambda text: unicodedata.normalize("NFD", text),
    "accent lost": lambda text: text.translate(_PLAIN),
    "letter O for zero": lambda text: text.replace("0", "O"),
    "letter l for one": lambda text: text.replace("1", "l"),
    "hyphen more": lambda text: f"{text[:3]}-{text[3:]}",
    "issuer behind": lambda text: f"{text}^^^A",
    "two digits swapped": lambda text: f"{text[:-2]}{text[-1]}{text[-2]}",
    "last digit": lambda text: f"{text[:-1]}{(int(text[-1]) + 1) % 10}",
    "first character lost": lambda text: text[1:],
    "merged behind": lambda text: f"{text}\\Q9",
    "merged before": lambda text: f"Q9\\{text}",
    "absent": lambda _: None,
}
"""How one Patient ID becomes another patient's."""

_OTHERS: dict[str, Change] = {
    "issuer in lower case": lambda one: replace(one, issuer=_lower(one.issuer)),
    "issuer with a dot": lambda one: replace(one, issuer=f"{one.issuer}."),
    "issuer decomposed": lambda one: replace(
        one, issuer=unicodedata.normalize("NFD", one.issuer or "")
    ),
    "another issuer": lambda one: replace(one, issuer="Köln B"),
    "issuer absent": lambda one: replace(one, issuer=None),
    "born a day later": lambda one: _born(one, _BIRTH + timedelta(days=1)),
    "born a day earlier": lambda one: _born(one, _BIRTH - timedelta(days=1)),
    "day and month swapped": lambda one: _born(one, date(1950, 1, 3)),
    "born a year later": lambda one: _born(one, date(1951, 3, 1)),
    "born a century earlier": lambda one: _born(one, date(1850, 3, 1)),
    "birth date absent": lambda one: _born(one, None),
    "birth date that is none": lambda one: replace(
        one, birth_date=None, birth_date_text="about 1950"
    ),
    "the other sex": lambda one: replace(one, sex="F" if one.sex == "M" else "M"),
    "sex absent": lambda one: replace(one, sex=None),
}

_NAMES: tuple[Callable[[str], str], ...] = (
    lambda name: name,
    str.upper,
    lambda name: unicodedata.normalize("NFD", name),
    lambda name: "^".join(reversed(name.split("=")[0].split("^"))),
    lambda name: f"{name.split('=')[0]}^^^ ",
)
"""Names that are one: as written, in capitals, decomposed, swapped, padded."""


def look_alikes() -> tuple[Pair, ...]:
    """Return 200 pairs: 40 differences in each of 5 patients, names in 5 ways."""
    return tuple(_pairs())


def _pairs() -> Iterator[Pair]:
    changes = {**{f"ID: {key}": _by_id(f) for key, f in _IDS.items()}, **_OTHERS}
    for person, current in enumerate(_PEOPLE):
        for number, (kind, change) in enumerate(changes.items()):
            name = _NAMES[(person + number) % len(_NAMES)](current.name or "")
            other = replace(change(current), name=name)
            yield Pair(kind=f"{person + 1} {kind}", current=current, other=other)


def one_patient_twice() -> tuple[Pair, ...]:
    """Return pairs that are one patient: another name's writing, another case."""
    return tuple(
        Pair(
            kind=f"{person + 1} name {number + 1}",
            current=current,
            other=replace(
                current, name=rewrite(current.name or ""), sex=_lower(current.sex)
            ),
        )
        for person, current in enumerate(_PEOPLE)
        for number, rewrite in enumerate(_NAMES)
    )


def hostile_ids() -> tuple[str, ...]:
    """Return 100 Patient IDs that could match what is not their own."""
    bases = ("P7", "0012", "Ä-3")
    forms = (form.replace("P", base) for base in bases for form in _FORMS)
    return (*forms, *_NOBODY, "9" * 65, "A" * 1000)


_FORMS = (
    *("P*", "*P", "P?", "?P", "*P*", "P**", "P\\", "\\P", "P\\Q", "P\\*", "P\\P"),
    *("P\0", "P\0Q", "P\n", "P\r\nQ", "P\t", "P\x1b$B", "P\x7f", "P\x85"),
    *("P\u2028", "P\u2029Q", "P\u200b", "\u202eP", "\ufeffP", "P\ue000"),
)
"""Wildcards, lists, controls, separators, invisible and private characters."""

_NOBODY = (
    *("", " ", "  ", "\u00a0", "\u2003", "\u3000", "\t", "\n", "\0", '""', '"', "'"),
    *("%", "_", "%_%", "--", ".", "^^^", "' = '"),
    *("()", "$", "#", "=''"),
)
"""Without any letter or digit."""


EXACT_THOUGH_ODD = (
    "P1'; DROP TABLE studies; --",
    "1 OR 1=1",
    "' OR '1'='1",
    "P%",
    "P_1",
    "P\u00a01",
    "É1",
    "山田1",
    "P1^^^A",
    "../../1",
    "${jndi:ldap://x1}",
    "<b>1</b>",
    "[1-9]",
)
"""What only another language gives a meaning; in a query it matches itself."""


def dress(ds: Dataset, patient: PatientIdentity) -> Dataset:
    """Write a patient into a data set as it is, valid or not."""
    born = patient.birth_date
    written = born.strftime("%Y%m%d") if born else patient.birth_date_text
    ds.SpecificCharacterSet = "ISO_IR 192"
    for keyword, value in (
        ("PatientID", patient.patient_id),
        ("IssuerOfPatientID", patient.issuer),
        ("PatientBirthDate", written),
        ("PatientSex", patient.sex),
        ("PatientName", patient.name),
    ):
        tag = tag_for_keyword(keyword)
        assert tag is not None
        ds[tag] = DataElement(
            tag, dictionary_VR(tag), value or "", validation_mode=config.IGNORE
        )
    return ds


def _by_id(rewrite: Callable[[str], str | None]) -> Change:
    return lambda one: replace(one, patient_id=rewrite(one.patient_id or ""))


def _born(one: PatientIdentity, day: date | None) -> PatientIdentity:
    return replace(one, birth_date=day)


def _lower(text: str | None) -> str:
    return (text or "").lower()


def _digits(text: str, zero: int) -> str:
    return "".join(chr(zero + int(c)) if c in "0123456789" else c for c in text)
