"""What the conformance statement reads off the code, and that it misses nothing."""

import re
from itertools import pairwise
from pathlib import Path

import pytest
from pydicom.uid import UID

from dicom_io.contexts import listener_contexts
from dicom_io.scp.pdu import ABORT_BY_USER
from gate.conformance import ROOT, TABLES, aborts, verdicts
from gate.pages import DOCS, PARTS
from gate.rejections import found_rejections

PAGE = (DOCS / "conformance.md").read_text("utf-8")
SCP = ROOT / "dicom_io" / "scp"
_CODE = re.compile(r"(?:\bcode=|^_[A-Z_]+_FAILED = )\(([\d, ]+)\)", re.MULTILINE)
"""A code where it is given, and the named one of what failed."""


@pytest.mark.parametrize("name", sorted(TABLES))
def test_each_table_stands_on_the_page(name: str) -> None:
    assert f"<!-- from the code: {name} -->" in PAGE


def test_each_mark_of_the_page_has_its_table() -> None:
    marks = re.findall(r"<!-- from the code: (\S+) -->", PAGE)
    assert set(marks) <= set(PARTS)
    assert len(marks) == len(set(marks))


def test_every_class_of_the_listener_is_named() -> None:
    names = {UID(str(each.abstract_syntax)).name for each in listener_contexts()}
    assert [name for name in sorted(names) if f"| {name} |" not in PAGE] == []


def test_every_code_of_a_rejection_in_the_source_is_found() -> None:
    """By another reading of the source: its text."""
    written = {
        tuple(map(int, code.split(",")))
        for path in SCP.glob("*.py")
        for code in re.findall(_CODE, path.read_text("utf-8"))
    }
    found = {code for code, _ in found_rejections(SCP)}
    assert found == written
    assert {(1, 2, 2), (1, 1, 2), (1, 1, 3), (1, 1, 7), (2, 3, 2)} <= found


def test_a_reason_is_found_wherever_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(
        "_A = Rejection(code=(1, 1, 1), reason='plain')\n"
        "def no(reason):\n    return Rejection(code=(2, 3, 2), reason=reason)\n"
        "def why(n):\n    if n:\n        return no('full')\n"
        "    told = f'not {n} more'\n"
        "    return Rejection(code=(1, 1, 3), reason=told)\n"
    )
    assert found_rejections(tmp_path) == [
        ((1, 1, 1), "plain"),
        ((1, 1, 3), "not … more"),
        ((2, 3, 2), "full"),
    ]


def test_the_verdicts_cover_every_status_once() -> None:
    spans = [re.findall("[0-9A-F]{4}", str(row[0])) for row in verdicts()[1]]
    bounds = [(int(span[0], 16), int(span[-1], 16)) for span in spans]
    assert bounds[0][0] == 0
    assert bounds[-1][1] == 0xFFFF
    assert all(a[1] + 1 == b[0] for a, b in pairwise(bounds))


def test_an_abort_is_told_by_its_source_and_reason() -> None:
    assert tuple(ABORT_BY_USER[8:10]) == (0, 0)
    assert ("(0, 0)", "service-user", "by user") in aborts()[1]
