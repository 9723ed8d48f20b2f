"""From a file to the 8 bit picture and its reduction, beside the way of pydicom.

An uncompressed radiograph of 3000 x 2500 values of 12 bits with Rescale and a window:
ours, in the process (no child), against pydicom's pixel array, modality LUT and
windowing, then 8 bits and Pillow on three channels. Both results must be equal byte
for byte, or nothing is measured. Then decoding alone for each transfer syntax that can
be written here: our choice of plug-in beside pydicom's first.
Usage: python -m benchmarks.pixels [--rounds 5] [--rows 3000] [--columns 2500]
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut
from pydicom.uid import (
    UID,
    ExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    RLELossless,
)

from benchmarks.rounds import Figure, Measure, Target, in_turn, keep
from dicom_io.options import Rendering
from dicom_io.pictures.decoding import decode, read_whole
from dicom_io.pictures.display import render
from dicom_io.pictures.greyscale import read_grey_scale
from dicom_io.uid import derive_uid
from model.report import GreyImage

SIDE = 518
COMPRESSED = (RLELossless, JPEGLSLossless, JPEG2000Lossless)
LEAST_RATIO = 3.0

Reduced = tuple[GreyImage, npt.NDArray[np.uint8]]
"""The picture, and its reduction."""


def film(path: Path, rows: int, columns: int, syntax: UID) -> Path:
    """Write a made-up radiograph of 12 stored bits."""
    drawn = np.random.default_rng(1)
    y, x = np.mgrid[0:rows, 0:columns].astype(np.float32)
    waves = 1700 + 1100 * np.sin(x / 411) * np.cos(y / 357) + 350 * np.sin((x + y) / 67)
    values = np.clip(waves + drawn.normal(0, 8, (rows, columns)), 0, 4095)
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.1.1"
    ds.SOPInstanceUID = derive_uid("benchmark", "film", syntax)
    ds.Rows, ds.Columns, ds.SamplesPerPixel = rows, columns, 1
    ds.PhotometricInterpretation, ds.PixelRepresentation = "MONOCHROME2", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.RescaleSlope, ds.RescaleIntercept = 1, 0
    ds.WindowCenter, ds.WindowWidth = 2048, 3600
    ds.PixelData = values.astype("<u2").tobytes()
    ds["PixelData"].VR = "OW"
    if syntax != ExplicitVRLittleEndian:
        ds.compress(syntax, generate_instance_uid=False)
    ds.save_as(path, enforce_file_format=True)
    return path


def ours(path: Path) -> Reduced:
    """Decode and render as the gateway does; one channel is reduced and repeated."""
    ds = read_whole(path)
    picture = render(decode(ds), read_grey_scale(ds), Rendering.VOI)
    small = np.asarray(Image.fromarray(picture).resize((SIDE, SIDE), _BICUBIC))
    return picture, np.repeat(small[..., np.newaxis], 3, axis=2)


def theirs(path: Path) -> Reduced:
    """Decode with pydicom, apply its LUTs, and reduce three channels with Pillow."""
    ds = dcmread(path)
    values = apply_voi_lut(apply_modality_lut(ds.pixel_array, ds), ds)
    shares = values / float((1 << ds.BitsStored) - 1)
    picture = np.floor(shares * 255.0 + 0.5 + 1e-9).astype(np.uint8)
    channels = Image.fromarray(np.repeat(picture[..., np.newaxis], 3, axis=2))
    return picture, np.asarray(channels.resize((SIDE, SIDE), _BICUBIC))


_BICUBIC = Image.Resampling.BICUBIC


def check_equal(path: Path) -> None:
    """Raise `RuntimeError` unless both ways come to the same bytes."""
    for mine, other in zip(ours(path), theirs(path), strict=True):
        if not np.array_equal(mine, other):
            raise RuntimeError(f"{np.sum(mine != other)} values differ: not comparable")


def timed(action: Callable[[], object]) -> float:
    """Return how many milliseconds an action takes that has just been done once.

    The first time pays for memory that whoever was before it has let go.
    """
    action()
    began = time.perf_counter()
    action()
    return 1000 * (time.perf_counter() - began)


def contenders(path: Path, name: str) -> dict[str, Measure]:
    """Return decoding alone, our way and pydicom's."""

    def mine() -> object:
        return decode(read_whole(path))

    def other() -> object:
        return dcmread(path).pixel_array

    if not np.array_equal(decode(read_whole(path)), dcmread(path).pixel_array):
        raise RuntimeError(f"{name}: the decoders differ")
    return {
        f"{name}, ours": partial(timed, mine),
        f"{name}, pydicom": partial(timed, other),
    }


def main(words: Sequence[str] | None = None) -> None:
    """Measure in turn and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=3000)
    parser.add_argument("--columns", type=int, default=2500)
    given = parser.parse_args(words)
    with tempfile.TemporaryDirectory() as folder:
        size = given.rows, given.columns
        plain = film(Path(folder, "plain"), *size, ExplicitVRLittleEndian)
        check_equal(plain)
        ways: dict[str, Measure] = {
            "whole way, ours": partial(timed, partial(ours, plain)),
            "whole way, pydicom": partial(timed, partial(theirs, plain)),
            **contenders(plain, "uncompressed"),
        }
        for syntax in COMPRESSED:
            path = film(Path(folder, syntax.keyword), *size, syntax)
            ways |= contenders(path, syntax.keyword)
        found = in_turn(ways, given.rounds, "ms")
    keep("pixels", [*found.values()], [target(found)])


def target(found: dict[str, Figure]) -> Target:
    """Return what the whole way is to reach."""
    ratio = found["whole way, pydicom"].median / found["whole way, ours"].median
    what = "whole way, pydicom's time over ours, equal output"
    return Target(what=what, reached=ratio, bound=LEAST_RATIO)


if __name__ == "__main__":
    main()
