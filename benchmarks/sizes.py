"""What a study leaves on the disk: films, results, rows of the ledger and the audit.

Studies of one film by a canned engine, each to its end; the ledger is measured as a
copy without its log, and what it holds before the first study is taken off. One worker
alone shares no transaction with others, so theirs are counted at their most.
Usage: python -m benchmarks.sizes [--studies 20] [--side 2500]
"""

import argparse
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from benchmarks.rounds import Figure, keep
from gateway.ledger import Ledger, Writing
from gateway.lifecycle import State
from model.options import Domain
from tests.data.phantoms import phantom_files
from tests.data.stages import Bench, bench_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Bytes of the spool's folders and of the ledger, and rows of the audit.

    writes : transactions that write.
    """

    instances: int
    results: int
    ledger: int
    audit_rows: int
    writes: int = 0


class Counted:
    """Transactions that wrote."""

    def __init__(self) -> None:
        self.number = 0

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count those of every ledger until the block ends."""
        real = Ledger.writing

        def writing(ledger: Ledger) -> AbstractContextManager[Writing]:
            self.number += 1
            return real(ledger)

        with patch.object(Ledger, "writing", writing):
            yield


def main(arguments: Sequence[str]) -> Sizes:
    """Print, and return, what one study takes."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizes")
    parser.add_argument("--studies", type=int, default=20)
    parser.add_argument(
        "--side", type=int, default=2500, help="pixels of the short side"
    )
    options = parser.parse_args(arguments)
    count, counted = options.studies, Counted()
    with (
        counted.counting(),
        tempfile.TemporaryDirectory() as folder,
        bench_at(Path(folder)) as bench,
    ):
        bench.engine.domain = Domain.PHANTOM
        before, counted.number = measured(bench), 0
        for number in range(1, count + 1):
            _read(bench, number, options.side)
        after = measured(bench)
    sizes = Sizes(
        instances=(after.instances - before.instances) // count,
        results=(after.results - before.results) // count,
        ledger=(after.ledger - before.ledger) // count,
        audit_rows=(after.audit_rows - before.audit_rows) // count,
        writes=counted.number // count,
    )
    keep("sizes", list(_figures(sizes)))
    return sizes


def _figures(sizes: Sizes) -> Iterator[Figure]:
    for name, unit, value in (
        ("films", "bytes a study", sizes.instances),
        ("results", "bytes a study", sizes.results),
        ("ledger", "bytes a study", sizes.ledger),
        ("audit", "rows a study", sizes.audit_rows),
        ("transactions that write", "a study", sizes.writes),
    ):
        yield Figure(name=name, unit=unit, values=(float(value),))


def measured(bench: Bench) -> Sizes:
    """Measure the folder of a site whose ledger may be open."""
    data = bench.folder / "data"
    with closing(sqlite3.connect(data / "ledger.sqlite")) as ledger:
        (pages,) = ledger.execute("PRAGMA page_count").fetchone()
        (page_bytes,) = ledger.execute("PRAGMA page_size").fetchone()
        (rows,) = ledger.execute("SELECT count(*) FROM audit").fetchone()
    return Sizes(
        instances=_bytes_below(data / "spool" / "instances"),
        results=_bytes_below(data / "spool" / "results"),
        ledger=pages * page_bytes,
        audit_rows=rows,
    )


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _read(bench: Bench, number: int, side: int) -> None:
    study = phantom_files(
        bench.folder / "phantom",
        seed=number,
        short_side=side,
        with_lateral=False,
        with_prior=False,
    )
    bench.send(study.frontal)
    bench.clock.add(seconds=60)
    bench.complete()
    while bench.turn():
        pass
    ended = bench.study(study.study_instance_uid)
    if ended.state is not State.KEPT:
        raise RuntimeError(f"no study was read to its end: {ended.reason}")


if __name__ == "__main__":
    main(sys.argv[1:])
