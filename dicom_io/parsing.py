"""DICOM files (PS3.10) -> attributes: file meta, deflated data sets, limits."""

import io
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
)

from dicom_io.elements import Attributes, Encoding, parse
from dicom_io.errors import UnreadableHeader
from dicom_io.inflating import inflated_stream
from dicom_io.values import uid

INFLATED_FLOOR = 16 << 20
INFLATED_RATIO = 100
INFLATED_CEILING = 512 << 20
"""A deflated data set may grow to the floor in any case, beyond it to this ratio,
and never over the ceiling. A film deflates to about half; a bomb reaches 1000."""

_PREAMBLE = 128
_META = Encoding(implicit=False, little_endian=True)
_MAX_META_BYTES = 1 << 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """A file's attributes up to the pixel data."""

    transfer_syntax_uid: str
    attributes: Attributes
    has_pixels: bool


def read_file(path: Path) -> ParsedFile:
    """Read the attributes of a DICOM file; never its pixel data.

    Raises UnreadableHeader where it is not one, and OSError where the file
    system fails.
    """
    with path.open("rb") as stream:
        syntax = read_transfer_syntax(stream)
        body, end = _open_header(stream, syntax)
        parsed = parse(body, encoding_of(syntax), end)
    return ParsedFile(
        transfer_syntax_uid=syntax,
        attributes=parsed.attributes,
        has_pixels=parsed.has_pixels,
    )


def read_transfer_syntax(stream: BinaryIO) -> str:
    """Read preamble and file meta; leave `stream` at the data set."""
    if stream.read(_PREAMBLE + 4)[_PREAMBLE:] != b"DICM":
        raise UnreadableHeader("no DICOM prefix after the preamble (PS3.10 7.1)")
    start = stream.tell()
    length = _meta_length(stream)
    stream.seek(start)
    meta = parse(io.BytesIO(stream.read(length)), _META, length)
    return uid(meta.attributes, "TransferSyntaxUID")


def encoding_of(transfer_syntax_uid: str) -> Encoding:
    """Return how the elements of a transfer syntax are written (PS3.5 Annex A)."""
    return Encoding(
        implicit=transfer_syntax_uid == ImplicitVRLittleEndian,
        little_endian=transfer_syntax_uid != ExplicitVRBigEndian,
    )


def open_data_set(stream: BinaryIO, transfer_syntax_uid: str) -> tuple[BinaryIO, int]:
    """Return the data set as a seekable stream at its start, and where it ends.

    A deflated one (PS3.5 A.5) is inflated whole, up to the limits: for the
    process that decodes, which has limits of its own.
    """
    start = stream.tell()
    end = stream.seek(0, os.SEEK_END)
    stream.seek(start)
    if transfer_syntax_uid != DeflatedExplicitVRLittleEndian:
        return stream, end
    inflated = inflate(stream.read())
    return io.BytesIO(inflated), len(inflated)


def _open_header(stream: BinaryIO, syntax: str) -> tuple[BinaryIO, int | None]:
    """Return the data set for reading up to its pixel data.

    A deflated one is inflated only as far as it is read: this runs in the
    listener's process, where a bomb must cost nothing.
    """
    if syntax == DeflatedExplicitVRLittleEndian:
        return inflated_stream(stream), None
    return open_data_set(stream, syntax)


def inflate(deflated: bytes) -> bytes:
    """Inflate raw deflate bytes, or raise UnreadableHeader at the limits."""
    limit = max(INFLATED_FLOOR, INFLATED_RATIO * len(deflated))
    limit = min(limit, INFLATED_CEILING)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(deflated, limit + 1)
    except zlib.error as error:
        raise UnreadableHeader(f"the deflated data set is broken: {error}") from error
    if len(inflated) > limit:
        raise UnreadableHeader(f"the deflated data set grows over {limit} bytes")
    return inflated


def _meta_length(stream: BinaryIO) -> int:
    """Count the bytes of group 0002; its own group length may lie."""
    start = stream.tell()
    while True:
        head = stream.read(8)
        if head[:2] != b"\x02\x00" or len(head) < 8:
            return stream.tell() - len(head) - start
        long = head[4:6] in (b"OB", b"UN", b"UT", b"OW")
        size = stream.read(4) if long else head[6:8]
        stream.seek(int.from_bytes(size, "little"), os.SEEK_CUR)
        if stream.tell() - start > _MAX_META_BYTES:
            raise UnreadableHeader("file meta information over 64 KiB")
