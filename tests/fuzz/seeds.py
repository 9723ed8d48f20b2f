"""Makes the seeds of the corpus anew: `python -m tests.fuzz.seeds`.

Every byte is ours: associations of pynetdicom with our listener, data sets and
messages from the builders of the tests. Findings of a fuzz run are put beside them
by hand, under the name of what they found.
"""

import struct
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pynetdicom import AE, build_context, build_role, evt, sop_class

from tests.data.films import film_dataset, nested, write_film
from tests.data.messages import order, result
from tests.data.network import Recorder, listening, part10, radiograph, written
from tests.data.reports import film
from tests.fuzz.association import pdus_of

CORPUS = Path(__file__).parent / "corpus"
Seeds = Iterator[tuple[str, bytes]]

_PUSH = "1.2.840.10008.1.20.1"


def association() -> Seeds:
    """Yield what a peer sent: an echo, two instances, a commitment report."""
    sent = _recording()
    yield "recorded", b"\0" + sent
    yield "behind-an-acceptance", b"\1" + b"".join(pdus_of(sent)[1:])
    yield "byte-by-byte", b"\3" + b"".join(pdus_of(sent)[1:3])


def _recording() -> bytes:
    sent: list[bytes] = []
    report = Dataset()
    report.TransactionUID = "1.2.9.1"
    report.ReferencedSOPSequence = [Dataset()]
    report.ReferencedSOPSequence[0].ReferencedSOPClassUID = uid.UID("1.2.3")
    report.ReferencedSOPSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    contexts = [
        build_context(uid.ComputedRadiographyImageStorage, uid.ExplicitVRLittleEndian),
        build_context(sop_class.Verification),  # type: ignore[attr-defined]
        build_context(_PUSH),
    ]
    with tempfile.TemporaryDirectory() as folder, listening(Recorder()) as listener:
        path = written(Path(folder), radiograph())
        assoc = AE("XRAY").associate(
            "127.0.0.1",
            listener.port,
            contexts,
            "MAIRA_GW",
            ext_neg=[build_role(_PUSH, scp_role=True)],
            evt_handlers=[(evt.EVT_DATA_SENT, lambda event: sent.append(event.data))],
        )
        assoc.send_c_echo()
        assoc.send_c_store(path)
        assoc.send_n_event_report(report, 1, _PUSH, f"{_PUSH}.1")
        assoc.release()
    return b"".join(sent)


def files() -> Seeds:
    """Yield small Part 10 files: encodings, sequences, compressed frames, a report."""
    tiny = film_dataset(np.arange(48, dtype=np.uint16).reshape(8, 6))
    for name, syntax in (
        ("explicit", uid.ExplicitVRLittleEndian),
        ("implicit", uid.ImplicitVRLittleEndian),
        ("deflated", uid.DeflatedExplicitVRLittleEndian),
    ):
        yield f"film-{name}", _written(tiny, syntax)
    yield "big-endian", part10(_without_pixels(), uid.ExplicitVRBigEndian)
    for name, compressed, frame in _frames():
        ds = film_dataset(np.zeros((8, 6), np.uint8))
        ds.PixelData = encapsulate([frame])
        ds["PixelData"].is_undefined_length = True
        yield f"frame-{name}", _written(ds, compressed)
    yield "report", part10(_report())
    yield "nested", part10(_without_pixels()) + nested(5)


def _without_pixels() -> Dataset:
    ds = radiograph(InstitutionName="Ä", PatientAge="070Y")
    del ds.PixelData
    return ds


def _report() -> Dataset:
    ds = _without_pixels()
    ds.SOPClassUID = uid.BasicTextSRStorage
    ds.Modality = "SR"
    ds.ValueType, ds.VerificationFlag = "CONTAINER", "VERIFIED"
    ds.ContentSequence = [Dataset()]
    item = ds.ContentSequence[0]
    item.RelationshipType, item.ValueType = "CONTAINS", "TEXT"
    item.TextValue = "Clear lungs."
    item.ConceptNameCodeSequence = [Dataset()]
    code = item.ConceptNameCodeSequence[0]
    code.CodeValue, code.CodingSchemeDesignator = "121071", "DCM"
    code.CodeMeaning = "Finding"
    return ds


