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
    boxed = b"\x00\x00\x00\x0cjP  \r\n\x87\n" + bytes(40) + siz(100, 200)
    assert read_frame_size(boxed) == expected


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
