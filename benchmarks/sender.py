"""A sender that costs the receiver little: whole messages, encoded beforehand.

One process, a thread for each association, PDUs as long as the receiver takes them but
no longer than DCMTK ever sends. The kernel sends the encoded messages from memory files
without a copy, so that on two cores the receiver is measured and not its sender.
"""

import os
import socket
import struct
import threading
import time
from functools import lru_cache

from benchmarks.receivers import CLASS_UID, SYNTAX_UID, TITLE

PDU_CAP_BYTES = 131072
"""DCMTK's own ceiling."""


def send(port: int, count: int, objects: int, side: int) -> tuple[float, list[float]]:
    """Send over `count` associations; return the seconds of all and of each."""
    shares = [list(range(number, objects, count)) for number in range(count)]
    shares = [share for share in shares if share]
    connections = [associated(port) for _ in shares]
    messages = [
        [_in_memory(_message(side, limit)) for _ in share]
        for share, (_, limit) in zip(shares, connections, strict=True)
    ]
    times: list[float] = []
    start = threading.Barrier(len(shares) + 1)

    def send(connection: socket.socket, mine: list[int]) -> None:
        start.wait()
        for message in mine:
            began = time.perf_counter()
            _send_all(connection, message)
            _require_success(connection)
            times.append(time.perf_counter() - began)

    threads = [
        threading.Thread(target=send, args=(connection, mine))
        for (connection, _), mine in zip(connections, messages, strict=True)
    ]
    for thread in threads:
        thread.start()
    start.wait()
    began = time.perf_counter()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    for message in (each for mine in messages for each in mine):
        os.close(message)
    for connection, _ in connections:
        connection.sendall(struct.pack(">BxLL", 5, 4, 0))
        connection.close()
    if len(times) != objects:
        raise RuntimeError(f"{len(times)} of {objects} objects were answered")
    return seconds, times


def _in_memory(message: bytes) -> int:
    """Return the descriptor of a memory file that holds a message."""
    descriptor = os.memfd_create("message")
    with open(descriptor, "wb", closefd=False) as file:
        file.write(message)
    return descriptor


def _send_all(connection: socket.socket, message: int) -> None:
    sent, size = 0, os.fstat(message).st_size
    while sent < size:
        sent += os.sendfile(connection.fileno(), message, sent, size - sent)


def associated(port: int) -> tuple[socket.socket, int]:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    context = b"\1\0\0\0" + _item(0x30, CLASS_UID) + _item(0x40, SYNTAX_UID)
    information = _item(0x51, struct.pack(">L", 16384)) + _item(0x52, b"1.2.3.4")
    body = struct.pack(">HH", 1, 0) + TITLE.encode().ljust(16) + b"SENDER".ljust(16)
    body += bytes(32) + _item(0x10, b"1.2.840.10008.3.1.1.1")
    body += _item(0x20, context) + _item(0x50, information)
    connection.sendall(struct.pack(">BxL", 1, len(body)) + body)
    kind, reply = _pdu(connection)
    if kind != 2:
        raise RuntimeError(f"association refused: PDU type {kind}")
    announced = struct.unpack_from(">L", reply, reply.index(b"\x51\0\0\4", 68) + 4)[0]
    return connection, min(announced or PDU_CAP_BYTES, PDU_CAP_BYTES)


def _item(kind: int, value: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(value)) + value


def _pdu(connection: socket.socket) -> tuple[int, bytes]:
    kind, length = struct.unpack(">BxL", _exactly(connection, 6))
    return int(kind), _exactly(connection, length)


def _exactly(connection: socket.socket, count: int) -> bytes:
    got = connection.recv(count, socket.MSG_WAITALL)
    if len(got) < count:
        raise RuntimeError("the receiver closed the connection")
    return got


def _require_success(connection: socket.socket) -> None:
    kind, reply = _pdu(connection)
    at = reply.find(bytes.fromhex("0000000902000000"))
    if kind != 4 or reply[at + 8 : at + 10] != b"\0\0":
        raise RuntimeError(f"not stored: PDU type {kind}")


