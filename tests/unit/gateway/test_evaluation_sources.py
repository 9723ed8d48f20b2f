"""Reports in plain forms and in the layouts of collections; what is wrong is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.evaluation.errors import BadSource
from gateway.evaluation.readers import (
    Layout,
    box_frame,
    findings_of,
    guess_layout,
    read_iu_xray,
    read_mimic_cxr,
    read_padchest_gr,
    read_references,
)
from gateway.evaluation.sources import (
    BoxFrame,
    Part,
    Reports,
    read_grounded,
    read_matches,
    read_table,
    read_texts,
)
from model.radfact.values import Rectangle, Sentence

MIMIC = """                                 FINAL REPORT
 EXAMINATION:  CHEST (PA AND LAT)

 INDICATION:  Cough.

 FINDINGS:

 The lungs are clear.  There is no
 effusion.

 IMPRESSION:

 Normal.
"""
CORNERS = ("x_min", "y_min", "x_max", "y_max")
IU = """<?xml version="1.0"?><eCitation><uId id="CXR1"/><MedlineCitation><Article>
<Abstract><AbstractText Label="FINDINGS">{findings}</AbstractText>
<AbstractText Label="IMPRESSION">Normal.</AbstractText></Abstract></Article>
</MedlineCitation></eCitation>"""


def written(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def texts(reports: Reports) -> dict[str, str | None]:
    return {study: report.text for study, report in reports.reports.items()}


def complaint(read: Callable[[], object]) -> str:
    with pytest.raises(BadSource) as raised:
        read()
    return str(raised.value)


def test_a_table_holds_a_text_a_study(tmp_path: Path) -> None:
    path = written(
        tmp_path / "a.csv", '\ufeffstudy_id,text\n1.2,"Clear, dry.\nOK"\n3,\n'
    )
    assert texts(read_table(path, Part.GENERATED)) == {
        "1.2": "Clear, dry.\nOK",
        "3": "",
    }


@pytest.mark.parametrize("mark", ["\x0c", "\x1c", "\x85", "\u2028"])
def test_only_the_end_of_a_line_ends_a_row(tmp_path: Path, mark: str) -> None:
    text = f"Heart normal.{mark}s2,Lungs clear"
    path = written(tmp_path / "a.csv", f'study_id,text\ns1,"{text}"\ns3,{mark}b\n')
    assert texts(read_table(path, Part.GENERATED)) == {"s1": text, "s3": f"{mark}b"}


def test_radfacts_own_table_serves_either_side(tmp_path: Path) -> None:
    path = written(tmp_path / "a.csv", "example_id,prediction,target\n7,a,b\n")
    assert texts(read_table(path, Part.GENERATED)) == {"7": "a"}
    assert texts(read_table(path, Part.REFERENCE)) == {"7": "b"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "line 1: no column study_id or example_id"),
        ("study_id,words\n1,a\n", "line 1: no column text or target"),
        ("study_id,text\n1,a\n2\n", "line 3: the row has 1 columns only"),
        ("study_id,text\n1,a\n1,b\n", "line 3: study '1' stands twice"),
        ("study_id,text\n ,a\n", "line 2: no study is named"),
        ('study_id,text\n1,"a"b\n', "line 2: "),
    ],
)
def test_a_wrong_table_is_named_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path / "a.csv", text)
    assert said in complaint(lambda: read_table(path, Part.REFERENCE))
    assert str(path) in complaint(lambda: read_table(path, Part.REFERENCE))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.csv"
    assert "cannot be read" in complaint(lambda: read_table(missing, Part.REFERENCE))
    binary = tmp_path / "b.csv"
    binary.write_bytes(b"study_id,text\n1,\xff\n")
    assert "no UTF-8" in complaint(lambda: read_table(binary, Part.REFERENCE))


def test_a_folder_of_texts_is_named_by_study(tmp_path: Path) -> None:
    written(tmp_path / "1.2.3.txt", "Clear.")
    assert texts(read_texts(tmp_path)) == {"1.2.3": "Clear."}


def test_a_folder_without_texts_is_refused(tmp_path: Path) -> None:
    assert "no .txt" in complaint(lambda: read_texts(tmp_path))


def grounded(tmp_path: Path, phrases: object) -> Path:
    return written(
        tmp_path / "a.json", json.dumps([{"example_id": 5, "target": phrases}])
    )


def test_radfacts_json_holds_sentences_with_boxes(tmp_path: Path) -> None:
    box = {"x_min": 0.1, "y_min": 0.9, "x_max": 0.5, "y_max": 0.2}
    phrases = [{"text": "a", "boxes": [box]}, {"text": "b", "boxes": None}]
    found = read_grounded(grounded(tmp_path, phrases), Part.REFERENCE, BoxFrame.CROP)
    rectangle = Rectangle(x_min=0.1, y_min=0.2, x_max=0.5, y_max=0.9)
    assert found.reports["5"].sentences == (
        Sentence(text="a", boxes=(rectangle,)),
        Sentence(text="b"),
    )
    assert found.frame is BoxFrame.CROP


@pytest.mark.parametrize(
    "phrases",
    [
        None,
        ["a"],
        [{"boxes": []}],
        [{"text": "a", "boxes": 1}],
        [{"text": "a", "boxes": [[0, 0, 1, 1]]}],
        [{"text": "a", "boxes": [{"x_min": 0, "y_min": 0, "x_max": 1}]}],
        [{"text": "a", "boxes": [{"x_min": 0, "y_min": 0, "x_max": 9, "y_max": 1}]}],
        [{"text": "a", "boxes": [dict.fromkeys(CORNERS, 10**400)]}],
        [{"text": "a", "boxes": [dict.fromkeys(CORNERS, float("nan"))]}],
        [{"text": "half a pair: \ud83d"}],
    ],
)
def test_a_wrong_entry_is_named_with_its_number(
    tmp_path: Path, phrases: object
) -> None:
    path = grounded(tmp_path, phrases)
    said = complaint(lambda: read_grounded(path, Part.REFERENCE, BoxFrame.IMAGE))
    assert said.startswith(f"{path}, entry 1: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[\n{]", "line 2"),
        ("{}", "no list"),
        ("[1]", "entry 1"),
        ("[{}]", "entry 1: no study_id or example_id"),
        ("[" * 100_000, "nested"),
        (f"[{'1' * 5000}]", "digits"),
    ],
)
def test_wrong_json_is_named_with_its_line(
    tmp_path: Path, text: str, said: str
) -> None:
    path = written(tmp_path / "a.json", text)
    assert said in complaint(lambda: read_grounded(path, Part.REFERENCE, BoxFrame.CROP))


def test_matches_name_each_study_once(tmp_path: Path) -> None:
    path = written(tmp_path / "m.csv", "study_id,reference_id\n1.2,s5\n")
    assert read_matches(path) == {"1.2": "s5"}
    twice = written(tmp_path / "t.csv", "study_id,reference_id\n1,s5\n1,s6\n")
    assert "line 3" in complaint(lambda: read_matches(twice))


def test_mimic_cxr_gives_the_findings_of_each_study(tmp_path: Path) -> None:
    written(tmp_path / "files/p10/p10000032/s50414267.txt", MIMIC)
    written(
        tmp_path / "files/p10/p10000032/s2.txt", MIMIC.replace("FINDINGS", "OTHERS")
    )
    found = read_mimic_cxr(tmp_path)
    text = texts(found)["s50414267"]
    assert text is not None
    assert " ".join(text.split()) == "The lungs are clear. There is no effusion."
    assert [each.study_id for each in found.absent] == ["s2"]


def test_a_study_of_mimic_cxr_that_stands_twice_is_refused(tmp_path: Path) -> None:
    for patient in ("p1", "p2"):
        written(tmp_path / patient / "s5.txt", MIMIC)
    assert "twice" in complaint(lambda: read_mimic_cxr(tmp_path))
    assert "no report" in complaint(lambda: read_mimic_cxr(tmp_path / "p1" / "none"))


def test_findings_end_at_the_next_heading_or_the_end() -> None:
    assert findings_of("FINDINGS: a. b: c.\nIMPRESSION: d") == "a. b: c."
    assert findings_of("FINDINGS AND IMPRESSION:\n a.") == "a."
    assert findings_of("FINDINGS:\nIMPRESSION: d") is None
    assert findings_of("Clear.") is None


def padchest(tmp_path: Path, *boxes: object) -> Path:
    finding = {"sentence_en": "Nodule.", "boxes": list(boxes), "abnormal": True}
    entry = {"StudyID": "9", "ImageID": "9.png", "findings": [finding]}
    return written(tmp_path / "p.json", json.dumps([entry]))


def test_padchest_gr_gives_english_sentences_with_boxes_of_the_image(
    tmp_path: Path,
) -> None:
    found = read_padchest_gr(padchest(tmp_path, [0.1, 0.2, 0.3, 0.4]))
    box = Rectangle(x_min=0.1, y_min=0.2, x_max=0.3, y_max=0.4)
    assert found.reports["9"].sentences == (Sentence(text="Nodule.", boxes=(box,)),)
    assert found.frame is BoxFrame.IMAGE


@pytest.mark.parametrize("box", [[1, 2, 3, 4], [0.1], ["a", 0, 1, 1], 7])
def test_a_wrong_box_of_padchest_gr_is_named(tmp_path: Path, box: object) -> None:
    path = padchest(tmp_path, box)
    assert "entry 1" in complaint(lambda: read_padchest_gr(path))


def test_iu_xray_is_read_from_xml_and_from_its_table(tmp_path: Path) -> None:
    written(tmp_path / "x/1.xml", IU.format(findings="Heart &amp; lungs clear."))
    assert texts(read_iu_xray(tmp_path / "x")) == {"CXR1": "Heart & lungs clear."}
    table = written(tmp_path / "r.csv", "uid,findings,impression\n1,Clear.,N\n2,,N\n")
    found = read_iu_xray(table)
    assert texts(found) == {"1": "Clear."}
    assert [each.study_id for each in found.absent] == ["2"]


def test_an_xml_report_without_findings_is_absent(tmp_path: Path) -> None:
    written(tmp_path / "1.xml", IU.format(findings=""))
    assert [each.study_id for each in read_iu_xray(tmp_path).absent] == ["CXR1"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<a>\n<b>", "line 2"),
        ("<a/>", "no uId"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>', "entities"),
        ('<?xml version="1.0" encoding="none"?><a/>', "encoding"),
        ('<?xml version="1.0" encoding="utf-7"?><a/>', "encoding"),
    ],
)
def test_wrong_xml_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written(tmp_path / "1.xml", text)
    assert said in complaint(lambda: read_iu_xray(tmp_path))


def test_a_folder_without_xml_is_refused(tmp_path: Path) -> None:
    assert "no .xml" in complaint(lambda: read_iu_xray(tmp_path))


def test_a_layout_is_guessed_by_the_kind_of_path(tmp_path: Path) -> None:
    assert guess_layout(tmp_path) is Layout.TEXTS
    assert guess_layout(Path("a.JSON")) is Layout.RADFACT
    assert guess_layout(Path("a.csv")) is Layout.TABLE


def test_boxes_are_converted_to_the_frame_of_the_references() -> None:
    assert box_frame(Layout.PADCHEST_GR, BoxFrame.CROP) is BoxFrame.IMAGE
    assert box_frame(Layout.RADFACT, BoxFrame.IMAGE) is BoxFrame.IMAGE
    assert box_frame(Layout.TEXTS, BoxFrame.IMAGE) is BoxFrame.CROP


def test_references_are_read_by_their_layout(tmp_path: Path) -> None:
    path = written(tmp_path / "1.txt", "Clear.")
    assert read_references(tmp_path, Layout.TEXTS, BoxFrame.CROP).reports
    table = written(tmp_path / "a.csv", "study_id,text\n1,a\n")
    assert read_references(table, Layout.TABLE, BoxFrame.CROP).reports
    with pytest.raises(BadSource):
        read_references(path, Layout.RADFACT, BoxFrame.CROP)
