"""Hand checkpoints of the audit to places that the gateway cannot edit.

Each place gets every checkpoint in turn, at least once. One that fails is asked again
at the next round, from where it stopped; the audit says once that it fails, and once
that it works again.
"""

import logging
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from config.settings import Settings
from gateway.audit import kinds
from gateway.audit.checkpoints import Continuation
from gateway.failpoints import pass_failpoint
from gateway.ledger import Ledger
from gateway.log_keeping.sealing import sync_folder
from gateway.log_keeping.verification import name_of
from gateway.site import Clock

logger = logging.getLogger(__name__)

FOLDER, COMMAND = "folder", "command"
"""Names of the places that the settings know."""

ROUND = 100
"""Checkpoints that a place is given in one round."""

_HANDED, _FAILING = "audit-handed:", "audit-failing:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where checkpoints go; `give` raises OSError where it does not take one."""

    name: str
    give: Callable[[Continuation], None]


def places_of(settings: Settings) -> list[Place]:
    """Return the places that a site names."""
    own, found = settings.audit, []
    if own.checkpoint_folder:
        folder = Path(own.checkpoint_folder)
        found.append(Place(name=FOLDER, give=lambda step: put_file(folder, step)))
    if own.checkpoint_command:
        words, seconds = own.checkpoint_command, own.command_seconds
        found.append(Place(name=COMMAND, give=lambda step: _run(words, step, seconds)))
    return found


def hand_out(ledger: Ledger, places: list[Place], clock: Clock) -> None:
    """Give each place what it does not have yet."""
    for place in places:
        try:
            _give_all(ledger, place)
        except OSError as error:
            _note_failure(ledger, place, _said(error), clock)
        else:
            _note_success(ledger, place, clock)


def put_file(folder: Path, step: Continuation) -> None:
    """Write a checkpoint as a new file, durable; one that is there is left alone."""
    own = folder / step.checkpoint.log_id
    own.mkdir(parents=True, exist_ok=True)
    data = step.text().encode()
    for path in _names(own, step.checkpoint.size):
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o644)
        except FileExistsError:
            if path.read_bytes() == data:
                return  # a crash came before the ledger knew
            continue  # unfinished then, or of a ledger that was replaced since
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        sync_folder(own)
        return
    raise FileExistsError(f"too many files for {step.checkpoint.size} records")


def _names(folder: Path, size: int) -> Iterator[Path]:
    return (folder / name_of(size, number) for number in range(10))


def _run(words: tuple[str, ...], step: Continuation, seconds: float) -> None:
    """Run the site's program; what it prints is not looked at."""
    try:
        ended = subprocess.run(  # noqa: S603 - the site's own, without a shell
            words,
            input=step.text().encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TimeoutError(f"no end within {seconds:g} s") from error
    if ended.returncode:
        raise ChildProcessError(f"ended with {ended.returncode}")


def _give_all(ledger: Ledger, place: Place) -> None:
    key = _HANDED + place.name
    with ledger.reading() as rows:
        handed = int(rows.recall(key) or 0)
        waiting = rows.checkpoints(after=handed, limit=ROUND)
    for each in waiting:
        place.give(each.continuation())
        pass_failpoint("seal:handed")
        with ledger.writing() as rows:
            rows.remember(key, str(each.size))


def _note_failure(ledger: Ledger, place: Place, why: str, clock: Clock) -> None:
    logger.error("checkpoints of the audit: %s: %s", place.name, why)
    with ledger.writing() as rows:
        if rows.recall(_FAILING + place.name) == "yes":
            return
        rows.remember(_FAILING + place.name, "yes")
        rows.append_audit(kinds.checkpoint_undelivered(place.name, why, clock()))


def _note_success(ledger: Ledger, place: Place, clock: Clock) -> None:
    with ledger.reading() as rows:
        was_failing = rows.recall(_FAILING + place.name) == "yes"
    if not was_failing:
        return
    with ledger.writing() as rows:
        rows.remember(_FAILING + place.name, "no")
        rows.append_audit(kinds.checkpoint_delivered(place.name, clock()))


def _said(error: OSError) -> str:
    """Return what failed, without the name of a path."""
    return error.strerror or str(error)
