"""The size that a compressed frame says of itself, read before any decoder is.

A header may say 10 x 10 while the codestream asks for gigabytes; decoders
believe the codestream.
"""

from dataclasses import dataclass

from dicom_io.errors import UnreadablePixels

_J2K_START = b"\xff\x4f\xff\x51"
_JP2_START = b"\x00\x00\x00\x0cjP"
_JPEG_START = b"\xff\xd8"
_JP2_CODESTREAM = b"jp2c"
_MOST_STEPS = 4096
"""Boxes or marker segments before the frame's size; an image has a few dozen."""
_JPEG_FRAME_MARKERS = frozenset({0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7}) | frozenset(
    {0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF, 0xF7}
)
"""SOF0 to SOF15 without DHT, JPG and DAC (ISO 10918-1 table B.1), and the SOF55 of
JPEG-LS (ISO 14495-1 C.2.2)."""
MAX_TILES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSize:
    """Rows, columns and components of one frame."""

    rows: int
    columns: int
    samples: int


def read_frame_size(frame: bytes) -> FrameSize | None:
    """Return the size in a JPEG, JPEG-LS or JPEG 2000 codestream.

    None for what is none of them, such as RLE, which carries none. Raises
    UnreadablePixels for a JPEG family stream without a size, or with more tiles than
    an image has.
    """
    if frame.startswith(_JP2_START):
        return _j2k_size(frame, _codestream_offset(frame))
    if frame.startswith(_J2K_START):
        return _j2k_size(frame, 0)
    if frame.startswith(_JPEG_START):
        return _jpeg_size(frame)
    return None


def _codestream_offset(frame: bytes) -> int:
    """Return where the first codestream box of a JP2 file begins (ISO 15444-1 I.4).

    Not a search for the marker: bytes of another box may look like a codestream.
    """
    at = 0
    for _ in range(_MOST_STEPS):
        length, kind = int.from_bytes(frame[at : at + 4], "big"), frame[at + 4 : at + 8]
        head = 16 if length == 1 else 8
        if length == 1:
            length = int.from_bytes(frame[at + 8 : at + 16], "big")
        if kind == _JP2_CODESTREAM:
            return at + head
        if length < head or at + length >= len(frame):
            break
        at += length
    raise UnreadablePixels("a JP2 file without a codestream")


def _j2k_size(frame: bytes, start: int) -> FrameSize:
    """Read the SIZ segment (ISO 15444-1 A.5.1); HTJ2K has the same."""
    siz = frame[start + 8 : start + 42]
    if frame[start : start + 4] != _J2K_START or len(siz) != 34:
        raise UnreadablePixels("a JPEG 2000 frame without a SIZ segment")
    x, y, x0, y0, tile_x, tile_y, tile_x0, tile_y0 = (
        int.from_bytes(siz[at : at + 4], "big") for at in range(0, 32, 4)
    )
    if min(x - x0, y - y0, tile_x, tile_y) <= 0:
        raise UnreadablePixels("a JPEG 2000 frame of no size")
    tiles = -(-(x - tile_x0) // tile_x) * -(-(y - tile_y0) // tile_y)
    if not 0 < tiles <= MAX_TILES:
        raise UnreadablePixels(f"a JPEG 2000 frame of {tiles} tiles")
    samples = int.from_bytes(siz[32:34], "big")
    return FrameSize(rows=y - y0, columns=x - x0, samples=samples)


def _jpeg_size(frame: bytes) -> FrameSize:
    """Walk the marker segments up to the frame header (ISO 10918-1 B.2.2)."""
    at = 2
    for _ in range(_MOST_STEPS):
        if at + 9 >= len(frame) or frame[at] != 0xFF:
            break
        marker = frame[at + 1]
        if marker in _JPEG_FRAME_MARKERS:
            return FrameSize(
                rows=int.from_bytes(frame[at + 5 : at + 7], "big"),
                columns=int.from_bytes(frame[at + 7 : at + 9], "big"),
                samples=frame[at + 9],
            )
        fill = marker == 0xFF
        length = int.from_bytes(frame[at + 2 : at + 4], "big")
        at += 1 if fill else 2 + length
    raise UnreadablePixels("a JPEG frame without a frame header")
