"""Our own ends of a network test: a listener that remembers, and instances to send."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from threading import Event

from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.filereader import read_file_meta_info
from pydicom.filewriter import dcmwrite

from dicom_io.ae import AETitle, LocalAE, RemoteAE
from dicom_io.scp.listener import (
    AssociationFacts,
    ClassCount,
    Listener,
    ListenerEvents,
    StoreFacts,
    open_listener,
)
from dicom_io.scu.commitment import CommitmentReport
from dicom_io.status import Status

LOCAL = LocalAE(
    title=AETitle("MAIRA_GW"),
    host="127.0.0.1",
    port=0,
    pdu_deadline_seconds=20.0,
    idle_seconds=30.0,
)

QUICK = replace(LOCAL, pdu_deadline_seconds=1.0)
"""For peers that are late on purpose; on a busy machine all others need longer."""

MODALITY = RemoteAE(name="x-ray", title=AETitle("XRAY"), host="127.0.0.1", port=104)


@dataclass
class Recorded:
    """One instance that came to the sink."""

    facts: StoreFacts
    answer: Status | Exception = Status.SUCCESS
    data: bytearray = field(default_factory=bytearray)
    committed: bool = False
    discarded: bool = False
    pieces: int = 0

    def write(self, data: bytes | memoryview) -> None:
        self.pieces += 1
        self.data += data

    def commit(self) -> Status:
        if isinstance(self.answer, Exception):
            raise self.answer
        self.committed = self.answer is Status.SUCCESS
        return self.answer

    def discard(self) -> None:
        self.discarded = True


@dataclass
class Recorder:
    """A sink and the events of a listener, kept for the test to read."""

    answer: Status | Exception = Status.SUCCESS
    incoming: list[Recorded] = field(default_factory=list)
    opened: list[AssociationFacts] = field(default_factory=list)
    refused: list[tuple[AssociationFacts, str]] = field(default_factory=list)
    closed: list[tuple[AssociationFacts, tuple[ClassCount, ...]]] = field(
        default_factory=list
    )
    reports: list[CommitmentReport] = field(default_factory=list)
    reported: Event = field(default_factory=Event)

    def sink(self, facts: StoreFacts) -> Recorded:
        recorded = Recorded(facts, self.answer)
        self.incoming.append(recorded)
        return recorded

    def report(self, report: CommitmentReport) -> None:
        self.reports.append(report)
        self.reported.set()

    def events(self) -> ListenerEvents:
        return ListenerEvents(
            association_opened=self.opened.append,
            association_refused=lambda facts, why: self.refused.append((facts, why)),
            association_closed=lambda facts, counts: self.closed.append(
                (facts, counts)
            ),
            commitment_reported=self.report,
        )


@contextmanager
def listening(
    recorder: Recorder,
    local: LocalAE = LOCAL,
    peers: Sequence[RemoteAE] = (MODALITY,),
) -> Iterator[Listener]:
    """Open a listener for the length of a with block."""
    listener = open_listener(local, peers, recorder.sink, recorder.events())
    try:
        yield listener
    finally:
        listener.close(0.5)


def caller(title: str = "XRAY") -> LocalAE:
    """Return an application entity that calls from `title`."""
    return replace(LOCAL, title=AETitle(title))


def at(port: int, title: str = "MAIRA_GW") -> RemoteAE:
    """Return the application entity that listens on a loopback port."""
    return RemoteAE(
        name=title.lower(),
        title=AETitle(title),
        host="127.0.0.1",
        port=port,
        deadline_seconds=10.0,
    )


def radiograph(number: int = 1, study: int = 1, **values: object) -> Dataset:
    """Build a small CR data set; `number` and `study` make its UIDs."""
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 100"
    ds.SOPClassUID = uid.ComputedRadiographyImageStorage
    ds.SOPInstanceUID = f"1.2.3.{study}.1.{number}"
    ds.StudyDate, ds.StudyTime = "20240131", "101112"
    ds.AccessionNumber, ds.Modality = f"A{study}", "CR"
    ds.StudyDescription = "Thorax"
    ds.PatientName, ds.PatientID = "Phantom^One", "P-1"
    ds.PatientBirthDate, ds.PatientSex = "19600229", "F"
    ds.StudyInstanceUID = f"1.2.3.{study}"
    ds.SeriesInstanceUID = f"1.2.3.{study}.1"
    ds.Rows, ds.Columns = 16, 16
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.SamplesPerPixel, ds.PixelRepresentation = 1, 0
    ds.PhotometricInterpretation = "MONOCHROME2"
    ds.PixelData = bytes(range(256)) * 2
    for keyword, value in values.items():
        setattr(ds, keyword, value)
    return ds


def part10(ds: Dataset, syntax: str = uid.ExplicitVRLittleEndian) -> bytes:
    """Encode a data set as a Part 10 file."""
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.UID(syntax)
    buffer = BytesIO()
    dcmwrite(buffer, ds, enforce_file_format=True)
    return buffer.getvalue()


def written(
    folder: Path, ds: Dataset, syntax: str = uid.ExplicitVRLittleEndian
) -> Path:
    """Write a data set as a Part 10 file named after its UID."""
    path = folder / f"{ds.SOPInstanceUID}.dcm"
    path.write_bytes(part10(ds, syntax))
    return path


def data_set_bytes(path: Path) -> bytes:
    """Return what follows the file meta group of a Part 10 file."""
    meta = read_file_meta_info(path)
    start = 144 + int(meta.FileMetaInformationGroupLength)
    return path.read_bytes()[start:]
