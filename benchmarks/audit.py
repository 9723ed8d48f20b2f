"""How long the pages of the console take on a ledger that has grown for years.

The pages are asked of the application as a browser asks, signed in and rendered; each
must show what it is asked for, or nothing is measured. The first answer counts, for
nobody looks twice: the worst of all rounds is held against its bound.
Usage: python -m benchmarks.audit [--studies 100000] [--rounds 5]
"""

import argparse
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.many_studies import APART, NEWEST, TITLES, add_many, uid_of
from benchmarks.rounds import Figure, Target, keep
from gateway.accounts.roles import AccountRole
from gateway.ledger import Ledger
from tests.data.console import Browser, Console, opened_console
from tests.data.sites import archive_peer

FIRST_MS, FILTER_MS = 1000.0, 2000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page: what it is called, its path, what it must show, and its bound in ms."""

    name: str
    path: str
    shows: str
    bound: float = FILTER_MS


def looks(count: int) -> tuple[Look, ...]:
    """Return the pages that are looked at, of a ledger of so many studies."""
    middle = NEWEST - count // 2 * APART
    place = f"{middle:%Y%m%dT%H%M%S.%f}-{count // 2}"
    from_day = f"{middle:%Y-%m-%d}"
    row, page = 'class="uid"', "/studies"
    return (
        Look(name="first page", path=page, shows=row, bound=FIRST_MS),
        Look(name="a page in the middle", path=f"{page}?after={place}", shows=row),
        Look(name="needs a person", path=f"{page}?group=person", shows=row),
        Look(name="in progress", path=f"{page}?group=working", shows=row),
        Look(name="one state", path=f"{page}?state=parked", shows=row),
        Look(name="one sender", path=f"{page}?peer={TITLES[0]}", shows=row),
        Look(name="a rare sender", path=f"{page}?peer=PORTABLE-9", shows=row),
        Look(name="flagged", path=f"{page}?said=flagged", shows=row),
        Look(name="nothing found", path=f"{page}?said=nothing", shows=row),
        Look(
            name="a sender, parked, flagged",
            path=f"{page}?peer={TITLES[1]}&state=parked&said=flagged",
            shows="shown",
        ),
        Look(name="since a day", path=f"{page}?changed_from={from_day}", shows=row),
        Look(
            name="up to a day, held",
            path=f"{page}?changed_to={from_day}&state=held",
            shows="shown",
        ),
        Look(name="a UID", path=f"{page}?q={uid_of(count // 2)}", shows=row),
        Look(name="a common beginning", path=f"{page}?q=1.2.826.", shows=row),
        Look(
            name="an accession number",
            path=f"{page}?q=A{count // 3:09d}",
            shows=uid_of(count // 3),
        ),
        Look(name="rows alone", path="/live/studies", shows=row),
        Look(name="system", path="/system", shows="Queues", bound=FIRST_MS),
    )


def milliseconds(browser: Browser, look: Look) -> float:
    """Return how long a page takes; raise RuntimeError where it is not the page."""
    began = time.perf_counter()
    answer = browser.get(look.path)
    took = 1000 * (time.perf_counter() - began)
    if answer.status_code != 200 or look.shows not in answer.text:
        raise RuntimeError(f"{look.path} answered {answer.status_code}")
    return took


def measure(console: Console, count: int, rounds: int) -> None:
    """Look at every page so many times, in turn, and keep what it took."""
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    wanted = looks(count)
    taken: dict[str, list[float]] = {look.name: [] for look in wanted}
    for _ in range(rounds):
        for look in wanted:
            taken[look.name].append(milliseconds(browser, look))
    keep("audit", *judged(wanted, taken))


def judged(
    wanted: Sequence[Look], taken: dict[str, list[float]]
) -> tuple[list[Figure], list[Target]]:
    """Return the figures, and the bounds held against the worst of each."""
    figures = [
        Figure(name=name, unit="ms", values=tuple(values))
        for name, values in taken.items()
    ]
    targets = [
        Target(
            what=f"{look.name}, the slowest of all, ms",
            reached=max(taken[look.name]),
            bound=look.bound,
            at_least=False,
        )
        for look in wanted
    ]
    return figures, targets


def main(words: list[str] | None = None) -> None:
    """Fill a ledger, and look at its pages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        overrides = archive_peer("ARCHIVE", 1)
        with opened_console(Path(folder), overrides, lambda: NEWEST) as console:
            fill(console.site.ledger, given.studies)
            measure(console, given.studies, given.rounds)


def fill(ledger: Ledger, count: int) -> None:
    """Fill a ledger as years of use do."""
    add_many(ledger, count)


if __name__ == "__main__":
    main()
