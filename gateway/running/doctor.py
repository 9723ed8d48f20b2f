"""Explain what is wrong with ledger and spool, and repair what can be repaired.

Nothing that may be somebody's instance is ever deleted: an orphan is taken in anew
where that is safe, else it is moved to `lost-and-found` for a person to look at.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from config.settings import Settings
from dicom_io.errors import Unreadable
from dicom_io.header import read_instance
from dicom_io.media import deliver_file
from dicom_io.part10 import data_set_start
from dicom_io.sink import Sink
from dicom_io.status import Status
from gateway import digests
from gateway.errors import LedgerFailure, NotReady
from gateway.ledger import Ledger, ProcessRecord, is_postgresql
from gateway.ledger.probe import LedgerStanding, probe_ledger
from gateway.ledger.server_soundness import faults_of_server
from gateway.ledger.soundness import faults_of
from gateway.lifecycle import State
from gateway.locking import hold_folder
from gateway.patient_key import place_of
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_sent
from gateway.running.composition import DEVICE_UID
from gateway.running.membership import is_dead
from gateway.running.spool_identity import mark, wrong_spool
from gateway.site import Clock
from gateway.spool import YOUNG, Shelf, Spool

LOST_AND_FOUND = "lost-and-found"
ADOPTED_BY = "DOCTOR"
"""Stands for the AE titles of an instance that nobody sends just now."""

_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Symptom:
    """One thing that was looked at; `detail` says what is wrong and what to do."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patient:
    """What is looked at; `before` spares the files of a gateway at work."""

    settings: Settings
    ledger: Ledger
    spool: Spool
    clock: Clock
    before: datetime | None
    repair: bool


def examine(settings: Settings, clock: Clock, *, repair: bool) -> tuple[Symptom, ...]:
    """Look at ledger and spool; with `repair` mend what can be.

    Raises NotReady where a repair is asked for beside a gateway at work.
    """
    folder = settings.storage.folder
    if not folder.is_dir():
        detail = f"{folder} is no folder: storage.folder, or `serve` never ran"
        return (Symptom(name="storage", ok=False, detail=detail),)
    with ExitStack() as held:
        is_alone = _is_alone(folder, held)
        if repair and not is_alone:
            raise NotReady(f"a gateway works in {folder}: stop it, then repair")
        state = _look_at_ledger(settings, repair=repair)
        if not state.ok:
            return (state,)
        ledger = Ledger.open(settings.ledger_url, place_of(settings))
        held.callback(ledger.close)
        living = _living(settings, ledger, clock)
        if repair and living:
            at_work = f"process {living[0].pid} of {living[0].host}"
            raise NotReady(f"{at_work} works on the ledger: stop it, then repair")
        is_alone = is_alone and not living
        patient = _Patient(
            settings=settings,
            ledger=ledger,
            spool=Spool(folder.resolve() / "spool", reserve_bytes=0),
            clock=clock,
            before=None if is_alone else clock() - YOUNG,
            repair=repair,
        )
        return (
            state,
            *_look_at_identity(patient),
            *_look_at_files(patient),
            _look_at_leases(patient),
            *_look_at_repositories(patient),
        )


def _living(settings: Settings, ledger: Ledger, clock: Clock) -> list[ProcessRecord]:
    """Return the processes that may be at work, here or on another host."""
    with ledger.reading() as rows:
        known = rows.processes()
    return [each for each in known if not is_dead(each, settings, ledger, clock())]


def verify(settings: Settings) -> Iterator[str]:
    """Hash every file that the ledger names; yield what differs, a line a file."""
    ledger = Ledger.open(settings.ledger_url, place_of(settings))
    try:
        with ledger.reading() as rows:
            received, names = rows.digests(), rows.file_names()
    finally:
        ledger.close()
    root = settings.storage.folder.resolve() / "spool"
    for name in sorted(names):
        # A result is named by the hash of the whole file, and has no digest.
        said = received.get(name)
        if fault := _fault_of(
            root / name, said or f"sha256:{Path(name).name}", whole=said is None
        ):
            yield f"{name}: {fault}"


def _is_alone(folder: Path, held: ExitStack) -> bool:
    """Hold the folder as a gateway does, if none does."""
    try:
        held.enter_context(hold_folder(folder))
    except NotReady:
        return False
    return True


def _look_at_ledger(settings: Settings, *, repair: bool) -> Symptom:
    """Say whether the ledger is sound and of a version that is known."""
    path = settings.ledger_path
    try:
        if path is not None and path.exists() and (faults := _faults(path)):
            return Symptom(name="ledger", ok=False, detail=faults)
        standing = probe_ledger(settings.ledger_url)
    except LedgerFailure as error:
        return Symptom(name="ledger", ok=False, detail=str(error))
    if standing is LedgerStanding.ABSENT:
        detail = (
            "there is none: restore the last copy, then --repair takes in what is "
            "newer; without a copy `serve` begins an empty one"
        )
        return Symptom(name="ledger", ok=False, detail=detail)
    if faults := _faults_of_server(settings.ledger_url):
        return Symptom(name="ledger", ok=False, detail=faults)
    if standing is LedgerStanding.OLDER and not repair:
        detail = "sound, of an earlier version: `serve` or --repair migrates it"
        return Symptom(name="ledger", ok=False, detail=detail)
    return Symptom(name="ledger", ok=True, detail="sound, of this version")


def _faults(path: Path) -> str:
    faults = faults_of(path, thorough=True)
    if not faults:
        return ""
    return (
        f"damaged: {'; '.join(faults)}. Keep {path} and the files beside it, restore "
        "the last copy, then --repair takes in what is newer"
    )


