"""The items of an A-ASSOCIATE-RQ, put straight before pynetdicom decodes them.

The library fails on whatever it does not know; the standard has it skipped.
"""

import struct
from collections.abc import Container, Iterator
from enum import IntEnum

_FIXED_BYTES = 68
_TITLES = (slice(4, 20), slice(20, 36))
"""Protocol version, titles and reserved bytes (PS3.8 Table 9-11)."""

_ITEM = struct.Struct(">BxH")
"""Type, reserved, length of the value (PS3.8 9.3.2.1)."""


class ItemType(IntEnum):
    """What is read of a request (PS3.8 9.3.2, D.1; PS3.7 D.3.3).

    The implementation version name (55H) is not: some write it too long.
    """

    APPLICATION_CONTEXT = 0x10
    PRESENTATION_CONTEXT = 0x20
    ABSTRACT_SYNTAX = 0x30
    TRANSFER_SYNTAX = 0x40
    USER_INFORMATION = 0x50
    MAXIMUM_LENGTH = 0x51
    IMPLEMENTATION_CLASS_UID = 0x52
    ASYNCHRONOUS_WINDOW = 0x53
    ROLE_SELECTION = 0x54
    EXTENDED_NEGOTIATION = 0x56
    COMMON_EXTENDED_NEGOTIATION = 0x57
    USER_IDENTITY = 0x58


_IN_REQUEST = frozenset(
    {
        ItemType.APPLICATION_CONTEXT,
        ItemType.PRESENTATION_CONTEXT,
        ItemType.USER_INFORMATION,
    }
)
_IN_CONTEXT = frozenset({ItemType.ABSTRACT_SYNTAX, ItemType.TRANSFER_SYNTAX})
_IN_USER_INFORMATION = frozenset(ItemType) - _IN_REQUEST - _IN_CONTEXT


def tidied(body: bytes) -> bytes:
    """Return the body of an A-ASSOCIATE-RQ with nothing in it but what is read.

    Items of unrecognized types are ignored and skipped (PS3.8 9.3.1). A title ends at
    a NUL, as some senders pad it. Raises ValueError where items are cut short or a
    presentation context ID comes twice (PS3.8 7.1.1.13).
    """
    if len(body) < _FIXED_BYTES:
        raise ValueError("an A-ASSOCIATE-RQ that is cut short")
    fixed = bytearray(body[:_FIXED_BYTES])
    for title in _TITLES:
        fixed[title] = fixed[title].partition(b"\0")[0].ljust(16)
    items = [each for each in _items(body[_FIXED_BYTES:]) if each[0] in _IN_REQUEST]
    contexts = [each for each in items if each[0] == ItemType.PRESENTATION_CONTEXT]
    if len({value[:1] for _, value in contexts}) < len(contexts):
        raise ValueError("a presentation context ID comes twice")
    return bytes(fixed) + b"".join(_item(kind, _read(kind, v)) for kind, v in items)


def _read(kind: int, value: bytes) -> bytes:
    """Return the value of an item without the sub-items that are not read."""
    match kind:
        case ItemType.PRESENTATION_CONTEXT:
            return value[:4] + _only(value[4:], _IN_CONTEXT)
        case ItemType.USER_INFORMATION:
            return _only(value, _IN_USER_INFORMATION)
        case _:
            return value


def _only(encoded: bytes, kinds: Container[int]) -> bytes:
    return b"".join(_item(*each) for each in _items(encoded) if each[0] in kinds)


def _items(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    position = 0
    while position < len(encoded):
        if position + _ITEM.size > len(encoded):
            raise ValueError("an item that is cut short")
        kind, length = _ITEM.unpack_from(encoded, position)
        position += _ITEM.size
        if position + length > len(encoded):
            raise ValueError("an item longer than what holds it")
        yield kind, encoded[position : position + length]
        position += length


def _item(kind: int, value: bytes) -> bytes:
    return _ITEM.pack(kind, len(value)) + value
