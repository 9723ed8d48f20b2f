"""What an archive holds of ours, read with plain pydicom."""

from pydicom import Dataset, dcmread

from dicom_io.archive import Archive
from dicom_io.product import PRODUCT_NAME


def own_objects(archive: Archive) -> list[Dataset]:
    """Return the objects that the gateway made."""
    held = [dcmread(each.path, stop_before_pixels=True) for each in archive.instances()]
    return [ds for ds in held if ds.get("ManufacturerModelName") == PRODUCT_NAME]
