"""Command sets by their bytes: group 0000, implicit VR little endian (PS3.7 6.3.1)."""

import struct
from dataclasses import dataclass
from enum import IntEnum

from dicom_io.uid import is_uid

_ELEMENT = struct.Struct("<HHL")
_US = struct.Struct("<H")

_AFFECTED_SOP_CLASS_UID = 0x0002
_COMMAND_FIELD = 0x0100
_MESSAGE_ID = 0x0110
_MESSAGE_ID_BEING_RESPONDED_TO = 0x0120
_DATA_SET_TYPE = 0x0800
_STATUS = 0x0900
_AFFECTED_SOP_INSTANCE_UID = 0x1000
_MOVE_ORIGINATOR = 0x1030
"""Element numbers (PS3.7 E.1)."""

_NO_DATA_SET = 0x0101
_RESPONSE = 0x8000

UNRECOGNISED_OPERATION = 0x0211
"""PS3.7 C.5.23: the service is not one of the SOP class."""


class Field(IntEnum):
    """Values of Command Field (0000,0100) that are told apart (PS3.7 E.1)."""

    C_STORE_RQ = 0x0001
    C_ECHO_RQ = 0x0030
    N_EVENT_REPORT_RQ = 0x0100
    N_ACTION_RQ = 0x0130
    C_CANCEL_RQ = 0x0FFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command set; absent texts are empty. `encoded` is what came."""

    field: int
    message_id: int
    has_data_set: bool
    sop_class_uid: str
    sop_instance_uid: str
    move_originator: str
    encoded: bytes

    @property
    def wants_answer(self) -> bool:
        """Whether it is a request, and one that has a response (PS3.7 9.3.2.3)."""
        return not self.field & _RESPONSE and self.field != Field.C_CANCEL_RQ


def decode_command(encoded: bytes) -> Command:
    """Read a command set.

    Raises ValueError where it is none, or lacks what every command must have.
    """
    values = dict(_elements(encoded))
    field = _number(values, _COMMAND_FIELD)
    answers = bool(field & _RESPONSE) or field == Field.C_CANCEL_RQ
    return Command(
        field=field,
        message_id=0 if answers else _number(values, _MESSAGE_ID),
        has_data_set=_number(values, _DATA_SET_TYPE) != _NO_DATA_SET,
        sop_class_uid=_text(values, _AFFECTED_SOP_CLASS_UID),
        sop_instance_uid=_text(values, _AFFECTED_SOP_INSTANCE_UID),
        move_originator=_text(values, _MOVE_ORIGINATOR),
        encoded=encoded,
    )


def encode_response(request: Command, status: int) -> bytes:
    """Encode the response to `request`, without a data set (PS3.7 9.3.1, 9.3.5).

    It names the class and the instance again where they are UIDs at all.
    """
    parts = [
        _uid_element(_AFFECTED_SOP_CLASS_UID, request.sop_class_uid),
        _us_element(_COMMAND_FIELD, request.field | _RESPONSE),
        _us_element(_MESSAGE_ID_BEING_RESPONDED_TO, request.message_id),
        _us_element(_DATA_SET_TYPE, _NO_DATA_SET),
        _us_element(_STATUS, status),
        _uid_element(_AFFECTED_SOP_INSTANCE_UID, request.sop_instance_uid),
    ]
    body = b"".join(parts)
    return _ELEMENT.pack(0, 0, 4) + struct.pack("<L", len(body)) + body


def _elements(encoded: bytes) -> list[tuple[int, bytes]]:
    found, position = [], 0
    while position < len(encoded):
        if position + _ELEMENT.size > len(encoded):
            raise ValueError("command set ends within an element")
        group, element, length = _ELEMENT.unpack_from(encoded, position)
        position += _ELEMENT.size
        if group or position + length > len(encoded):
            raise ValueError("not a command set")
        found.append((element, encoded[position : position + length]))
        position += length
    return found


def _number(values: dict[int, bytes], element: int) -> int:
    value = values.get(element, b"")
    if len(value) != _US.size:
        raise ValueError(f"no (0000,{element:04X}) in the command set")
    return int(_US.unpack(value)[0])


def _text(values: dict[int, bytes], element: int) -> str:
    # Bytes that are not ASCII stay visible as what no UID and no title has.
    text = values.get(element, b"").decode("ascii", "backslashreplace")
    return text.strip("\0 ")


def _us_element(element: int, value: int) -> bytes:
    return _ELEMENT.pack(0, element, _US.size) + _US.pack(value)


def _uid_element(element: int, value: str) -> bytes:
    if not is_uid(value):
        return b""
    padded = value.encode() + b"\0" * (len(value) % 2)
    return _ELEMENT.pack(0, element, len(padded)) + padded
