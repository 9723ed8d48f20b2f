"""Getting the gated snapshot: the files that are read, and never its Python code.

The only home of `huggingface_hub`. A refusal by the server becomes one line that says
what to do. Whole files stay, so that a second call fetches the others; of a file that
broke off the library keeps nothing.
"""

import errno
import hashlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path, PurePosixPath

from huggingface_hub import HfApi, constants, hf_hub_download
from huggingface_hub.errors import HfHubHTTPError
from huggingface_hub.utils import (  # type: ignore[attr-defined]  # no marks
    disable_progress_bars,
    httpx,
)

from model.errors import DownloadRefused

REPOSITORY = "microsoft/maira-2"
REVISION = "795a2b1cd4a310624b4e3d14b5a23e41fd273deb"
"""The revision whose file sizes are known (`snapshot.OFFICIAL_SIZES`)."""
_WANTED = frozenset({".json", ".safetensors", ".model"})
"""Endings of the files that are fetched; code is not among them."""
_RESERVE_BYTES = 512 * 2**20
"""Left free on the disk."""
_DISK = frozenset(
    {errno.EACCES, errno.EDQUOT, errno.EIO, errno.ENOSPC, errno.EPERM, errno.EROFS}
)
"""Numbers of errors that the folder has, not the connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What to fetch, from where, and as whom.

    `endpoint` : the server's address, None for the one of HF_ENDPOINT or else the
    library's; `token` : None to ask without one.
    """

    repository: str = REPOSITORY
    revision: str = REVISION
    endpoint: str | None = None
    token: str | None = field(default=None, repr=False)

    @property
    def address(self) -> str:
        """The server's address, without a slash at its end."""
        return (self.endpoint or str(constants.ENDPOINT)).rstrip("/")

    @property
    def page(self) -> str:
        """Where the conditions of a gated repository are accepted."""
        return f"{self.address}/{self.repository}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What the server says of a file: bytes and SHA-256, None where it does not."""

    size: int | None
    sha256: str | None


def fetch_snapshot(
    source: Source, folder: Path, seen: Callable[[str], None] = lambda _: None
) -> tuple[str, ...]:
    """Download what is missing into a folder; returns the names of all files.

    `seen` hears of each file before it is fetched. Every file is compared with what
    the server tells of it, also one that was there. Raises `DownloadRefused`.
    """
    disable_progress_bars()
    with _explained(source, folder):
        files = _files(source)
        _check_room(folder, files)
        for name, told in files.items():
            seen(name)
            _fetch(source, folder, name)
            _check_file(folder / name, told)
    return tuple(files)


def read_token(variable: str | None, file: Path | None) -> str | None:
    """Choose the token: that in the file, else the environment's; None for none.

    Raises `DownloadRefused` where the file cannot be read or holds nothing.
    """
    if file is None:
        return (variable or "").strip() or None
    try:
        token = file.read_text(encoding="ascii").strip()
    except (OSError, ValueError) as error:
        raise DownloadRefused(f"the token file {file} cannot be read") from error
    if not token:
        raise DownloadRefused(f"the token file {file} is empty")
    return token


def _files(source: Source) -> dict[str, _Told]:
    """List the wanted files of the revision. Raises `DownloadRefused`."""
    api = HfApi(endpoint=source.address, token=source.token or False)
    try:
        info = api.model_info(
            source.repository, revision=source.revision, files_metadata=True
        )
    except (KeyError, TypeError, ValueError) as error:  # a proxy's page, for one
        raise DownloadRefused(
            f"{source.address} answered what is no list of files: is it the server of "
            "the weights, or a proxy before it?"
        ) from error
    wanted = {
        file.rfilename: _Told(
            size=file.size, sha256=file.lfs.sha256 if file.lfs else None
        )
        for file in info.siblings or ()
        if _is_wanted(file.rfilename)
    }
    if not wanted:
        raise DownloadRefused(f"{source.page} holds no file that is read here")
    return wanted


def _is_wanted(name: str) -> bool:
    """Tell whether a file is read here: one of the top folder, and no code."""
    path = PurePosixPath(name)
    return path.name == name and path.suffix in _WANTED


def _fetch(source: Source, folder: Path, name: str) -> None:
    hf_hub_download(
        source.repository,
        name,
        revision=source.revision,
        local_dir=folder,
        token=source.token or False,
        endpoint=source.address,
    )


def _check_room(folder: Path, files: Mapping[str, _Told]) -> None:
    """Refuse where the disk cannot hold what is still missing."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = sum(
        told.size or 0 for name, told in files.items() if not (folder / name).is_file()
    )
    free = shutil.disk_usage(folder).free
    if missing + _RESERVE_BYTES > free:
        raise DownloadRefused(
            f"{folder} has {free / 1e9:.1f} GB free, {missing / 1e9:.1f} GB are needed "
            "and half a GB is kept free"
        )


def _check_file(path: Path, told: _Told) -> None:
    """Compare a file with what the server told. Raises `DownloadRefused`.

    The library compares sizes alone, and does not look at a file that was there.
    """
    found = path.stat().st_size
    if told.size is not None and found != told.size:
        raise DownloadRefused(
            f"{path.name} has {found} bytes, the server told {told.size}: remove it "
            "and fetch again"
        )
    if told.sha256 is not None and _sha256(path) != told.sha256:
        raise DownloadRefused(
            f"{path.name} has another SHA-256 than the server told: remove it and "
            "fetch again"
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _explained(source: Source, folder: Path) -> Iterator[None]:
    """Turn the library's errors into one line that says what to do."""
    try:
        yield
    except HfHubHTTPError as error:
        raise DownloadRefused(_reason(source, error)) from error
    except (httpx.HTTPError, OSError) as error:
        if isinstance(error.__cause__, HfHubHTTPError):
            raise DownloadRefused(_reason(source, error.__cause__)) from error
        if isinstance(error, OSError) and error.errno in _DISK:
            raise DownloadRefused(
                f"{folder} cannot be written or read: {error.strerror}"
            ) from error
        raise DownloadRefused(
            f"the connection to {source.address} failed or broke off "
            f"({type(error).__name__}): fetch again, the files that have come are kept"
        ) from error


def _reason(source: Source, error: HfHubHTTPError) -> str:
    """Say what an answer of the server means for the person who asked."""
    status = error.response.status_code
    gated = error.response.headers.get("X-Error-Code") == "GatedRepo"
    if status == HTTPStatus.UNAUTHORIZED:
        wrong = "refused the token" if source.token else "wants a token"
        return f"{source.address} {wrong} (401): set HF_TOKEN or give --token-file"
    if status == HTTPStatus.FORBIDDEN:
        return (
            f"this account may not read {source.repository} (403): "
            f"accept its conditions at {source.page}"
            + ("" if gated else ", and let the token read gated repositories")
        )
    if status == HTTPStatus.NOT_FOUND:
        return f"{source.page} has no revision {source.revision}, or no such file (404)"
    return f"{source.address} answered {status}: try again later"