def send_long(port: int, pixel_bytes: int) -> None:
    """Send one instance of so many bytes of pixel data, none of it held here."""
    connection, limit = associated(port)
    instance = _new_uid()
    head = _head(instance, 1, pixel_bytes)
    connection.sendall(_command_pdu(instance))
    connection.sendall(_data_pdu(head, is_last=False))
    piece = bytes(limit - 6)
    for left in range(pixel_bytes, 0, -len(piece)):
        is_last = left <= len(piece)
        connection.sendall(_data_pdu(piece[:left], is_last=is_last))
    _require_success(connection)
    connection.close()


def _message(side: int, limit: int) -> bytes:
    """Encode one C-STORE of a new instance in PDUs of up to `limit` bytes."""
    instance = _new_uid()
    pattern = "9" * len(instance)
    return _encoded(pattern, side, limit).replace(pattern.encode(), instance.encode())


@lru_cache(maxsize=1)
def _encoded(instance: str, side: int, limit: int) -> bytes:
    """Encode the message of an instance; its UID is nowhere in the pixels."""
    size = side * side * 2
    pixels = (bytes(range(250)) * (size // 250 + 1))[:size]
    data = _head(instance, side, size) + pixels
    parts = [_command_pdu(instance)]
    for start in range(0, len(data), limit - 6):
        piece = data[start : start + limit - 6]
        parts.append(_data_pdu(piece, is_last=start + len(piece) == len(data)))
    return b"".join(parts)


def _new_uid() -> str:
    return f"1.2.826.0.1.3680043.9.{time.time_ns()}"


def _command_pdu(instance: str) -> bytes:
    command = b"".join(
        struct.pack("<HHL", 0, element, len(value)) + value
        for element, value in (
            (0x0002, _even(CLASS_UID)),
            (0x0100, b"\1\0"),
            (0x0110, b"\1\0"),
            (0x0700, b"\0\0"),
            (0x0800, b"\1\0"),
            (0x1000, _even(instance.encode())),
        )
    )
    command = struct.pack("<HHLL", 0, 0, 4, len(command)) + command
    return struct.pack(">BxLLBB", 4, len(command) + 6, len(command) + 2, 1, 3) + command


def _data_pdu(piece: bytes, *, is_last: bool) -> bytes:
    control = 2 if is_last else 0
    head = struct.pack(">BxLLBB", 4, len(piece) + 6, len(piece) + 2, 1, control)
    return head + piece


def _even(value: bytes, pad: bytes = b"\0") -> bytes:
    return value + pad * (len(value) % 2)


def _head(instance: str, side: int, pixel_bytes: int) -> bytes:
    """Encode an image of `side` x `side` 16 bit values up to its pixels' length.

    Explicit VR little endian.
    """
    uid = instance.encode()
    short = [
        (0x0008, 0x0016, b"UI", _even(CLASS_UID)),
        (0x0008, 0x0018, b"UI", _even(uid)),
        (0x0008, 0x0060, b"CS", b"DX"),
        (0x0010, 0x0020, b"LO", b"BENCH "),
        (0x0020, 0x000D, b"UI", _even(uid + b".1")),
        (0x0020, 0x000E, b"UI", _even(uid + b".2")),
        (0x0028, 0x0002, b"US", b"\1\0"),
        (0x0028, 0x0004, b"CS", b"MONOCHROME2 "),
        (0x0028, 0x0010, b"US", struct.pack("<H", side)),
        (0x0028, 0x0011, b"US", struct.pack("<H", side)),
        (0x0028, 0x0100, b"US", b"\x10\0"),
        (0x0028, 0x0101, b"US", b"\x0c\0"),
        (0x0028, 0x0102, b"US", b"\x0b\0"),
        (0x0028, 0x0103, b"US", b"\0\0"),
    ]
    head = b"".join(
        struct.pack("<HH2sH", group, element, vr, len(value)) + value
        for group, element, vr, value in short
    )
    return head + struct.pack("<HH2sHL", 0x7FE0, 0x10, b"OW", 0, pixel_bytes)
