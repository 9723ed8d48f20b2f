"""Where the master key of patients lies: in a file of this user, or the environment."""

import os
from base64 import urlsafe_b64decode, urlsafe_b64encode
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from config.load import Secrets
from config.settings import Settings
from gateway.audit.patients import MasterKey, new_key
from gateway.errors import WrongKey

FILE_NAME = "patients.key"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyPlace:
    """Where a ledger looks for its master key.

    given : the key in base64, from the environment; it wins over the file.
    """

    path: Path | None
    given: str = field(default="", repr=False)

    def find(self) -> MasterKey | None:
        """Return the key that is there, None where none is; raises WrongKey."""
        if self.given:
            return key_of_text(self.given)
        return None if self.path is None else _read(self.path)

    def make(self) -> MasterKey:
        """Return the key that is there, made if none is; raises WrongKey."""
        found = self.find()
        if found is not None:
            return found
        if self.path is None:
            raise WrongKey("this ledger was opened without a place for a patient key")
        return _make(self.path)


def place_of(settings: Settings) -> KeyPlace:
    """Return the place that a site's settings name."""
    path = settings.storage.folder / FILE_NAME
    return KeyPlace(path=path, given=Secrets().patient_key)


def key_of_text(text: str) -> MasterKey:
    """Return the key that a text holds; raises WrongKey, never with the text."""
    try:
        return MasterKey(urlsafe_b64decode(text.strip()))
    except ValueError:
        raise WrongKey("a patient key is 32 bytes in base64") from None


def text_of_key(secret: bytes) -> str:
    """Return a key as `key_of_text` reads it."""
    return urlsafe_b64encode(secret).decode("ascii")


def _read(path: Path) -> MasterKey | None:
    try:
        text = path.read_text("ascii")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        kind = type(error).__name__
        raise WrongKey(f"the patient key {path} cannot be read: {kind}") from None
    try:
        return key_of_text(text)
    except WrongKey as error:
        raise WrongKey(f"{path}: {error}; restore it from your copy") from None


def _make(path: Path) -> MasterKey:
    """Return the key of a new file, durable; two that make it at once share one."""
    draft = path.with_name(f"{path.name}.{os.urandom(8).hex()}")
    try:
        _write(draft, text_of_key(new_key()))
        with suppress(FileExistsError):  # somebody else was first: theirs counts
            path.hardlink_to(draft)
        draft.unlink()
        _sync_folder(path.parent)
    except OSError as error:
        kind = type(error).__name__
        raise WrongKey(f"no patient key can be made at {path}: {kind}") from None
    made = _read(path)
    if made is None:
        raise WrongKey(f"the patient key {path} was removed as it was made")
    return made


def _write(path: Path, text: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    with os.fdopen(os.open(path, flags, mode=0o600), "w", encoding="ascii") as file:
        file.write(f"{text}\n")
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
