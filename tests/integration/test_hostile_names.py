"""Values of others that would be paths, programs or lines of a log."""

import io
import logging
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dicom_io.media import deliver_file
from dicom_io.status import Status
from gateway.cli.output import LOG_LINE_CAP, OneLine
from tests.data.films import film_dataset, write_film
from tests.data.network import Recorder
from tests.data.stages import Bench, bench_at, facts_of
from tests.fuzz.association import converse, node_of, recorded

PARTS = (
    *("..", "../../x", "/etc/passwd", "..\\..\\x", "C:\\x", "//host/x", "~root", "."),
    *("a/b", "a\0b", "a\r\nb", "a\nb", "CON", "NUL.txt", "x.", "x ", " ", "-rf", "*"),
    *("$(id)", "`id`", "%2e%2e%2f", "%n%s", "..%00", "\u2024\u2024/", "\uff0e\uff0e/"),
    *("\x1b[2J", "\u202e", "a" * 255, "../" * 80, "file:///etc", "x\\y", "|id", ";id"),
)
VALUES = tuple(
    f"{before}{part}{after}"
    for before, after in (
        *(("", ""), ("1.2.3.", ""), ("", "/1.2.3"), ("1.2.3/", ""), ("", "\0")),
        *((" ", " "), ("./", ""), ("a/", "/b")),
    )
    for part in PARTS
)[:300]
OUR_NAME = re.compile(
    r"[0-9a-f]{32}(\.part)?|[0-9a-f]{64}|ledger\.sqlite(-shm|-wal)?|lock"
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    folder = tmp_path_factory.mktemp("names") / "bench"
    folder.mkdir()
    with bench_at(folder) as bench:
        yield bench


def files_below(folder: Path) -> set[Path]:
    """Return every file; the spool itself is looked into where it should be."""
    return {path for path in folder.rglob("*") if path.is_file()}


def test_300_values_name_no_file_wherever_they_stand(bench: Bench) -> None:
    """As UIDs of the data set they are refused; elsewhere they are only values."""
    plain = write_film(bench.folder / "plain.dcm", film_dataset())
    before = files_below(bench.folder.parent)
    assert len(set(VALUES)) > 250

    def arrive(number: int, value: str) -> None:
        path = _with_texts(
            bench.folder / f"named-{number}.dcm", f"1.2.3.{number}", value
        )
        announced = facts_of(path, calling_title=value[:16], association_id=value)
        assert _sent(bench, path, announced) is Status.SUCCESS
        path.unlink()
        if number % 3 == 0:
            path = _with_uid(bench.folder / f"uid-{number}.dcm", value)
            refused = _sent(bench, path, facts_of(plain))
            assert refused is Status.CANNOT_UNDERSTAND, value
            path.unlink()

    with ThreadPoolExecutor(8) as senders:  # who come together share their fsyncs
        assert len(list(senders.map(arrive, range(1, 1000), VALUES))) == len(VALUES)
    new = files_below(bench.folder.parent) - before
    assert len(new) >= len(VALUES)
    spool = bench.folder / "data" / "spool"
    assert all(path.is_relative_to(spool) for path in new)
    assert all(OUR_NAME.fullmatch(path.name) for path in new)


def _with_texts(path: Path, study: str, value: str) -> Path:
    ds = film_dataset(SOPInstanceUID=f"{study}.1.1", StudyInstanceUID=study)
    ds.SpecificCharacterSet = "ISO_IR 192"
    path = write_film(path, ds)
    data = path.read_bytes()
    # As bytes: the library would refuse to write them, a hostile sender would not.
    for tag, vr in ((b"\x10\0\x20\0", b"LO"), (b"\x08\0\x50\0", b"SH")):
        data = _put(data, tag, vr, value.encode())
    path.write_bytes(data)
    return path


def _with_uid(path: Path, value: str) -> Path:
    data = write_film(path, film_dataset()).read_bytes()
    path.write_bytes(_put(data, b"\x20\0\x0d\0", b"UI", value.encode() + b"/"))
    return path


def _put(data: bytes, tag: bytes, vr: bytes, value: bytes) -> bytes:
    """Replace a short element's value, or put the element before the patient."""
    value += b"\0" * (len(value) % 2)
    element = tag + vr + len(value).to_bytes(2, "little") + value
    at = data.find(tag + vr)
    if at < 0:
        before = data.index(b"\x08\0\x60\0CS")
        return data[:before] + element + data[before:]
    size = int.from_bytes(data[at + 6 : at + 8], "little")
    return data[:at] + element + data[at + 8 + size :]


def _sent(bench: Bench, path: Path, facts: object) -> Status:
    arriving = bench.intake().receive(facts)  # type: ignore[arg-type]
    data = path.read_bytes()
    start = 144 + int.from_bytes(data[140:144], "little")
    arriving.write(data[start:])
    status = arriving.commit()
    if status is not Status.SUCCESS:
        arriving.discard()
    return status


@pytest.mark.parametrize(
    "start",
    [
        b"MZ\x90\0\x03",
        b"\x7fELF\x02\x01\x01",
        b"#!/bin/sh\nid\n",
        b"%PDF-1.7\n",
        b"II*\0\x08\0\0\0",
        b"PK\x03\x04",
    ],
    ids=["PE", "ELF", "script", "PDF", "TIFF", "ZIP"],
)
def test_a_preamble_that_is_something_else_is_not_kept(
    start: bytes, tmp_path: Path
) -> None:
    """Of a file by hand; over the network no preamble travels (PS3.10 7.1)."""
    path = write_film(tmp_path / "film.dcm", film_dataset())
    whole = path.read_bytes()
    path.write_bytes(start.ljust(128, b"!") + whole[128:])
    with bench_at(tmp_path) as bench:
        assert deliver_file(path, bench.intake().receive, "FILES") is Status.SUCCESS
        with bench.site.ledger.reading() as rows:
            (kept,) = rows.instances("1.2.3")
        stored = bench.site.spool.path(kept.file_name).read_bytes()
    assert stored[:132] == bytes(128) + b"DICM"
    assert stored.endswith(whole[-64 * 48 * 2 :])
    assert start not in stored


def _one_line(text: io.StringIO) -> logging.Handler:
    handler = logging.StreamHandler(text)
    handler.setFormatter(OneLine("%(levelname)s %(message)s"))
    return handler


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Log into a text as the command line does; of this thread alone."""
    text, root = io.StringIO(), logging.getLogger()
    handler, here = _one_line(text), threading.get_ident()
    handler.addFilter(lambda record: record.thread == here)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    yield text
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nERROR forged",
        "\x1b[2J\x1b]0;x\x07",
        "%n%s%d",
        "a\u2028b\u2029c\x85d\x0be\x0cf",
        "\u202egnp",
        "\ud800",
        "x" * 1_000_000,
    ],
    ids=["lines", "escapes", "format", "line-ends", "direction", "surrogate", "long"],
)
def test_an_event_is_one_line_of_bounded_length(value: str) -> None:
    log, logger = io.StringIO(), logging.getLogger("of nobody else")
    # For no other handler: a lone surrogate in a report ends a worker of pytest-xdist.
    logger.propagate = False
    logger.handlers = [_one_line(log)]
    logger.warning("peer said %s", value)
    logger.error("failed", exc_info=ValueError(value))
    lines = log.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[2] == ""
    assert all(line.isprintable() for line in lines)
    assert all(len(line) <= LOG_LINE_CAP for line in lines)
    assert log.getvalue().splitlines() == lines[:2]


@pytest.mark.parametrize(
    ("title", "recorded_refusals"),
    [(b"A\x1b[2J%n%s\r\nERROR", 0), (b"%n%s${x}{0}ERROR", 1)],
    ids=["controls are no title", "a format is only text"],
)
def test_a_title_of_a_peer_forges_no_line(
    title: bytes, recorded_refusals: int, log: io.StringIO
) -> None:
    """The bytes of an A-ASSOCIATE-RQ's titles (PS3.8 9.3.2) are the peer's own."""
    request = bytearray(recorded()[0])
    request[10:42] = title.ljust(16) + title.ljust(16)
    recorder = Recorder()
    converse(node_of(recorder), bytes(request))
    assert (len(recorder.opened), len(recorder.refused)) == (0, recorded_refusals)
    said = log.getvalue()
    assert said.splitlines() == [line for line in said.split("\n") if line]
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said.splitlines()) == 1
