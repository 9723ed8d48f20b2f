"""The child process that decodes pixels: limits first, then pydicom's decoders.

Called by `fork_server` for `pixels`, which never imports it. It writes one line of
JSON and then the picture's bytes to its standard output. What is wrong with the file
is said in that line; a crash or a limit ends the process, which says enough.
"""

import hashlib
import json
import os
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import NamedTemporaryFile

import gdcm
import numpy as np
import numpy.typing as npt
from pydicom import filereader
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import generate_frames
from pydicom.errors import BytesLengthException
from pydicom.pixels.utils import pixel_array
from pydicom.uid import (
    UID,
    JPEGExtended12Bit,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from dicom_io.child import limit_child
from dicom_io.elements import parse
from dicom_io.errors import DicomError, UnreadablePixels, UnsupportedImage
from dicom_io.options import Rendering
from dicom_io.parsing import encoding_of, open_data_set, read_transfer_syntax
from dicom_io.pictures.codestream import FrameSize, read_frame_size
from dicom_io.pictures.display import render
from dicom_io.pictures.fast_decoding import decode_fast
from dicom_io.pictures.greyscale import read_grey_scale
from dicom_io.pictures.native import read_native
from dicom_io.pictures.showing import Look, show, shown_size
from dicom_io.uid import derive_uid

DIGEST = "digest"
SHOW = "show"
"""What to do, besides the names of `Rendering`."""

_FASTER = {
    JPEGLSLossless: "pyjpegls",
    JPEGLSNearLossless: "pyjpegls",
    RLELossless: "pylibjpeg",
}
"""The plug-in that took least time, where pydicom would try another first; for JPEG
2000 that is GDCM, which has two threads."""

_IMAGE_PIXEL = (
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
    "PixelData",
)
_OTHER_OFFSETS = ("ExtendedOffsetTable", "ExtendedOffsetTableLengths")
"""Left out: they may name another frame than was checked. Where they stand each
frame is one fragment (PS3.3 C.7.6.3.1.8), so nothing is lost."""
_BROKEN = (
    ArithmeticError,
    AttributeError,
    BytesLengthException,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
)
"""What pydicom and its decoders raise for pixel data that is not what it says."""


def main(arguments: list[str]) -> None:
    """Decode `path` under limits: task, path, CPU seconds, bytes, pixels, look."""
    task, path, seconds, memory_bytes, max_pixels, *look = arguments
    # Decoders in C write to standard output as they like; it is ours alone.
    answer = os.dup(1)
    os.dup2(2, 1)
    limit_child(int(seconds), int(memory_bytes))
    try:
        head, body = _answer(task, Path(path), int(max_pixels), *look)
    except DicomError as error:
        head, body = {"error": type(error).__name__, "detail": str(error)}, b""
    except _BROKEN as error:
        detail = f"the decoder failed with {type(error).__name__}"
        head, body = {"error": UnreadablePixels.__name__, "detail": detail}, b""
    with os.fdopen(answer, "wb") as stream:
        stream.write(json.dumps(head).encode() + b"\n")
        stream.write(body)


def _answer(
    task: str, path: Path, max_pixels: int, look: str = ""
) -> tuple[Mapping[str, object], bytes | memoryview]:
    ds = read_whole(path)
    check_size(ds, max_pixels)
    if task == DIGEST:
        return {"digest": digest(decode(ds))}, b""
    check_supported(ds)
    if task == SHOW:
        return _shown(ds, Look.from_json(look))
    image = render(decode(ds), read_grey_scale(ds), Rendering(task))
    return {"rows": image.shape[0], "columns": image.shape[1]}, image.data


def _shown(ds: Dataset, look: Look) -> tuple[Mapping[str, object], bytes]:
    stored = decode(ds)
    greys, png = show(stored, read_grey_scale(ds), look)
    rows, columns = shown_size(stored.shape, look)
    return {"rows": rows, "columns": columns, **asdict(greys)}, png


def read_whole(path: Path) -> Dataset:
    """Read a data set with its pixel data, after the guarded parser agreed."""
    with path.open("rb") as stream:
        syntax = read_transfer_syntax(stream)
        body, end = open_data_set(stream, syntax)
        start = body.tell()
        encoding = encoding_of(syntax)
        if not parse(body, encoding, end).has_pixels:
            raise UnreadablePixels("it has no pixel data")
        body.seek(start)
        ds = filereader.read_dataset(body, encoding.implicit, encoding.little_endian)
    for keyword in _OTHER_OFFSETS:
        ds.pop(keyword, None)
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = UID(syntax)
    return ds


def check_size(ds: Dataset, max_pixels: int) -> None:
    """Compare the header's size with the limit and with the codestream's own.

    Raises UnreadablePixels before anything is allocated.
    """
    rows, columns = int(ds.Rows), int(ds.Columns)
    samples = int(ds.SamplesPerPixel)
    frames = int(ds.get("NumberOfFrames") or 1)
    if min(rows, columns, samples, frames) <= 0:
        raise UnreadablePixels("an image of no size")
    if rows * columns * samples * frames > max_pixels:
        raise UnreadablePixels(f"{frames} x {rows} x {columns} is over {max_pixels}")
    if not ds.file_meta.TransferSyntaxUID.is_encapsulated:
        return
    if ds.file_meta.TransferSyntaxUID == RLELossless:  # its frames say no size
        return
    for frame in generate_frames(ds.PixelData, number_of_frames=frames):
        _check_frame(frame, FrameSize(rows=rows, columns=columns, samples=samples))


def _check_frame(frame: bytes, header: FrameSize) -> None:
    size = read_frame_size(frame)
    if size is None:
        raise UnreadablePixels("a frame that is no JPEG of any kind")
    if (size.rows, size.columns) != (header.rows, header.columns):
        raise UnreadablePixels(
            f"the codestream says {size.rows} x {size.columns}, "
            f"the header {header.rows} x {header.columns}"
        )
    if size.samples != header.samples:
        raise UnreadablePixels("codestream and header differ in their samples")


def check_supported(ds: Dataset) -> None:
    """Raise UnsupportedImage for what is no single grey picture."""
    if int(ds.SamplesPerPixel) != 1 or not str(ds.PhotometricInterpretation).startswith(
        "MONOCHROME"
    ):
        raise UnsupportedImage("a colour image")
    if int(ds.get("NumberOfFrames") or 1) != 1:
        raise UnsupportedImage("an image of several frames")
    if int(ds.BitsAllocated) not in (8, 16):
        raise UnsupportedImage(f"{int(ds.BitsAllocated)} bits a pixel")


def decode(ds: Dataset) -> npt.NDArray[np.integer[npt.NBitBase]]:
    """Return the stored values, by the fastest decoder that is installed."""
    values = read_native(ds)
    if values is None:
        values = decode_fast(ds)
    if values is not None:
        return values
    syntax = ds.file_meta.TransferSyntaxUID
    if syntax == JPEGExtended12Bit and int(ds.BitsStored) > 8:
        return decode_by_gdcm(ds)
    if syntax in _FASTER:
        with suppress(RuntimeError, ValueError):  # not installed, or not its frame
            return pixel_array(ds, decoding_plugin=_FASTER[syntax])
    return pixel_array(ds)


def decode_by_gdcm(ds: Dataset) -> npt.NDArray[np.integer[npt.NBitBase]]:
    """Return the stored values of an extended JPEG of 12 bits.

    pydicom hands only 8 bits to GDCM. GDCM's own reader takes 12; its values were
    found equal to those of libjpeg-turbo on a real film.
    """
    with _nameless_file() as path:
        _image_alone(ds).save_as(path, enforce_file_format=True)
        reader = gdcm.ImageReader()
        reader.SetFileName(path)
        if not reader.Read():
            raise UnreadablePixels("GDCM cannot decode this extended JPEG")
        values = reader.GetImage().GetBuffer().encode("utf-8", "surrogateescape")
    signed = int(ds.PixelRepresentation) == 1
    stored: npt.NDArray[np.integer[npt.NBitBase]] = np.frombuffer(
        values, "<i2" if signed else "<u2"
    )
    return stored.reshape(int(ds.Rows), int(ds.Columns))


@contextmanager
def _nameless_file() -> Iterator[str]:
    """Yield the path of a file in memory, so that a killed child leaves nothing.

    Where the system has no such files, of one in the temporary folder.
    """
    if not hasattr(os, "memfd_create"):
        with NamedTemporaryFile(suffix=".dcm") as file:
            yield file.name
        return
    descriptor = os.memfd_create("frame")
    try:
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _image_alone(ds: Dataset) -> Dataset:
    """Return the Image Pixel module (PS3.3 C.7.6.3), nothing about the patient."""
    image = Dataset()
    for keyword in _IMAGE_PIXEL:
        image[keyword] = ds[keyword]
    image.SOPClassUID = SecondaryCaptureImageStorage
    image.SOPInstanceUID = derive_uid("frame")
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ds.file_meta.TransferSyntaxUID
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    return image


def digest(stored: npt.NDArray[np.integer[npt.NBitBase]]) -> str:
    """Return the SHA-256 over shape and values, whatever width they are kept in."""
    hasher = hashlib.sha256(repr(stored.shape).encode())
    hasher.update(np.ascontiguousarray(stored, dtype="<i4").data)
    return hasher.hexdigest()
