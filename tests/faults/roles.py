"""Processes of all roles over one PostgreSQL and one Orthanc, killed at random.

Two listeners, three workers, two schedulers and a console; every now and then one of
them, or the server of the ledger, is killed and started again. At the end it is
counted what was acknowledged, what is stored and what Orthanc holds; whether a
recurring job ran in two processes at once, by the lines that they wrote; and whether
the audit has a gap.
Orthanc reports its commitments to the first listener, whoever asked for them.

Usage: python -m tests.faults.roles [--studies 2000] [--kills 200] [--seed 1]
"""

import argparse
import json
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import LiteralString

import psycopg

from benchmarks.rounds import free_port
from config.load import Table
from gateway.ledger.engine import open_engine
from tests.data.peers import Orthanc, orthanc
from tests.data.postgresql import Server, new_server, remove
from tests.faults import scene
from tests.faults.nursery import JOBS, TELLING, Child, Nursery, nursery
from tests.faults.sender import Broken, Sender
from tests.faults.tally import RESULT_SET

CAST = ("listener", "worker", "scheduler") * 2 + ("worker", "web")
ONE_OF_EACH = ("listener", "worker", "scheduler", "web")
SERVER = "postgresql"

_ENDS_SECONDS = 600.0
"""Nothing moves for so long: what is left will not end."""
_PAUSE = 0.05
_LEASE_SECONDS = 20.0
_SERVER_SHARE = 0.2
"""Share of the kills that meet the server of the ledger."""
_OPTIONS = ("max_connections=400",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run: how many studies, which processes, how many kills."""

    studies: int
    cast: Sequence[str]
    kills: int = 0
    seed: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of it; `faults` must be empty."""

    studies: int
    kills: Mapping[str, int]
    seconds: float
    rounds: int
    """Recurring jobs that were begun."""
    proofs: Mapping[str, int]
    """How it is known that results are kept, and of how many."""
    faults: tuple[str, ...]

    @property
    def rate(self) -> float:
        """Studies a minute, from the first image to the last proof."""
        return 60.0 * self.studies / self.seconds


@dataclass
class Process:
    """One part of the cast: who plays it now, and who has."""

    roles: str
    overrides: Table
    child: Child | None = None
    ended: dict[int, float] = field(default_factory=dict)
    """Process numbers, and when they were dead for sure."""


@dataclass
class Stage:
    """What a run has: server, archive, folder and processes."""

    server: Server
    archive: Orthanc
    folder: Path
    children: Nursery
    cast: list[Process]

    @property
    def url(self) -> str:
        return self.server.url("storm")

    def start(self, process: Process) -> None:
        process.child = self.children.start(
            self.folder, process.overrides, mode=TELLING, roles=process.roles
        )

    def kill(self, process: Process) -> int:
        """Kill a process, or stop waiting for one that is dead; return its code."""
        assert process.child is not None
        process.ended[process.child.pid] = time.monotonic()
        return process.child.kill()

    def rows(self, query: LiteralString, *values: object) -> list[tuple[object, ...]]:
        """Ask the ledger, by no code of ours."""
        with psycopg.connect(self.url) as connection:
            return connection.execute(query, values).fetchall()


@contextmanager
def staged(children: Nursery, folder: Path, plan: Plan) -> Iterator[Stage]:
    """Start server, archive and cast."""
    folder.mkdir(parents=True, exist_ok=True)
    ports = [free_port() for role in plan.cast if role == "listener"]
    with ExitStack() as opened:
        server = new_server(_OPTIONS)
        opened.callback(remove, server)
        server.run("CREATE DATABASE storm")
        open_engine(server.url("storm")).dispose()
        archive = opened.enter_context(orthanc(folder, {"MAIRA_GW": ports[0]}))
        common = scene.overrides_for(
            archive.title, archive.port, ledger={"url": server.url("storm")}
        )
        common["work"] = {**common["work"], "lease_seconds": _LEASE_SECONDS}  # type: ignore[dict-item]
        left = iter(ports)
        cast = [
            Process(role, _own(common, next(left) if role == "listener" else 0))
            for role in plan.cast
        ]
        stage = Stage(server, archive, folder / "data", children, cast)
        stage.folder.mkdir()
        opened.callback(_end_all, stage)
        for process in cast:
            stage.start(process)
        yield stage


def _own(common: Table, port: int) -> Table:
    """Give a process ports of its own on the one machine that plays all hosts."""
    listener: Table = {"host": "127.0.0.1", "port": port or free_port()}
    return {**common, "listener": listener, "health": {"port": 0}}


def _end_all(stage: Stage) -> None:
    for process in stage.cast:
        if process.child is not None and process.child.status is None:
            process.child.kill()


class Modality:
    """Sends films to whichever listener takes them, until each had its success."""

    def __init__(self, studies: int, ports: Sequence[int]) -> None:
        self.films = [scene.film(number) for number in range(1, studies + 1)]
        self.acknowledged: set[str] = set()
        self.answers: Counter[str] = Counter()
        self._ports = ports
        self._is_over = threading.Event()

    @contextmanager
    def sending(self) -> Iterator[None]:
        """Send, a thread a listener, for the length of a with block."""
        share = len(self._ports)
        threads = [
            threading.Thread(target=self._work, args=(self.films[n::share], n))
            for n in range(share)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self._is_over.set()
            for thread in threads:
                thread.join()

    def _work(self, films: list[scene.Item], first: int) -> None:
        waiting, turn = films[::-1], first
        while waiting and not self._is_over.is_set():
            with suppress(Broken):
                self._send(self._ports[turn % len(self._ports)], waiting)
                continue
            self.answers["none"] += 1
            turn += 1
            time.sleep(_PAUSE)

    def _send(self, port: int, waiting: list[scene.Item]) -> None:
        with Sender(port) as sender:
            while waiting and not self._is_over.is_set():
                status = sender.store(waiting[-1])
                self.answers[f"{status:04X}"] += 1
                if status:
                    raise Broken(f"{status:04X}")
                self.acknowledged.add(waiting.pop().instance_uid)


def run(children: Nursery, folder: Path, plan: Plan) -> Outcome:
    """Run a plan, and count."""
    dice = random.Random(plan.seed)  # noqa: S311 - repeatable
    with staged(children, folder, plan) as stage:
        faults = [
            f"{process.roles} did not start"
            for process in stage.cast
            if process.child is None or process.child.port is None
        ]
        ports = [_port(p) for p in stage.cast if p.roles == "listener"]
        modality, began = Modality(plan.studies, ports), time.monotonic()
        with modality.sending():
            kills = _storm(stage, plan, dice, faults)
        seconds = time.monotonic() - began
        for process in stage.cast:
            assert process.child is not None
            process.ended[process.child.pid] = time.monotonic()
            code = process.child.kill(15)
            if code != 0:
                faults.append(f"{process.roles} stopped with the code {code}")
        faults += _count(stage, modality)
        rounds, twice = _jobs_at_once(stage)
        proofs = stage.rows("SELECT committed_how, count(*) FROM deliveries GROUP BY 1")
    return Outcome(
        studies=plan.studies,
        kills=dict(kills),
        seconds=seconds,
        rounds=rounds,
        proofs={str(how): int(str(count)) for how, count in proofs},
        faults=(*faults, *twice),
    )


def _port(process: Process) -> int:
    listener = process.overrides["listener"]
    assert isinstance(listener, dict)
    return int(str(listener["port"]))


def _storm(
    stage: Stage, plan: Plan, dice: random.Random, faults: list[str]
) -> Counter[str]:
    """Kill at random until all is done, evenly over the studies; return the kills."""
    kills, done, moved_at = Counter[str](), 0, time.monotonic()
    while done < plan.studies:
        with suppress(psycopg.OperationalError):
            ((counted,),) = stage.rows(
                "SELECT count(*) FROM studies WHERE state = 'committed'"
            )
            if counted != done:
                done, moved_at = int(str(counted)), time.monotonic()
        if time.monotonic() - moved_at > _ENDS_SECONDS:
            states = stage.rows("SELECT state, count(*) FROM studies GROUP BY 1")
            faults.append(f"not ended: {states}")
            break
        for process in stage.cast:
            assert process.child is not None
            if process.child.has_ended(0):
                faults.append(f"{process.roles} ended by itself")
                stage.kill(process)
                stage.start(process)
        due = plan.kills * (done + 1) // plan.studies
        if sum(kills.values()) < min(due, plan.kills):
            kills[_kill_one(stage, dice, faults)] += 1
        time.sleep(_PAUSE)
    return kills


def _kill_one(stage: Stage, dice: random.Random, faults: list[str]) -> str:
    """Kill one of the processes, or the server; start it again."""
    if dice.random() < _SERVER_SHARE:
        stage.server.kill()
        time.sleep(dice.random())
        stage.server.start()
        return SERVER
    process = dice.choice(stage.cast)
    code = stage.kill(process)
    if code != -9:
        faults.append(f"{process.roles} ended by itself with the code {code}")
    time.sleep(dice.random())
    stage.start(process)
    return process.roles


def _count(stage: Stage, modality: Modality) -> Iterator[str]:
    """Name what is lost, doubled or not in order."""
    spool = stage.folder / "spool"
    held = {
        str(uid): spool / str(name)
        for uid, name in stage.rows("SELECT sop_instance_uid, file_name FROM instances")
    }
    for film in modality.films:
        path = held.get(film.instance_uid)
        if film.instance_uid not in modality.acknowledged:
            yield f"{film.instance_uid} was never acknowledged"
        elif path is None or not path.exists():
            yield f"lost {film.instance_uid}"
        elif sha256(scene.data_of(path.read_bytes())).hexdigest() != film.sha256:
            yield f"changed {film.instance_uid}"
    if len(held) != len(modality.films):
        yield f"{len(held)} instances of {len(modality.films)} films"
    yield from _results(stage, modality)
    yield from _audit(stage)


def _results(stage: Stage, modality: Modality) -> Iterator[str]:
    """Name what the archive lacks, or has in another number."""
    made = {str(uid) for (uid,) in stage.rows("SELECT sop_instance_uid FROM results")}
    there = stage.archive.get("/instances?expand")
    assert isinstance(there, list)
    found = Counter(each["MainDicomTags"]["SOPInstanceUID"] for each in there)
    yield from (f"{uid} is not in the archive" for uid in made - {*found})
    yield from (f"{uid} is nobody's result" for uid in {*found} - made)
    if len(made) != RESULT_SET * len(modality.films):
        yield f"{len(made)} results of {len(modality.films)} studies"
    wrong = stage.rows(
        "SELECT study_id, count(*) FROM results GROUP BY 1 HAVING count(*) <> %s",
        RESULT_SET,
    )
    yield from (f"study {number} has {count} results" for number, count in wrong)
    yield from (
        f"study {uid} is {state}, revision {revision}"
        for uid, state, revision in stage.rows(
            "SELECT study_instance_uid, state, revision FROM studies"
            " WHERE state <> 'committed' OR revision <> 1"
        )
    )


_OF_TYPE: LiteralString = "SELECT count(*) FROM audit WHERE event_type = %s"


def _audit(stage: Stage) -> Iterator[str]:
    """Name gaps of the audit, and what it tells more than once."""
    ((first, last, number),) = stage.rows(
        "SELECT min(sequence), max(sequence), count(*) FROM audit"
    )
    if (first, last) != (1, number):
        yield f"the audit has {number} records from {first} to {last}"
    for kind in ("report-written", "results-created", "study-complete"):
        for uid, count in stage.rows(
            "SELECT study_instance_uid, count(*) FROM audit"
            " WHERE event_type = %s GROUP BY 1 HAVING count(*) <> 1",
            kind,
        ):
            yield f"{kind} of {uid} is recorded {count} times"
    starts, stops, lost = (
        int(str(stage.rows(_OF_TYPE, kind)[0][0]))
        for kind in ("110120", "110121", "process-lost")
    )
    # Who is killed while it starts is lost without a start.
    if stops + lost < starts:
        yield f"{starts} starts, {stops} stops and {lost} lost processes"
    if left := stage.rows("SELECT name FROM processes"):
        yield f"processes that are known after the end: {left}"
    order = stage.rows(
        "SELECT a.sequence FROM audit a JOIN audit b ON b.sequence = a.sequence + 1"
        " WHERE a.recorded_at > b.recorded_at + interval '20 seconds'"
    )
    if order:
        yield f"times of the audit go back at {order[:3]}"


def _jobs_at_once(stage: Stage) -> tuple[int, list[str]]:
    """Return how many jobs were begun, and which ran in two processes at once."""
    ended = {pid: at for each in stage.cast for pid, at in each.ended.items()}
    open_since: dict[tuple[str, str], float] = {}
    spans: dict[str, list[tuple[float, float, str]]] = {}
    lines = (stage.folder / JOBS).read_text().splitlines()
    for what, name, pid, at in (line.split() for line in lines):
        if what == "begin":
            open_since[name, pid] = float(at)
        elif (began := open_since.pop((name, pid), None)) is not None:
            spans.setdefault(name, []).append((began, float(at), pid))
    for (name, pid), began in open_since.items():
        spans.setdefault(name, []).append((began, ended[int(pid)], pid))
    twice = []
    for name, found in spans.items():
        found.sort()
        for (_, end, one), (began, _, other) in pairwise(found):
            if began < end and one != other:
                twice.append(f"{name} ran in {one} and {other} at once")
    return sum(map(len, spans.values())), twice


def main(words: Sequence[str] | None = None) -> int:
    """Run one process of each role, the whole cast, and the cast under kills."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--compare", type=int, default=200, help="studies, unkilled")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(words)
    plans = {
        "one of each": Plan(studies=given.compare, cast=ONE_OF_EACH),
        "the cast": Plan(studies=given.compare, cast=CAST),
        "the cast, killed": Plan(
            studies=given.studies, cast=CAST, kills=given.kills, seed=given.seed
        ),
    }
    faults: list[str] = []
    with nursery() as children:
        for name, plan in plans.items():
            if not plan.studies:
                continue
            folder = Path(tempfile.mkdtemp(prefix="roles-storm-"))
            found = run(children, folder, plan)
            faults += found.faults
            said = {
                "run": name,
                "studies": found.studies,
                "kills": found.kills,
                "seconds": round(found.seconds, 1),
                "studies a minute": round(found.rate, 1),
                "jobs": found.rounds,
                "proofs": found.proofs,
                "faults": found.faults,
            }
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
            if found.faults:
                sys.stdout.write(f"kept for a look: {folder}\n")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
