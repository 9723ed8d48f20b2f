"""Every shared file by one sender, through this receiver and through storescp."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.differential.senders import Sender
from tests.differential.stores import (
    rounds_of,
    shared_files,
    storescp_receiver,
    this_receiver,
    transfer,
)

SUCCESS = "0000"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What this receiver and storescp make of a file: a status, or its absence."""

    ours: str
    storescp: str
    why: str


_ODD = (
    "a fragment of odd length (PS3.8 Annex E has even ones): DCMTK aborts, this"
    " receiver keeps it as it came"
)

FATES = {
    ("gdcmscu", "highdicom_tid1500.dcm"): Fate(
        ours="not sent",
        storescp="not sent",
        why="GDCM does not know Comprehensive 3D SR: accepted, it releases and sends"
        " neither this file nor those behind it",
    ),
    ("gdcmscu", "mhh_8d6990f2_1_pa_deflated.dcm"): Fate(
        ours=SUCCESS, storescp="aborted", why=_ODD
    ),
    ("pynetdicom", "mhh_8d6990f2_1_pa_deflated.dcm"): Fate(
        ours=SUCCESS, storescp="aborted", why=_ODD
    ),
    ("pynetdicom", "dog_lateral_thorax_dx_mono1.dcm"): Fate(
        ours=SUCCESS, storescp="aborted", why=_ODD
    ),
    ("pynetdicom", "chrJapMulti.dcm"): Fate(
        ours="A900",
        storescp=SUCCESS,
        why="the file meta names another instance than the data set, and pynetdicom"
        " announces what the file meta says (PS3.4 B.2.3)",
    ),
}
"""By sender and name: the files that do not end the same way everywhere."""


@dataclass(slots=True)
class Comparison:
    """Files that were stored the same, what differed, and the longest P-DATA-TF."""

    same: int = 0
    compared_bytes: int = 0
    longest_pdu: int = 0
    different: list[str] = field(default_factory=list)


def compared(sender: Sender, max_pdu_bytes: int, folder: Path) -> Comparison:
    """Send the files that end the same way; one association a round and receiver."""
    files = [each for each in shared_files() if (sender.name, each.name) not in FATES]
    comparison = Comparison()
    with storescp_receiver(folder, max_pdu_bytes) as theirs:
        for number, some in enumerate(rounds_of(files)):
            own = folder / str(number)
            own.mkdir()
            with this_receiver(own, max_pdu_bytes) as ours:
                here = transfer(sender, some, ours, own)
            there = transfer(sender, some, theirs, own)
            comparison.longest_pdu = max(comparison.longest_pdu, here.longest_pdu)
            _compare(comparison, some, (here.sent, here.stored, there.stored))
    return comparison


def _compare(
    comparison: Comparison, files: Sequence[Path], found: Sequence[Mapping[str, bytes]]
) -> None:
    """Compare what was sent, stored here and stored there, by SOP Instance UID."""
    sent, here, there = found
    if len(sent) != len(files):
        comparison.different.append(f"{len(sent)} of {len(files)} files were sent")
    for uid, data in sent.items():
        if here.get(uid) == data == there.get(uid):
            comparison.same += 1
            comparison.compared_bytes += len(data)
        else:
            comparison.different.append(uid)
