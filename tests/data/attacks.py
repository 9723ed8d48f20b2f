"""What hostile, slow and broken connections do to a listener; a table."""

import errno
import selectors
import socket
import struct
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from tests.data.conversation import ABORT, RELEASE, Recording, data_pdu

ATTACKER = "127.0.0.2"
"""Another address than that of the known peer; all of them are loopback."""

_TICK_SECONDS = 0.02
_LONGEST_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Attack:
    """Connections that are opened, and what goes over each of them.

    first : sent at once; after : sent once the association is accepted. drip : then
    sent byte by byte, over and over. again : a connection that was cut is replaced,
    so many times in all.
    """

    connections: int = 200
    first: bytes = b""
    after: bytes | None = None
    drip: bytes = b""
    again: int = 0


def _pdu(kind: int, length: int, body: bytes = b"") -> bytes:
    return struct.pack(">BxL", kind, length) + body


def attacks(sent: Recording) -> Mapping[str, Attack]:
    """Return every attack by its name, made of what a real peer sends."""
    request, store = sent.request, sent.command
    stranger = request.replace(b"XRAY".ljust(16), b"STRANGER".ljust(16))
    lying_item = bytearray(request)
    lying_item[76:78] = b"\xff\xff"  # the length of the application context item
    return {
        "nothing is sent": Attack(),
        "half a header": Attack(first=request[:3]),
        "half a request": Attack(first=request[:100]),
        "a header byte by byte": Attack(drip=request[:6]),
        "a request byte by byte": Attack(first=request[:6], drip=request[6:]),
        "a data set byte by byte": Attack(
            first=request, after=store + sent.data[:12], drip=sent.data[12:]
        ),
        "fragments of nothing": Attack(
            first=request, after=store, drip=data_pdu((1, 0, b""))
        ),
        "a request of 4 GiB": Attack(first=_pdu(1, 0xFFFFFFFF), drip=b"\0", again=400),
        "a request of 0 bytes": Attack(first=_pdu(1, 0), again=400),
        "an item longer than its request": Attack(first=bytes(lying_item), again=400),
        "data of 2 GiB": Attack(first=request, after=_pdu(4, 1 << 31), again=200),
        "data before any request": Attack(first=sent.data, again=400),
        "an unknown type of PDU": Attack(first=_pdu(0x47, 4, b"1234"), again=400),
        "HTTP": Attack(first=b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", again=400),
        "500 idle associations": Attack(connections=500, first=request, after=b""),
        "associations without end": Attack(
            first=request, after=RELEASE, again=400, connections=50
        ),
        "aborts within a data set": Attack(
            first=request,
            after=store + sent.data[:-20] + ABORT,
            again=400,
            connections=50,
        ),
        "strangers": Attack(first=stranger, again=400, connections=50),
        "connections that close at once": Attack(again=2000, connections=10),
    }


class _Victim:
    """One connection of an attack."""

    def __init__(self, attack: Attack, port: int) -> None:
        self.socket = socket.socket()
        self.socket.settimeout(0)
        self.socket.bind((ATTACKER, 0))
        with suppress(BlockingIOError):
            self.socket.connect(("127.0.0.1", port))
        self._attack = attack
        self._dripped = 0
        self._accepted = False
        self._begun = False

    def read(self) -> bool:
        """Read what came; false where the connection is over."""
        with suppress(BlockingIOError):
            said = self.socket.recv(4096)
            if said[:1] == b"\x02" and not self._accepted:
                self._accepted = True
                self._send(self._attack.after or b"")
            return bool(said) and said[:1] not in (b"\x03", b"\x07")
        return True

    def push(self) -> None:
        """Send the beginning once, then one byte each time."""
        attack = self._attack
        if not self._begun:
            self._begun = self._send(attack.first)
        elif attack.drip and (self._accepted or attack.after is None):
            at = self._dripped % len(attack.drip)
            self._dripped += self._send(attack.drip[at : at + 1])

    def _send(self, data: bytes) -> bool:
        with suppress(OSError):
            return not data or self.socket.send(data) > 0
        return False


class Assault:
    """An attack under way, on a thread of its own."""

    def __init__(self, attack: Attack, port: int) -> None:
        self._attack, self._port = attack, port
        self._over = threading.Event()
        self.begun = threading.Event()
        self.opened = 0
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        end = time.monotonic() + _LONGEST_SECONDS
        with selectors.DefaultSelector() as selector:
            while not self._over.is_set() and time.monotonic() < end:
                self._fill(selector)
                self._push(selector)
                self.begun.set()
                self._over.wait(_TICK_SECONDS)
            for key in list(selector.get_map().values()):
                key.data.socket.close()
        self.begun.set()

    def _fill(self, selector: selectors.BaseSelector) -> None:
        attack = self._attack
        left = max(attack.connections, attack.again) - self.opened
        missing = attack.connections - len(selector.get_map())
        for _ in range(min(left, missing)):
            try:
                victim = _Victim(attack, self._port)
            except OSError as error:
                # victims and gateway share a process, and so its descriptors
                if error.errno != errno.EMFILE:
                    raise
                return
            self.opened += 1
            selector.register(victim.socket, selectors.EVENT_READ, victim)
            if not attack.first and attack.again:
                selector.unregister(victim.socket)
                victim.socket.close()

    def _push(self, selector: selectors.BaseSelector) -> None:
        for key, _ in selector.select(0):
            if not _is_open(key.data):
                selector.unregister(key.fileobj)
                key.data.socket.close()
        for key in list(selector.get_map().values()):
            key.data.push()


def _is_open(victim: _Victim) -> bool:
    try:
        return victim.read()
    except OSError:
        return False


@contextmanager
def under(attack: Attack, port: int) -> Iterator[Assault]:
    """Attack a loopback port for the length of a with block."""
    assault = Assault(attack, port)
    try:
        assert assault.begun.wait(_LONGEST_SECONDS)
        yield assault
    finally:
        assault.stop()
