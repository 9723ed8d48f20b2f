"""A small archive for the demo and the tests. It is no PACS.

It keeps files in a folder and their headers in memory, answers whoever connects,
and promises nothing about durability, speed or identity. C-ECHO, C-STORE, C-FIND
(Study Root), C-GET, C-MOVE and storage commitment as provider.
"""

import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from pynetdicom import AE
from pynetdicom.association import Association

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.archive_index import Held, Holdings
from dicom_io.archive_services import Desk, Visit, archive_contexts
from dicom_io.errors import ListenerFailure
from dicom_io.scp.guard import Limits
from dicom_io.scp.server import Door, GuardedServer

__all__ = ["Archive", "Held", "open_archive"]


class Archive:
    """A running archive; made by `open_archive`, ended by a with block or `close`."""

    def __init__(self, desk: Desk, server: GuardedServer) -> None:
        self._desk = desk
        self._server = server
        self._thread = threading.Thread(
            target=server.serve_until_stopped, name="archive", daemon=True
        )
        self._thread.start()

    def __enter__(self) -> "Archive":
        """Return the archive, which is already running."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the archive; the files stay."""
        self.close()

    @property
    def title(self) -> AETitle:
        """The AE title."""
        return self._desk.local.title

    @property
    def port(self) -> int:
        """The port that is bound."""
        return self._server.port

    @property
    def reports_on_new_association(self) -> bool:
        """Whether commitment reports go to the requester's own listener.

        It must be one of the move destinations. Otherwise, and by default, they
        go back on the association of the request.
        """
        return self._desk.reports_on_new_association

    @reports_on_new_association.setter
    def reports_on_new_association(self, value: bool) -> None:
        self._desk.reports_on_new_association = value

    def put(self, instance: bytes | Path) -> str:
        """Keep a Part 10 file; returns its SOP Instance UID."""
        content = instance.read_bytes() if isinstance(instance, Path) else instance
        return self._desk.holdings.put(content)

    def instances(self) -> list[Held]:
        """List what is held, in the order of arrival."""
        return self._desk.holdings.instances()

    def close(self) -> None:
        """Stop listening and end what is open."""
        self._server.stop()
        self._thread.join()
        for assoc in self._server.active_associations:
            assoc.abort()


def open_archive(
    folder: Path,
    title: str,
    host: str = "127.0.0.1",
    port: int = 0,
    move_destinations: Sequence[RemoteAE] = (),
) -> Archive:
    """Start an archive that keeps its files in `folder`.

    `move_destinations` are also where commitment reports may go. Raises
    ListenerFailure when the port is taken.
    """
    folder.mkdir(parents=True, exist_ok=True)
    local = LocalAE(title=AETitle(title), host=host, port=port)
    desk = Desk(
        local=local,
        holdings=Holdings(folder),
        destinations={each.title: each for each in move_destinations},
    )
    try:
        return Archive(desk, _bound(desk))
    except OSError as error:
        raise ListenerFailure(f"cannot listen on {host}:{port}: {error}") from error


def _bound(desk: Desk) -> GuardedServer:
    def visit(assoc: Association, _address: str) -> Visit:
        return Visit(desk, assoc)

    def refused(_address: str, _reason: str) -> None:
        """Nobody keeps a record here."""

    def tend() -> None:
        """Nothing is put off here."""

    local = desk.local
    ae = AE(local.title)
    ae.maximum_pdu_size = local.max_pdu_bytes
    limits = Limits(
        max_pdu_bytes=local.max_pdu_bytes,
        pdu_deadline_seconds=local.pdu_deadline_seconds,
    )
    door = Door(limits=limits, tls=None, session=visit, refused=refused, tend=tend)
    return GuardedServer(ae, (local.host, local.port), archive_contexts(), door)