def _written(ds: Dataset, syntax: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return write_film(Path(folder) / "film.dcm", ds, syntax).read_bytes()


def _frames() -> Iterator[tuple[str, str, bytes]]:
    siz = struct.pack(">H8IH", 0, 6, 8, 0, 0, 6, 8, 0, 0, 1) + b"\x07\x01\x01"
    j2k = b"\xff\x4f\xff\x51" + struct.pack(">H", 41) + siz + b"\xff\xd9"
    yield "j2k", uid.JPEG2000Lossless, j2k
    sof = struct.pack(">HBHHB", 11, 8, 8, 6, 1) + b"\1\x11\0"
    yield "jpeg", uid.JPEGBaseline8Bit, b"\xff\xd8\xff\xc0" + sof + b"\xff\xd9"
    yield "jpegls", uid.JPEGLSLossless, b"\xff\xd8\xff\xf7" + sof + b"\xff\xd9"
    yield "rle", uid.RLELossless, struct.pack("<16I", 1, 64, *[0] * 14) + b"\xd1\0" * 2


def texts() -> Seeds:
    """Yield a byte count, so many bytes of character sets, then a value in them."""
    for name, charset, value in (
        ("latin", b"ISO_IR 100", b"M\xfcller^J\xf6rg"),
        ("utf-8", b"ISO_IR 192", "Müller \u202ex".encode()),
        ("japanese", b"\\ISO 2022 IR 87", b"A=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B"),
        ("korean", b"\\ISO 2022 IR 149", b"Hong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce"),
        ("kana", b"ISO_IR 13\\ISO 2022 IR 159", b"\xd4\xcf\x1b$(D\x22\x31"),
        ("gb18030", b"GB18030", b"Wang^\xcd\xf5\x81\x30\x81\x30"),
        ("unknown", b"KLINGON\\ISO 2022 IR 58", b"\x1b$)A\xcd\xf5\x1b\x1b"),
    ):
        yield name, bytes([len(charset)]) + charset + value


def reports() -> Seeds:
    """Yield a task, then values and sentences between 0xFF: see `objects.on_bytes`."""
    own = film(rows=4, columns=4)
    plain = (str(own.PatientName), "FICT-1", "ACC1", "Chest PA", "19600101", "O")
    words = ("Focal opacity in the right lower lobe.", "No pneumothorax.")
    for task in range(3):
        fields = (*plain, "20260101", "101010", "ISO_IR 192", "7", *words)
        data = b"\xff".join(each.encode() for each in fields)
        yield f"task-{task}", bytes([task]) + data
    hostile = ("Ä^\\=", "*", "x" * 90, "\x1b$B", "1", "", "20269999", "9", "GBK", "")
    data = b"\xff".join(each.encode() for each in (*hostile, "<obj>\x00\u202e", " "))
    yield "hostile", b"\1" + data


def settings() -> Seeds:
    """Yield site files, right and wrong."""
    peers = (
        b'[listener]\ntitle = "X"\nport = 11112\n',
        b'[peers.a]\ntitle = "A"\nhost = "h"\nport = 104\n',
        b'networks = ["10.0.0.0/24", "::1/128"]\n[archive]\npeer = "a"\n',
        b'[results]\ndestinations = ["a"]\ntasks = ["findings"]\n',
        b'[peers.a.web]\nurl = "https://h/x"\nservices = ["query"]\n',
    )
    yield "peers", b"".join(peers)
    yield (
        "wrong",
        b'[listener]\nport = "1"\nx = 1979-05-27T07:32:00Z\n[ledger]\nurl=1\n',
    )
    yield "numbers", b"[work]\nlease_seconds = inf\n[prior]\nlook_back_days = -0\n"
    yield "arrays", b'[results]\nphrases = [["a"], {b = 1}, """x\n"""]\n'
    yield "ledger", b'[ledger]\nurl = "postgresql+psycopg://u:p@h/d"\n'


def messages() -> Seeds:
    """Yield HL7 v2 messages: a report, an order, strange delimiters."""
    yield "result", result(text="FINDINGS: clear.\\.br\\IMPRESSION: \\X41\\ none")
    yield "order", order()
    yield "delimiters", result().replace(b"|", b"!").replace(b"^", b"@")
    yield "latin", result().replace(b"UNICODE UTF-8", b"8859/1") + b"\rNTE|\xe4"


def main() -> int:
    """Write every seed; findings in the folders stay."""
    for make in (association, files, texts, reports, settings, messages):
        folder = CORPUS / make.__name__
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in make():
            (folder / name).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
