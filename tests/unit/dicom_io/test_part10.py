from io import BytesIO

from pydicom import uid
from pydicom.filereader import dcmread

from dicom_io.part10 import part10_header
from dicom_io.product import IMPLEMENTATION_CLASS_UID
from dicom_io.sink import StoreFacts
from tests.data.network import radiograph

FACTS = StoreFacts(
    association_id="1",
    calling_title="XRAY",
    called_title="MAIRA_GW",
    peer_address="127.0.0.1",
    peer=None,
    sop_class_uid=uid.ComputedRadiographyImageStorage,
    sop_instance_uid="1.2.3.1.1.1",
    transfer_syntax_uid=uid.JPEG2000Lossless,
    move_originator=None,
)


def test_the_preamble_is_zeros_and_the_file_meta_is_ours() -> None:
    head = part10_header(FACTS)
    meta = dcmread(BytesIO(head)).file_meta
    assert head[:132] == bytes(128) + b"DICM"
    assert meta.MediaStorageSOPClassUID == uid.ComputedRadiographyImageStorage
    assert meta.MediaStorageSOPInstanceUID == radiograph().SOPInstanceUID
    assert meta.TransferSyntaxUID == uid.JPEG2000Lossless
    assert meta.ImplementationClassUID == IMPLEMENTATION_CLASS_UID


def test_no_name_of_a_sender_is_in_the_file_meta() -> None:
    assert b"XRAY" not in part10_header(FACTS)
