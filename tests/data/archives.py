"""What an archive holds of ours, read with plain pydicom."""

from pathlib import Path

from pydicom import FileDataset, dcmread

from dicom_io.archive import Archive
from dicom_io.product import PRODUCT_NAME


def own_objects(archive: Archive) -> list[FileDataset]:
    """Return the objects that the gateway made."""
    held = [dcmread(each.path, stop_before_pixels=True) for each in archive.instances()]
    return [ds for ds in held if ds.get("ManufacturerModelName") == PRODUCT_NAME]


def read_folder(folder: Path) -> list[FileDataset]:
    """Return the headers of the objects in a folder."""
    return [dcmread(path, stop_before_pixels=True) for path in folder.glob("*.dcm")]
