"""How long the pages of the console take on a ledger that has grown for years.

The pages are asked of the application as a browser asks, signed in and rendered; each
must show what it is asked for, or nothing is measured. The first answer counts, for
nobody looks twice: the worst of all rounds is held against its bound.
Usage: python -m benchmarks.audit [--studies 100000] [--records 1000000] [--rounds 5]
"""

import argparse
import tempfile
from pathlib import Path

from benchmarks import audit_rows
from benchmarks.audit_looks import audit_looks
from benchmarks.audit_rows import RECORDS, size_of
from benchmarks.looks import FIRST_MS, Look, judged, milliseconds
from benchmarks.many_studies import APART, NEWEST, TITLES, add_many, uid_of
from benchmarks.rounds import keep
from gateway.accounts.roles import AccountRole
from gateway.ledger import Ledger
from tests.data.console import Console, opened_console
from tests.data.sites import archive_peer


def looks(studies: int, records: int) -> tuple[Look, ...]:
    """Return the pages that are looked at, of so many studies and audit records."""
    return (*study_looks(studies), *audit_looks(records, NEWEST))


def study_looks(count: int) -> tuple[Look, ...]:
    """Return the pages of studies, and that of the system."""
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


def measure(
    console: Console, wanted: tuple[Look, ...], rounds: int, size: str = ""
) -> None:
    """Look at every page so many times, in turn, and keep what it took."""
    browser = console.signed_in(AccountRole.ADMINISTRATOR)
    taken: dict[str, list[float]] = {look.name: [] for look in wanted}
    for _ in range(rounds):
        for look in wanted:
            taken[look.name].append(milliseconds(browser, look))
    keep("audit", *judged(wanted, taken), size)


def main(words: list[str] | None = None) -> None:
    """Fill a ledger, and look at its pages."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--studies", type=int, default=100_000)
    parser.add_argument("--records", type=int, default=RECORDS)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        overrides = archive_peer("ARCHIVE", 1)
        with opened_console(Path(folder), overrides, lambda: NEWEST) as console:
            fill(console.site.ledger, given.studies, given.records)
            wanted = looks(given.studies, given.records)
            measure(console, wanted, given.rounds, size_of(given.records))


def fill(ledger: Ledger, studies: int, records: int) -> None:
    """Fill a ledger as years of use do."""
    add_many(ledger, studies)
    audit_rows.fill(ledger, audit_rows.Year(count=records, until=NEWEST))


if __name__ == "__main__":
    main()
