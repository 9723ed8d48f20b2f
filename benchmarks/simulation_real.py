"""The real gateway under arrivals of a plan: what the simulation is held against.

The gateway is a process of its own with an engine of fixed delay; archive, destination
and modality live in this process. One modality sends, so studies that fall together
arrive one after the other; when each arrived is taken from the ledger.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from benchmarks.counting import counting
from benchmarks.serving import processor_seconds
from benchmarks.simulated_stages import WAY, Stages
from benchmarks.soak import STALLED_SECONDS, serving
from benchmarks.soak_films import Films
from benchmarks.soak_site import settings_of
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.ledger import Ledger, MoveRecord
from gateway.lifecycle import State
from tests.data.sites import MODALITY

DONE = (State.STORED, State.COMMITTED)
FAILED = (State.PARKED, State.DECLINED, State.HELD)
IDLE_SECONDS = 4.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """A study's way: the moment of its last image, and the seconds in each state.

    Without the quiet period and the engine's delay.
    """

    received_at: datetime
    stored_at: datetime
    states: dict[State, float]

    @property
    def to_result(self) -> float:
        """Seconds from the last image to stored results."""
        return (self.stored_at - self.received_at).total_seconds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What studies need one by one.

    gateway, beside : processor seconds a study of the gateway with its children, and of
    what else this machine does for it. idle : cores that a gateway without work uses.
    """

    stages: Stages
    gateway: float
    beside: float
    idle: float


@dataclass(slots=True, kw_only=True)
class Real:
    """A gateway at work, and its modality."""

    remote: RemoteAE
    ledger: Ledger
    films: Films
    pid: int
    quiet: float
    delay: float
    _sent: int = field(default=0)

    def calibrate(self, studies: int, warm_up: int) -> Calibration:
        """Send studies one by one and return what they need."""
        self.send([0.0] * warm_up, one_by_one=True)
        idle = self._idle()
        before, began = self._used(), time.monotonic()
        passed = self.send([0.0] * studies, one_by_one=True)
        after, seconds = self._used(), time.monotonic() - began
        gateway = max(0.0, after[0] - before[0] - idle * seconds) / studies
        times = {state: tuple(each.states[state] for each in passed) for state in WAY}
        whole = Stages(seconds=times).whole
        return Calibration(
            stages=Stages(seconds=times, processor=min(1.0, gateway / whole)),
            gateway=gateway,
            beside=(after[1] - before[1]) / studies,
            idle=idle,
        )

    def send(self, moments: Sequence[float], *, one_by_one: bool) -> list[Passed]:
        """Send a study at each moment (seconds from now) and wait for all of them.

        one_by_one : each when the one before has its results.
        """
        began, uids = time.monotonic(), []
        for moment in moments:
            time.sleep(max(0.0, began + moment - time.monotonic()))
            uids.append(self._send())
            if one_by_one:
                self._wait(uids[-1:])
        return self._wait(uids)

    def _send(self) -> str:
        drawn = self.films.draw(self._sent)
        self._sent += 1
        outcomes = store_instances(MODALITY, self.remote, drawn.files)
        if {outcome.status for outcome in outcomes} != {Status.SUCCESS}:
            raise RuntimeError(f"{drawn.study_instance_uid} was not taken: {outcomes}")
        return drawn.study_instance_uid

    def _wait(self, uids: Sequence[str]) -> list[Passed]:
        """Return how the studies passed, in their order; raise where one does not."""
        found: dict[str, Passed] = {}
        news = time.monotonic()
        while left := [uid for uid in uids if uid not in found]:
            passed = self._passed(left[0])
            if passed is not None:
                found[left[0]], news = passed, time.monotonic()
            elif time.monotonic() - news > STALLED_SECONDS:
                raise RuntimeError(f"{len(left)} of {len(uids)} studies do not end")
            else:
                time.sleep(_POLL_SECONDS)
        return [found[uid] for uid in uids]

    def _passed(self, uid: str) -> Passed | None:
        with self.ledger.reading() as rows:
            study = rows.study(uid)
            if study is None or study.state not in DONE:
                if study is not None and study.state in FAILED:
                    raise RuntimeError(f"{study.state}: {study.reason}")
                return None
            moves = rows.moves(study.id)
        return passed_of(moves, study.last_arrival_at, self.quiet, self.delay)

    def _idle(self) -> float:
        before = processor_seconds(self.pid)
        time.sleep(IDLE_SECONDS)
        return (processor_seconds(self.pid) - before) / IDLE_SECONDS

    def _used(self) -> tuple[float, float]:
        return processor_seconds(self.pid), time.process_time()


def passed_of(
    moves: Sequence[MoveRecord], last: datetime, quiet: float, delay: float
) -> Passed:
    """Return the way of a study whose last image came at `last`."""
    states = {
        now.to_state: (after.at - now.at).total_seconds()
        for now, after in pairwise(moves)
        if now.to_state in WAY
    }
    due = last + timedelta(seconds=quiet)
    states[State.RECEIVING] -= (due - moves[0].at).total_seconds()
    states[State.GATHERED] -= delay
    stored = next(move.at for move in moves if move.to_state is State.STORED)
    return Passed(
        received_at=last,
        stored_at=stored,
        states={state: max(0.0, seconds) for state, seconds in states.items()},
    )


@contextmanager
def real_gateway(folder: Path, side: int, quiet: float, delay: float) -> Iterator[Real]:
    """Run a gateway, the archive that it asks, and the destination of its results."""
    options = [f"--engine-seconds={delay}", f"--quiet-seconds={quiet}"]
    with (
        open_archive(folder / "archive", "ARCHIVE") as archive,
        counting("RESULTS") as (results, _),
        serving(folder / "data", archive.port, results, *options) as (port, process),
    ):
        url = settings_of(folder / "data", archive.port, results).ledger_url
        ledger = Ledger.open(url)
        try:
            title = AETitle("MAIRA_GW")
            yield Real(
                remote=RemoteAE(
                    name="gateway", title=title, host="127.0.0.1", port=port
                ),
                ledger=ledger,
                films=Films(folder / "films", side),
                pid=process.pid,
                quiet=quiet,
                delay=delay,
            )
        finally:
            ledger.close()
