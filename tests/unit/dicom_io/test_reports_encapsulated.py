import io
from pathlib import Path

import pytest
from pydicom.dataset import Dataset
from pypdf import PdfWriter
from reportlab.pdfgen.canvas import Canvas

from dicom_io.reports.choice import find_prior_report
from tests.data.films import write_film

PDF, CDA = "1.2.840.10008.5.1.4.1.1.104.1", "1.2.840.10008.5.1.4.1.1.104.2"
BOMB = b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>"


def pdf(words: str) -> bytes:
    page = io.BytesIO()
    canvas = Canvas(page)
    canvas.drawString(72, 700, words)
    canvas.save()
    return page.getvalue()


def document(path: Path, sop_class_uid: str, content: bytes) -> Path:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = sop_class_uid, "1.2.9.8"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.5", "1.5.7"
    ds.EncapsulatedDocument = content + b"\0" * (len(content) % 2)
    return write_film(path, ds)


def test_a_pdf_is_read(tmp_path: Path) -> None:
    path = document(tmp_path / "a.dcm", PDF, pdf("FINDINGS: Clear lungs."))
    found = find_prior_report([path]).report
    assert found is not None
    assert found.text == "Clear lungs."


def test_the_narrative_of_a_cda_is_read(tmp_path: Path) -> None:
    cda = (
        b'<ClinicalDocument xmlns="urn:hl7-org:v3"><section><title>Findings</title>'
        b"<text>Clear lungs.</text></section></ClinicalDocument>"
    )
    found = find_prior_report([document(tmp_path / "a.dcm", CDA, cda)]).report
    assert found is not None
    assert found.text == "Clear lungs."


@pytest.mark.parametrize(
    ("authors", "used"),
    [
        (("assignedAuthoringDevice",), False),
        (("assignedAuthoringDevice", "assignedPerson"), True),
        (("assignedPerson",), True),
    ],
)
def test_a_cda_of_a_device_alone_is_not_used(
    authors: tuple[str, ...], used: bool, tmp_path: Path
) -> None:
    named = "".join(
        f"<author><assignedAuthor><{each}/></assignedAuthor></author>"
        for each in authors
    )
    cda = (
        f'<ClinicalDocument xmlns="urn:hl7-org:v3">{named}'
        "<section><text>Clear lungs.</text></section></ClinicalDocument>"
    )
    found = find_prior_report([document(tmp_path / "a.dcm", CDA, cda.encode())])
    assert (found.report is not None) == used
    assert [each.reason for each in found.rejected] == (
        [] if used else ["a device is its author"]
    )


@pytest.mark.parametrize(
    ("kind", "content"), [(PDF, b"no pdf"), (PDF, pdf("")), (CDA, BOMB), (CDA, b"<a")]
)
def test_a_hostile_document_is_refused_with_a_reason(
    kind: str, content: bytes, tmp_path: Path
) -> None:
    found = find_prior_report([document(tmp_path / "a.dcm", kind, content)])
    assert found.report is None
    assert found.rejected[0].reason


def test_an_encrypted_pdf_is_refused_by_that_name(tmp_path: Path) -> None:
    writer = PdfWriter(clone_from=io.BytesIO(pdf("FINDINGS: Clear.")))
    writer.encrypt("secret", algorithm="RC4-128")
    locked = io.BytesIO()
    writer.write(locked)
    path = document(tmp_path / "a.dcm", PDF, locked.getvalue())
    assert "encrypted" in find_prior_report([path]).rejected[0].reason


def test_entities_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    grown = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    laughs = f"<!DOCTYPE a [<!ENTITY a0 'lol'>{grown}]><a>&a9;</a>".encode()
    found = find_prior_report([document(tmp_path / "a.dcm", CDA, laughs)])
    assert "EntitiesForbidden" in found.rejected[0].reason or (
        "DTDForbidden" in found.rejected[0].reason
    )
