"""Files that ask for more than they are: a table of decompression and parser bombs."""

import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from pydicom import uid
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from tests.data.films import film_dataset, nested, raw_file, write_film
from tests.data.network import data_set_bytes

EXPLICIT, IMPLICIT = uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian
DEFLATED = uid.DeflatedExplicitVRLittleEndian


class Fate(StrEnum):
    """What becomes of a file."""

    REFUSED = "its header is refused, C000"
    UNREADABLE = "its pixels are refused, for next to nothing"
    READ = "it is read: what is odd about it harms nobody"


@dataclass(frozen=True, kw_only=True)
class Bomb:
    """A file by what it does; `build` writes it, given its path and its number."""

    fate: Fate
    build: Callable[[Path, int], Path]


def film(number: int, **attributes: object) -> Dataset:
    """Return a film of 10 x 10 pixels, in a study of its own."""
    study = f"1.2.3.{number}"
    uids = {"StudyInstanceUID": study, "SeriesInstanceUID": f"{study}.1"}
    pixels = np.zeros((10, 10), np.uint8)
    ds = film_dataset(pixels, SOPInstanceUID=f"{study}.1.1", **uids)
    for keyword, value in attributes.items():
        setattr(ds, keyword, value)
    return ds


def _headed(data: bytes, fate: Fate = Fate.REFUSED, syntax: str = EXPLICIT) -> Bomb:
    """Put `data` behind a good header, where the pixels would be."""

    def build(path: Path, number: int) -> Path:
        return raw_file(path, _header(path, number) + data, syntax)

    return Bomb(fate=fate, build=build)


def _header(path: Path, number: int) -> bytes:
    ds = film(number)
    del ds.PixelData
    return data_set_bytes(write_film(path, ds))


def _sized(**attributes: object) -> Bomb:
    """Let the header's own attributes lie."""
    return Bomb(
        fate=Fate.UNREADABLE,
        build=lambda path, number: write_film(path, film(number, **attributes)),
    )


def _raw(keyword: str, vr: str, value: bytes) -> Bomb:
    """Write an attribute with another VR, or with bytes of our own."""

    def build(path: Path, number: int) -> Path:
        ds = film(number)
        del ds[keyword]
        rest = data_set_bytes(write_film(path, ds))
        tag = DataElement(keyword, vr, None).tag
        at = next(n for n in range(len(rest)) if _tag_at(rest, n) > tag)
        head = struct.pack("<HH2sH", tag.group, tag.elem, vr.encode(), len(value))
        return raw_file(path, rest[:at] + head + value + rest[at:], EXPLICIT)

    return Bomb(fate=Fate.UNREADABLE, build=build)


def _tag_at(data: bytes, at: int) -> int:
    """Return the tag of the element that begins at `at`, 0 where none of ours does."""
    group, element = struct.unpack_from("<HH", data, at)
    is_head = group == 0x0028 and data[at + 4 : at + 6] in (b"US", b"CS")
    is_pixels = (group, element) == (0x7FE0, 0x0010)
    return group << 16 | element if is_head or is_pixels else 0


def _framed(
    syntax: str, *frames: bytes, fate: Fate = Fate.UNREADABLE, **attributes: object
) -> Bomb:
    """Let the codestream ask for what the header does not say."""

    def build(path: Path, number: int) -> Path:
        ds = film(number, **attributes)
        ds.PixelData = encapsulate(list(frames), has_bot=False)
        ds["PixelData"].is_undefined_length = True
        return write_film(path, ds, syntax)

    return Bomb(fate=fate, build=build)


def _encapsulated(data: bytes) -> Bomb:
    """Write the items of the pixel data by hand."""
    tag = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
    return _headed(
        tag + data + b"\xfe\xff\xdd\xe0\0\0\0\0", Fate.UNREADABLE, uid.JPEG2000Lossless
    )


def _item(data: bytes) -> bytes:
    return b"\xfe\xff\0\xe0" + struct.pack("<I", len(data)) + data


def siz(x: int, y: int, tile: int, samples: int = 1) -> bytes:
    """Return the start of a JPEG 2000 codestream (ISO 15444-1 A.5.1)."""
    body = struct.pack(">H8IH", 0, x, y, 0, 0, tile, tile, 0, 0, samples)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", 41) + body + b"\x07\x01\x01"


