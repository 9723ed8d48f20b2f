"""What is sent in a test of kills: small studies, each of a patient of its own."""

from dataclasses import dataclass
from hashlib import sha256
from struct import unpack_from

from pydicom.dataset import Dataset

from config.load import Table
from dicom_io.archive import Archive
from tests.data.films import BASIC_TEXT_SR, DX, film_dataset
from tests.data.network import part10
from tests.data.sites import archive_peer

ROOT_UID = "1.2.826.0.1.3680043.10.543.9"
_LARGE_BYTES = 400_000
"""Private data that make a film take many PDUs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """An instance to send: `data` is its data set in explicit VR little endian."""

    class_uid: str
    instance_uid: str
    study_uid: str
    data: bytes

    @property
    def is_film(self) -> bool:
        return self.class_uid == DX

    @property
    def sha256(self) -> str:
        return sha256(self.data).hexdigest()


def site_overrides(archive: Archive, **more: Table) -> Table:
    """Return settings of a site that is quick and never gives a study up.

    A study is at work at many kills here; five in one state would park it.
    """
    return overrides_for("ARCHIVE", archive.port, **more)


def overrides_for(title: str, port: int, **more: Table) -> Table:
    """Return the same settings for an archive of any kind."""
    return {
        **archive_peer(title, port),
        "completeness": {"quiet_seconds": 0.2, "ask_archive": False},
        "work": {
            "lease_seconds": 30.0,
            "max_attempts": 1000,
            "first_pause_seconds": 0.1,
            "max_pause_seconds": 0.2,
        },
        "prior": {"attempts": 50, "pause_seconds": 0.1},
        **more,
    }


SIGNING: Table = {"checkpoint_seconds": 0.3, "checkpoint_command": ["true"]}
"""By these the audit is signed, and handed out, while a study is read."""


def film(number: int, *, is_large: bool = False) -> Item:
    """Return the one film of study `number`."""
    ds = film_dataset(**_uids(number, 1), **_patient(number))
    if is_large:
        ds.private_block(0x0029, "MAIRA TEST", create=True).add_new(
            1, "OB", bytes(_LARGE_BYTES)
        )
    return _item(ds, number)


def document(number: int, place: int) -> Item:
    """Return a text SR of study `number`; it opens no study."""
    ds = film_dataset(**_uids(number, place), **_patient(number))
    for keyword in ("PixelData", "Rows", "Columns", "ViewPosition"):
        delattr(ds, keyword)
    ds.SOPClassUID, ds.Modality = BASIC_TEXT_SR, "SR"
    ds.ContentDate, ds.ContentTime = "20240302", "101500"
    return _item(ds, number)


def put_prior(archive: Archive, number: int) -> None:
    """Let the archive hold an earlier film of the patient of study `number`."""
    uid = f"{study_uid(number)}.0"
    ds = film_dataset(
        **_patient(number),
        StudyInstanceUID=uid,
        SeriesInstanceUID=f"{uid}.1",
        SOPInstanceUID=f"{uid}.1.1",
        StudyDate="20230302",
    )
    archive.put(part10(ds))


def study_uid(number: int) -> str:
    return f"{ROOT_UID}.{number}"


def data_of(part10_file: bytes) -> bytes:
    """Return the data set of a Part 10 file: what follows the file meta group."""
    (length,) = unpack_from("<L", part10_file, 140)
    return part10_file[144 + length :]


def _uids(number: int, place: int) -> dict[str, str]:
    uid = study_uid(number)
    return {
        "StudyInstanceUID": uid,
        "SeriesInstanceUID": f"{uid}.{place}",
        "SOPInstanceUID": f"{uid}.{place}.1",
    }


def _patient(number: int) -> dict[str, str]:
    return {"PatientID": f"P{number}", "PatientName": f"Phantom^N{number}"}


def _item(ds: Dataset, number: int) -> Item:
    return Item(
        class_uid=str(ds.SOPClassUID),
        instance_uid=str(ds.SOPInstanceUID),
        study_uid=study_uid(number),
        data=data_of(part10(ds)),
    )
