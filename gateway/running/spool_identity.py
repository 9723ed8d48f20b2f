"""That this folder holds the files of this ledger, and no other folder does.

A ledger in the folder itself needs no proof. One that the site named by a URL may be
opened from many hosts, and each must see the same files: the spool has a file with a
UID of its own and that of the installation, and the ledger knows them.
"""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dicom_io.uid import derive_uid
from gateway.errors import NotReady
from gateway.ledger import Ledger
from gateway.site import Site

SPOOL_UID = "spool-uid"
"""The note of the ledger."""
FILE_NAME = "identity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """What the file of a spool says: which it is, and whose."""

    spool_uid: str
    device_uid: str


def demand_own_spool(site: Site) -> None:
    """Raise NotReady where the spool is not the one of the ledger.

    The first start of a ledger takes the folder that it has, unless another ledger has
    taken that one.
    """
    if site.settings.ledger_path is not None:
        return
    folder = site.spool.path("")
    _take_first(site.ledger, folder, site.device_uid)
    wrong = wrong_spool(site.ledger, folder, site.device_uid)
    if wrong is not None:
        raise NotReady(f"storage.folder: {wrong}")


def wrong_spool(ledger: Ledger, folder: Path, device_uid: str) -> str | None:
    """Return why a folder is not the spool of a ledger; None: it is, or may become."""
    found = _read(folder)
    with ledger.reading() as rows:
        known = rows.recall(SPOOL_UID)
    if found is not None and found.device_uid != device_uid:
        return (
            f"{folder} holds the files of another ledger: see ledger.url; if it was "
            "restored for this one, run `maira-gateway doctor --repair`"
        )
    if known is None or (found is not None and found.spool_uid == known):
        return None
    return (
        f"{folder} is not where the files of the ledger lie: mount that folder here; "
        f"if it was moved without its file {FILE_NAME!r}, or restored from a copy that "
        "had none, run `maira-gateway doctor --repair`"
    )


def mark(ledger: Ledger, folder: Path, device_uid: str) -> None:
    """Let a folder be the spool of a ledger from now on, because a person says so."""
    with ledger.writing() as rows:
        known = rows.recall(SPOOL_UID) or _new_uid()
        rows.remember(SPOOL_UID, known)
    _write(folder, Identity(spool_uid=known, device_uid=device_uid)).replace(
        folder / FILE_NAME
    )
    _sync(folder)


def _take_first(ledger: Ledger, folder: Path, device_uid: str) -> None:
    """Mark the folder, then note it: a crash in between is made good by the next."""
    with ledger.reading() as rows:
        if rows.recall(SPOOL_UID) is not None:
            return
    if _read(folder) is None:
        own = Identity(spool_uid=_new_uid(), device_uid=device_uid)
        draft = _write(folder, own)
        with suppress(FileExistsError):  # another process was first: its mark counts
            (folder / FILE_NAME).hardlink_to(draft)
        draft.unlink()
        _sync(folder)
    found = _read(folder)
    if found is None or found.device_uid != device_uid:
        return
    with ledger.writing() as rows:
        if rows.recall(SPOOL_UID) is None:
            rows.remember(SPOOL_UID, found.spool_uid)


def _new_uid() -> str:
    return derive_uid("spool", secrets.token_hex(16))


def _read(folder: Path) -> Identity | None:
    """Return what a folder says that it is, "" where that is damaged; None: nothing.

    Raises NotReady where it cannot be read.
    """
    try:
        words = (folder / FILE_NAME).read_text("ascii").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise NotReady(f"{folder / FILE_NAME} cannot be read: {kind}") from None
    if len(words) != 2:
        return Identity(spool_uid="", device_uid="")
    return Identity(spool_uid=words[0], device_uid=words[1])


def _write(folder: Path, identity: Identity) -> Path:
    """Write a draft beside the file, durably, and return where."""
    draft = folder / f"{FILE_NAME}.{secrets.token_hex(8)}"
    try:
        with draft.open("x", encoding="ascii") as file:
            file.write(f"{identity.spool_uid} {identity.device_uid}\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise NotReady(f"{folder} cannot be marked: {error.strerror}") from error
    return draft


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
