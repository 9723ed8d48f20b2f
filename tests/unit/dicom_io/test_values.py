from datetime import date, time

import pytest

from dicom_io.elements import Attributes, Element
from dicom_io.errors import UnreadableHeader
from dicom_io.values import clean_text, clock, day, integer, text, texts, uid

NAME = 0x0010_0010


def attributes(tag: int, vr: str, value: bytes, charset: bytes = b"") -> Attributes:
    ds = Attributes(little_endian=True)
    ds.elements[tag] = Element(vr=vr, value=value)
    ds.elements[0x0008_0005] = Element(vr="CS", value=charset)
    return ds


@pytest.mark.parametrize(
    ("charset", "value", "expected"),
    [
        (b"ISO_IR 100", b"M\xfcller^J\xf6rg", "Müller^Jörg"),
        (b"ISO_IR 192", "Müller".encode(), "Müller"),
        (b"ISO_IR 144", b"\xbb\xee\xda", "Люк"),
        # PS3.5 H.3.1: the same name in letters, ideographs and kana.
        (
            b"\\ISO 2022 IR 87",
            b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B",
            "Yamada^Tarou=山田^太郎",
        ),
        # PS3.5 I.2
        (
            b"\\ISO 2022 IR 149",
            b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7",
            "Hong=洪^吉洞",
        ),
        (b"NO SUCH SET", b"Doe\xff", "Doeÿ"),
        (b"ISO_IR 192", b"A\xff\xfe", "A\\xff\\xfe"),
        (b"ISO 2022 IR 6", b"A\x1b)ZB", "AB"),
    ],
)
def test_text_is_decoded_by_its_character_set_and_never_fails(
    charset: bytes, value: bytes, expected: str
) -> None:
    assert text(attributes(NAME, "PN", value, charset), "PatientName") == expected


def test_an_item_inherits_the_character_set() -> None:
    outer = attributes(NAME, "PN", b"", b"ISO_IR 192")
    inner = Attributes(little_endian=True, parent=outer)
    inner.elements[NAME] = Element(vr="PN", value="Ö".encode())
    assert text(inner, "PatientName") == "Ö"


def test_padding_is_no_part_of_a_value() -> None:
    assert text(attributes(0x0010_0020, "LO", b" 0012 \0"), "PatientID") == "0012"
    assert text(attributes(0x0010_0020, "LO", b"  \0"), "PatientID") is None


def test_several_values_keep_their_places() -> None:
    ds = attributes(0x0008_0008, "CS", b"DERIVED\\\\X ")
    assert texts(ds, "ImageType") == ("DERIVED", "", "X")


def test_text_for_people_has_no_controls_and_no_hidden_direction() -> None:
    value = "a\r\nb\x1b[31m\u202ec\x00".encode()
    ds = attributes(0x0032_1030, "LO", value.replace(b"\x1b", b"\x07"), b"ISO_IR 192")
    assert clean_text(ds, "ReasonForStudy") == "a b [31mc"
    assert clean_text(ds, "ReasonForStudy", 3) == "a b"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"20240229", date(2024, 2, 29)),
        (b"2024.02.29", date(2024, 2, 29)),
        (b"20230229", None),
        (b"00000000", None),
        (b"unknown ", None),
        (b"", None),
    ],
)
def test_a_date_is_a_date_or_absent(value: bytes, expected: date | None) -> None:
    assert day(attributes(0x0008_0020, "DA", value), "StudyDate") == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"104702.826", time(10, 47, 2, 826000)),
        (b"10", time(10)),
        (b"10:47:02", time(10, 47, 2)),
        (b"996099", None),
        (b"noon", None),
    ],
)
def test_a_time_is_a_time_or_absent(value: bytes, expected: time | None) -> None:
    assert clock(attributes(0x0008_0030, "TM", value), "StudyTime") == expected


@pytest.mark.parametrize(
    ("vr", "value", "expected"),
    [
        ("US", b"\x40\x02", 576),
        ("UL", b"\x40\x02\0\0", 576),
        ("IS", b"576 ", 576),
        ("DS", b"576.0", 576),
        ("LO", b"many", None),
        ("US", b"", None),
    ],
)
def test_a_number_is_read_from_whichever_vr_carries_it(
    vr: str, value: bytes, expected: int | None
) -> None:
    assert integer(attributes(0x0028_0010, vr, value), "Rows") == expected


@pytest.mark.parametrize("value", [b"", b"1..2", b"../x", b"1." * 33, b"1.2\\3"])
def test_what_breaks_the_grammar_of_a_uid_is_refused(value: bytes) -> None:
    with pytest.raises(UnreadableHeader, match="StudyInstanceUID"):
        uid(attributes(0x0020_000D, "UI", value), "StudyInstanceUID")
