"""Thousands of studies through a whole gateway: nothing slows, grows, or is lost.

The gateway is a process of its own with an engine of 5 ms; a modality sends studies of
two small images, so many in flight; an archive that knows no priors is asked, and a
counting destination takes the results. In the end every image sent must be in the
ledger and every result at the destination, each once. Throughput, memory, descriptors,
threads and the ledger's questions are compared between the first and the last tenth,
after a warm-up of as many studies as are in flight.
Usage: python -m benchmarks.soak [--studies 10000] [--in-flight 32] [--minutes 120]
[--quiet-seconds 0.5]
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from benchmarks.counting import Arrivals, counting
from benchmarks.ledger_times import ledger_times
from benchmarks.rounds import Figure, Target, keep
from benchmarks.soak_films import Films
from benchmarks.soak_site import QUIET_SECONDS, settings_of
from dicom_io.ae import AETitle, RemoteAE
from dicom_io.archive import open_archive
from dicom_io.scu.send import store_instances
from dicom_io.status import Status
from gateway.ledger import Ledger
from gateway.lifecycle import WORKING, State
from tests.data.sites import MODALITY

PARTS = 10
"""The run is compared in so many parts of as many studies each."""
PROGRESS = 500
STALLED_SECONDS = 300.0
LEAST_RATE, MOST_SLOWER = 0.9, 1.5
"""The last part over the first: of the throughput, of a question's time."""
MOST_SLOPE = 2.0
"""MB of memory for 1,000 studies, over the second half."""
MOST_MORE = 16.0
"""Descriptors or threads more in the last part than in the first."""
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The gateway's process when so many studies were done."""

    done: int
    at: float
    megabytes: float
    descriptors: int
    threads: int


@dataclass(slots=True, kw_only=True)
class Soak:
    """A run under way: what it sends to, and what was seen of it."""

    films: Films
    gateway: RemoteAE
    process: "subprocess.Popen[str]"
    ledger: Ledger
    ends_at: float
    in_flight: int
    sent: int = 0
    samples: list[Sample] = field(default_factory=list)

    def run(self, until: int) -> None:
        """Send until so many studies were sent, and wait for the last of them."""
        while (done := self._look()) < until:
            if self.sent < until and self.sent - done < self.in_flight:
                self._send()
            else:
                time.sleep(_POLL_SECONDS)

    def _send(self) -> None:
        drawn = self.films.draw(self.sent)
        outcomes = store_instances(MODALITY, self.gateway, drawn.files)
        if {outcome.status for outcome in outcomes} != {Status.SUCCESS}:
            raise RuntimeError(f"study {self.sent} was not taken: {outcomes}")
        self.sent += 1

    def _look(self) -> int:
        """Return how many studies are at their end; note it where it is news."""
        with self.ledger.reading() as rows:
            counts = rows.counts()
        working = sum(counts[state] for state in WORKING)
        done, now = sum(counts.values()) - working, time.monotonic()
        last = self.samples[-1] if self.samples else None
        if last is None or done > last.done:
            self.samples.append(_sample(self.process.pid, done, now))
            if last and done // PROGRESS > last.done // PROGRESS:
                print(f"{done} studies: {self.samples[-1]}", flush=True)
        elif now - last.at > STALLED_SECONDS or now > self.ends_at:
            raise RuntimeError(f"stopped at {done} of {self.sent} studies sent")
        return done


def _sample(pid: int, done: int, at: float) -> Sample:
    process = Path(f"/proc/{pid}")
    status = dict(
        line.split(":", 1) for line in (process / "status").read_text().splitlines()
    )
    return Sample(
        done=done,
        at=at,
        megabytes=int(status["VmRSS"].split()[0]) * 1024 / 1e6,
        descriptors=sum(1 for _ in (process / "fd").iterdir()),
        threads=int(status["Threads"]),
    )


