"""Texts of others: character sets, settings, messages."""

import os
import unicodedata
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from config.errors import InvalidSettings
from config.load import load_settings, show_settings
from dicom_io.elements import Attributes, Element
from dicom_io.results.text import clean, long_string, shorten
from dicom_io.values import clean_text, text, texts
from gateway.sources.acknowledging import Acknowledgement, Answer
from gateway.sources.hl7 import read_envelope, read_message

_NAME = 0x0010_0010
_CHARACTER_SETS = 0x0008_0005
_HIDDEN = ("Cc", "Zl", "Zp")
_MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)


def decode_texts(data: bytes) -> None:
    """Decode a value: a byte count, so many bytes of character sets, the value.

    What people are shown is one line without controls; what goes into a result can
    be encoded, and cleaning it again changes nothing.
    """
    size = data[0] if data else 0
    sets, value = data[1 : 1 + size], data[1 + size :]
    ds = Attributes(little_endian=True)
    ds.elements[_CHARACTER_SETS] = Element(vr="CS", value=sets)
    ds.elements[_NAME] = Element(vr="PN", value=value)
    texts(ds, "PatientName")
    whole = text(ds, "PatientName") or ""
    shown = clean_text(ds, "PatientName", 64) or ""
    assert len(shown) <= 64
    assert not any(unicodedata.category(each) in _HIDDEN for each in shown)
    assert not {*shown} & {*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"}
    cleaned = clean(whole)
    assert clean(cleaned) == cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert len(shorten(whole, 100)) <= 100
    assert "\\" not in long_string(whole)
    assert len(long_string(whole)) <= 64


def load_site(data: bytes) -> None:
    """Load a site's file; what is taken can be shown."""
    descriptor = os.memfd_create("site")
    try:
        os.write(descriptor, data)
        with suppress(InvalidSettings):
            show_settings(load_settings(Path(f"/proc/self/fd/{descriptor}")))
    finally:
        os.close(descriptor)


def read_messages(data: bytes) -> None:
    """Read a message and encode its answer, which is three segments at most."""
    received = read_message(data)
    read_envelope(data)
    answer = Acknowledgement(answer=Answer.ACCEPT, text="kept")
    encoded = answer.encode(received.envelope, _MIDNIGHT)
    assert encoded.count(b"\r") == 2
    assert encoded.isascii()
