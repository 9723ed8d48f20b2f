"""When intake stops for want of room, and that it is told once a crossing."""

from pathlib import Path

import pytest

from dicom_io.sink import NoRoom
from gateway.receiving.reserves import Reserves, UnderReserve, Watermark, free_memory
from gateway.spool import Spool


class _Told:
    def __init__(self) -> None:
        self.crossings: list[tuple[str, bool]] = []

    def __call__(self, what: str, is_below: bool) -> None:
        self.crossings.append((what, is_below))


def _refused(mark: Watermark, free: int) -> bool:
    try:
        mark.demand(free)
    except UnderReserve:
        return True
    return False


def test_below_the_reserve_everything_is_refused_and_told_once() -> None:
    told = _Told()
    mark = Watermark("disk", 1600, told)
    assert [_refused(mark, free) for free in (1600, 1599, 0, 1599)] == [
        *(False, True, True, True)
    ]
    assert told.crossings == [("disk", True)]


def test_intake_resumes_by_itself_and_that_is_told_once() -> None:
    told = _Told()
    mark = Watermark("disk", 1600, told)
    assert [_refused(mark, free) for free in (0, 5000, 5000)] == [True, False, False]
    assert told.crossings == [("disk", True), ("disk", False)]


def test_a_level_that_trembles_is_one_event() -> None:
    told = _Told()
    mark = Watermark("disk", 1600, told)
    levels = [1599, 1601] * 50
    assert [_refused(mark, free) for free in levels] == [True, False] * 50
    assert told.crossings == [("disk", True)]
    assert not _refused(mark, 1700)
    assert told.crossings == [("disk", True), ("disk", False)]


def test_a_reserve_of_nothing_is_never_passed() -> None:
    told = _Told()
    assert not _refused(Watermark("memory", 0, told), 0)
    assert told.crossings == []


def test_memory_is_looked_at_beside_the_disk(tmp_path: Path) -> None:
    told = _Told()
    spool = Spool(tmp_path / "spool", reserve_bytes=0)
    Reserves(spool, 1, told).demand()
    with pytest.raises(NoRoom, match="of memory are free"):
        Reserves(spool, 1 << 60, told).demand()
    assert told.crossings == [("memory", True)]


MEMINFO = "MemTotal:       16000 kB\nMemAvailable:    2000 kB\n"


def _group(folder: Path, most: str, taken: str, kept: int = 0) -> Path:
    folder.mkdir()
    (folder / "memory.max").write_text(f"{most}\n")
    (folder / "memory.current").write_text(f"{taken}\n")
    (folder / "memory.stat").write_text(f"anon 7\ninactive_file {kept}\n")
    return folder


@pytest.mark.parametrize(
    ("most", "free"),
    [("max", 2000 << 10), ("1000", 1000 - 700 + 50), (str(1 << 40), 2000 << 10)],
)
def test_a_container_has_what_its_group_leaves(
    tmp_path: Path, most: str, free: int
) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(MEMINFO)
    assert free_memory(meminfo, _group(tmp_path / "group", most, "700", 50)) == free


@pytest.mark.parametrize("text", ["", "MemAvailable: x kB\n", "MemAvailable:\n"])
def test_a_system_that_says_nothing_sets_no_limit(tmp_path: Path, text: str) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text(text)
    assert free_memory(meminfo, tmp_path / "none") > 1 << 60


def test_this_machine_says_something() -> None:
    assert 0 < free_memory() < 1 << 60
