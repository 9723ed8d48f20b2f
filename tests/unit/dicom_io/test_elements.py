import io
import struct
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dicom_io.elements import MAX_DEPTH, Encoding, ParsedData, parse
from dicom_io.errors import UnreadableHeader
from tests.data.films import nested

EXPLICIT = Encoding(implicit=False, little_endian=True)
ID = b"\x10\x00\x20\x00LO\x04\x00AB12"


def read(data: bytes, encoding: Encoding = EXPLICIT) -> ParsedData:
    return parse(io.BytesIO(data), encoding, len(data))


@pytest.mark.parametrize("depth", [1, 10, MAX_DEPTH])
def test_sequences_nest_up_to_the_limit(depth: int) -> None:
    assert read(ID + nested(depth)).attributes.elements[0x0010_0020].value == b"AB12"


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 300, 5000, 100_000])
def test_deeper_nesting_is_refused_at_once(depth: int) -> None:
    begun = time.thread_time()
    with pytest.raises(UnreadableHeader, match="deeper"):
        read(ID + nested(depth))
    assert time.thread_time() - begun < 1


def test_items_are_read_with_defined_and_undefined_lengths() -> None:
    item = b"\x08\x00\x00\x01SH\x02\x00T1"
    defined = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item
    open_ended = (
        b"\xfe\xff\x00\xe0\xff\xff\xff\xff" + item + b"\xfe\xff\x0d\xe0\0\0\0\0"
    )
    both = defined + open_ended
    sequence = b"\x54\x00\x20\x02SQ\0\0" + struct.pack("<I", len(both)) + both
    element = read(sequence + ID).attributes.elements[0x0054_0220]
    assert [item.elements[0x0008_0100].value for item in element.items] == [
        b"T1",
        b"T1",
    ]


def test_an_unknown_value_that_is_a_sequence_is_read_as_implicit() -> None:
    item = b"\x08\x00\x00\x01\x02\0\0\0T1"
    items = b"\xfe\xff\x00\xe0" + struct.pack("<I", len(item)) + item
    unknown = b"\x54\x00\x20\x02UN\0\0" + struct.pack("<I", len(items)) + items
    element = read(unknown).attributes.elements[0x0054_0220]
    assert element.items[0].elements[0x0008_0100].value == b"T1"


def test_the_wrong_name_of_the_encoding_does_not_matter() -> None:
    named = Encoding(implicit=True, little_endian=True)
    assert read(ID, named).attributes.elements[0x0010_0020].value == b"AB12"


def test_reading_ends_at_the_pixel_data() -> None:
    pixels = b"\xe0\x7f\x10\x00OW\0\0\xff\xff\xff\xff" + b"anything"
    assert read(ID + pixels).has_pixels
    assert not read(ID + b"\xe0\x7f\x10\x00OW\0\0\0\0\0\0").has_pixels
    assert not read(ID).has_pixels


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: data[:-1],
        lambda data: data[:6],
        lambda data: data + b"\x10\x00\x30\x00DA\xff\xff",
        lambda data: data + b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff",
        lambda data: data + b"\x54\x00\x20\x02SQ\0\0\xf0\xff\xff\xff",
        lambda data: data + b"\xfe\xff\x0d\xe0\0\0\0\0",
        lambda data: data + b"\x54\x00\x20\x02SQ\0\0\x0c\0\0\0" + ID,
    ],
)
def test_lengths_that_do_not_fit_are_refused(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(UnreadableHeader):
        read(spoil(ID))


@given(st.binary(max_size=400), st.booleans(), st.booleans())
def test_any_bytes_are_read_or_refused(
    data: bytes, implicit: bool, little_endian: bool
) -> None:
    with suppress(UnreadableHeader):
        read(data, Encoding(implicit=implicit, little_endian=little_endian))


def test_more_elements_than_the_limit_are_refused() -> None:
    with pytest.raises(UnreadableHeader, match="elements"):
        read(b"\x08\x00\x05\x00CS\0\0" * 100_001)
