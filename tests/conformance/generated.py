"""Cases of every kind from a number: a film, a report on it, and its evidence."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.valuerep import PersonName

from dicom_io.coordinates import ImageFrame, Projection, orientation_of
from dicom_io.evidence import Evidence, ReferencedInstance
from dicom_io.results.encode import encode_results
from dicom_io.results.preflight import check_objects
from dicom_io.results.values import EncodedInstance
from model.report import FlagKind, GroundedPhrase, GroundedReport, NormalizedBox, Task
from tests.data.names import NAMES
from tests.data.reports import context, evidence, film, film_file, instance, report

MOST_BOXES = 40
_PIXELS = 1 << 18
_MAXIMUM = 4095
_OPTIONAL = (
    "StudyDescription",
    "BodyPartExamined",
    "RescaleType",
    "Modality",
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "Manufacturer",
)
_SPACINGS: tuple[list[str], ...] = (["0.2", "0.2"], ["0.3", "0.1"], ["0", "0"], [])
_WAYS = ("LF", "RF", "LH", "RH", "FL", "FR", "HL", "HR", "")
_SENTENCES = (
    "No pneumothorax.",
    "There is a small left pleural effusion with adjacent atelectasis, unchanged.",
    "<b>Mass</b> & \\ 50 % \u200fof the right lung",
    "A\x00 nodule\tof 1 cm\r\nin the left upper lobe.",
    "Ευρήματα: οζίδιο 1 cm.",
    "Rounded opacity. " * 90,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is encoded; `film` is whole, with pixel data."""

    film: Dataset
    report: GroundedReport
    frame: ImageFrame


def generated(number: int) -> Case:
    """Return the case of a number, always the same; 0 to 40 boxes as it counts."""
    random = Random(number)  # noqa: S311 - no secret
    rows, columns = _sides(random)
    way = random.choice(_WAYS)
    task = random.choice(list(Task)) if number % 4 == 0 else Task.GROUNDED_FINDINGS
    made = film(
        rows=rows,
        columns=columns,
        PixelSpacing=random.choice(_SPACINGS),
        PatientOrientation=list(way),
        PhotometricInterpretation=random.choice(["MONOCHROME1", "MONOCHROME2"]),
    )
    random.choice(list(GREYS.values()))(made)
    terms, patient = random.choice(list(NAMES.values()))
    made.SpecificCharacterSet, made.PatientName = terms, PersonName(patient)
    for keyword in random.sample(_OPTIONAL, random.choice([0, 0, 2, 5, 14])):
        made.pop(keyword, None)
    return Case(
        film=made,
        report=_report(random, number % (MOST_BOXES + 1), task),
        frame=frame_of(made),
    )


def encoded(case: Case, folder: Path) -> tuple[Path, tuple[EncodedInstance, ...]]:
    """Write the film of a case and encode its report; our own look finds nothing."""
    path = film_file(folder, case.film)
    seen = replace(
        evidence(with_prior=len(case.report.phrases) % 2 == 0), frame=case.frame
    )
    earlier = instance("earlier")
    made = encode_results(path, case.report, seen, context(2, (earlier,)))
    assert check_objects(made, seen, (earlier.sop_instance_uid,)) == ()
    return path, made


def evidence_of(frontal: Path) -> Evidence:
    """Return evidence for a film on disk."""
    ds = dcmread(frontal, stop_before_pixels=True)
    seen = evidence(
        ReferencedInstance(
            study_instance_uid=ds.StudyInstanceUID,
            series_instance_uid=ds.SeriesInstanceUID,
            sop_class_uid=ds.SOPClassUID,
            sop_instance_uid=ds.SOPInstanceUID,
        )
    )
    return replace(seen, frame=frame_of(ds))


def frame_of(ds: Dataset) -> ImageFrame:
    """Return the frame of an image, as stored where it cannot be made upright."""
    way = tuple(str(value) for value in ds.get("PatientOrientation") or ())
    plain = ImageFrame(rows=ds.get("Rows") or 1000, columns=ds.get("Columns") or 800)
    turned = orientation_of(way, Projection.FRONTAL)
    return plain if turned is None else replace(plain, orientation=turned)


def _sides(random: Random) -> tuple[int, int]:
    """Return rows and columns, any from 1 to 65,535 with at most `_PIXELS` in all."""
    one = int(2 ** random.uniform(0, 16)) if random.random() < 0.3 else 300
    one = min(one, 65535)
    other = random.randint(1, min(400, _PIXELS // one or 1))
    return (one, other) if random.random() < 0.5 else (other, one)


def _report(random: Random, boxes: int, task: Task) -> GroundedReport:
    drawn = [_box(random) for _ in range(boxes)]
    phrases: list[GroundedPhrase] = []
    while drawn or len(phrases) < 2:
        here = random.randint(0, 3)
        phrases.append(
            GroundedPhrase(text=random.choice(_SENTENCES), boxes=tuple(drawn[:here]))
        )
        drawn = drawn[here:]
    flags = random.sample(list(FlagKind), random.choice([0, 2]))
    phrase = "opacity" if task is Task.PHRASE_GROUNDING else None
    return report(phrases, task=task, flags=flags, phrase=phrase)


def _box(random: Random) -> NormalizedBox:
    x, y = random.randint(0, 98), random.randint(0, 98)
    right, bottom = random.randint(x + 1, 100), random.randint(y + 1, 100)
    return NormalizedBox(
        x_min=x / 100, y_min=y / 100, x_max=right / 100, y_max=bottom / 100
    )


def _no_window(ds: Dataset) -> None:
    del ds.WindowCenter
    del ds.WindowWidth


def _several_windows(ds: Dataset) -> None:
    ds.WindowCenter, ds.WindowWidth = ["2048", "900", "100"], ["3000", "700", "50"]


def _table(power: float, first: int = 0) -> Dataset:
    """Return a LUT of 4096 entries over the values from `first` on."""
    item = Dataset()
    item.add_new("LUTDescriptor", "US", [_MAXIMUM + 1, first, 16])
    data = [int(65535 * (n / _MAXIMUM) ** power) for n in range(_MAXIMUM + 1)]
    item.add_new("LUTData", "US", data)
    return item


def _voi_lut(ds: Dataset) -> None:
    _no_window(ds)
    ds.VOILUTSequence = [_table(0.5)]


def _several_voi_luts(ds: Dataset) -> None:
    _no_window(ds)
    ds.VOILUTSequence = [_table(2.0), _table(0.5)]


def _modality_lut(ds: Dataset) -> None:
    for keyword in ("RescaleIntercept", "RescaleSlope", "RescaleType"):
        del ds[keyword]
    table = _table(1.5)
    table.ModalityLUTType = "US"
    ds.ModalityLUTSequence = [table]
    ds.WindowCenter, ds.WindowWidth = "32768", "60000"


def _rescaled(ds: Dataset) -> None:
    ds.RescaleIntercept, ds.RescaleSlope = "-1000", "0.5"
    ds.WindowCenter, ds.WindowWidth = "20", "1800"


def _as_they_are(_: Dataset) -> None:
    """Leave the one window over all greys."""


GREYS: dict[str, Callable[[Dataset], None]] = {
    "one-window": _as_they_are,
    "no-window": _no_window,
    "several-windows": _several_windows,
    "voi-lut": _voi_lut,
    "several-voi-luts": _several_voi_luts,
    "modality-lut": _modality_lut,
    "rescaled": _rescaled,
}
