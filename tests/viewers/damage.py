"""A findings SR made wrong on purpose, filed in the archive as one more series."""

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid

Damage = Callable[[Dataset], None]


def half_a_pixel(group: Dataset) -> None:
    """Count from the middle of the first pixel, not from its corner."""
    region = _region(group)
    region.GraphicData = [float(number) - 0.5 for number in region.GraphicData]


def swapped_axes(group: Dataset) -> None:
    """Write (row, column) where (column, row) belongs."""
    region = _region(group)
    numbers = list(region.GraphicData)
    region.GraphicData = [
        number
        for column, row in zip(numbers[::2], numbers[1::2], strict=True)
        for number in (row, column)
    ]


def second_scoord(group: Dataset) -> None:
    """Give the group one more region, 40 pixels on."""
    region = deepcopy(_region(group))
    region.GraphicData = [float(number) + 40 for number in region.GraphicData]
    group.ContentSequence.append(region)


def damaged(findings: Path, damage: Damage, series_number: int, path: Path) -> Path:
    """Write a copy with the first box damaged, in a series of its own."""
    ds = dcmread(findings)
    damage(_first_group(ds))
    ds.SeriesNumber = series_number
    ds.SeriesInstanceUID = generate_uid()
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.save_as(path)
    return path


def _first_group(ds: Dataset) -> Dataset:
    (measurements,) = (item for item in ds.ContentSequence if _code(item) == "126010")
    first = measurements.ContentSequence[0]
    assert isinstance(first, Dataset)
    return first


def _region(group: Dataset) -> Dataset:
    items = (item for item in group.ContentSequence if item.ValueType == "SCOORD")
    region = next(items)
    assert isinstance(region, Dataset)
    return region


def _code(item: Dataset) -> str:
    return str(item.ConceptNameCodeSequence[0].CodeValue)
