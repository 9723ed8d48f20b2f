"""Files and values of others into the readers, and words into the builders."""

import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dicom_io.equality import same_attributes
from dicom_io.errors import DicomError, NotEncodable, Unreadable, UnreadableHeader
from dicom_io.header import read_instance
from dicom_io.media import deliver_file
from dicom_io.parsing import read_file
from dicom_io.pictures import decoding
from dicom_io.pictures.greyscale import read_grey_scale
from dicom_io.reports.structured import read_sections, stated_language
from dicom_io.results.encode import Outputs, encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.preflight import check_objects
from dicom_io.results.read import read_findings, read_sentences
from model.report import GroundedPhrase, NormalizedBox, Task
from tests.data.films import raw_file
from tests.data.network import Recorder
from tests.data.reports import context, evidence, instance, report

MAX_PIXELS = 1 << 20

_HEADER_FIELDS = (
    *((0x0010_0010, "PN"), (0x0010_0020, "LO"), (0x0008_0050, "SH")),
    *((0x0008_1030, "LO"), (0x0010_0030, "DA"), (0x0010_0040, "CS")),
    *((0x0008_0020, "DA"), (0x0008_0030, "TM"), (0x0008_0005, "CS")),
    (0x0020_0010, "SH"),
)
"""What the first fields of `build_results` become."""

_SR_AND_GSPS = frozenset(
    {
        ResultKind.FINDINGS_SR,
        ResultKind.FINDINGS_SR_2D,
        ResultKind.NARRATIVE_SR,
        ResultKind.GSPS,
        ResultKind.KEY_OBJECTS,
    }
)


@contextmanager
def _file(data: bytes) -> Iterator[Path]:
    """Yield the path of a file in memory."""
    descriptor = os.memfd_create("fuzz")
    try:
        os.write(descriptor, data)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def read_files(data: bytes) -> None:
    """Read a file as every stage would; each refuses it with its own error or not."""
    with _file(data) as path:
        with suppress(Unreadable):
            deliver_file(path, Recorder().sink, "FILES")
        with suppress(DicomError, *decoding._BROKEN):
            ds = decoding.read_whole(path)
            decoding.check_size(ds, MAX_PIXELS)
            decoding.check_supported(ds)
            read_grey_scale(ds)
        with suppress(UnreadableHeader):
            attributes = read_file(path).attributes
            read_sections(attributes)
            stated_language(attributes)
            same_attributes(path, path)
            assert read_instance(path).path == path


def build_results(data: bytes) -> None:
    """Encode a report: the task, then header values and sentences between 0xFF.

    What can be encoded passes the last look, and says when read back what was said.
    """
    fields = data[1:].split(b"\xff")
    values, words = fields[: len(_HEADER_FIELDS)], fields[len(_HEADER_FIELDS) :]
    task = list(Task)[(data[0] if data else 0) % len(Task)]
    phrases = [_phrase(number, each) for number, each in enumerate(words[:8])]
    said = report(
        phrases, task=task, phrase="Is it?" if task is Task.PHRASE_GROUNDING else None
    )
    seen = evidence(rows=4, columns=4)
    with tempfile.TemporaryDirectory() as folder, suppress(NotEncodable):
        frontal = raw_file(
            Path(folder) / "film.dcm", _header(values), "1.2.840.10008.1.2.1"
        )
        objects = encode_results(
            frontal, said, seen, context(), Outputs(kinds=_SR_AND_GSPS)
        )
        assert check_objects(objects, seen) == ()
        for each in objects:
            if each.kind is ResultKind.NARRATIVE_SR:
                assert read_sentences(each.data)
            elif each.kind in (ResultKind.FINDINGS_SR, ResultKind.FINDINGS_SR_2D):
                assert read_findings(each.data)


def _phrase(number: int, words: bytes) -> GroundedPhrase:
    """Every other sentence has a box; lone surrogates may be in any."""
    box = NormalizedBox(x_min=0.2, y_min=0.2, x_max=0.6, y_max=0.7)
    text = words.decode("utf-8", "surrogateescape")
    return GroundedPhrase(text=text, boxes=(box,) if number % 2 == 0 else ())


def _header(values: list[bytes]) -> bytes:
    """Encode an image header, explicit VR, with the given bytes as its values."""
    seen = instance("frontal")
    elements = {
        0x0008_0016: ("UI", seen.sop_class_uid.encode()),
        0x0008_0018: ("UI", seen.sop_instance_uid.encode()),
        0x0020_000D: ("UI", seen.study_instance_uid.encode()),
        0x0020_000E: ("UI", seen.series_instance_uid.encode()),
        0x0028_0010: ("US", b"\4\0"),
        0x0028_0011: ("US", b"\4\0"),
    }
    for (tag, vr), value in zip(_HEADER_FIELDS, values, strict=False):
        elements[tag] = (vr, value[: 1 << 14])
    return b"".join(_element(tag, *each) for tag, each in sorted(elements.items()))


def _element(tag: int, vr: str, value: bytes) -> bytes:
    padded = value + (b"\0" if vr == "UI" else b" ") * (len(value) % 2)
    head = struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr.encode(), len(padded))
    return head + padded
