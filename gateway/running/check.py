"""Is this site ready? Settings, disk, peers, checkpoint and licence, one by one.

Nothing is changed: the disk is tried with a file that is removed, the peers with
C-ECHO (where they have no DIMSE port, QIDO-RS) and a query for a patient whom
nobody has.
"""

import os
import shutil
import socket
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from config.settings import Settings
from dicom_io.ae import LocalAE, Proof, RemoteAE, TlsOptions, WebService
from dicom_io.errors import (
    IdentifierRefused,
    PeerFailure,
    PeerRefused,
    PeerTimedOut,
    PeerUnreachable,
)
from dicom_io.identifiers import StudyQuery
from dicom_io.scu.peer import echo, find_studies
from dicom_io.tls import client_context, server_context
from gateway.errors import LedgerFailure
from gateway.ledger.probe import probe_ledger
from gateway.running.port import is_free, loopback
from model.engines.process import ProcessEngine, local_command
from model.engines.rayserve.asking import RayEngine
from model.engines.vllmserve.asking import VllmEngine
from model.errors import CheckpointError, ModelError
from model.maira2.configuration import read_config
from model.maira2.snapshot import verify_snapshot, weights_digest
from model.options import Domain

NOBODY = StudyQuery(patient_id="MAIRA-GATEWAY-CHECK")
"""A patient whom no archive has: the query is answered, with nothing."""

_MIB = 1 << 20
_REPLICA_SECONDS = 60.0
"""How long `check` waits for a replica that has time for it."""
_SERVER_SECONDS = 10.0
"""How long a server of vLLM gets to say who it is."""
_FAILURES: dict[type[PeerFailure], str] = {
    PeerUnreachable: "unreachable",
    PeerRefused: "refused",
    IdentifierRefused: "refused",
    PeerTimedOut: "no answer in time",
}
_KNOWS_ITSELF = "it does not know our calling AE title"
"""How a node of our title turns us away: it is no peer of itself."""


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
        check_ledger(settings),
        *check_tls(settings),
        check_port(local),
        *check_checkpoint(settings),
        check_engine(settings),
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


def check_ledger(settings: Settings) -> Check:
    """Check that the ledger can be opened; it is neither made nor migrated."""
    try:
        detail = probe_ledger(settings.ledger_url).value
    except LedgerFailure as error:
        return Check(name="ledger", ok=False, detail=f"ledger.url: {error}")
    return Check(name="ledger", ok=True, detail=detail)


def check_tls(settings: Settings) -> Iterator[Check]:
    """Check that certificates, keys and authorities can be read and belong together."""
    local = settings.local_ae()
    if local.tls is not None:
        yield _tls("listener.tls", local.tls, server_context)
    for name, peer in settings.peers.items():
        if peer.tls is not None:
            yield _tls(f"peers.{name}.tls", peer.tls.options(), client_context)


def _tls(
    key: str, options: TlsOptions, context: Callable[[TlsOptions], ssl.SSLContext]
) -> Check:
    files = (options.certificate, options.key, options.authority)
    missing = [str(path) for path in files if not path.is_file()]
    if missing:
        detail = f"{key}: no file {', '.join(missing)}"
        return Check(name="tls", ok=False, detail=detail)
    try:
        context(options)
    except OSError as error:
        return Check(name="tls", ok=False, detail=f"{key}: {error}")
    return Check(name="tls", ok=True, detail=f"{key}: the files fit")


def check_port(local: LocalAE) -> Check:
    """Check that the DICOM port can be bound, or is held by a node of our title."""
    where = f"{local.host}:{local.port}"
    if is_free(local):
        return Check(name="port", ok=True, detail=f"{where} is free")
    try:
        echo(local, _ourselves(local))
    except PeerFailure as error:
        # The called title is judged before the calling one: this one is ours.
        if _KNOWS_ITSELF not in str(error):
            why = "listener.host and listener.port: another program holds the port"
            return Check(name="port", ok=False, detail=f"{where}: {why} ({error})")
    detail = f"{where} answers as {local.title}: the gateway is running"
    return Check(name="port", ok=True, detail=detail)


def _ourselves(local: LocalAE) -> RemoteAE:
    return RemoteAE(
        name="this node",
        title=local.title,
        host=loopback(local.host),
        port=local.port,
        tls=local.tls,
        deadline_seconds=5.0,
    )


def check_checkpoint(settings: Settings) -> tuple[Check, ...]:
    """Check the files of the checkpoint, and the licence that they may need.

    Behind Ray Serve and vLLM the files are their affair.
    """
    if settings.engine.kind == "ray":
        return (check_licence(settings, settings.ray.reads),)
    if settings.engine.kind == "vllm":
        return (check_licence(settings, settings.vllm.reads),)
    folder = settings.engine_options().checkpoint
    try:
        domain = read_config(folder).domain
        problems = verify_snapshot(folder).problems
    except CheckpointError as error:
        return (Check(name="checkpoint", ok=False, detail=str(error)),)
    detail = "; ".join(problems)
    if not problems:
        detail = f"{folder.name} reads a {domain}, digest {weights_digest(folder)[:16]}"
    return (
        Check(name="checkpoint", ok=not problems, detail=detail),
        check_licence(settings, domain),
    )


