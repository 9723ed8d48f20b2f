import io
import random
import resource
import time
import zlib
from pathlib import Path

import pytest
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian

from dicom_io.elements import MAX_ELEMENTS, MAX_TOTAL_BYTES
from dicom_io.errors import UnreadableHeader
from dicom_io.header import read_instance
from dicom_io.inflating import inflated_stream
from dicom_io.parsing import INFLATED_FLOOR, inflate, read_file
from tests.data.films import film_dataset, raw_file, write_film

DEFLATED = DeflatedExplicitVRLittleEndian


def deflate(data: bytes) -> bytes:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflater.compress(data) + deflater.flush()


def test_a_megabyte_that_inflates_to_a_gigabyte_is_refused_in_two_seconds(
    tmp_path: Path,
) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    zeros = bytes(1 << 20)
    bomb = b"".join(deflater.compress(zeros) for _ in range(1024)) + deflater.flush()
    assert 900_000 < len(bomb) < 1_200_000
    path = raw_file(tmp_path / "bomb.dcm", bomb, DeflatedExplicitVRLittleEndian)
    begun = time.thread_time()  # threads of other tests may still be ending
    with pytest.raises(UnreadableHeader, match="elements"):
        read_file(path)
    assert time.thread_time() - begun < 2


def test_a_deflated_data_set_within_the_floor_is_read() -> None:
    data = bytes(INFLATED_FLOOR)
    assert inflate(deflate(data)) == data


def test_a_broken_deflated_data_set_is_refused() -> None:
    with pytest.raises(UnreadableHeader, match="broken"):
        inflate(b"\xff" * 100)


def test_a_file_that_is_not_dicom_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other"
    for content in (b"", b"GIF89a" + bytes(200), b"\0" * 128 + b"DICM"):
        path.write_bytes(content)
        with pytest.raises(UnreadableHeader):
            read_file(path)


def test_a_wrong_group_length_of_the_file_meta_is_not_believed(tmp_path: Path) -> None:
    path = write_film(tmp_path / "film.dcm", film_dataset())
    data = bytearray(path.read_bytes())
    data[140:144] = b"\xff\xff\xff\x7f"
    path.write_bytes(data)
    assert read_file(path).transfer_syntax_uid == ExplicitVRLittleEndian


def test_an_endless_file_meta_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "meta.dcm"
    path.write_bytes(bytes(128) + b"DICM" + b"\x02\x00\x03\x00UI\xff\xff" * 9000)
    with pytest.raises(UnreadableHeader, match="meta"):
        read_file(path)


@pytest.mark.parametrize(
    ("element", "limit"),
    [
        (bytes(8), f"more than {MAX_ELEMENTS} elements"),
        (
            b"\x09\0\x10\0UN\0\0\0\0\x10\0" + bytes(1 << 20),
            f"more than {MAX_TOTAL_BYTES} bytes",
        ),
    ],
    ids=["many small elements", "many large values"],
)
def test_a_bomb_of_five_mebibytes_is_read_no_further_than_the_limits(
    element: bytes, limit: str, tmp_path: Path
) -> None:
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    mebibyte = (element * (1 + (1 << 20) // len(element)))[: max(1 << 20, len(element))]
    bomb = b"".join(deflater.compress(mebibyte) for _ in range(512))
    bomb += deflater.flush() + bytes(5 << 20)
    path = raw_file(tmp_path / "bomb.dcm", bomb, DeflatedExplicitVRLittleEndian)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.thread_time()
    with pytest.raises(UnreadableHeader, match=limit):
        read_file(path)
    assert time.thread_time() - begun < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 << 10


def test_a_deflated_value_that_is_passed_over_and_too_long_is_refused(
    tmp_path: Path,
) -> None:
    claims = b"\x09\0\x10\0UN\0\0\0\0\0\x7f" + bytes(1 << 20)
    path = tmp_path / "long.dcm"
    raw_file(path, deflate(claims), DeflatedExplicitVRLittleEndian)
    with pytest.raises(UnreadableHeader, match="longer"):
        read_file(path)


def test_a_broken_deflated_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.dcm"
    raw_file(path, b"\xff" * 100, DeflatedExplicitVRLittleEndian)
    with pytest.raises(UnreadableHeader, match="broken"):
        read_file(path)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_an_inflated_stream_goes_back_to_where_it_was_read_from(chunk: int) -> None:
    """Wherever a chunk of it ends: whether there is more is found out by reading."""
    deflater = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    data = random.Random(3).randbytes(70_000)  # noqa: S311 - does not deflate
    parts = [data[at : at + chunk] for at in range(0, 3000, chunk)]
    parts.append(data[len(b"".join(parts)) :])
    deflated = b"".join(
        deflater.compress(part) + deflater.flush(zlib.Z_SYNC_FLUSH) for part in parts
    )
    stream = inflated_stream(io.BytesIO(deflated + deflater.flush()))
    for at in range(len(data)):
        assert stream.read(1) == data[at : at + 1]
        assert stream.seek(at) == at
        assert stream.read(1) == data[at : at + 1]
    assert stream.read(1) == b""


@pytest.mark.parametrize("length", range(9))
def test_a_deflated_data_set_of_a_few_bytes_is_refused(
    length: int, tmp_path: Path
) -> None:
    path = tmp_path / "few.dcm"
    raw_file(path, deflate(b"\x08\0\x05\0CS\0\0\0"[:length]), DEFLATED)
    with pytest.raises(UnreadableHeader):
        read_instance(path)
