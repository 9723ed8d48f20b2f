"""The head of a stored file: our own preamble and file meta (PS3.10 7.1).

Written by its bytes: it is written for every instance that arrives.
"""

import struct

from dicom_io.product import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from dicom_io.sink import StoreFacts

_LONG = struct.Struct("<HH2sHL")
"""Group, element, VR, reserved, length: the VRs of long values (PS3.5 7.1.2)."""

_SHORT = struct.Struct("<HH2sH")

_PREAMBLE = b"\0" * 128 + b"DICM"

_VERSION = _LONG.pack(2, 0x0001, b"OB", 0, 2) + b"\x00\x01"


def part10_header(facts: StoreFacts) -> bytes:
    """Return what stands before the data set in a file of ours.

    128 zero bytes, DICM, and a file meta group made from the association: nothing
    of a sender's preamble or file meta gets into a file.
    """
    group = b"".join(
        (
            _VERSION,
            _text(0x0002, b"UI", facts.sop_class_uid),
            _text(0x0003, b"UI", facts.sop_instance_uid),
            _text(0x0010, b"UI", facts.transfer_syntax_uid),
            _text(0x0012, b"UI", IMPLEMENTATION_CLASS_UID),
            _text(0x0013, b"SH", IMPLEMENTATION_VERSION_NAME),
        )
    )
    length = _SHORT.pack(2, 0x0000, b"UL", 4) + struct.pack("<L", len(group))
    return _PREAMBLE + length + group


def _text(element: int, vr: bytes, value: str) -> bytes:
    padding = b"\0" if vr == b"UI" else b" "
    encoded = value.encode("ascii")
    encoded += padding * (len(encoded) % 2)
    return _SHORT.pack(2, element, vr, len(encoded)) + encoded


def data_set_start(head: bytes) -> int:
    """Return where the data set begins in a file of ours, by its first bytes.

    Raises ValueError where they are not those of such a file.
    """
    first = len(_PREAMBLE)
    group = _SHORT.pack(2, 0x0000, b"UL", 4)
    if head[first - 4 : first] != b"DICM" or not head.startswith(group, first):
        raise ValueError("is no file of this gateway")
    start = first + len(group) + 4
    return start + int.from_bytes(head[start - 4 : start], "little")
