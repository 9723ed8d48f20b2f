"""Is this site ready? Settings, disk, peers, checkpoint and licence, one by one.

Nothing is changed: the disk is tried with a file that is removed, the peers with
C-ECHO and a query for a patient whom nobody has.
"""

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from config.settings import Settings
from dicom_io.ae import LocalAE, Proof, RemoteAE
from dicom_io.errors import PeerFailure
from dicom_io.identifiers import StudyQuery
from dicom_io.query import echo, find_studies
from gateway.port import is_answering, is_free
from model.errors import CheckpointError
from model.maira2.configuration import read_config
from model.maira2.snapshot import verify_snapshot
from model.options import Domain

NOBODY = StudyQuery(patient_id="MAIRA-GATEWAY-CHECK")
"""A patient whom no archive has: the query is answered, with nothing."""

_MIB = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that must hold before `serve`; `detail` says what to do if not."""

    name: str
    ok: bool
    detail: str


def run_checks(settings: Settings) -> tuple[Check, ...]:
    """Check everything that `serve` needs; the settings are valid already."""
    local = settings.local_ae()
    return (
        check_disk(settings),
        check_port(local),
        *check_checkpoint(settings),
        *(check for remote in settings.remote_aes() for check in _peer(remote, local)),
        *_queries(settings, local),
    )


def check_disk(settings: Settings) -> Check:
    """Check that the storage folder can be written and is above its reserve."""
    folder, reserve = settings.storage.folder, settings.storage.reserve_bytes
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"\0")
            file.flush()
            os.fsync(file.fileno())
        free = shutil.disk_usage(folder).free
    except OSError as error:
        detail = f"{folder} cannot be written ({error.strerror}): storage.folder"
        return Check(name="disk", ok=False, detail=detail)
    detail = f"{free // _MIB} MiB free in {folder}, reserve {reserve // _MIB} MiB"
    return Check(name="disk", ok=free > reserve, detail=detail)


def check_port(local: LocalAE) -> Check:
    """Check that the DICOM port can be bound, or is held by a node that answers."""
    where = f"{local.host}:{local.port}"
    if is_free(local):
        return Check(name="port", ok=True, detail=f"{where} is free")
    if is_answering(local):
        return Check(name="port", ok=True, detail=f"{where} answers: a node is running")
    detail = f"{where} cannot be bound: set listener.host and listener.port"
    return Check(name="port", ok=False, detail=detail)


def check_checkpoint(settings: Settings) -> tuple[Check, ...]:
    """Check the files of the checkpoint, and the licence that they may need."""
    folder = settings.engine_options().checkpoint
    try:
        domain = read_config(folder).domain
        problems = verify_snapshot(folder).problems
    except CheckpointError as error:
        return (Check(name="checkpoint", ok=False, detail=str(error)),)
    detail = "; ".join(problems) or f"{folder.name} reads a {domain}"
    return (
        Check(name="checkpoint", ok=not problems, detail=detail),
        check_licence(settings, domain),
    )


def check_licence(settings: Settings, domain: Domain) -> Check:
    """Check that the weights' licence is acknowledged where they read films."""
    own = settings.licence
    if domain is Domain.PHANTOM:
        detail = "none is needed: the phantom checkpoint reads no film"
    elif own.acknowledged:
        detail = f"acknowledged by {own.acknowledged_by} on {own.acknowledged_on}"
    else:
        detail = "set licence.acknowledged_by and licence.acknowledged_on"
    ok = domain is Domain.PHANTOM or own.acknowledged
    return Check(name="licence", ok=ok, detail=detail)


def ae_lines(settings: Settings) -> tuple[str, ...]:
    """Return what the people of the archive must enter, one line each."""
    local = settings.local_ae()
    everywhere = local.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound
    host = socket.gethostname() if everywhere else local.host
    tls = ", TLS with client certificates" if local.tls else ""
    ours = f"AE title {local.title}, host {host}, port {local.port}{tls}"
    return (f"this node: {ours}", *_lines_by_peer(settings, local))


def _lines_by_peer(settings: Settings, local: LocalAE) -> Iterator[str]:
    destinations = set(settings.results.destinations)
    for remote in settings.remote_aes():
        services = ["C-ECHO"]
        if remote.name == settings.archive.peer:
            services += ["C-FIND", f"C-GET, or C-MOVE to {local.title}"]
        if remote.name in destinations:
            services += ["C-STORE of SR and GSPS", "storage commitment or C-FIND"]
        place = f"{remote.title} ({remote.host}:{remote.port})"
        yield f"{place}: allow {local.title} to use {', '.join(services)}"
        if remote.may_store:
            yield f"{place}: send chest films to {local.title}"


def _peer(remote: RemoteAE, local: LocalAE) -> Iterator[Check]:
    yield _try(f"echo {remote.name}", partial(echo, local, remote), "answers C-ECHO")


def _queries(settings: Settings, local: LocalAE) -> Iterator[Check]:
    """Ask the peers that `serve` asks: the archive, and who is read back."""
    archive = settings.archive_ae()
    asked = {archive.name: archive} if archive else {}
    for remote in settings.destination_aes():
        if remote.proof is Proof.READ_BACK:
            asked[remote.name] = remote
    for name, remote in asked.items():
        yield _try(f"query {name}", partial(_ask, local, remote), "answers C-FIND")


def _ask(local: LocalAE, remote: RemoteAE) -> None:
    find_studies(local, remote, NOBODY, limit=1)


def _try(name: str, question: Callable[[], None], answered: str) -> Check:
    try:
        question()
    except PeerFailure as error:
        return Check(name=name, ok=False, detail=str(error))
    return Check(name=name, ok=True, detail=answered)