@contextmanager
def serving(
    folder: Path, archive: int, results: int, *options: str
) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """Run the gateway with options of `soak_site`; yield its port and process."""
    here = [sys.executable, "-m", "benchmarks.soak_site"]
    command = [*here, str(folder), str(archive), str(results), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        stdin, stdout = process.stdin, process.stdout
        if stdin is None or stdout is None or not (line := stdout.readline()):
            raise RuntimeError("the gateway did not start")
        try:
            yield int(line), process
        finally:
            stdin.close()
            process.wait(timeout=STALLED_SECONDS)


def measure(folder: Path, given: argparse.Namespace) -> list[Figure]:
    """Send all studies and return what was seen."""
    part = max(1, given.studies // PARTS)
    quiet = f"--quiet-seconds={given.quiet_seconds}"
    with (
        open_archive(folder / "archive", "ARCHIVE") as archive,
        counting("RESULTS") as (results, arrivals),
        serving(folder / "data", archive.port, results, quiet) as (port, process),
    ):
        url = settings_of(folder / "data", archive.port, results).ledger_url
        title = AETitle("MAIRA_GW")
        soak = Soak(
            films=Films(folder / "films"),
            gateway=RemoteAE(name="gateway", title=title, host="127.0.0.1", port=port),
            process=process,
            ledger=Ledger.open(url),
            ends_at=time.monotonic() + 60 * given.minutes,
            in_flight=given.in_flight,
        )
        soak.run(warm := given.in_flight)
        del soak.samples[:-1]
        soak.run(warm + part)
        first = ledger_times(url, "first")
        soak.run(warm + part * PARTS)
        last = ledger_times(url, "last")
        counted = count(soak, arrivals)
        soak.ledger.close()
    return [*over_parts(soak.samples, part), *first, *last, *counted]


def count(soak: Soak, arrivals: Arrivals) -> list[Figure]:
    """Count images, studies and results; raise where one is lost or came twice."""
    with soak.ledger.reading() as rows:
        studies = rows.studies(states=[State.COMMITTED], limit=soak.sent + 1)
        images = sum(len(rows.instances(each.study_instance_uid)) for each in studies)
        made = [
            result.sop_instance_uid
            for each in studies
            for result in rows.results(each.id)
            if result.send
        ]
    if (len(studies), images) != (soak.sent, 2 * soak.sent):
        raise RuntimeError(f"{len(studies)} of {soak.sent} studies, {images} images")
    lost, twice = compare(made, arrivals.counts())
    found = {"studies": len(studies), "images": images, "results": len(made)}
    found |= {"results lost": lost, "results twice": twice}
    return [
        Figure(name=name, unit="", values=(float(value),))
        for name, value in found.items()
    ]


def compare(made: Sequence[str], counts: Mapping[str, int]) -> tuple[int, int]:
    """Return how many results are lost and how many came again: none, or it raises.

    made : SOP Instance UIDs of the ledger. counts : how often each arrived.
    """
    lost, strange = set(made) - set(counts), set(counts) - set(made)
    again = {uid for uid, number in counts.items() if number > 1}
    twice = sum(counts[uid] - 1 for uid in again)
    if lost or strange or twice:
        raise RuntimeError(
            f"of {len(made)} results {len(lost)} are lost, {twice} came again, and "
            f"{len(strange)} are unknown, such as {sorted(lost | strange | again)[:5]}"
        )
    return len(lost), twice


def over_parts(samples: Sequence[Sample], part: int) -> list[Figure]:
    """Return a value for each part of the run, and the slope of memory."""
    begun = samples[0].done
    marks = [begun + number * part for number in range(PARTS + 1)]
    times = [_time_of(samples, mark) for mark in marks]
    rates = [part / (after - before) for before, after in pairwise(times)]
    ends = [_at(samples, mark) for mark in marks[1:]]
    columns: dict[str, tuple[str, list[float]]] = {
        "throughput": ("studies/s", rates),
        "memory": ("MB", [each.megabytes for each in ends]),
        "descriptors": ("", [float(each.descriptors) for each in ends]),
        "threads": ("", [float(each.threads) for each in ends]),
        "memory, slope of the second half": ("MB/1000 studies", [slope(samples)]),
    }
    return [
        Figure(name=name, unit=unit, values=tuple(values))
        for name, (unit, values) in columns.items()
    ]


def _at(samples: Sequence[Sample], done: int) -> Sample:
    """Return the first sample at which so many studies were done."""
    return next(sample for sample in samples if sample.done >= done)


def _time_of(samples: Sequence[Sample], done: int) -> float:
    """Return when so many studies were done, between two samples if need be."""
    for before, after in pairwise(samples):
        if before.done <= done <= after.done:
            share = (done - before.done) / (after.done - before.done)
            return before.at + share * (after.at - before.at)
    raise ValueError(f"{done} studies were never done")


def slope(samples: Sequence[Sample]) -> float:
    """Return by how many MB memory grows in 1,000 studies; least squares."""
    half = samples[len(samples) // 2 :]
    x = [sample.done / 1000 for sample in half]
    y = [sample.megabytes for sample in half]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    over = sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True))
    under = sum((a - mean_x) ** 2 for a in x)
    return over / under if under else 0.0


def targets(figures: Sequence[Figure]) -> list[Target]:
    """Return the bounds on the last part against the first."""
    found = {figure.name: figure for figure in figures}
    rates = found["throughput"].values
    bounds = [
        Target(
            what="throughput, last part over first",
            reached=rates[-1] / rates[0],
            bound=LEAST_RATE,
        ),
        Target(
            what="memory, MB more for 1,000 studies, second half",
            reached=found["memory, slope of the second half"].median,
            bound=MOST_SLOPE,
            at_least=False,
        ),
    ]
    for name in ("descriptors", "threads"):
        values = found[name].values
        more = values[-1] - values[0]
        what = f"{name}, more in the last part than in the first"
        bounds.append(Target(what=what, reached=more, bound=MOST_MORE, at_least=False))
    for name in [name for name in found if name.startswith("ledger, ")]:
        if name.endswith(", last"):
            question = name.removesuffix(", last")
            slower = found[name].median / found[f"{question}, first"].median
            what = f"{question}, time at the end over that after the first part"
            bounds.append(
                Target(what=what, reached=slower, bound=MOST_SLOWER, at_least=False)
            )
    return bounds


def main(words: Sequence[str] | None = None) -> None:
    """Soak, count, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=10_000)
    parser.add_argument("--in-flight", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--quiet-seconds", type=float, default=QUIET_SECONDS)
    parser.add_argument("--folder", default=None)
    given = parser.parse_args(words)
    scratch = Path(tempfile.mkdtemp(prefix="soak-", dir=given.folder))
    figures = measure(scratch, given)  # where it fails, what it left tells why
    shutil.rmtree(scratch)
    keep("soak", figures, targets(figures))


if __name__ == "__main__":
    main()
