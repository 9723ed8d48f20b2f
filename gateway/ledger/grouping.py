"""Group commit: small changes of many threads share a transaction and its fsync.

Whoever gets the turn writes what all who wait for it have brought, each change in a
savepoint of its own, and commits once. Nobody goes on before that commit. A change that
has nobody beside it needs no savepoint: its transaction is undone.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, suppress
from typing import Generic, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from gateway.errors import GatewayError, LedgerFailure
from gateway.ledger.writing import Writing

LOGGER = logging.getLogger(__name__)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

_GROUP_CAP = 64
"""Changes in one transaction; other writers wait for it."""


class _Undone(Exception):  # noqa: N818 - no error of the database
    """A change failed; its savepoint, or its transaction if it is alone, is undone."""


class GroupCommit:
    """Runs changes in transactions that they share.

    writing : opens a transaction that is durable once its block has ended.
    """

    def __init__(self, writing: Callable[[], AbstractContextManager[Writing]]) -> None:
        self._writing = writing
        self._waiting: deque[_Change[object]] = deque()
        self._turn = threading.Lock()

    def run(self, change: Callable[[Writing], T]) -> T:
        """Return what `change` returns, once it is durable.

        `change` runs on the thread of any caller, whose locks it must not need. What
        it raises is raised here, and nothing of it is kept. Raises LedgerFailure
        where the transaction failed; nothing of the whole group is kept then.
        """
        mine = _Change(change)
        self._waiting.append(mine)
        with self._turn:
            while not mine.is_settled:
                self._commit(self._group())
        return mine.result()

    def _group(self) -> "list[_Change[object]]":
        count = min(len(self._waiting), _GROUP_CAP)
        return [self._waiting.popleft() for _ in range(count)]

    def _commit(self, group: "Sequence[_Change[object]]") -> None:
        failure = "the ledger's writer was stopped"
        is_durable = False
        try:
            with self._writing() as rows:
                if len(group) == 1:
                    group[0].attempt_alone(rows)
                else:
                    for change in group:
                        change.attempt(rows)
            is_durable = True
        except _Undone:
            is_durable = True  # there was nothing to keep, and the change knows why
        except LedgerFailure as error:
            failure = str(error)
        finally:
            for change in group:
                change.settle(None if is_durable else LedgerFailure(failure))


class _Change(Generic[T_co]):
    """A change, and what became of it."""

    def __init__(self, change: Callable[[Writing], T_co]) -> None:
        self._change = change
        self._values: list[T_co] = []
        self._error: Exception | None = None
        self.is_settled = False

    def attempt(self, rows: Writing) -> None:
        """Make the change; one that fails leaves the others as they are."""
        with suppress(_Undone), rows.savepoint():
            self.attempt_alone(rows)

    def attempt_alone(self, rows: Writing) -> None:
        """Make the change; raises _Undone where it fails and is to leave nothing."""
        try:
            self._values = [self._change(rows)]
        except SQLAlchemyError:
            raise  # the database may have ended the whole transaction
        except GatewayError as error:
            self._error = error
            raise _Undone from error
        except Exception as error:  # around a request; raised again on its thread
            LOGGER.exception("a change to the ledger failed")
            self._error = error
            raise _Undone from error

    def settle(self, failure: LedgerFailure | None) -> None:
        """Note that the transaction is durable, or why it is not."""
        self._error = failure or self._error
        self.is_settled = True

    def result(self) -> T_co:
        """Return what the change returned, or raise what it raised."""
        if self._error is not None:
            raise self._error
        return self._values[0]
