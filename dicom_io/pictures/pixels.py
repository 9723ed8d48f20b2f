"""Stored file -> display-ready picture; decoding happens in a limited child."""

import json
import math
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dicom_io.child import run_child
from dicom_io.errors import DicomError, UnreadablePixels, UnsupportedImage
from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.showing import Greys, Look
from model.report import GreyImage

_CHILD = "dicom_io.pictures.decoding"
_ERRORS: dict[str, type[DicomError]] = {
    UnsupportedImage.__name__: UnsupportedImage,
}
"""Errors that the child names; every other one is about unreadable pixels."""


def render_image(path: Path, rendering: Rendering, limits: DecodeLimits) -> GreyImage:
    """Decode the image in `path` and return it as 8 bit, oriented as stored.

    Returns (rows, columns) uint8, 0 = black; see `display.render` for the grey
    values. Decoding runs in a process of its own: a broken or hostile file can
    end that process and nothing else.

    Raises UnreadablePixels (missing, broken, over the limits) and
    UnsupportedImage (colour, several frames, more than 16 bits).
    """
    head, body = _run(rendering.value, path, limits)
    rows, columns = int(head["rows"]), int(head["columns"])
    if body.size != rows * columns:
        raise UnreadablePixels(f"{path.name}: the decoder's answer is cut off")
    return body.reshape(rows, columns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPicture:
    """A picture for people, as a PNG of 8 bits.

    rows, columns : of the whole image, turned as asked; the PNG may be smaller.
    """

    png: bytes
    rows: int
    columns: int
    greys: Greys


def show_image(path: Path, look: Look, limits: DecodeLimits) -> ShownPicture:
    """Return the image in `path` as people are shown it.

    Raises as `render_image` does.
    """
    head, body = _run("show", path, limits, look.as_json())
    return ShownPicture(
        png=body.tobytes(),
        rows=int(head["rows"]),
        columns=int(head["columns"]),
        greys=Greys(
            center=float(head["center"]),
            width=float(head["width"]),
            low=float(head["low"]),
            high=float(head["high"]),
            inverted=head["inverted"] == "True",
            by_table=head["by_table"] == "True",
        ),
    )


def pixel_digest(path: Path, limits: DecodeLimits | None = None) -> str:
    """Return the SHA-256 over the decoded stored values, lowercase hexadecimal.

    Equal for the same image in any lossless transfer syntax. Raises as
    `render_image` does.
    """
    head, _ = _run("digest", path, limits or DecodeLimits())
    return head["digest"]


def _run(
    task: str, path: Path, limits: DecodeLimits, *look: str
) -> tuple[dict[str, str], npt.NDArray[np.uint8]]:
    """Run the child on one file and return its line of JSON and its bytes."""
    arguments = [
        *(task, os.fspath(path)),
        *(str(math.ceil(limits.seconds)), str(limits.memory_bytes)),
        str(limits.max_pixels),
        *look,
    ]
    try:
        done = run_child(_CHILD, arguments, limits.seconds)
    except subprocess.TimeoutExpired as error:
        raise UnreadablePixels(
            f"{path.name}: decoding took over {limits.seconds:g} s"
        ) from error
    end = done.stdout.find(b"\n")
    if done.returncode != 0 or end <= 0:
        raise UnreadablePixels(
            f"{path.name}: the decoding process ended with {done.returncode}"
        )
    head = {key: str(value) for key, value in json.loads(done.stdout[:end]).items()}
    if "error" in head:
        kind = _ERRORS.get(head["error"], UnreadablePixels)
        raise kind(f"{path.name}: {head['detail']}")
    return head, np.frombuffer(done.stdout, np.uint8, offset=end + 1)
