"""What the sink is given at one time."""

import os
from collections.abc import Sequence
from pathlib import Path

from dicom_io.scp.arrival import Arrival
from dicom_io.status import Status


class _File:
    """A file that takes as many pieces as the kernel does, IOV_MAX, at one time."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)

    def write(self, data: bytes | memoryview) -> None:
        os.write(self._descriptor, data)

    def write_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        os.writev(self._descriptor, pieces)

    def commit(self) -> Status:
        os.close(self._descriptor)
        return Status.SUCCESS

    def discard(self) -> None:
        os.close(self._descriptor)


def test_more_pieces_than_the_kernel_takes_at_one_time_are_all_written(
    tmp_path: Path,
) -> None:
    pieces = [number.to_bytes(2) for number in range(5000)]
    arrival = Arrival(_File(tmp_path / "kept"), 1 << 20)
    arrival.take(*pieces)
    assert arrival.finish() is Status.SUCCESS
    assert (tmp_path / "kept").read_bytes() == b"".join(pieces)
