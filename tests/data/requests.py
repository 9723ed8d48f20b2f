"""A-ASSOCIATE-RQ by its bytes, and A-ASSOCIATE-AC read back (PS3.8 9.3.2, 9.3.3).

Written from the tables of the standard, so that what a library would not say can be
said, and what a library would forgive is seen.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydicom import uid

APPLICATION_CONTEXT = b"1.2.840.10008.3.1.1.1"
VERIFICATION = "1.2.840.10008.1.1"
CR = str(uid.ComputedRadiographyImageStorage)
EXPLICIT = str(uid.ExplicitVRLittleEndian)
IMPLICIT = str(uid.ImplicitVRLittleEndian)

ROLE = 0x54

_ITEM = struct.Struct(">BxH")


def item(kind: int, body: bytes) -> bytes:
    """Encode an item or sub-item: type, reserved, length of two bytes, value."""
    return _ITEM.pack(kind, len(body)) + body


def context_item(number: int, abstract: str, syntaxes: Sequence[str]) -> bytes:
    """Encode a proposed presentation context (PS3.8 9.3.2.2)."""
    names = item(0x30, abstract.encode())
    names += b"".join(item(0x40, each.encode()) for each in syntaxes)
    return item(0x20, bytes([number, 0, 0, 0]) + names)


CR_EXPLICIT = context_item(1, CR, [EXPLICIT])
ECHO = context_item(3, VERIFICATION, [IMPLICIT])

MAX_LENGTH = item(0x51, struct.pack(">L", 16384))
IMPLEMENTATION = item(0x52, b"1.2.3.4")
VERSION_NAME = item(0x55, b"TESTS")


def asynchronous(invoked: int, performed: int) -> bytes:
    """Encode an Asynchronous Operations Window (PS3.7 D.3.3.3.1)."""
    return item(0x53, struct.pack(">HH", invoked, performed))


def role(class_uid: str, scu: int, scp: int) -> bytes:
    """Encode an SCP/SCU Role Selection (PS3.7 D.3.3.4.1)."""
    name = class_uid.encode()
    return item(ROLE, struct.pack(">H", len(name)) + name + bytes([scu, scp]))


def extended(class_uid: str, information: bytes) -> bytes:
    """Encode a SOP Class Extended Negotiation (PS3.7 D.3.3.5.1)."""
    name = class_uid.encode()
    return item(0x56, struct.pack(">H", len(name)) + name + information)


def common_extended(class_uid: str, service_uid: str) -> bytes:
    """Encode a SOP Class Common Extended Negotiation (PS3.7 D.3.3.6.1)."""
    parts = [
        struct.pack(">H", len(each)) + each.encode()
        for each in (class_uid, service_uid)
    ]
    return item(0x57, b"".join(parts) + struct.pack(">H", 0))


def identity(
    kind: int, primary: bytes, secondary: bytes = b"", answer: int = 0
) -> bytes:
    """Encode a User Identity (PS3.7 D.3.3.7.1)."""
    fields = [struct.pack(">H", len(each)) + each for each in (primary, secondary)]
    return item(0x58, bytes([kind, answer]) + b"".join(fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an A-ASSOCIATE-RQ says, and what fills its reserved fields."""

    contexts: Sequence[bytes] = (CR_EXPLICIT, ECHO)
    information: Sequence[bytes] = (MAX_LENGTH, IMPLEMENTATION, VERSION_NAME)
    called: bytes = b"MAIRA_GW"
    calling: bytes = b"XRAY"
    version: int = 1
    application: Sequence[bytes] = (item(0x10, APPLICATION_CONTEXT),)
    reserved: bytes = b"\0"

    @property
    def encoded(self) -> bytes:
        """The PDU."""
        body = struct.pack(">H", self.version) + self.reserved * 2
        body += self.called.ljust(16) + self.calling.ljust(16) + self.reserved * 32
        body += b"".join([*self.application, *self.contexts])
        if self.information:
            body += item(0x50, b"".join(self.information))
        return b"\x01" + self.reserved + struct.pack(">L", len(body)) + body


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a proposed context (PS3.8 9.3.3.2)."""

    number: int
    result: int
    syntax: str


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An A-ASSOCIATE-AC: results in their order, sub-items of user information."""

    results: tuple[Result, ...]
    information: tuple[tuple[int, bytes], ...]


def acceptance(pdu: bytes) -> Acceptance:
    """Read an A-ASSOCIATE-AC."""
    kind, length = struct.unpack_from(">BxL", pdu)
    assert (kind, length) == (2, len(pdu) - 6)
    results: list[Result] = []
    information: list[tuple[int, bytes]] = []
    for kind, body in _items(pdu[74:]):
        if kind == 0x21:
            syntaxes = dict(_items(body[4:]))
            results.append(Result(body[0], body[2], syntaxes[0x40].decode()))
        if kind == 0x50:
            information += _items(body)
    return Acceptance(tuple(results), tuple(information))


def proposed(pdu: bytes) -> dict[int, tuple[str, tuple[str, ...]]]:
    """Read an A-ASSOCIATE-RQ: abstract and transfer syntaxes by context ID."""
    found = {}
    for kind, body in _items(pdu[74:]):
        if kind == 0x20:
            names = [(each, value.decode()) for each, value in _items(body[4:])]
            syntaxes = tuple(name for each, name in names if each == 0x40)
            found[body[0]] = (dict(names)[0x30], syntaxes)
    return found


def _items(encoded: bytes) -> Iterator[tuple[int, bytes]]:
    while encoded:
        kind, length = _ITEM.unpack_from(encoded)
        yield kind, encoded[4 : 4 + length]
        encoded = encoded[4 + length :]
