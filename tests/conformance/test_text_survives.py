"""Names and sentences as other readers see them (DCMTK), beside pydicom."""

import re
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.valuerep import PersonName

from dicom_io.results.encode import encode_results
from dicom_io.results.kinds import ResultKind
from dicom_io.results.text import clean
from model.report import GroundedPhrase
from tests.conformance.generated import evidence_of
from tests.data.names import NAMES
from tests.data.peers import require_data, run_peer
from tests.data.reports import EFFUSIONS, OPACITY, context, film, film_file, report

pytestmark = pytest.mark.peers

OURS = (ResultKind.FINDINGS_SR, ResultKind.GSPS, ResultKind.NARRATIVE_SR)
SENTENCES = {
    "markup": "<b>Mass</b> &amp; <script>alert(1)</script> ]]> \\X0A\\ %00 ${x}",
    "controls": "A\x00 mass\x07 of\x1b[31m 2\tcm\x7f.",
    "right-to-left": "\u202eMass\u202c of the \u200fright\u200e lung \u2066x\u2069.",
    "scripts": "Μάζα, масса, كتلة, ก้อน, 腫瘤, e\u0301, \U0001fac1.",
}


def written(
    frontal: Path, folder: Path, said: GroundedPhrase = OPACITY
) -> dict[ResultKind, Path]:
    """Encode a sentence on the film and write each object to a file."""
    made = encode_results(
        frontal, report([said, EFFUSIONS]), evidence_of(frontal), context()
    )
    paths = {each.kind: folder / f"{each.kind}.dcm" for each in made}
    for each in made:
        paths[each.kind].write_bytes(each.data)
    return paths


def dumped(path: Path, keyword: str) -> str:
    """Return a value as DCMTK reads it, in UTF-8."""
    said = run_peer("dcmdump", "+U8", "+L", "+P", keyword, path)
    found = re.search(r"\[(.*)\]", said.stdout, re.DOTALL)
    assert found is not None, said.stderr
    return found[1].rstrip(" ")


@pytest.mark.parametrize("name", NAMES)
def test_a_name_comes_back_identical_in_every_object(name: str, tmp_path: Path) -> None:
    terms, patient = NAMES[name]
    source = film(
        rows=8, columns=8, SpecificCharacterSet=terms, PatientName=PersonName(patient)
    )
    paths = written(film_file(tmp_path, source), tmp_path)

    assert set(paths) == set(OURS)
    for path in paths.values():
        assert str(dcmread(path).PatientName) == patient
        assert dumped(path, "PatientName") == patient
    for kind in (ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR):
        assert patient in run_peer("dsrdump", "+U8", paths[kind]).stdout


@pytest.mark.parametrize(
    ("film_name", "patient"),
    [
        ("chrJapMulti.dcm", "やまだ^たろう"),
        ("chrKoreanMulti.dcm", "김희중"),
    ],
)
def test_the_name_of_a_shared_film_comes_back_identical(
    film_name: str, patient: str, tmp_path: Path
) -> None:
    frontal = require_data("odd") / film_name

    for path in written(frontal, tmp_path).values():
        assert str(dcmread(path).PatientName) == patient
        assert dumped(path, "PatientName") == patient


@pytest.mark.parametrize("name", SENTENCES)
def test_a_sentence_stays_text_in_every_object(name: str, tmp_path: Path) -> None:
    phrase = GroundedPhrase(text=SENTENCES[name], boxes=OPACITY.boxes)
    expected = clean(SENTENCES[name])

    paths = written(film_file(tmp_path, film(rows=99, columns=99)), tmp_path, phrase)

    for kind in (ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR):
        assert f'"{expected}"' in run_peer("dsrdump", "+U8", "+Pl", paths[kind]).stdout
        assert expected in texts(paths[kind])
    label = texts(paths[ResultKind.GSPS])[0]
    assert label.replace("\r\n", " ") == "1 " + " ".join(expected.split())
    said = run_peer("dcmdump", "+U8", "+L", paths[ResultKind.GSPS]).stdout
    assert label.replace("\r\n", "\n") in said


def test_64_kilobytes_are_whole_in_the_documents(tmp_path: Path) -> None:
    text = ("Λέξη " * 13_000).strip()
    phrase = GroundedPhrase(text=text, boxes=OPACITY.boxes)

    paths = written(film_file(tmp_path, film(rows=99, columns=99)), tmp_path, phrase)

    for kind in (ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR):
        assert text in texts(paths[kind])
        assert text in run_peer("dsrdump", "+U8", "+Pl", paths[kind]).stdout
    label = texts(paths[ResultKind.GSPS])[0]
    assert 900 < len(label) <= 1024
    assert label.endswith("...")


def texts(path: Path) -> list[str]:
    """Return all texts of a tree, or of an overlay, in their order."""
    return [
        str(element.value)
        for element in dcmread(path).iterall()
        if element.keyword in ("TextValue", "UnformattedTextValue")
    ]
