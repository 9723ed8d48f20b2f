"""A destination in memory that does as it is told; no association is opened."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from pydicom import dcmread

from dicom_io.ae import AETitle, LocalAE, Proof, RemoteAE
from dicom_io.errors import PeerUnreachable
from dicom_io.scu.send import StoreOutcome
from dicom_io.status import StoreVerdict

PACS = RemoteAE(
    name="pacs",
    title=AETitle("PACS"),
    host="127.0.0.1",
    port=104,
    proof=Proof.READ_BACK,
)


class Mood(StrEnum):
    """How the destination takes what is sent."""

    UP = "up"
    DOWN = "down"
    """Nobody answers, nothing is kept."""
    MUTE = "mute"
    """Everything is kept, and the answer is lost."""
    FULL = "full"
    """Nothing is kept, and it says so (A700)."""


@dataclass
class Destination:
    """What came, by SOP Instance UID: the digest of each sending, and the study."""

    mood: Mood = Mood.UP
    held: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    studies: dict[str, str] = field(default_factory=dict)
    sendings: int = 0

    def store(
        self, _local: LocalAE, _remote: RemoteAE, paths: Sequence[Path]
    ) -> tuple[StoreOutcome, ...]:
        """Stand in for `store_instances`."""
        return tuple(self._take(path) for path in paths)

    def find(self, _local: LocalAE, remote: RemoteAE, study: str) -> frozenset[str]:
        """Stand in for `find_instances`."""
        if self.mood in (Mood.DOWN, Mood.MUTE):
            raise PeerUnreachable(f"{remote.name} is away")
        return frozenset(uid for uid, of in self.studies.items() if of == study)

    def _take(self, path: Path) -> StoreOutcome:
        ds = dcmread(path, stop_before_pixels=True)
        uid = str(ds.SOPInstanceUID)
        if self.mood in (Mood.UP, Mood.MUTE):
            self.sendings += 1
            self.studies[uid] = str(ds.StudyInstanceUID)
            self.held[uid].add(hashlib.sha256(path.read_bytes()).hexdigest())
        verdict, status = {
            Mood.UP: (StoreVerdict.STORED, 0x0000),
            Mood.FULL: (StoreVerdict.TRANSIENT, 0xA700),
        }.get(self.mood, (StoreVerdict.TRANSIENT, None))
        return StoreOutcome(
            sop_instance_uid=uid, verdict=verdict, status=status, detail=self.mood
        )
