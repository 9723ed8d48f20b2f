"""What independent validators find wrong with our objects; empty: nothing.

dicom3tools' `dciodvfy`, DCMTK's `dsrdump`, `dcmpschk` and `dcmp2pgm`, and PixelMed's
`DicomSRValidator` (Debian: dicom3tools, dcmtk, libpixelmed-java, and a JDK, which
starts a program from its source).
"""

import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from pydicom import DataElement, dcmread
from pydicom.dataset import Dataset

from dicom_io.results.kinds import ResultKind
from tests.data.peers import require_jar, require_peer, run_peer

_VALIDATE_SR = Path(__file__).with_name("ValidateSr.java")
_LIMITS = ("xpathExprOpLimit", "xpathExprGrpLimit", "xpathTotalOpLimit")
"""Of the JDK for style sheets from anywhere; PixelMed's own are longer."""
_SHORT_LIVED = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""A third less of the processor for a few documents, in the same time."""
_SECONDS_AT_MOST = 280.0
_NEWER = "</ContributingEquipmentSequence(0018,a001)[1]/DeviceUID(0018,1002)>"
"""Named by PS3.3 C.12.1.1.5 since 2022; the edition in dicom3tools is older."""
_COPIED = ("ReferringPhysicianName", "PatientName", "PatientID", "RescaleType")
"""Values of the source: carried over unchanged, whatever they are."""
_TEXTS = frozenset({"PN", "LO", "SH", "ST", "LT", "UT"})
_THIN = re.compile(r"DisplayedAreaBottomRightHandCorner = \((1,\d+|\d+,1)\)")
"""An image of one row or column: its corners are numbers of the same pixels (PS3.3
C.10.4), which the tool takes for no area."""
_MEDIA = "needed to build DICOMDIR"
"""Empty identity of the study, where the source has none; no media are made."""
DOCUMENTS = frozenset(
    {ResultKind.FINDINGS_SR, ResultKind.FINDINGS_SR_2D, ResultKind.NARRATIVE_SR}
)


def complaints(kind: ResultKind, path: Path) -> list[str]:
    """Return what the quick validators say of an object."""
    found = by_dciodvfy(path)
    if kind in DOCUMENTS:
        found += by_dsrdump(path)
    if kind is ResultKind.GSPS:
        found += by_dcmpschk(path)
    return [f"{kind}: {line}" for line in found]


def by_dciodvfy(path: Path) -> list[str]:
    """Return errors, and warnings about what is ours."""
    lines = run_peer("dciodvfy", "-new", path).stderr.splitlines()
    if not any(line.endswith(("SR", "PresentationState")) for line in lines):
        return ["dciodvfy knows no such object", *lines]
    errors = [
        line for line in lines if line.startswith("Error") and not _THIN.search(line)
    ]
    warnings = [line for line in lines if line.startswith("Warning")]
    accepted = (_NEWER, *_COPIED, _MEDIA)
    return errors + [w for w in warnings if not any(a in w for a in accepted)]


def by_dsrdump(path: Path) -> list[str]:
    """Return why the tree cannot be read."""
    answer = run_peer("dsrdump", "+U8", "+Pl", path)
    return [] if answer.returncode == 0 else [f"dsrdump: {answer.stderr}"]


def by_dcmpschk(path: Path) -> list[str]:
    """Return what is wrong with a presentation state.

    The tool refuses a name that is empty (it is type 2), a birth date before 1850 and
    any text that is not single-byte: it gets a copy without these.
    """
    copy = ascii_copy(path)
    answer = run_peer("dcmpschk", copy)
    said = answer.stdout + answer.stderr
    return [] if "Test passed" in said else [f"dcmpschk: {said}"]


def by_pixelmed(paths: Sequence[Path]) -> list[str]:
    """Return the errors of SR template and IOD rules, of all files in one JVM."""
    jar = require_jar("pixelmed")
    options = [*_SHORT_LIVED, *(f"-Djdk.xml.{limit}=0" for limit in _LIMITS)]
    command = [require_peer("java"), *options, "-cp", str(jar), str(_VALIDATE_SR)]
    answer = subprocess.run(
        [*command, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=_SECONDS_AT_MOST,
        check=False,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )
    lines = answer.stdout.splitlines()
    complete = sum("Root Template Validation Complete" in line for line in lines)
    found = [line for line in lines if line.startswith("Error")]
    if complete != len(paths):
        found.append(f"{complete} of {len(paths)} were read: {answer.stderr}")
    return found


def greys(image: Path, state: Path | None = None) -> bytes | str:
    """Return the picture as dcmp2pgm shows it (PGM), or why it shows none."""
    out = image.with_suffix(".pgm")
    out.unlink(missing_ok=True)
    options = [] if state is None else ["-p", state]
    answer = run_peer("dcmp2pgm", *options, image, out)
    return out.read_bytes() if out.exists() else answer.stderr


def ascii_copy(path: Path) -> Path:
    """Write a copy with a name, no birth date, and letters that are all ASCII."""
    ds = dcmread(path)
    ds.walk(_in_ascii)
    ds.PatientName = ds.get("PatientName") or "x"
    ds.PatientBirthDate = ""
    copy = path.with_suffix(".ascii.dcm")
    ds.save_as(copy)
    return copy


def _in_ascii(_: Dataset, element: DataElement) -> None:
    if element.VR in _TEXTS and not str(element.value).isascii():
        element.value = str(element.value).encode("ascii", "replace").decode()
