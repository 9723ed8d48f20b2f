import struct

import pytest

from dicom_io.errors import UnreadablePixels
from dicom_io.pictures.codestream import FrameSize, read_frame_size


def siz(x: int, y: int, tile: int = 1024, samples: int = 1) -> bytes:
    body = struct.pack(">H8IH", 0, x, y, 0, 0, tile, tile, 0, 0, samples)
    return b"\xff\x4f\xff\x51" + struct.pack(">H", 41) + body + b"\x07\x01\x01"


def sof(marker: int, rows: int, columns: int) -> bytes:
    return bytes([0xFF, marker]) + struct.pack(">HBHHB", 11, 8, rows, columns, 1)


def test_jpeg_2000_says_its_size_bare_and_boxed() -> None:
    expected = FrameSize(rows=200, columns=100, samples=1)
    assert read_frame_size(siz(100, 200)) == expected
    assert read_frame_size(boxed(siz(100, 200))) == expected


def boxed(codestream: bytes, before: bytes = b"") -> bytes:
    """Return a JP2 file (ISO 15444-1 Annex I); `before` in a box of its own."""
    signature = b"\x00\x00\x00\x0cjP  \r\n\x87\n"
    other = struct.pack(">I4s", 8 + len(before), b"uuid") + before
    return signature + other + struct.pack(">I4s", 0, b"jp2c") + codestream


def test_what_looks_like_a_codestream_in_another_box_is_none() -> None:
    decoy = boxed(siz(32000, 31000), before=siz(10, 10))
    assert read_frame_size(decoy) == FrameSize(rows=31000, columns=32000, samples=1)


def test_a_box_that_needs_a_long_length_is_passed() -> None:
    long = struct.pack(">I4sQ", 1, b"uuid", 20) + b"abcd"
    frame = boxed(siz(100, 200))
    assert read_frame_size(frame[:12] + long + frame[12:]) is not None


@pytest.mark.parametrize(
    "boxes",
    [b"", struct.pack(">I4s", 4, b"uuid"), struct.pack(">I4s", 0xFFFFFFFF, b"uuid")],
)
def test_boxes_that_lead_nowhere_are_refused(boxes: bytes) -> None:
    with pytest.raises(UnreadablePixels, match="codestream"):
        read_frame_size(b"\x00\x00\x00\x0cjP  \r\n\x87\n" + boxes)


def test_fill_bytes_without_end_are_not_walked() -> None:
    with pytest.raises(UnreadablePixels, match="frame header"):
        read_frame_size(b"\xff\xd8" + b"\xff" * 100_000 + sof(0xC0, 3, 4) + bytes(4))


@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC3, 0xF7])
def test_jpeg_and_jpeg_ls_say_their_size_behind_other_segments(marker: int) -> None:
    comment = b"\xff\xfe\x00\x06abcd" + b"\xff\xc4\x00\x03x"
    frame = b"\xff\xd8" + comment + b"\xff" + sof(marker, 3, 4) + bytes(4)
    assert read_frame_size(frame) == FrameSize(rows=3, columns=4, samples=1)


def test_run_length_frames_say_no_size() -> None:
    assert read_frame_size(struct.pack("<16I", 1, 64, *([0] * 14))) is None


@pytest.mark.parametrize(
    "frame",
    [
        siz(100, 200)[:20],
        siz(0, 200),
        siz(60000, 60000, tile=1),
        b"\xff\xd8\xff\xda\x00\x02" + bytes(20),
        b"\xff\xd8",
    ],
)
def test_a_stream_without_a_plain_size_is_refused(frame: bytes) -> None:
    with pytest.raises(UnreadablePixels):
        read_frame_size(frame)
