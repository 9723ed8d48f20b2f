"""The result objects as independent tools see them (dicom3tools, DCMTK)."""

from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset

from dicom_io.evidence import ReferencedInstance
from dicom_io.phantom import PhantomFileOptions, Polarity, phantom_study_files
from dicom_io.results.encode import Outputs, encode_results, material_of
from dicom_io.results.kinds import ResultKind
from dicom_io.results.withdrawal import Withdrawal, encode_withdrawal
from model.phantom.generator import PhantomOptions, make_phantom
from model.report import FlagKind, Task
from tests.data.peers import require_data, run_peer
from tests.data.reports import (
    EFFUSIONS,
    NO_PNEUMOTHORAX,
    OPACITY,
    context,
    evidence,
    film,
    film_file,
    instance,
    report,
)

pytestmark = pytest.mark.peers

IODS = ("SR", "PresentationState", "SCImage", "KeyObjectSelectionDocument")
"""How dciodvfy names what it recognised."""
SELECTIONS = {
    ResultKind.KEY_OBJECTS: "Of Interest",
    ResultKind.REJECTION_NOTE: "Rejected for Patient Safety Reasons",
}
UNDRAWN = frozenset(ResultKind) - {ResultKind.CAPTURE}
"""What is made of a header alone: quicker, and possible without pixel data."""
STRUCTURED = (ResultKind.FINDINGS_SR, ResultKind.NARRATIVE_SR)


def synthetic(**changes: object) -> Dataset:
    return film(rows=100, columns=80, **changes)


def with_voi_lut() -> Dataset:
    """A film whose greys are a table: a gamma of a half."""
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [4096, 0, 16])
    table.add_new(
        "LUTData", "US", [int(65535 * (n / 4095) ** 0.5) for n in range(4096)]
    )
    ds = synthetic(VOILUTSequence=[table])
    del ds.WindowCenter
    del ds.WindowWidth
    return ds


SOURCES: dict[str, Dataset] = {
    "monochrome2": synthetic(),
    "monochrome1": synthetic(PhotometricInterpretation="MONOCHROME1"),
    "not-square": synthetic(PixelSpacing=["0.28", "0.14"]),
    "several-windows": synthetic(
        WindowCenter=["2048", "900"], WindowWidth=["4096", "700"]
    ),
    "voi-lut": with_voi_lut(),
    "japanese-name": synthetic(PatientName="Yamada^Tarou=山田^太郎=やまだ^たろう"),
    "bare": synthetic(
        PatientName="",
        PatientID="",
        PatientBirthDate="",
        PatientSex="",
        StudyID="",
        AccessionNumber="",
        Manufacturer="",
        PatientOrientation=[],
        PixelSpacing=[],
    ),
}
DCMTK_READS = SOURCES.keys() - {"japanese-name", "bare"}
"""dcmpschk refuses a name that is empty (it is type 2) or not single-byte."""

SHARED_FILMS = (
    "dicom/RG1_J2KI.dcm",
    "dicom/mhh_8d6990f2_2_pa.dcm",
    "dicom/mhh_8d6990f2_1_pa_bigendian.dcm",
    "dicom/mhh_8d6990f2_1_pa_deflated.dcm",
    "dicom/cc0_pa_2010_mono1_jpegls.dcm",
    "odd/chrJapMulti.dcm",
    "odd/chrKoreanMulti.dcm",
    "odd/dog_lateral_thorax_dx_mono1.dcm",
)


