"""The child process that reads a document: limits first, then the libraries.

Called by `fork_server` for `encapsulated`, which never imports it; it writes one line
of JSON.
"""

import io
import json
import sys
from itertools import islice
from pathlib import Path

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring
from pydicom import filereader
from pydicom.uid import EncapsulatedCDAStorage
from pypdf import PdfReader
from pypdf.errors import PyPdfError

from dicom_io.child import limit_child
from dicom_io.elements import parse
from dicom_io.errors import DicomError, UnreadableHeader
from dicom_io.parsing import encoding_of, open_data_set, read_transfer_syntax

_CPU_SECONDS = 15
_MEMORY_BYTES = 1 << 30
_MAX_PAGES = 20
_MAX_BYTES = 32 << 20
_MAX_CHARACTERS = 100_000
_BLOCKS = frozenset({"title", "paragraph", "item", "tr", "br", "caption"})
_CDA = "{urn:hl7-org:v3}"
_BROKEN = (
    ArithmeticError,
    AssertionError,
    AttributeError,
    DefusedXmlException,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    ParseError,
    PyPdfError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What the libraries raise for a document that is not what it says."""


def main(arguments: list[str]) -> None:
    """Write the text of the document, or what is wrong with it: its path."""
    limit_child(_CPU_SECONDS, _MEMORY_BYTES)
    try:
        answer = {"text": _read(Path(arguments[0]))}
    except DicomError as error:
        answer = {"error": str(error)}
    except _BROKEN as error:
        answer = {"error": f"the document is broken ({type(error).__name__})"}
    sys.stdout.write(json.dumps(answer))


def _read(path: Path) -> str:
    if path.stat().st_size > _MAX_BYTES:
        raise UnreadableHeader(f"the document is over {_MAX_BYTES} bytes")
    with path.open("rb") as stream:
        syntax = read_transfer_syntax(stream)
        body, end = open_data_set(stream, syntax)
        start, encoding = body.tell(), encoding_of(syntax)
        parse(body, encoding, end)
        body.seek(start)
        ds = filereader.read_dataset(body, encoding.implicit, encoding.little_endian)
    document = bytes(ds.EncapsulatedDocument)
    is_cda = ds.SOPClassUID == EncapsulatedCDAStorage
    text = cda_text(document) if is_cda else pdf_text(document)
    if not text.strip():
        raise UnreadableHeader("the document has no text, perhaps a scan")
    return text[:_MAX_CHARACTERS]


def pdf_text(document: bytes) -> str:
    """Return the text of the first pages; raises UnreadableHeader if encrypted."""
    reader = PdfReader(io.BytesIO(document))
    if reader.is_encrypted:
        raise UnreadableHeader("the document is encrypted")
    return "\n".join(page.extract_text() for page in islice(reader.pages, _MAX_PAGES))


def cda_text(document: bytes) -> str:
    """Return titles and narrative of the sections, a line for each block.

    Raises UnreadableHeader where a device and no person is its author.
    """
    root = fromstring(document.rstrip(b"\0"), forbid_dtd=True)
    authors = {
        kind: root.find(f"{_CDA}author/{_CDA}assignedAuthor/{_CDA}{kind}") is not None
        for kind in ("assignedPerson", "assignedAuthoringDevice")
    }
    if authors["assignedAuthoringDevice"] and not authors["assignedPerson"]:
        raise UnreadableHeader("a device is its author")
    parts: list[str] = []
    for section in root.iter(f"{_CDA}section"):
        for child in section:
            if child.tag in (f"{_CDA}title", f"{_CDA}text"):
                for element in child.iter():
                    name = str(element.tag).rpartition("}")[2]
                    parts += ["\n" if name in _BLOCKS else "", element.text or ""]
                    parts.append(element.tail or "")
                parts.append("\n")
    return "".join(parts)
