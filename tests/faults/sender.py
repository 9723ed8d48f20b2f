"""A sender that knows exactly what it was answered, and costs little.

Its messages are bytes; a broken connection is an answer too: none.
"""

import socket
import struct
from contextlib import suppress
from types import TracebackType

from tests.data.films import BASIC_TEXT_SR, DX
from tests.faults.scene import Item

CONTEXTS = {DX: 1, BASIC_TEXT_SR: 3}
"""Presentation contexts by class; all in explicit VR little endian."""
_SYNTAX = b"1.2.840.10008.1.2.1"
_APPLICATION = b"1.2.840.10008.3.1.1.1"
_ACCEPTED, _DATA = 2, 4
_PIECE = 16_000
_SECONDS = 60.0
_STATUS = bytes.fromhex("0000000902000000")
"""Tag and length of Status (0000,0900), implicit VR little endian."""


class Broken(Exception):  # noqa: N818 - says what it is
    """The connection ended, or was refused, before the answer was there."""


class Sender:
    """One association of the modality; raises Broken wherever the receiver is gone."""

    def __init__(self, port: int) -> None:
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), _SECONDS)
        except OSError as error:
            raise Broken(str(error)) from error
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self._associate()
        except Broken:
            self.close()
            raise

    def store(self, item: Item) -> int:
        """Send an instance; return the status that was answered."""
        context = CONTEXTS[item.class_uid]
        self._send(_value(context, 3, _command(item)))
        for start in range(0, len(item.data), _PIECE):
            piece = item.data[start : start + _PIECE]
            is_last = start + len(piece) == len(item.data)
            self._send(_value(context, 2 if is_last else 0, piece))
        kind, reply = self._pdu()
        at = reply.find(_STATUS)
        if kind != _DATA or at < 0:
            raise Broken(f"a PDU of type {kind} instead of an answer")
        return int(struct.unpack_from("<H", reply, at + len(_STATUS))[0])

    def __enter__(self) -> "Sender":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say good-bye, if anybody is there, and close."""
        with suppress(Broken):
            self._send(struct.pack(">BxLL", 5, 4, 0))
        self.close()

    def close(self) -> None:
        self._socket.close()

    def _associate(self) -> None:
        self._send(_request())
        kind, _ = self._pdu()
        if kind != _ACCEPTED:
            raise Broken(f"refused by a PDU of type {kind}")

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise Broken(str(error)) from error

    def _pdu(self) -> tuple[int, bytes]:
        kind, length = struct.unpack(">BxL", self._exactly(6))
        return int(kind), self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        try:
            got = self._socket.recv(count, socket.MSG_WAITALL)
        except OSError as error:
            raise Broken(str(error)) from error
        if len(got) < count:
            raise Broken("the receiver closed the connection")
        return got


def _request() -> bytes:
    body = struct.pack(">HH", 1, 0) + b"MAIRA_GW".ljust(16) + b"MODALITY".ljust(16)
    body += bytes(32) + _item(0x10, _APPLICATION)
    for uid, number in CONTEXTS.items():
        syntaxes = _item(0x30, uid.encode()) + _item(0x40, _SYNTAX)
        body += _item(0x20, bytes((number, 0, 0, 0)) + syntaxes)
    information = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    body += _item(0x50, information)
    return struct.pack(">BxL", 1, len(body)) + body


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _value(context: int, control: int, data: bytes) -> bytes:
    head = struct.pack(">BxLLBB", 4, len(data) + 6, len(data) + 2, context, control)
    return head + data


def _command(item: Item) -> bytes:
    command = b"".join(
        struct.pack("<HHL", 0, element, len(value)) + value
        for element, value in (
            (0x0002, _even(item.class_uid)),
            (0x0100, b"\1\0"),
            (0x0110, b"\1\0"),
            (0x0700, b"\0\0"),
            (0x0800, b"\1\0"),
            (0x1000, _even(item.instance_uid)),
        )
    )
    return struct.pack("<HHLL", 0, 0, 4, len(command)) + command


def _even(uid: str) -> bytes:
    return uid.encode() + b"\0" * (len(uid) % 2)