def _faults_of_server(url: str) -> str:
    faults = faults_of_server(url) if is_postgresql(url) else ()
    if not faults:
        return ""
    return (
        f"damaged: {'; '.join(faults)}. Restore the last copy by pg_restore, then "
        "--repair takes in what is newer"
    )


def _look_at_identity(patient: _Patient) -> Iterator[Symptom]:
    """Say whether the folder is the one of a ledger that was named by its URL."""
    if patient.settings.ledger_path is not None:
        return
    with patient.ledger.reading() as rows:
        device_uid = rows.recall(DEVICE_UID)
    if device_uid is None:
        return
    folder = patient.spool.path("")
    wrong = wrong_spool(patient.ledger, folder, device_uid)
    if wrong is not None and patient.repair:
        mark(patient.ledger, folder, device_uid)
        wrong, said = None, "marked as the one of this ledger"
    else:
        said = "that of this ledger"
    yield Symptom(name="spool", ok=wrong is None, detail=wrong or said)


def _look_at_files(patient: _Patient) -> Iterator[Symptom]:
    with patient.ledger.reading() as rows:
        known = rows.file_names()
    look = patient.spool.reconcile if patient.repair else patient.spool.survey
    found = look(known, patient.before)
    mended = "removed: nobody was told that they are here"
    yield Symptom(
        name="temporary files",
        ok=patient.repair or not found.unfinished,
        detail=f"{found.unfinished}, {mended if patient.repair else 'left by a crash'}",
    )
    yield _orphans(patient, found.orphans)
    yield Symptom(
        name="missing files",
        ok=not found.missing,
        detail="none" if not found.missing else _named_missing(found.missing),
    )


def _named_missing(missing: tuple[str, ...]) -> str:
    return (
        f"{len(missing)} rows have no file, first {missing[0]}: have the instance sent "
        "again, which puts its file back; a result is made anew by `study retry`"
    )


def _orphans(patient: _Patient, orphans: tuple[str, ...]) -> Symptom:
    if not orphans or not patient.repair:
        how = "files that no row names: --repair takes them in or sets them apart"
        detail = f"{len(orphans)} {how}, first {orphans[0]}" if orphans else "none"
        return Symptom(name="orphans", ok=not orphans, detail=detail)
    done = [_place(patient, name) for name in orphans]
    counts = ", ".join(f"{done.count(each)} {each}" for each in sorted(set(done)))
    return Symptom(name="orphans", ok=True, detail=counts)


def _place(patient: _Patient, name: str) -> str:
    """Take an orphan in, or set it apart; return what was done."""
    path = patient.spool.path(name)
    if name.startswith(f"{Shelf.INSTANCES}/") and _is_adoptable(patient, path):
        try:
            status = deliver_file(path, _intake(patient), ADOPTED_BY)
        except Unreadable:
            status = Status.CANNOT_UNDERSTAND
        if status is Status.SUCCESS:
            patient.spool.remove([name])  # its content is recorded under a new name
            return "taken in"
    folder = patient.settings.storage.folder.resolve() / LOST_AND_FOUND
    patient.spool.set_apart(name, folder)
    return f"moved to {LOST_AND_FOUND}"


def _intake(patient: _Patient) -> Sink:
    return Intake(
        ledger=patient.ledger,
        spool=patient.spool,
        clock=patient.clock,
        role_of=role_of_sent,
    ).receive


def _is_adoptable(patient: _Patient, path: Path) -> bool:
    """Whether the instance may open a study.

    Not what was retrieved as a prior, which would be read as if it were new, and not
    what a purge had begun to delete.
    """
    try:
        header = read_instance(path)
    except Unreadable:
        return False
    with patient.ledger.reading() as rows:
        if rows.instance(header.sop_instance_uid) is not None:
            return True  # a copy: the intake compares
        study = rows.study(header.study_instance_uid)
        is_purged = study is not None and study.state is State.PURGED
        return not (is_purged or rows.was_retrieved(header.study_instance_uid))


def _look_at_leases(patient: _Patient) -> Symptom:
    name = "leases"
    with patient.ledger.reading() as rows:
        leased = rows.leased()
    # A ledger that the site named by its URL may have other hosts at work on it.
    is_ours = patient.settings.ledger_path is not None and patient.before is None
    if not is_ours or not leased:
        detail = f"{leased} studies are at work" if leased else "none"
        return Symptom(name=name, ok=True, detail=detail)
    if not patient.repair:
        detail = f"{leased} studies are held by a gateway that is gone: they run out"
        return Symptom(name=name, ok=False, detail=detail)
    with patient.ledger.writing() as rows:
        freed = rows.free_leases()
    return Symptom(name=name, ok=True, detail=f"{freed} freed")


def _look_at_repositories(patient: _Patient) -> Iterator[Symptom]:
    """Say which audit repository fails, and since when."""
    with patient.ledger.reading() as rows:
        backlogs = rows.backlogs()
    for backlog in backlogs:
        known = backlog.repository
        if known.failing_since is None:
            detail = f"{backlog.records} records are to be sent"
        else:
            detail = (
                f"fails since {known.failing_since:%F %T} UTC, {backlog.records} "
                f"records wait: {known.detail}"
            )
        name = f"audit repository {known.name}"
        yield Symptom(name=name, ok=not known.told, detail=detail)


def _fault_of(path: Path, said: str, *, whole: bool) -> str:
    """Return how a file differs from its digest; empty: it does not."""
    try:
        with path.open("rb") as file:
            if not whole:
                file.seek(data_set_start(file.read(_PIECE_BYTES)))
            found = digests.of_rest(file, said)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    except ValueError as error:
        return str(error)
    return "" if found == said else "its bytes are not those received"