@pytest.fixture(params=[*SOURCES, *SHARED_FILMS])
def frontal(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A film of each kind, made here or shared."""
    if request.param in SOURCES:
        return film_file(tmp_path, SOURCES[request.param])
    folder, name = str(request.param).split("/")
    return require_data(folder) / name


def objects(
    frontal: Path,
    folder: Path,
    task: Task = Task.GROUNDED_FINDINGS,
    kinds: frozenset[ResultKind] = UNDRAWN,
) -> dict[ResultKind, Path]:
    """Encode a report on the film, and its withdrawal; write each object to a file."""
    ds = dcmread(frontal, stop_before_pixels=True)
    seen = evidence(
        ReferencedInstance(
            study_instance_uid=ds.StudyInstanceUID,
            series_instance_uid=ds.SeriesInstanceUID,
            sop_class_uid=ds.SOPClassUID,
            sop_instance_uid=ds.SOPInstanceUID,
        ),
        rows=ds.get("Rows") or 1000,
        columns=ds.get("Columns") or 800,
        with_prior=True,
    )
    said = report(
        task=task,
        phrase="opacity" if task is Task.PHRASE_GROUNDING else None,
        flags=[FlagKind.CUT_OFF],
    )
    run_facts = context(2, (instance("earlier"),))
    written = {}
    made = encode_results(frontal, said, seen, run_facts, Outputs(kinds=kinds))
    refs = tuple(
        ReferencedInstance(
            study_instance_uid=ds.StudyInstanceUID,
            series_instance_uid=one.series_instance_uid,
            sop_class_uid=one.sop_class_uid,
            sop_instance_uid=one.sop_instance_uid,
        )
        for one in made
    )
    withdrawn = encode_withdrawal(
        material_of(frontal, said, seen, context(3, refs[:1])),
        Withdrawal(why="wrong patient <b>", role="radiologist", results=refs),
        frozenset(each.sop_instance_uid for each in refs),
        kinds,
    )
    for one in (*made, *withdrawn):
        written[one.kind] = folder / f"{one.kind}.dcm"
        written[one.kind].write_bytes(one.data)
    return written


@pytest.mark.parametrize("task", Task)
def test_dciodvfy_finds_no_error(frontal: Path, tmp_path: Path, task: Task) -> None:
    has_pixels = "PixelData" in dcmread(frontal)
    kinds = frozenset(ResultKind) if has_pixels else UNDRAWN

    for path in objects(frontal, tmp_path, task, kinds).values():
        said = run_peer("dciodvfy", "-new", path).stderr

        assert any(name in said for name in IODS)
        assert [line for line in said.splitlines() if line.startswith("Error")] == []


def test_dsrdump_parses_the_documents(frontal: Path, tmp_path: Path) -> None:
    written = objects(frontal, tmp_path)
    for kind in STRUCTURED:
        answer = run_peer("dsrdump", "+Pl", written[kind])

        assert answer.returncode == 0
        assert OPACITY.text in answer.stdout


def test_dsrdump_parses_the_selections(frontal: Path, tmp_path: Path) -> None:
    written = objects(frontal, tmp_path)
    for kind, title in SELECTIONS.items():
        answer = run_peer("dsrdump", written[kind])

        assert answer.returncode == 0
        assert title in answer.stdout


def test_dsrdump_shows_why_results_are_withdrawn(frontal: Path, tmp_path: Path) -> None:
    path = objects(frontal, tmp_path)[ResultKind.WITHDRAWAL_SR]

    assert "wrong patient <b>" in run_peer("dsrdump", "+Pl", path).stdout


@pytest.mark.parametrize("name", sorted(SOURCES))
def test_dcm2pnm_reads_the_capture(tmp_path: Path, name: str) -> None:
    film_path = film_file(tmp_path, SOURCES[name])
    kinds = frozenset({ResultKind.CAPTURE})
    path = objects(film_path, tmp_path, kinds=kinds)[ResultKind.CAPTURE]
    picture = tmp_path / "capture.ppm"

    assert run_peer("dcm2pnm", path, picture).returncode == 0

    magic, size, _, pixels = picture.read_bytes().split(b"\n", 3)
    stored = dcmread(path)
    assert magic == b"P6"
    assert size.split() == [b"%d" % stored.Columns, b"%d" % stored.Rows]
    assert pixels == stored.PixelData[: stored.Rows * stored.Columns * 3]


def test_dsr2html_shows_every_sentence(frontal: Path, tmp_path: Path) -> None:
    written = objects(frontal, tmp_path)
    for kind in STRUCTURED:
        page = run_peer("dsr2html", written[kind]).stdout

        for phrase in (OPACITY, EFFUSIONS, NO_PNEUMOTHORAX):
            assert phrase.text in page
        assert "Research only, not for clinical use" in page


@pytest.mark.parametrize("name", sorted(DCMTK_READS))
def test_dcmpschk_passes_the_presentation_state(tmp_path: Path, name: str) -> None:
    path = film_file(tmp_path, SOURCES[name])

    answer = run_peer("dcmpschk", objects(path, tmp_path)[ResultKind.GSPS])

    assert "Test passed" in answer.stderr + answer.stdout


@pytest.mark.parametrize("name", sorted(DCMTK_READS))
def test_greys_are_the_same_with_and_without_the_state(
    tmp_path: Path, name: str
) -> None:
    path = film_file(tmp_path, SOURCES[name])
    state = objects(path, tmp_path)[ResultKind.GSPS]
    plain, applied = tmp_path / "plain.pgm", tmp_path / "applied.pgm"

    assert run_peer("dcmp2pgm", path, plain).returncode == 0
    assert run_peer("dcmp2pgm", "-p", state, path, applied).returncode == 0

    assert plain.read_bytes() == applied.read_bytes()
    # a picture of one grey would be equal to anything of one grey
    assert len(set(plain.read_bytes()[-8000:])) > 50


@pytest.mark.parametrize("polarity", Polarity)
def test_dciodvfy_finds_no_error_in_a_phantom_study(
    tmp_path: Path, polarity: Polarity
) -> None:
    drawn = PhantomOptions(short_side=64, with_lateral=True, with_prior=True)
    options = PhantomFileOptions(polarity=polarity)
    for file in phantom_study_files(make_phantom(7, drawn), options):
        path = tmp_path / f"{file.slot}.dcm"
        path.write_bytes(file.data)

        said = run_peer("dciodvfy", "-new", path).stderr.splitlines()

        assert "DXImageForPresentation" in said or "BasicTextSR" in said
        assert [line for line in said if line.startswith("Error")] == []
