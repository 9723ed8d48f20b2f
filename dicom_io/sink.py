"""Where received instances go: the contract between the network and the gateway.

Light: loads no DICOM library.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dicom_io.ae import RemoteAE
from dicom_io.status import Status


class NoRoom(Exception):  # noqa: N818 - says what is missing
    """The sink cannot keep anything now; the sender may try again later.

    For those who implement a sink: raised from any of its calls, it is answered
    with A700, Out of Resources (PS3.4 B.2.3). `is_told`: whoever raises it has said so
    in the log, once for all.
    """

    is_told = False


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreFacts:
    """What is known of an instance before its first byte.

    The UIDs are those of the command set and obey the UID grammar (PS3.5 9.1);
    the data set may still say otherwise. `peer` is None only for a caller that
    nobody wrote down. `move_originator` is the title that asked for the C-MOVE
    which this is a sub-operation of (PS3.7 9.1.1.1.6), None outside of one. `user`
    is who was identified at its other end (PS3.7 D.3.3.7), None: nobody.
    """

    association_id: str
    calling_title: str
    called_title: str
    peer_address: str
    peer: RemoteAE | None
    sop_class_uid: str
    sop_instance_uid: str
    transfer_syntax_uid: str
    move_originator: str | None
    user: str | None = None

    @property
    def is_move_delivery(self) -> bool:
        """Whether the sender says that a C-MOVE made it send.

        Some archives name us as its originator, some themselves. Only a claim:
        whether we asked for anything is for the sink to know.
        """
        peer = self.peer
        names = () if peer is None else (peer.title, *peer.send_titles)
        return self.move_originator in (self.called_title, *names)


class Incoming(Protocol):
    """One instance on its way to disk.

    The calls come one after the other, but not all on the same thread.
    """

    def write(self, data: bytes | memoryview) -> None:
        """Take the next piece of the data set, in its transfer syntax."""
        ...

    def commit(self) -> Status:
        """Make the instance durable; what returns is answered to the sender."""
        ...

    def discard(self) -> None:
        """Forget what was written and is not filed.

        Called when the instance is refused or cut off, and after a commit that
        raised or returned anything but success; what such a commit has filed
        elsewhere (a quarantine) stays.
        """
        ...


class Gathering(Incoming, Protocol):
    """An `Incoming` that takes many pieces in one call, as `writev` does.

    One is known by having the method.
    """

    def write_pieces(self, pieces: Sequence[bytes | memoryview]) -> None:
        """Take the next pieces of the data set, which lie apart in memory."""
        ...


Sink = Callable[[StoreFacts], Incoming]
"""Opens a place for one instance; raising refuses it."""
