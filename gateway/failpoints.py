"""Named points where a test may kill the process; off by default.

`MAIRA_GATEWAY_KILL_AT=send:before` ends the process with SIGKILL where the results
are about to leave, as a power cut would; `send:before@3` at the third time that it
gets there. Only the kill tests set it.
"""

import os
import signal
import threading
from collections import Counter
from collections.abc import Mapping

from gateway.errors import NotReady
from gateway.lifecycle import WORKING

VARIABLE = "MAIRA_GATEWAY_KILL_AT"

_STAGES = {
    f"{state}:{moment}": f"a study is {state}: {meaning}"
    for state in WORKING
    for moment, meaning in (
        ("claimed", "a worker has claimed it"),
        ("done", "the work on it is done, the ledger does not know"),
        ("moved", "the ledger has committed its next state"),
    )
}

_FILES = {
    f"{shelf}:{moment}": f"{what}: {meaning}"
    for shelf, what in (("instances", "an instance"), ("results", "a result"))
    for moment, meaning in (
        ("before-fsync", "all is written, nothing synced"),
        ("after-fsync", "the file is synced, under its temporary name"),
        ("after-rename", "it has its name, the folder is not synced"),
        ("after-folder-fsync", "the file is durable, no row names it"),
    )
}

FAILPOINTS: Mapping[str, str] = {
    "start:reconciled": "spool and ledger are compared, the port is closed",
    "start:recorded": "the port is open, the start is in the audit",
    "receive:opened": "an instance begins: its temporary file has a header",
    "receive:written": "bytes of the data set are written",
    **_FILES,
    "audit:appended": "an audit record is written, its transaction is open",
    "ledger:before-commit": "a transaction is about to be committed",
    "ledger:after-commit": "a transaction is durable",
    "receive:before-answer": "file and row are durable, nobody was told",
    **_STAGES,
    "prior:before-find": "the archive is about to be asked for earlier studies",
    "prior:after-find": "it has answered",
    "prior:before-fetch": "an earlier study is about to be retrieved",
    "prior:after-fetch": "it has come",
    "infer:before": "the engine is about to be asked",
    "infer:after": "it has answered, nothing is kept",
    "build:after": "SR and GSPS of a report are made, in memory",
    "send:before": "a destination is about to be sent results",
    "send:after": "it has answered, nothing is recorded",
    "commitment:before": "a transaction is written down, nobody was asked",
    "commitment:after": "the destination was asked",
    "commitment:reported": "a commitment result has come, nothing is recorded",
    "commitment:recorded": "a commitment result is recorded",
    "seal:signed": "a checkpoint is in the ledger, nobody was given it",
    "seal:handed": "a place has taken a checkpoint, the ledger does not know",
    "purge:forgotten": "the rows of a purged study are gone, its files are here",
    "purge:removed": "its files are gone",
}
"""Every point, and what is true there. Two steps that follow each other share one:
after the first is before the second."""

OF_CAMPAIGNS: Mapping[str, str] = {
    "campaign:claimed": "a campaign has taken a study, the archive was not asked",
    "campaign:brought": "the archive has sent it, the campaign does not know",
    "campaign:taken": "the campaign has noted it",
}
"""Points that only the studies of campaigns pass."""

_KNOWN = frozenset({*FAILPOINTS, *OF_CAMPAIGNS})
_passed: Counter[str] = Counter()
_counting = threading.Lock()


def pass_failpoint(name: str) -> None:
    """Die here if the environment names this point.

    Raises KeyError where neither table holds the name.
    """
    if name not in _KNOWN:
        raise KeyError(f"no failpoint {name!r}")
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    point, at = _parsed(wanted)
    with _counting:
        _passed[name] += 1
        is_due = name == point and _passed[name] == at
    if is_due:
        os.kill(os.getpid(), signal.SIGKILL)


def passed() -> Mapping[str, int]:
    """Return how often each point was passed while the environment named any."""
    with _counting:
        return dict(_passed)


def demand_known_failpoint() -> None:
    """Raise NotReady where the environment names a point that there is not."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    point, at = _parsed(wanted)
    if point not in _KNOWN or at < 1:
        raise NotReady(
            f"{VARIABLE}={wanted!r} names no failpoint: unset it, it is for tests"
        )


def _parsed(wanted: str) -> tuple[str, int]:
    """Return a point and at which passing of it to die; 0: at none."""
    point, mark, at = wanted.partition("@")
    if not mark:
        return point, 1
    return point, int(at) if at.isascii() and at.isdigit() else 0
