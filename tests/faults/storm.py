"""SIGKILL at random moments while four senders store; the count at the end.

A round is a site and an archive of their own: a number of kills, then everything that
had no success is sent again and what came of it is counted. A state file keeps each
finished round, so that a run may be stopped and taken up again.

Usage: python -m tests.faults.storm [--kills 1000] [--seed 1] [--folder kill-storm]
"""

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from dicom_io.archive import Archive, open_archive
from tests.faults import scene
from tests.faults.nursery import Child, Nursery, nursery
from tests.faults.scene import Item
from tests.faults.sender import Broken, Sender
from tests.faults.tally import NOTHING, Tally, count, states

SENDERS = 4
ROUND = 50
"""Kills with one site and archive."""
DOCUMENTS = 3
_BACKLOG = 8
"""Instances that a sender may have waiting before it makes no new study."""
_STARTING, _LONGEST = 0.25, 1.2
"""Share of the kills that come while the gateway starts, and seconds that it lives at
most after its port is open."""
_LARGE = 0.2
"""Share of the films that take many PDUs."""
_ENDS_SECONDS = 600.0
_DEAD_ENDS = {"parked", "declined", "held"}
_PAUSE = 0.02


@dataclass
class Traffic:
    """What the four senders have sent and were told; shared by their threads."""

    archive: Archive
    random: random.Random
    first: int
    sent: list[Item] = field(default_factory=list)
    acknowledged: set[str] = field(default_factory=set)
    answers: Counter[str] = field(default_factory=Counter)
    waiting: list[list[Item]] = field(
        default_factory=lambda: [[] for _ in range(SENDERS)]
    )
    port: int | None = None
    is_over: bool = False

    def add(self) -> None:
        """Give each sender a new study; every second one has a film."""
        for place, queue in enumerate(self.waiting):
            if len(queue) > _BACKLOG:
                continue
            number = self.first = self.first + 1
            items = [scene.document(number, 2 + n) for n in range(DOCUMENTS)]
            if place % 2 == 0:
                is_large = self.random.random() < _LARGE
                scene.put_prior(self.archive, number)
                items.insert(
                    self.random.randrange(DOCUMENTS + 1),
                    scene.film(number, is_large=is_large),
                )
            self.sent += items
            queue.extend(items)

    @property
    def is_told(self) -> bool:
        """Whether everything that was sent was acknowledged."""
        return not any(self.waiting)

    def work(self, place: int) -> None:
        """Be a sender: send until each instance had its success."""
        queue = self.waiting[place]
        while not self.is_over:
            port = self.port
            if port is None or not queue:
                time.sleep(_PAUSE)
                continue
            with suppress(Broken):
                self._send(Sender(port), queue)
                continue
            self.answers["none"] += 1
            time.sleep(_PAUSE)

    def _send(self, sender: Sender, queue: list[Item]) -> None:
        with sender:
            while queue:
                status = sender.store(queue[0])
                self.answers[f"{status:04X}"] += 1
                if status:
                    return
                self.acknowledged.add(queue[0].instance_uid)
                queue.pop(0)


