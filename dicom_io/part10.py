"""The head of a stored file: our own preamble and file meta (PS3.10 7.1)."""

from pydicom.dataset import FileMetaDataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_file_meta_info
from pydicom.uid import UID

from dicom_io.product import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.sink import StoreFacts


def part10_header(facts: StoreFacts) -> bytes:
    """Return what stands before the data set in a file of ours.

    128 zero bytes, DICM, and a file meta group made from the association: nothing
    of a sender's preamble or file meta gets into a file.
    """
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPClassUID = UID(facts.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = UID(facts.sop_instance_uid)
    meta.TransferSyntaxUID = UID(facts.transfer_syntax_uid)
    meta.ImplementationClassUID = UID(IMPLEMENTATION_CLASS_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_VERSION_NAME
    group = DicomBytesIO()
    write_file_meta_info(group, meta)
    return b"\x00" * 128 + b"DICM" + group.getvalue()
