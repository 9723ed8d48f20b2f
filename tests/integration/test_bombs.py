"""Files that ask for more than they are: refused by type, and at a bounded price."""

import json
import resource
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from dicom_io.child import run_child
from dicom_io.errors import UnreadableHeader, UnreadablePixels, UnsupportedImage
from dicom_io.header import read_instance
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.parsing import read_transfer_syntax
from dicom_io.pictures.pixels import render_image
from dicom_io.status import Status
from gateway.lifecycle import FINAL, WAITING_FOR_A_PERSON, State
from tests.data.bombs import BOMBS, Bomb, Fate, film
from tests.data.films import film_dataset, write_film
from tests.data.stages import Bench, bench_at, facts_of

HEADER_SECONDS, HEADER_KIB = 5.0, 64 << 10
CHILD_SECONDS, CHILD_KIB = 10.0, 96 << 10
LIMITS = DecodeLimits()


def of_fate(fate: Fate) -> list[ParameterSet]:
    rows = [(name, bomb) for name, bomb in BOMBS.items() if bomb.fate is fate]
    return [pytest.param(bomb, id=name) for name, bomb in rows]


@pytest.mark.parametrize("bomb", of_fate(Fate.REFUSED))
def test_a_header_is_refused_for_little(bomb: Bomb, tmp_path: Path) -> None:
    path = bomb.build(tmp_path / "bomb.dcm", 1)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    began = time.process_time()
    with pytest.raises(UnreadableHeader):
        read_instance(path)
    assert time.process_time() - began < HEADER_SECONDS
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert used < HEADER_KIB


@pytest.mark.parametrize("bomb", of_fate(Fate.READ))
def test_what_is_only_odd_is_read(bomb: Bomb, tmp_path: Path) -> None:
    path = bomb.build(tmp_path / "odd.dcm", 1)
    assert read_instance(path).sop_instance_uid == "1.2.3.1.1.1"


@pytest.mark.parametrize("bomb", of_fate(Fate.UNREADABLE))
def test_pixels_are_refused_for_little(bomb: Bomb, tmp_path: Path) -> None:
    """CPU time and memory are those of the child, as the kernel counted them."""
    path = bomb.build(tmp_path / "bomb.dcm", 1)
    assert read_instance(path).has_pixels
    detail, seconds, kib = measured(path, tmp_path / "used")
    assert detail
    assert seconds < CHILD_SECONDS
    assert kib < CHILD_KIB
    with pytest.raises((UnreadablePixels, UnsupportedImage)):
        render_image(path, Rendering.AS_TRAINED, LIMITS)


def test_the_price_of_a_film_is_measured_as_well(tmp_path: Path) -> None:
    """The measurement can fail: a film of 25 megapixels is over what bombs may use."""
    rows, columns = 5000, 5000
    ds = film(1, Rows=rows, Columns=columns, PixelData=bytes(rows * columns))
    detail, seconds, kib = measured(
        write_film(tmp_path / "film.dcm", ds), tmp_path / "used"
    )
    assert detail == ""
    assert seconds > 0
    assert kib > rows * columns / 1024


def measured(path: Path, where: Path) -> tuple[str, float, int]:
    """Decode in a child; return what it says is wrong, CPU seconds and KiB."""
    arguments = [
        *(str(where), "as-trained", str(path)),
        *(str(int(LIMITS.seconds)), str(LIMITS.memory_bytes), str(LIMITS.max_pixels)),
    ]
    done = run_child("tests.data.measured_child", arguments, 60)
    assert done.returncode == 0, "ended by its limits"
    head = json.loads(done.stdout.partition(b"\n")[0])
    seconds, kib = json.loads(where.read_text("utf-8"))
    return head.get("detail", ""), seconds, kib


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench_at(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


@pytest.mark.slow
def test_a_study_with_a_bomb_ends_and_the_next_study_passes(bench: Bench) -> None:
    """All bombs, a study each; their children, not the clock, say when they end."""
    studies = {}
    for number, (name, bomb) in enumerate(BOMBS.items(), 1):
        path = bomb.build(bench.folder / f"bomb{number}.dcm", number)
        plain = write_film(bench.folder / "plain.dcm", film(number))
        sent = store(bench, path, plain)
        refused = bomb.fate is Fate.REFUSED
        assert (sent is Status.CANNOT_UNDERSTAND) == refused, name
        if not refused:
            assert sent is Status.SUCCESS, name
        if bomb.fate is Fate.UNREADABLE:
            studies[name] = f"1.2.3.{number}"
    last = write_film(bench.folder / "last.dcm", film_dataset())
    assert bench.send(last) is Status.SUCCESS
    finish(bench)
    ends = {name: bench.study(uid).state for name, uid in studies.items()}
    ended = (State.DECLINED, State.PARKED)
    assert {name: state for name, state in ends.items() if state not in ended} == {}
    assert bench.study("1.2.3").state is State.KEPT


def store(bench: Bench, path: Path, plain: Path) -> Status:
    """Send a file as the instance that `plain` is."""
    with path.open("rb") as stream:
        syntax = read_transfer_syntax(stream)
        arriving = bench.intake().receive(facts_of(plain, transfer_syntax_uid=syntax))
        arriving.write(stream.read())
    status = arriving.commit()
    if status is not Status.SUCCESS:
        arriving.discard()
    return status


def finish(bench: Bench) -> None:
    """Do all there is to do, with the clock set on where nothing is due."""
    bench.clock.add(seconds=60)
    bench.complete()
    for _ in range(2000):
        if bench.turn():
            continue
        with bench.site.ledger.reading() as rows:
            counts = rows.counts()
        ended = (*FINAL, *WAITING_FOR_A_PERSON)
        if not sum(count for state, count in counts.items() if state not in ended):
            return
        bench.clock.add(seconds=700)
    pytest.fail("studies have not ended")
