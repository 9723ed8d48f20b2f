"""A kill at each named point, one after the other on one site, and a count at the end.

A gateway takes up what the one before it left, is sent a study more, and dies at its
own point; now and then, and at the end, one finishes everything.

Usage: python -m tests.faults.points [--times 5] [--folder DIR] [NAME...]
"""

import argparse
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dicom_io.archive import Archive, open_archive
from gateway.failpoints import FAILPOINTS
from tests.data.archives import own_objects
from tests.faults import scene
from tests.faults.nursery import PURGING, Child, Nursery, Stuck, nursery
from tests.faults.scene import Item
from tests.faults.sender import Broken, Sender
from tests.faults.storm import say
from tests.faults.tally import NOTHING, RESULT_SET, Tally, count, states

PURGE = tuple(name for name in FAILPOINTS if name.startswith("purge:"))
SWEPT = ("ledger:before-commit", "ledger:after-commit", "audit:appended")
"""Points that are passed many times on the way of a study."""
SWEEP = 40
IN_A_ROW = 30
"""Points after which a gateway may finish what those before it have left."""
_SECONDS = 300.0
_LULL, _MORE = 20.0, 10
"""Seconds after which a gateway that lives on is given a study, and how many."""


@dataclass
class Stage:
    """A site and an archive on which one point after the other is tried."""

    children: Nursery
    folder: Path
    archive: Archive
    sent: list[Item] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    @property
    def site(self) -> Path:
        return self.folder / "data"

    def start(self, kill_at: str = "", mode: str = "") -> Child:
        overrides = scene.site_overrides(self.archive, audit=scene.SIGNING)
        return self.children.start(self.site, overrides, kill_at, mode)

    def die_at(self, point: str) -> None:
        """Send a new study to a gateway that dies at `point`, and what waits.

        One that lives on is given another: a single study does not pass a point
        dozens of times.
        """
        self.add_study()
        killed = self.start(kill_at=point)
        self.send(killed.port)
        for _ in range(_MORE):
            if killed.has_ended(_LULL):
                break
            self.add_study()
            self.send(killed.port)
        self.demand_death(killed, point)

    def add_study(self) -> None:
        """Let a film and a document of a new study wait, and its prior be found."""
        number = len(self.sent)
        scene.put_prior(self.archive, number)
        self.sent += [scene.document(number, 2), scene.film(number)]

    def die_purging(self, point: str) -> None:
        """Let a gateway die at a point of the purge; another ends the purge."""
        self.demand_death(self.start(kill_at=point, mode=PURGING), point)
        with self.stopping(self.start(mode=PURGING)):
            self.await_states("purged", point)

    def finish(self) -> None:
        """Let a gateway that nobody kills do what is left to be done."""
        with self.stopping(self.start()) as restarted:
            self.send(restarted.port)
            self.await_states("committed", "the last point")

    def send(self, port: int | None) -> None:
        """Send what had no success; a gateway that dies gets no more."""
        if port is None:
            return
        with suppress(Broken), Sender(port) as sender:
            for item in self.sent:
                if item.instance_uid in self.acknowledged:
                    continue
                if status := sender.store(item):
                    self.faults.append(f"answered {status:04X}")
                else:
                    self.acknowledged.add(item.instance_uid)

    @property
    def films(self) -> int:
        return sum(item.is_film for item in self.sent)

    def demand_death(self, child: Child, point: str) -> None:
        """Wait for the kill; a gateway that does not pass the point is ended."""
        try:
            status = child.wait(_SECONDS)
        except Stuck as error:
            self.faults.append(f"{point} was not passed: {error}")
            return
        if status != -signal.SIGKILL:
            self.faults.append(f"{point} was not passed: code {status}")

    @contextmanager
    def stopping(self, child: Child) -> Iterator[Child]:
        """Stop a gateway at the end of a with block; it must end well."""
        yield child
        _ = child.port  # before, a signal would not be heard
        if status := child.kill(signal.SIGTERM):
            self.faults.append(f"a stop had the code {status}")

    def await_states(self, state: str, point: str) -> None:
        """Wait until every study that is not purged is in `state`."""
        ledger, deadline = self.site / "ledger.sqlite", time.monotonic() + _SECONDS
        while True:
            found = states(ledger)
            if sum(found[each] for each in {state, "purged"}) == self.films:
                return
            if time.monotonic() > deadline:
                self.faults.append(f"after {point}: {dict(found)}")
                return
            time.sleep(0.02)

    def count(self) -> Tally:
        return count(self.site, self.archive, self.sent, self.acknowledged)


def run_points(children: Nursery, folder: Path, points: Sequence[str]) -> Tally:
    """Try points one after the other on one site, those of the purge last."""
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        stage = Stage(children=children, folder=folder, archive=archive)
        tally = NOTHING
        named = [point for point in points if point.partition("@")[0] not in PURGE]
        for first in range(0, len(named), IN_A_ROW):
            for point in named[first : first + IN_A_ROW]:
                stage.die_at(point)
            stage.finish()
        if stage.sent:
            tally = stage.count()
        for point in points:
            if point in PURGE:
                stage.die_at("receive:before-answer")
                stage.finish()
                stage.die_purging(point)
        if len(own_objects(archive)) != RESULT_SET * stage.films:
            stage.faults.append(f"{len(own_objects(archive))} results in the archive")
    return tally + replace(NOTHING, faults=tuple(stage.faults))


def every_point() -> list[str]:
    """Name each point once, and those of every transaction at each of the first."""
    swept = [f"{name}@{at}" for name in SWEPT for at in range(1, SWEEP)]
    return [*FAILPOINTS, *swept]


def main(words: Sequence[str] | None = None) -> int:
    """Try points so many times; print each fault; 1 where there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("points", nargs="*", default=every_point())
    parser.add_argument("--times", type=int, default=5)
    given = parser.parse_args(words)
    total, began = NOTHING, time.monotonic()
    with nursery() as children:
        for number in range(given.times):
            folder = Path(tempfile.mkdtemp(prefix="failpoints-"))
            found = run_points(children, folder, given.points)
            say(f"run {number + 1}: {found}")
            total += found
            if not found.faults:
                shutil.rmtree(folder)
    say(
        f"{len(given.points)} points, {given.times} times: {total.studies} studies,"
        f" {total.results} results, {total.acknowledged} acknowledged instances,"
        f" {len(total.faults)} faults, {time.monotonic() - began:.0f} s"
    )
    return 1 if total.faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
