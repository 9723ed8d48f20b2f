"""What is stored of the same files by this receiver and by DCMTK's storescp."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pydicom.filereader import dcmread, read_file_meta_info

from dicom_io.scp.listener import open_listener
from gateway.ledger import Ledger
from gateway.receiving.intake import Intake
from gateway.receiving.matching import role_of_sent
from gateway.spool import Shelf, Spool
from tests.data.ledgers import NOW, url_of
from tests.data.network import LOCAL, MODALITY, Recorder, data_set_bytes
from tests.data.peers import require_data, storescp
from tests.data.tap import tapped
from tests.differential.senders import Sender

_UID = "SOPInstanceUID"
_LONGEST_PDU_OF_DCMTK = 131_072
"""DCMTK takes and sends no longer ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiving:
    """A receiver at work, and what lies in its store."""

    port: int
    kept: Callable[[], Iterator[Path]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """One association: data sets by SOP Instance UID, and what was said.

    `sent` : as they went over the wire; `stored` : as they were found afterwards.
    """

    sent: Mapping[str, bytes]
    stored: Mapping[str, bytes]
    statuses: tuple[int, ...]
    longest_pdu: int
    was_aborted: bool

    @property
    def fate(self) -> str:
        """What became of the only file: a status, or that there is none."""
        if self.was_aborted:
            return "aborted"
        return ", ".join(f"{each:04X}" for each in self.statuses) or "not sent"


def shared_files() -> list[Path]:
    """List every DICOM file of the shared data."""
    return sorted(require_data(".").rglob("*.dcm"))


def rounds_of(files: Sequence[Path]) -> list[list[Path]]:
    """Part the files so that no SOP Instance UID comes twice in a round."""
    rounds: list[tuple[set[str], list[Path]]] = []
    for path in files:
        names = {uid_of(path), str(dcmread(path, specific_tags=[_UID]).SOPInstanceUID)}
        free = next((each for each in rounds if not names & each[0]), None)
        if free is None:
            free = (set(), [])
            rounds.append(free)
        free[0].update(names)
        free[1].append(path)
    return [each[1] for each in rounds]


def uid_of(path: Path) -> str:
    return str(read_file_meta_info(path).MediaStorageSOPInstanceUID)


def transfer(
    sender: Sender, files: Sequence[Path], receiving: Receiving, folder: Path
) -> Transfer:
    """Send the files over one association, and find what was stored of them."""
    with tapped(receiving.port) as tap:
        sender.send(folder, tap.port, files)
    sent = tap.data_sets
    kept = {uid_of(each): each for each in receiving.kept() if each.is_file()}
    return Transfer(
        sent=sent,
        stored={uid: data_set_bytes(kept[uid]) for uid in sent if uid in kept},
        statuses=tuple(int(each.Status) for each in tap.answers),
        longest_pdu=tap.longest_pdu,
        was_aborted=tap.was_aborted,
    )


@contextmanager
def this_receiver(folder: Path, max_pdu_bytes: int) -> Iterator[Receiving]:
    """Open the listener, spool and ledger of the gateway, empty."""
    local = replace(LOCAL, max_pdu_bytes=max_pdu_bytes, pdu_deadline_seconds=60.0)
    with opened_intake(folder) as intake:
        shelf = intake.spool.path(Shelf.INSTANCES)
        events = Recorder().events()
        listener = open_listener(local, [MODALITY], intake.receive, events)
        try:
            yield Receiving(port=listener.port, kept=lambda: shelf.rglob("*"))
        finally:
            listener.close(0.5)


@contextmanager
def opened_intake(folder: Path) -> Iterator[Intake]:
    """Open a ledger and a spool that are empty."""
    ledger = Ledger.open(url_of(folder))
    try:
        yield Intake(
            ledger=ledger,
            spool=Spool(folder / "spool", reserve_bytes=0),
            clock=lambda: NOW,
            role_of=role_of_sent,
        )
    finally:
        ledger.close()


@contextmanager
def storescp_receiver(folder: Path, max_pdu_bytes: int) -> Iterator[Receiving]:
    """Run storescp so that it keeps the bytes as they come."""
    longest = min(max_pdu_bytes or _LONGEST_PDU_OF_DCMTK, _LONGEST_PDU_OF_DCMTK)
    kept = folder / "storescp"
    kept.mkdir()
    with storescp(kept, "+B", "+xa", "-pdu", str(longest)) as port:
        yield Receiving(port=port, kept=kept.iterdir)