def check_engine(settings: Settings) -> Check:
    """Say what engine reads; a child process is started, and must answer.

    Not beside a gateway that runs: its engine may hold all the memory there is.
    Behind Ray Serve a replica must answer, and a server of vLLM must be there.
    """
    if settings.engine.kind == "ray":
        return _check_replica(settings)
    if settings.engine.kind == "vllm":
        return _check_server(settings)
    if settings.engine.kind == "local":
        detail = "in the gateway's own process, loaded when it starts"
        return Check(name="engine", ok=True, detail=detail)
    if not is_free(settings.local_ae()):
        detail = "in a child process; none is started while the DICOM port is held"
        return Check(name="engine", ok=True, detail=detail)
    started = time.monotonic()
    try:
        engine = ProcessEngine(local_command(settings.engine_options()))
    except ModelError as error:
        return Check(name="engine", ok=False, detail=f"the child process: {error}")
    engine.close()
    seconds, name = time.monotonic() - started, engine.identity.model_name
    detail = f"{name} on {engine.device} answers from a child after {seconds:.1f} s"
    return Check(name="engine", ok=True, detail=detail)


def _check_replica(settings: Settings) -> Check:
    try:
        ready = RayEngine(settings.ray.place()).greet(_REPLICA_SECONDS)
    except ModelError as error:
        return Check(name="engine", ok=False, detail=f"behind Ray Serve: {error}")
    name, digest = ready.identity.model_name, ready.identity.weights_digest[:16]
    detail = f"{name} on {ready.device} behind Ray Serve, digest {digest}"
    return Check(name="engine", ok=True, detail=detail)


def _check_server(settings: Settings) -> Check:
    limits = settings.engine_options().token_limits
    try:
        identity = VllmEngine(settings.vllm.place(limits)).demand_server(
            _SERVER_SECONDS
        )
    except ModelError as error:
        return Check(name="engine", ok=False, detail=f"behind vLLM: {error}")
    digest = identity.weights_digest[:16]
    detail = f"{identity.model_name} behind vLLM, digest {digest}"
    return Check(name="engine", ok=True, detail=detail)


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
    for remote in settings.remote_aes():
        services = list(_services(remote, local, settings))
        place = f"{remote.title} ({remote.host}:{remote.port})"
        if not remote.port:
            place = f"{remote.title} (DICOMweb)"
        yield f"{place}: allow {local.title} to use {', '.join(services)}"
        if remote.may_store:
            yield f"{place}: send chest films to {local.title}"


def _services(remote: RemoteAE, local: LocalAE, settings: Settings) -> Iterator[str]:
    """Name what the peer is asked for, each in the way of its settings."""
    uses = remote.uses_web_for
    if remote.port:
        yield "C-ECHO"
    if remote.name == settings.archive.peer:
        yield remote.query_service
        move = f"C-GET, or C-MOVE to {local.title}"
        yield "WADO-RS" if uses(WebService.RETRIEVE) else move
    if remote.name in settings.results.destinations:
        store = "STOW-RS" if uses(WebService.STORE) else "C-STORE"
        yield f"{store} of SR and GSPS"
        find = remote.query_service
        yield f"storage commitment or {find}" if remote.port else find


def _peer(remote: RemoteAE, local: LocalAE) -> Iterator[Check]:
    answered = "answers C-ECHO" if remote.port else "answers QIDO-RS; no DIMSE port"
    yield _try(f"echo {remote.name}", partial(echo, local, remote), answered)


def _queries(settings: Settings, local: LocalAE) -> Iterator[Check]:
    """Ask the peers that `serve` asks: the archive, and who is read back."""
    archive = settings.archive_ae()
    asked = {archive.name: archive} if archive else {}
    for remote in settings.destination_aes():
        if remote.proof is Proof.READ_BACK:
            asked[remote.name] = remote
    for name, remote in asked.items():
        answered = f"answers {remote.query_service}"
        yield _try(f"query {name}", partial(_ask, local, remote), answered)


def _ask(local: LocalAE, remote: RemoteAE) -> None:
    find_studies(local, remote, NOBODY, limit=1)


def _try(name: str, question: Callable[[], None], answered: str) -> Check:
    try:
        question()
    except PeerFailure as error:
        detail = f"{_FAILURES.get(type(error), 'failed')}: {error}"
        return Check(name=name, ok=False, detail=detail)
    return Check(name=name, ok=True, detail=answered)