def sof(marker: int, rows: int, columns: int) -> bytes:
    """Return the start of a JPEG image (ISO 10918-1 B.2.2)."""
    frame = struct.pack(">HBHHB", 11, 8, rows, columns, 1) + b"\x01\x11\x00"
    return b"\xff\xd8" + bytes([0xFF, marker]) + frame + bytes(100)


def _boxed(codestream: bytes, decoy: bytes) -> bytes:
    other = struct.pack(">I4s", 8 + len(decoy), b"uuid") + decoy
    head = b"\0\0\0\x0cjP  \r\n\x87\n" + other
    return head + struct.pack(">I4s", 0, b"jp2c") + codestream


def _deflated(path: Path, number: int) -> Path:
    """Write 200 MB of zeros that take 200 KB, as a private value behind a header."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    value = b"\xe1\x7f\x10\x10OB\0\0" + struct.pack("<I", 200 << 20)
    parts = [deflater.compress(_header(path, number) + value)]
    zeros = bytes(1 << 20)
    parts += [deflater.compress(zeros) for _ in range(200)]
    return raw_file(path, b"".join((*parts, deflater.flush())), DEFLATED)


def _truncated(path: Path, number: int) -> Path:
    data = write_film(path, film(number)).read_bytes()
    path.write_bytes(data[:-50])
    return path


def _named(syntax: str, fate: Fate) -> Bomb:
    """Name another transfer syntax than the data set is in."""

    def build(path: Path, number: int) -> Path:
        data = data_set_bytes(write_film(path, film(number)))
        return raw_file(path, data, syntax)

    return Bomb(fate=fate, build=build)


def _rle(segments: int, offset: int, data: bytes = b"\x81\0" * 50) -> bytes:
    return struct.pack("<16I", segments, offset, *[0] * 14) + data


_OPEN_SEQUENCE = b"\x40\0\x30\xa7SQ\0\0\xff\xff\xff\xff"
_OPEN_ITEM = b"\xfe\xff\0\xe0\xff\xff\xff\xff"
_UNKNOWN = b"\x40\0\x30\xa7UN\0\0\xff\xff\xff\xff"
_IMPLICIT = b"\x40\0\x30\xa7\xff\xff\xff\xff"

BOMBS: Mapping[str, Bomb] = {
    # Nesting and lengths (PS3.5 7.5).
    "nested 10": _headed(nested(10), Fate.READ),
    "nested 32": _headed(nested(32), Fate.READ),
    "nested 33": _headed(nested(33)),
    "nested 100": _headed(nested(100)),
    "nested 248": _headed(nested(248)),
    "nested 250": _headed(nested(250)),
    "nested 5000": _headed(nested(5000)),
    "nested 100000": _headed(nested(100_000)),
    "sequences never closed": _headed((_OPEN_SEQUENCE + _OPEN_ITEM) * 20),
    "a sequence of open items": _headed(_OPEN_SEQUENCE + _OPEN_ITEM * 5000),
    "unknown VR nested 5000": _headed(
        _UNKNOWN + _OPEN_ITEM + (_IMPLICIT + _OPEN_ITEM) * 5000
    ),
    "an item in an item": _headed(_OPEN_SEQUENCE + _OPEN_ITEM + _OPEN_ITEM),
    "a delimiter alone": _headed(b"\xfe\xff\x0d\xe0\0\0\0\0"),
    "an odd length": _headed(b"\x40\0\x53\x02SH\x03\0abc", Fate.READ),
    "a group length that lies": _headed(
        b"\x40\0\0\0UL\x04\0\xff\xff\xff\xff", Fate.READ
    ),
    "the patient twice, alike": _headed(b"\x10\0\x20\0LO\x02\0P1", Fate.READ),
    "the patient twice, two names": _headed(b"\x10\0\x20\0LO\x02\0P2"),
    "an element past the end": _headed(b"\x40\0\x53\x02SH\xff\x7fabc"),
    "a value of 4 GB": _headed(b"\x40\0\x53\x02UT\0\0\xf0\xff\xff\xff"),
    "half an element": _headed(b"\x40\0\x53"),
    "200,000 elements": _headed(b"\x41\0\x10\0LO\0\0" * 200_000),
    # The transfer syntax that is named, and deflated data (PS3.5 Annex A).
    "named implicit": _named(IMPLICIT, Fate.READ),
    "named big endian": _named(uid.ExplicitVRBigEndian, Fate.REFUSED),
    "named deflated": _named(DEFLATED, Fate.REFUSED),
    "named JPEG 2000": _named(uid.JPEG2000Lossless, Fate.UNREADABLE),
    "deflated 1000 times": Bomb(fate=Fate.REFUSED, build=_deflated),
    # What the header says of the picture (PS3.3 C.7.6.3).
    "65535 x 65535 in 100 bytes": _sized(Rows=65535, Columns=65535),
    "no rows": _sized(Rows=0),
    "no columns": _sized(Columns=0),
    "2,000,000,000 frames": _sized(NumberOfFrames=2_000_000_000),
    "frames without number": _sized(NumberOfFrames=-1),
    "65535 samples": _sized(SamplesPerPixel=65535, Rows=1000, Columns=1000),
    "more bits stored than allocated": _sized(BitsStored=17),
    "no bits": _sized(BitsAllocated=0),
    "65535 bits": _sized(BitsAllocated=65535),
    "pixels cut short": Bomb(fate=Fate.UNREADABLE, build=_truncated),
    "more rows than pixels": _sized(Rows=100),
    "rows as UL": _raw("Rows", "UL", b"\0\0\0\x80"),
    "columns as UL, 2^32 - 1": _raw("Columns", "UL", b"\xff\xff\xff\xff"),
    "rows as a text": _raw("Rows", "LO", b"10x "),
    "two numbers of rows": _raw("Rows", "US", b"\x0a\0\x0a\0"),
    # What the codestream says of itself.
    "JPEG 2000 of 32000 x 32000": _framed(
        uid.JPEG2000Lossless, siz(32000, 32000, 32000) + bytes(800)
    ),
    "JPEG 2000 of tiles of no size": _framed(uid.JPEG2000, siz(10, 10, 0)),
    "JPEG 2000 of a million tiles": _framed(
        uid.JPEG2000Lossless, siz(1000, 1000, 1), Rows=1000, Columns=1000
    ),
    "JPEG 2000 of 16384 components": _framed(
        uid.JPEG2000Lossless, siz(10, 10, 10, 16384) + bytes(3 * 16384)
    ),
    "JPEG 2000 in boxes, with a decoy": _framed(
        uid.JPEG2000Lossless, _boxed(siz(32000, 32000, 32000), siz(10, 10, 10))
    ),
    "JPEG 2000 behind half a signature": _framed(
        uid.JPEG2000Lossless, b"\r\n\x87\n" + siz(32000, 32000, 32000)
    ),
    "HTJ2K of 32000 x 32000": _framed(
        uid.HTJ2KLossless, siz(32000, 32000, 32000) + bytes(800)
    ),
    "JPEG of 65535 x 65535": _framed(uid.JPEGBaseline8Bit, sof(0xC0, 65535, 65535)),
    "lossless JPEG of 65535 x 65535": _framed(
        uid.JPEGLosslessSV1, sof(0xC3, 65535, 65535)
    ),
    "JPEG without a frame": _framed(uid.JPEGBaseline8Bit, b"\xff\xd8\xff\xd9" * 30),
    "JPEG of fill bytes": _framed(uid.JPEGBaseline8Bit, b"\xff\xd8" + b"\xff" * 65536),
    "JPEG-LS of 65535 x 65535": _framed(uid.JPEGLSLossless, sof(0xF7, 65535, 65535)),
    "JPEG-LS that is nothing": _framed(uid.JPEGLSLossless, bytes(200)),
    "RLE of 15 segments": _framed(uid.RLELossless, _rle(15, 64), fate=Fate.READ),
    "RLE that begins beyond its end": _framed(uid.RLELossless, _rle(1, 0xFFFFFFFF)),
    "RLE 60 times its size": _framed(
        uid.RLELossless, _rle(1, 64, b"\x81\0" * 500_000), fate=Fate.READ
    ),
    # How frames lie in their items (PS3.5 A.4).
    "an offset table without end": _encapsulated(b"\xfe\xff\0\xe0\xf0\xff\xff\x1f"),
    "an offset beyond the frames": _encapsulated(
        _item(b"\xf0\xff\xff\xff") + _item(siz(10, 10, 10))
    ),
    "200,000 empty fragments": _encapsulated(_item(b"") * 200_000),
    "a fragment of 4 GB": _encapsulated(_item(b"") + b"\xfe\xff\0\xe0\xf0\xff\xff\xff"),
    "no fragment": _encapsulated(_item(b"")),
    "20,000 frames of JPEG": _framed(
        uid.JPEGBaseline8Bit,
        *[sof(0xC0, 10, 11)[:40]] * 20_000,
        NumberOfFrames=20_000,
    ),
}
"""Each is a row of `test_bombs`."""
