"""How long the ledger's most frequent questions take, at the size that it has now.

Everything is asked in transactions that are rolled back: nothing of it stays.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from benchmarks.rounds import Figure
from gateway.audit import kinds
from gateway.ledger import Ledger, Writing
from gateway.lifecycle import WORKING

TIMES = 51
_PAGE = 100
_NOBODY = "benchmark"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is timed."""

    name: str
    ask: Callable[[Writing], object]


def _append(rows: Writing) -> int:
    return rows.append_audit(kinds.application_stopped(datetime.now(UTC)))


QUESTIONS = (
    Question(
        name="claim",
        ask=lambda rows: rows.claim(WORKING, datetime.now(UTC), _NOBODY, 60.0),
    ),
    Question(name="list", ask=lambda rows: rows.studies(limit=_PAGE)),
    Question(name="audit append", ask=_append),
    Question(
        name="renew",
        ask=lambda rows: rows.renew_owned(_NOBODY, datetime.now(UTC)),
    ),
)


def ledger_times(url: str, when: str) -> list[Figure]:
    """Return the milliseconds of each question, asked of a ledger at rest."""
    ledger = Ledger.open(url)
    try:
        return [
            Figure(
                name=f"ledger, {question.name}, {when}",
                unit="ms",
                values=tuple(_milliseconds(ledger, question) for _ in range(TIMES)),
            )
            for question in QUESTIONS
        ]
    finally:
        ledger.close()


def _milliseconds(ledger: Ledger, question: Question) -> float:
    began = ended = 0.0
    with _undone(ledger) as rows:
        began = time.perf_counter()
        question.ask(rows)
        ended = time.perf_counter()
    return 1000 * (ended - began)


@contextmanager
def _undone(ledger: Ledger) -> Iterator[Writing]:
    """Open a transaction that is rolled back in the end."""
    with suppress(_UndoneError), ledger.writing() as rows:
        yield rows
        raise _UndoneError


class _UndoneError(Exception):
    """Nothing of a transaction stays."""
