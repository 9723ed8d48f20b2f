"""Debian's rsyslog as an audit repository, and repositories that misbehave."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dicom_io.ae import TlsOptions
from gateway.forwarding.transports import Address, Transport
from tests.data.peers import answers_tcp, process_of, require_peer, until

Behaviour = Callable[[socket.socket, threading.Event], object]
"""What a repository does with a connection, until the event says that it is over."""

_FIELDS = ("pri", "hostname", "app-name", "procid", "msgid", "structured-data")
_LONG = "1m"
"""Of a message; rsyslog cuts at 8 KiB where nobody says so. Over 200,000 bytes imtcp's
maxFrameSize would have to be set too."""


@dataclass(frozen=True, kw_only=True)
class Rsyslog:
    """A folder with a repository's settings, and what it has got."""

    folder: Path
    address: Address

    @property
    def received(self) -> list[dict[str, str]]:
        """Each message by the fields that rsyslog found in it, in order."""
        path = self.folder / "received"
        text = path.read_text("utf-8") if path.exists() else ""
        # A line that is being written has no end yet.
        return [json.loads(line) for line in text.split("\n")[:-1]]

    @property
    def sequences(self) -> list[int]:
        """The `sequenceId` of each message, in order."""
        data = [each["structured-data"] for each in self.received]
        return [int(text.split('"')[1]) for text in data]

    def wait_for(self, count: int) -> list[dict[str, str]]:
        """Return what was received once there is so much: it writes after reading."""
        until(lambda: self._lines() >= count, 60, f"{count} messages")
        return self.received

    def _lines(self) -> int:
        path = self.folder / "received"
        return path.read_bytes().count(b"\n") if path.exists() else 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it; its socket is free again afterwards."""
        conf, pid = self.folder / "rsyslog.conf", self.folder / "pid"
        command = [require_peer("rsyslogd"), "-n", "-f", str(conf), "-i", str(pid)]
        with process_of(command, self._is_up):
            yield

    def _is_up(self) -> bool:
        if self.address.transport is Transport.UDP:
            return _is_bound(self.address.port)
        return answers_tcp(self.address.port)


def rsyslog(
    folder: Path,
    port: int,
    transport: Transport = Transport.TCP,
    files: tuple[TlsOptions, TlsOptions] | None = None,
) -> Rsyslog:
    """Write the settings of a repository; `files`: its own TLS files, then ours."""
    folder.mkdir()
    theirs, ours = files or (None, None)
    lines = [f'global(maxMessageSize="{_LONG}" workDirectory="{folder}")']
    if theirs is not None:
        lines.append(
            'global(defaultNetstreamDriver="gtls"'
            f' defaultNetstreamDriverCAFile="{theirs.authority}"'
            f' defaultNetstreamDriverCertFile="{theirs.certificate}"'
            f' defaultNetstreamDriverKeyFile="{theirs.key}")'
        )
    lines += _input(port, transport)
    lines += [_template(), f'action(type="omfile" file="{folder}/received"']
    lines.append(' template="fields" asyncWriting="off" flushOnTXEnd="on")')
    (folder / "rsyslog.conf").write_text("\n".join(lines) + "\n")
    address = Address(host="127.0.0.1", port=port, transport=transport, tls=ours)
    return Rsyslog(folder=folder, address=address)


def _input(port: int, transport: Transport) -> list[str]:
    kind = "imudp" if transport is Transport.UDP else "imtcp"
    mode = (
        ' StreamDriver.Name="gtls" StreamDriver.Mode="1" '
        'StreamDriver.AuthMode="x509/certvalid"'
        if transport is Transport.TLS
        else ""
    )
    listen = f'input(type="{kind}" address="127.0.0.1" port="{port}")'
    return [f'module(load="{kind}"{mode})', listen]


def _template() -> str:
    names = [*_FIELDS, "timereported", "msg"]
    parts = []
    for name in names:
        date = ' dateFormat="rfc3339"' if name == "timereported" else ""
        parts.append(f'property(outname="{name}" name="{name}" format="jsonf"{date})')
    inner = ' constant(value=", ") '.join(parts)
    return (
        'template(name="fields" type="list") { constant(value="{") '
        f'{inner} constant(value="}}\\n") }}'
    )


def _is_bound(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
        try:
            own.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


@contextmanager
def answering(
    behave: Behaviour,
) -> Iterator[Address]:
    """Run a plain TCP repository that treats each connection so, one at a time.

    The event is set when the test is over. Yields where it listens.
    """
    over = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        while not over.is_set():
            try:
                connected, _ = listener.accept()
            except OSError:
                return
            with connected:
                behave(connected, over)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    port = listener.getsockname()[1]
    try:
        yield Address(host="127.0.0.1", port=port, transport=Transport.TCP)
    finally:
        over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)
