import pytest
from pynetdicom.pdu import A_ABORT_RQ, A_ASSOCIATE_RJ, A_RELEASE_RP, P_DATA_TF

from dicom_io.scp import pdu


def test_the_library_reads_our_rejection() -> None:
    decoded = A_ASSOCIATE_RJ()
    decoded.decode(pdu.rejection(1, 1, 7))
    assert (decoded.result, decoded.source, decoded.reason_diagnostic) == (1, 1, 7)


@pytest.mark.parametrize(
    ("encoded", "source", "reason"),
    [
        (pdu.ABORT_BY_USER, 0, 0),
        (pdu.ABORT_UNEXPECTED, 2, 2),
        (pdu.ABORT_INVALID, 2, 6),
    ],
)
def test_the_library_reads_our_aborts(encoded: bytes, source: int, reason: int) -> None:
    decoded = A_ABORT_RQ()
    decoded.decode(encoded)
    assert (decoded.source, decoded.reason_diagnostic) == (source, reason)


def test_the_release_reply_is_the_librarys() -> None:
    assert A_RELEASE_RP().encode() == pdu.RELEASE_RP


@pytest.mark.parametrize("limit", [0, 7, 20, 16384])
def test_a_command_set_is_split_to_what_the_peer_takes(limit: int) -> None:
    command = bytes(range(100))
    encoded = pdu.command_pdus(3, command, limit)
    parts, controls = b"", []
    while encoded:
        _, length = pdu.PDU_HEADER.unpack_from(encoded)
        assert not limit or length <= limit
        decoded = P_DATA_TF()
        decoded.decode(encoded[: length + 6])
        encoded = encoded[length + 6 :]
        (item,) = decoded.presentation_data_value_items
        value = item.presentation_data_value or b""
        controls.append(value[0])
        parts += value[1:]
        assert item.presentation_context_id == 3
    assert parts == command
    assert controls == [1] * (len(controls) - 1) + [3]
