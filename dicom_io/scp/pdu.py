"""Protocol data units by their bytes (PS3.8 9.3).

Only those of fixed form, and P-DATA-TF. A-ASSOCIATE-RQ and -AC, whose items nest,
are left to pynetdicom.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

from dicom_io.scp.states import Event


class PduType(IntEnum):
    """PS3.8 9.3.1."""

    ASSOCIATE_RQ = 1
    ASSOCIATE_AC = 2
    ASSOCIATE_RJ = 3
    DATA_TF = 4
    RELEASE_RQ = 5
    RELEASE_RP = 6
    ABORT = 7


EVENTS = {
    PduType.ASSOCIATE_RQ: Event.REQUEST_RECEIVED,
    PduType.ASSOCIATE_AC: Event.ACCEPT_RECEIVED,
    PduType.ASSOCIATE_RJ: Event.REJECT_RECEIVED,
    PduType.DATA_TF: Event.DATA_RECEIVED,
    PduType.RELEASE_RQ: Event.RELEASE_RECEIVED,
    PduType.RELEASE_RP: Event.RELEASE_REPLY_RECEIVED,
    PduType.ABORT: Event.ABORT_RECEIVED,
}

PDU_HEADER = struct.Struct(">BxL")
"""PDU type, reserved, length of what follows (PS3.8 9.3.1)."""

PDV_HEADER = struct.Struct(">LBB")
"""Item length, presentation context ID, message control header (PS3.8 9.3.5.1)."""

VALUE_HEADER = struct.Struct(">BxLLBB")
"""Both headers in a row, as where a PDU carries one value alone."""

IS_COMMAND = 1
IS_LAST = 2
"""Bits of the message control header (PS3.8 E.2); the other six are not tested."""

_BY_USER = (0, 0)
_UNEXPECTED_PDU = (2, 2)
_INVALID_PARAMETER = (2, 6)
"""Source and reason of an A-ABORT (PS3.8 9.3.8)."""

RELEASE_RP = struct.pack(">BxLL", PduType.RELEASE_RP, 4, 0)
"""PS3.8 9.3.7."""


def _abort(source: int, reason: int) -> bytes:
    return struct.pack(">BxLxxBB", PduType.ABORT, 4, source, reason)


ABORT_BY_USER = _abort(*_BY_USER)
ABORT_UNEXPECTED = _abort(*_UNEXPECTED_PDU)
ABORT_INVALID = _abort(*_INVALID_PARAMETER)


def rejection(result: int, source: int, reason: int) -> bytes:
    """Encode an A-ASSOCIATE-RJ (PS3.8 9.3.4)."""
    return struct.pack(">BxLxBBB", PduType.ASSOCIATE_RJ, 4, result, source, reason)


def command_pdus(context_id: int, command: bytes, max_pdu_bytes: int) -> bytes:
    """Encode a command set as P-DATA-TF PDUs of one PDV each (PS3.8 9.3.5, E).

    max_pdu_bytes : what the peer announced (PS3.8 D.1); 0 means no limit.
    """
    return b"".join(_pdus(context_id, command, max_pdu_bytes))


def _pdus(context_id: int, command: bytes, max_pdu_bytes: int) -> Iterator[bytes]:
    step = max(max_pdu_bytes - PDV_HEADER.size, 1) if max_pdu_bytes else len(command)
    for start in range(0, len(command), step):
        part = command[start : start + step]
        is_last = IS_LAST if start + step >= len(command) else 0
        yield PDU_HEADER.pack(PduType.DATA_TF, len(part) + PDV_HEADER.size)
        yield PDV_HEADER.pack(len(part) + 2, context_id, IS_COMMAND | is_last)
        yield part
