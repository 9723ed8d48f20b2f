"""Small studies of two images without end: one phantom, each time under other names."""

from dataclasses import dataclass
from pathlib import Path

from pydicom import FileDataset, dcmread

from dicom_io.uid import derive_uid
from tests.data.phantoms import phantom_files

SHORT_SIDE = 192
"""Pixels of the shorter side; all else is as much work as with large images."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawn:
    """A study that can be sent."""

    study_instance_uid: str
    files: tuple[Path, ...]


class Films:
    """Writes studies into a folder, the next ones in place of those sent."""

    def __init__(self, folder: Path, short_side: int = SHORT_SIDE) -> None:
        self._folder = folder
        phantom = phantom_files(
            folder / "phantom", seed=1, short_side=short_side, with_prior=False
        )
        self._images = [dcmread(path) for path in phantom.current]

    def draw(self, number: int) -> Drawn:
        """Write study `number`, whose patient has no other; the files are reused."""
        files = tuple(self._folder / f"{n}.dcm" for n, _ in enumerate(self._images))
        for index, (ds, path) in enumerate(zip(self._images, files, strict=True)):
            _rename(ds, number, index)
            ds.save_as(path, enforce_file_format=True)
        return Drawn(study_instance_uid=_uid(number), files=files)


def _rename(ds: FileDataset, number: int, index: int) -> None:
    """Make an image that of another study and patient; its pixels stay."""
    ds.StudyInstanceUID = _uid(number)
    ds.SeriesInstanceUID = _uid(number, "series", index)
    ds.SOPInstanceUID = _uid(number, "image", index)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    ds.PatientID = ds.AccessionNumber = f"SOAK{number}"


def _uid(number: int, *what: object) -> str:
    return derive_uid("soak", str(number), *map(str, what))
