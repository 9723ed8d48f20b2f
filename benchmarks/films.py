"""How often pictures are read rightly, not at all, or wrongly.

Usage: python -m benchmarks.films [--n 2000] [--seed 1] [--ct CT.nii.gz]

Phantoms and drawn negatives come from seeds that the training never used; real films
from MAIRA_DATA (the network has seen them: film_training.py --leave-out measures
without); projections of a CT where one is given (film_projections.py).
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from enum import StrEnum
from itertools import product
from pathlib import Path

import numpy as np

from benchmarks.film_negatives import negatives
from benchmarks.film_projections import projections, read_chest
from benchmarks.film_real import other_films, real_frontals, varied
from benchmarks.film_samples import Sample, disturbed, laid, phantoms
from dicom_io.inputs.film import FilmReading, Shown, read_film


class Outcome(StrEnum):
    """How a reading compares with the truth."""

    CORRECT = "correct"
    MIRROR_MISSED = "mirror missed"
    """All is right but that the film is mirrored, which was not claimed."""
    UNSURE = "unsure"
    WRONG = "wrong"


def judge(sample: Sample, reading: FilmReading) -> Outcome:
    """Compare a reading with the truth."""
    if reading.shown is Shown.UNSURE:
        return Outcome.CORRECT if sample.shown is Shown.UNSURE else Outcome.UNSURE
    if reading.shown is not sample.shown:
        return Outcome.WRONG
    if reading.shown is Shown.NO_CHEST:
        return Outcome.CORRECT
    if (reading.quarter_turns, reading.is_inverted) != (
        sample.quarter_turns,
        sample.is_inverted,
    ):
        return Outcome.WRONG
    if reading.is_mirrored and not sample.is_mirrored:
        return Outcome.WRONG
    missed = sample.is_mirrored and not reading.is_mirrored
    return Outcome.MIRROR_MISSED if missed else Outcome.CORRECT


def report(name: str, samples: Iterable[Sample]) -> int:
    """Print a row for each kind and each oddity; return how many were wrong."""
    counts: dict[str, Counter[Outcome]] = {}
    for sample in samples:
        outcome = judge(sample, read_film(sample.image))
        for row in {name, f"  {sample.kind}", f"  {sample.oddity}"}:
            counts.setdefault(row, Counter())[outcome] += 1
    for row in sorted(counts, key=lambda row: (row != name, row)):
        columns = "".join(f"{counts[row][outcome]:15d}" for outcome in Outcome)
        print(f"{row:<28}{counts[row].total():6d}{columns}", flush=True)
    return counts[name][Outcome.WRONG] if counts else 0


def real_samples() -> Iterator[Sample]:
    """Yield each real frontal as it is, and lying in all fifteen other ways."""
    ways = list(product(range(4), (False, True), (False, True)))
    for film in real_frontals():
        sample = Sample(image=film.image, kind="real frontal", shown=film.shown)
        for turns, mirrored, inverted in ways:
            yield laid(sample, turns=turns, mirrored=mirrored, inverted=inverted)


def other_samples() -> Iterator[Sample]:
    """Yield what is kept beside the frontals, by name."""
    for film in other_films():
        yield Sample(image=film.image, kind=film.name, shown=film.shown)


def posed(samples: Iterable[Sample], seed: int) -> Iterator[Sample]:
    """Yield the samples, six of ten lying otherwise than they should."""
    rng = np.random.default_rng((seed, 5))
    for sample in samples:
        yield disturbed(sample, rng)


def milliseconds() -> float:
    """Return the time of one reading of 3000 x 2500 pixels, the median of ten."""
    image = np.random.default_rng(0).integers(0, 256, (3000, 2500), dtype=np.uint8)
    times = []
    for _ in range(10):
        started = time.perf_counter()
        read_film(image)
        times.append(time.perf_counter() - started)
    return 1000.0 * float(np.median(times))


def main() -> int:
    """Print the table; return 1 where a chest was read wrongly."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=2000, help="phantoms")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ct", type=Path)
    asked = parser.parse_args()
    print(f"{'':<28}{'n':>6}" + "".join(f"{outcome:>15}" for outcome in Outcome))
    first_seed = 1_000_000 * asked.seed
    wrong = report("phantoms", posed(phantoms(asked.n, first_seed), asked.seed))
    wrong += report("real films, every pose", real_samples())
    made = (sample for _, sample in varied(real_frontals(), 20, asked.seed))
    wrong += report("real films, varied", posed(made, asked.seed))
    report("other films", other_samples())
    wrong += report("no chest, drawn", negatives(asked.n // 2, asked.seed))
    if asked.ct is not None:
        films = projections(read_chest(asked.ct), asked.n // 20, asked.seed)
        report("projections of a CT", posed(films, asked.seed))
    print(f"{milliseconds():.1f} ms for 3000 x 2500 pixels")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