@contextmanager
def senders(traffic: Traffic) -> Iterator[None]:
    """Run the four senders for the length of a with block."""
    threads = [
        threading.Thread(target=traffic.work, args=(place,)) for place in range(SENDERS)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        traffic.is_over = True
        for thread in threads:
            thread.join()


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """What came of a round."""

    kills: int
    starting: int
    tally: Tally
    answers: dict[str, int]
    seconds: float


def run_round(children: Nursery, folder: Path, kills: int, seed: str) -> Round:
    """Kill a gateway on `folder` so many times, let the last one finish, count."""
    began, dice = time.monotonic(), random.Random(seed)  # noqa: S311 - repeatable
    faults: list[str] = []
    starting = 0
    with open_archive(folder / "archive", "ARCHIVE") as archive:
        overrides = scene.site_overrides(archive)
        traffic = Traffic(archive=archive, random=dice, first=0)
        site = folder / "data"
        with senders(traffic):
            for _ in range(kills):
                traffic.add()
                child = children.start(site, overrides)
                starting += _kill(child, traffic, dice)
                if child.wait() != -9:
                    faults.append(f"the gateway ended by itself: {child.status}")
            last = children.start(site, overrides)
            traffic.port = last.port
            faults += _await_the_end(site / "ledger.sqlite", traffic)
        if last.kill(15) != 0:
            faults.append(f"the last stop had the code {last.status}")
        tally = count(site, archive, traffic.sent, traffic.acknowledged)
    return Round(
        kills=kills,
        starting=starting,
        tally=tally + _wrong(faults),
        answers=dict(traffic.answers),
        seconds=time.monotonic() - began,
    )


def _wrong(faults: Sequence[str]) -> Tally:
    return replace(NOTHING, faults=tuple(faults))


def _kill(child: Child, traffic: Traffic, dice: random.Random) -> bool:
    """Kill a gateway at a random moment; return whether it was still starting."""
    moment = dice.random() * _LONGEST
    if dice.random() < _STARTING:
        time.sleep(moment / 2)
        child.kill()
        return True
    traffic.port = child.port
    time.sleep(moment)
    traffic.port = None
    child.kill()
    return False


def _await_the_end(ledger: Path, traffic: Traffic) -> list[str]:
    """Wait until all is acknowledged and committed; return what is not."""
    deadline = time.monotonic() + _ENDS_SECONDS
    films = sum(item.is_film for item in traffic.sent)
    while time.monotonic() < deadline:
        now = states(ledger)
        if traffic.is_told and now == {"committed": films}:
            return []
        if now.keys() & _DEAD_ENDS:
            break
        time.sleep(0.1)
    left = sum(map(len, traffic.waiting))
    return [f"not ended: {left} instances to send, states {dict(states(ledger))}"]


def run_storm(folder: Path, kills: int, seed: int) -> dict[str, object]:
    """Run what is left of a storm; return what the result file holds."""
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"storm-{seed}-{kills}.json"
    rounds = json.loads(kept.read_text())["rounds"] if kept.exists() else []
    with nursery() as children:
        while (done := sum(each["kills"] for each in rounds)) < kills:
            number = len(rounds)
            scratch = Path(tempfile.mkdtemp(prefix=f"storm-{seed}-{number}-"))
            found = run_round(
                children, scratch, min(ROUND, kills - done), f"{seed}/{number}"
            )
            rounds.append(_as_json(found))
            result = _summary(kills, seed, rounds)
            part = kept.with_suffix(".part")
            part.write_text(json.dumps(result, indent=1))
            part.rename(kept)
            with kept.with_suffix(".log").open("a") as log:
                log.write(f"round {number}: {json.dumps(rounds[-1])}\n")
            say(f"round {number}: {rounds[-1]}")
            if found.tally.faults:
                say(f"kept for a look: {scratch}")
            else:
                shutil.rmtree(scratch)
    return _summary(kills, seed, rounds)


def _as_json(found: Round) -> dict[str, object]:
    return {
        "kills": found.kills,
        "while starting": found.starting,
        **found.tally.as_json(),
        "answers": found.answers,
        "seconds": round(found.seconds, 1),
    }


def _summary(
    kills: int, seed: int, rounds: Sequence[dict[str, object]]
) -> dict[str, object]:
    sums = Counter[str]()
    for each in rounds:
        sums.update({k: v for k, v in each.items() if isinstance(v, int | float)})
    faults = [fault for each in rounds for fault in each["faults"]]  # type: ignore[attr-defined]
    return {
        "wanted": kills,
        "seed": seed,
        "sums": dict(sums),
        "faults": faults,
        "rounds": list(rounds),
    }


def say(line: str) -> None:
    """Print a line at once: a run takes long."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main(words: Sequence[str] | None = None) -> int:
    """Run a storm, print its sums; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=Path("kill-storm"))
    given = parser.parse_args(words)
    result = run_storm(given.folder, given.kills, given.seed)
    say(json.dumps({k: v for k, v in result.items() if k != "rounds"}, indent=1))
    return 1 if result["faults"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
