"""The kernel is asked to write a growing file back, and the file stays as it is."""

import os
from pathlib import Path

import pytest

from gateway import writeback
from gateway.writeback import WriteBack

MEBIBYTE = 1 << 20


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []

    def begin(_descriptor: int, start: int, length: int, _flags: int) -> int:
        ranges.append((start, length))
        return -1

    monkeypatch.setattr(writeback, "_BEGIN", begin)
    return ranges


def test_each_byte_is_asked_for_once_and_small_steps_wait(
    asked: list[tuple[int, int]],
) -> None:
    write_back = WriteBack(0)
    for end in (1000, MEBIBYTE, MEBIBYTE + 5, 3 * MEBIBYTE):
        write_back.advance(end)
    assert asked == [(0, MEBIBYTE), (MEBIBYTE, 2 * MEBIBYTE)]


def test_where_the_kernel_has_no_such_call_nothing_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writeback, "_BEGIN", None)
    WriteBack(-1).advance(10 * MEBIBYTE)


def test_a_real_file_is_written_back(tmp_path: Path) -> None:
    content = os.urandom(2 * MEBIBYTE)
    path = tmp_path / "film"
    with path.open("wb", buffering=0) as film:
        film.write(content)
        WriteBack(film.fileno()).advance(len(content))
    assert path.read_bytes() == content
