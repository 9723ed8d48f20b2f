"""Part 10 files given by hand, fed to the same sink as received instances."""

from pathlib import Path

from pydicom.dataset import FileMetaDataset
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info

from dicom_io.errors import Unreadable
from dicom_io.header import read_instance
from dicom_io.malformed import MALFORMED
from dicom_io.part10 import part10_header
from dicom_io.sink import Sink, StoreFacts
from dicom_io.status import Status

PIECE_BYTES = 1 << 20
_PREFIX_BYTES = 128 + 4
_GROUP_LENGTH_BYTES = 12
"""Preamble and prefix; then (0002,0000) itself (PS3.10 7.1)."""


def deliver_file(path: Path, sink: Sink, title: str) -> Status:
    """Give one Part 10 file to `sink`; return what a sender would have heard.

    title : stands for both AE titles in the facts.
    Raises Unreadable where the file is not Part 10 or names no instance.
    """
    facts, start = _facts(path, title)
    incoming = sink(facts)
    try:
        with path.open("rb") as file:
            file.seek(start)
            while piece := file.read(PIECE_BYTES):
                incoming.write(piece)
    except BaseException:
        incoming.discard()
        raise
    return incoming.commit()


def _facts(path: Path, title: str) -> tuple[StoreFacts, int]:
    """Return what a sender would announce, and the offset of the data set.

    The UIDs are those of the data set, as a sender would take them; file meta that
    says otherwise is common in files by hand and harms nobody.
    """
    header, meta = read_instance(path), _meta(path)
    facts = StoreFacts(
        association_id="file",
        calling_title=title,
        called_title=title,
        peer_address="",
        peer=None,
        sop_class_uid=header.sop_class_uid,
        sop_instance_uid=header.sop_instance_uid,
        transfer_syntax_uid=header.transfer_syntax_uid,
        move_originator=None,
    )
    if "FileMetaInformationGroupLength" not in meta:
        raise Unreadable(f"{path.name}: the file meta has no group length")
    length = int(meta.FileMetaInformationGroupLength)
    return facts, _PREFIX_BYTES + _GROUP_LENGTH_BYTES + length


def _meta(path: Path) -> FileMetaDataset:
    try:
        return read_file_meta_info(path)
    except (InvalidDicomError, *MALFORMED) as error:
        raise Unreadable(f"{path.name}: is not a DICOM file: {error}") from error


def folder_sink(folder: Path) -> Sink:
    """Return a sink that writes each instance it gets to `folder`.

    For the demo and the tests: names are SOP Instance UIDs, whose grammar the
    caller of a sink has checked; nothing is promised about durability.
    """
    folder.mkdir(parents=True, exist_ok=True)
    return lambda facts: _Saved(folder / f"{facts.sop_instance_uid}.dcm", facts)


class _Saved:
    """One instance on its way into a folder."""

    def __init__(self, path: Path, facts: StoreFacts) -> None:
        self._path = path
        self._file = path.open("wb")
        self._file.write(part10_header(facts))

    def write(self, data: bytes | memoryview) -> None:
        """Append data set bytes."""
        self._file.write(data)

    def commit(self) -> Status:
        """Close the file."""
        self._file.close()
        return Status.SUCCESS

    def discard(self) -> None:
        """Delete what was written."""
        self._file.close()
        self._path.unlink(missing_ok=True)
