"""What the adapter itself needs for a study, from its last image to stored results.

A whole gateway with the embedded archive in a process of its own, as an archive is, and
an engine that answers after a fixed delay. Overhead: from the end of the quiet period
until the results are stored, less that delay. Studies of one image: one after the
other, then from eight senders of which each sends its next when the last is stored.
Usage: python -m benchmarks.study [--studies 30] [--side 2500] [--delay 0.2]
"""

import argparse
import multiprocessing
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from itertools import islice, pairwise
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.rounds import Figure, Target, keep
from benchmarks.serving import processor_seconds
from dicom_io.ae import RemoteAE
from dicom_io.archive import open_archive
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.ledger import MoveRecord
from gateway.lifecycle import State
from model.options import Domain
from model.report import GroundedReport, ReportRequest
from tests.data.engines import CannedEngine
from tests.data.phantoms import phantom_files
from tests.data.sites import (
    MODALITY,
    Running,
    archive_peer,
    running_gateway,
    site_settings,
)

QUIET = 1.0
"""Seconds of the quiet period; waiting for it is no work of the adapter."""
MEDIAN_BOUND, P95_BOUND = 150.0, 300.0
"""Milliseconds: one study at a time, and the 95th percentile with eight in flight."""
DONE = (State.STORED, State.COMMITTED)
LOOK_SECONDS = 0.25
"""Seldom: who looks takes the gateway's own time; the time line is the ledger's."""
WAYS = {"one by one": 1, "eight in flight": 8}
"""How the studies come: so many at a time, and as many are read at once."""
WARM_UP = 4
"""Studies at the start that are not counted: what a process does once, it did then."""


@dataclass
class SlowEngine(CannedEngine):
    """Answers as a canned engine does, after `delay` seconds a request."""

    delay: float = 0.0

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        """Wait as long as a model would read."""
        time.sleep(self.delay * len(requests))
        return super().generate(requests)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """When a study moved: milliseconds in each state, and the overhead of all."""

    states: dict[str, float]
    overhead: float


@contextmanager
def archive_at(folder: Path) -> Iterator[int]:
    """Run the embedded archive in a process of its own; yield its port."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=_keep_archive, args=(folder, theirs), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join()


def _keep_archive(folder: Path, asked: Connection) -> None:
    with open_archive(folder, "ARCHIVE") as archive:
        asked.send(archive.port)
        asked.recv()


@contextmanager
def gateway_at(folder: Path, delay: float, readers: int) -> Iterator[Running]:
    """Run a gateway that stores into an archive of its own."""
    engine = SlowEngine(domain=Domain.PHANTOM, delay=delay)
    with archive_at(folder / "archive") as port:
        settings = site_settings(
            folder / "data",
            {
                **archive_peer("ARCHIVE", port),
                "completeness": {"quiet_seconds": QUIET, "ask_archive": False},
                "engine": {"readers": readers},
                "work": {"lease_seconds": 60.0},
            },
        )
        with running_gateway(settings, engine) as running:
            yield running


def draw_studies(folder: Path, count: int, side: int) -> dict[str, Path]:
    """Write phantom studies of one image; return the file by Study Instance UID."""
    drawn = [
        phantom_files(
            folder / str(seed),
            seed=seed,
            short_side=side,
            with_lateral=False,
            with_prior=False,
        )
        for seed in range(count)
    ]
    return {each.study_instance_uid: each.frontal for each in drawn}


def send(remote: RemoteAE, films: Sequence[Path]) -> None:
    """Send films as a modality does; each must be taken."""
    outcomes = list(store_instances(MODALITY, remote, films))
    if {outcome.status for outcome in outcomes} != {Status.SUCCESS}:
        raise RuntimeError(f"not all of {len(films)} films were taken")


def opened_modality() -> ProcessPoolExecutor:
    """Run the modality as a process: its Python is no work of the gateway's."""
    return ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))


def measure(
    gateway: Running,
    modality: ProcessPoolExecutor,
    studies: Mapping[str, Path],
    in_flight: int,
    delay: float,
) -> list[Line]:
    """Send studies, so many at a time, and return how each moved."""

    def follow(uid: str) -> Line:
        modality.submit(send, gateway.remote, [studies[uid]]).result()
        ends = (*DONE, State.PARKED, State.DECLINED)
        study = gateway.wait_for(uid, *ends, pause=LOOK_SECONDS)
        if study.state not in DONE:
            raise RuntimeError(f"{study.state}: {study.reason}")
        with gateway.site.ledger.reading() as rows:
            moves = rows.moves(study.id)
        due = study.last_arrival_at + timedelta(seconds=QUIET)
        return _line(moves, (due - moves[0].at).total_seconds(), delay)

    with ThreadPoolExecutor(in_flight) as senders:
        return list(senders.map(follow, studies))


def _line(moves: Sequence[MoveRecord], waited: float, delay: float) -> Line:
    """Return the time line; the first move was `waited` s before the quiet ended."""
    states = {
        f"{now.to_state}": 1000 * (after.at - now.at).total_seconds()
        for now, after in pairwise(moves)
    }
    states[State.RECEIVING] -= 1000 * waited
    states[State.GATHERED] -= 1000 * delay
    states.pop(State.STORED, None)  # the archive's commitment is its own time
    return Line(states=states, overhead=sum(states.values()))


def report(name: str, lines: Sequence[Line]) -> list[Figure]:
    """Return the overhead and its parts, in milliseconds."""
    whole = Figure(
        name=f"{name}: overhead", unit="ms", values=tuple(e.overhead for e in lines)
    )
    parts = [
        Figure(
            name=f"{name}: {state}",
            unit="ms",
            values=tuple(line.states[state] for line in lines),
        )
        for state in lines[0].states
    ]
    return [whole, *parts]


def main(words: Sequence[str] | None = None) -> None:
    """Measure one at a time and eight in flight, and keep both."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=24)
    parser.add_argument("--side", type=int, default=2500)
    parser.add_argument("--delay", type=float, default=0.2)
    given = parser.parse_args(words)
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        drawn = draw_studies(folder / "films", given.studies + WARM_UP, given.side)
        first = dict(islice(drawn.items(), WARM_UP))
        studies = {uid: film for uid, film in drawn.items() if uid not in first}
        for name, in_flight in WAYS.items():
            with (
                gateway_at(folder / name, given.delay, in_flight) as gateway,
                opened_modality() as modality,
            ):
                ask = partial(measure, gateway, modality)
                ask(first, in_flight, given.delay)
                before = processor_seconds(os.getpid())
                lines = ask(studies, in_flight, given.delay)
                worked = processor_seconds(os.getpid()) - before
            figures += report(name, lines)
            figures.append(
                Figure(
                    name=f"processor time a study, {name}",
                    unit="ms",
                    values=(1000 * worked / len(studies),),
                )
            )
    alone, crowd = (each for each in figures if each.name.endswith("overhead"))
    keep(
        "study",
        figures,
        [
            Target(
                what="median overhead, one by one, ms",
                reached=alone.median,
                bound=MEDIAN_BOUND,
                at_least=False,
            ),
            Target(
                what="95th percentile of overhead, eight in flight, ms",
                reached=crowd.percentile(0.95),
                bound=P95_BOUND,
                at_least=False,
            ),
        ],
    )


if __name__ == "__main__":
    main()
