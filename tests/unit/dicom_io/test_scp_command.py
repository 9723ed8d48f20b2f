from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom import uid
from pydicom.uid import UID
from pynetdicom.dimse_messages import C_ECHO_RQ, C_STORE_RQ, DIMSEMessage
from pynetdicom.dimse_primitives import C_ECHO, C_STORE
from pynetdicom.dsutils import decode, encode
from pynetdicom.pdu_primitives import P_DATA

from dicom_io.scp.command import Command, decode_command, encode_response
from dicom_io.status import Status

STORE = Command(
    field=1,
    message_id=7,
    has_data_set=True,
    sop_class_uid="1.2.840.10008.5.1.4.1.1.1",
    sop_instance_uid="1.2.3",
    move_originator="",
    encoded=b"",
)


def _store_command() -> bytes:
    """Return a C-STORE request as the library encodes it."""
    request = C_STORE()
    request.MessageID, request.Priority = 7, 2
    request.AffectedSOPClassUID = UID(uid.ComputedRadiographyImageStorage)
    request.AffectedSOPInstanceUID = UID("1.2.3")
    request.MoveOriginatorApplicationEntityTitle = "ARCHIVE"
    request.MoveOriginatorMessageID = 3
    request.DataSet = BytesIO(b"\0\0")
    message = C_STORE_RQ()
    message.primitive_to_message(request)
    return (
        encode(message.command_set, is_implicit_vr=True, is_little_endian=True) or b""
    )


def test_a_c_store_request_of_the_library_is_read() -> None:
    command = decode_command(_store_command())
    assert (command.field, command.message_id, command.has_data_set) == (1, 7, True)
    assert command.sop_class_uid == uid.ComputedRadiographyImageStorage
    assert command.sop_instance_uid == "1.2.3"
    assert command.move_originator == "ARCHIVE"


def test_a_c_echo_request_has_no_data_set() -> None:
    request = C_ECHO()
    request.MessageID = 9
    request.AffectedSOPClassUID = UID("1.2.840.10008.1.1")
    message = C_ECHO_RQ()
    message.primitive_to_message(request)
    encoded = encode(message.command_set, is_implicit_vr=True, is_little_endian=True)
    command = decode_command(encoded or b"")
    assert (command.field, command.has_data_set) == (0x30, False)


def test_the_library_reads_our_response() -> None:
    encoded = encode_response(STORE, Status.OUT_OF_RESOURCES)
    primitive = P_DATA()
    primitive.presentation_data_value_list = [[1, b"\x03" + encoded]]  # type: ignore[list-item]
    message = DIMSEMessage()
    assert message.decode_msg(primitive)
    response = message.message_to_primitive()
    assert isinstance(response, C_STORE)
    assert response.Status == 0xA700
    assert response.MessageIDBeingRespondedTo == 7
    assert response.AffectedSOPInstanceUID == "1.2.3"


def test_the_group_length_counts_what_follows_it() -> None:
    encoded = encode_response(STORE, Status.SUCCESS)
    command_set = decode(BytesIO(encoded), is_implicit_vr=True, is_little_endian=True)
    # 8 bytes of header and 4 of value stand before what is counted.
    assert command_set.CommandGroupLength == len(encoded) - 12


def test_what_is_no_uid_is_not_answered_back() -> None:
    request = Command(
        field=1,
        message_id=1,
        has_data_set=True,
        sop_class_uid="..",
        sop_instance_uid="x" * 5000,
        move_originator="",
        encoded=b"",
    )
    assert len(encode_response(request, 0)) < 100


@given(cut=st.integers(0, len(_store_command()) - 1))
def test_a_command_set_that_is_cut_short_is_refused(cut: int) -> None:
    whole = _store_command()
    try:
        command = decode_command(whole[:cut])
    except ValueError:
        return
    # What was cut off at an element's end lacks only what may be absent.
    assert command.has_data_set


@given(noise=st.binary(max_size=200))
def test_noise_is_a_command_set_or_a_value_error(noise: bytes) -> None:
    try:
        decode_command(noise)
    except ValueError:
        return


@pytest.mark.parametrize("group", [2, 8])
def test_another_group_is_no_command_set(group: int) -> None:
    with pytest.raises(ValueError, match="not a command set"):
        decode_command(bytes([group, 0, 0, 0, 0, 0, 0, 0]))


_GROUP_LENGTH_BYTES = 12
"""Its element stands first: header and value."""


@pytest.mark.parametrize(
    "encoded",
    [
        _store_command()[_GROUP_LENGTH_BYTES:],
        _store_command()[:8] + b"\xff\xff\xff\xff" + _store_command()[12:],
        _store_command().replace(b"1.2.3\0", b"1.2.3 "),
        # Length to End, retired (PS3.7 E.2); an element that is not known; no order.
        b"\0\0\1\0\4\0\0\0\0\0\0\0" + _store_command(),
        _store_command() + b"\0\0\xff\xff\2\0\0\0ab",
        _store_command()[_GROUP_LENGTH_BYTES:] + _store_command()[:_GROUP_LENGTH_BYTES],
    ],
    ids=[
        "no group length",
        "a wrong group length",
        "a UID padded with a space",
        "Length to End",
        "an unknown element",
        "the group length last",
    ],
)
def test_an_odd_encoding_of_a_command_set_is_read(encoded: bytes) -> None:
    command = decode_command(encoded)
    assert (command.field, command.message_id, command.has_data_set) == (1, 7, True)
    assert command.sop_instance_uid == "1.2.3"
    assert command.move_originator == "ARCHIVE"
