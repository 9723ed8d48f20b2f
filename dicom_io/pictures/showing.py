"""How people are shown an image: which greys, which way up, how large.

The child process makes the PNG (`decoding`), so what is handed on is bytes.
"""

import json
import math
from dataclasses import dataclass, replace
from io import BytesIO
from typing import Self

from PIL import Image

from dicom_io.coordinates import Orientation, orient
from dicom_io.options import Rendering
from dicom_io.pictures.display import (
    GreyScale,
    StoredImage,
    VoiFunction,
    Window,
    render,
    value_range,
)

LARGEST = 1e6
"""The largest value that a window may name: stored values have 16 bits."""
_COMPRESSION = 3
"""Of zlib: level 6 takes four times as long for a twentieth less."""
AS_STORED = Orientation()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How an image is shown.

    window : (center, width) in units of the modality LUT's output; None: as the file
    says (PS3.3 C.11.2), and where it says nothing the range of the image.
    longest_side : in pixels; a larger picture is made smaller. None: every pixel.
    orientation : how the stored image is turned.
    """

    window: tuple[float, float] | None = None
    longest_side: int | None = None
    orientation: Orientation = AS_STORED

    def __post_init__(self) -> None:
        """Refuse what is no window and no size."""
        if self.window is not None:
            center, width = self.window
            if not (abs(center) <= LARGEST and 1.0 <= width <= LARGEST):
                raise ValueError(
                    f"a window has a center within {LARGEST:.0f} of zero and a width "
                    f"from 1 to {LARGEST:.0f}"
                )
        if self.longest_side is not None and self.longest_side < 1:
            raise ValueError("a picture has a side of at least one pixel")

    def as_json(self) -> str:
        """Return it for the child."""
        turned = self.orientation
        ways = [turned.transpose, turned.mirror_columns, turned.mirror_rows]
        return json.dumps([self.window, self.longest_side, ways])

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `as_json` wrote."""
        window, longest_side, (transpose, columns, rows) = json.loads(text)
        return cls(
            window=None if window is None else (window[0], window[1]),
            longest_side=longest_side,
            orientation=Orientation(
                transpose=transpose, mirror_columns=columns, mirror_rows=rows
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Greys:
    """In which greys an image is shown, and which it has.

    center, width : of the window in use. low, high : the range of the image, without
    its padding. All in units of the modality LUT's output. inverted : the lowest is
    white. by_table : a VOI LUT is in use, which no window describes.
    """

    center: float
    width: float
    low: float
    high: float
    inverted: bool
    by_table: bool


def show(stored: StoredImage, scale: GreyScale, look: Look) -> tuple[Greys, bytes]:
    """Return the greys of an image, and it as a PNG of 8 bits.

    A window is that of the file's own VOI LUT Function, so that dragging begins at
    the picture which the file asks for.
    """
    greys = _greys(stored, scale, look)
    if look.window is not None:
        function = scale.window.function if scale.window else VoiFunction.LINEAR
        own = Window(center=greys.center, width=greys.width, function=function)
        scale = replace(scale, window=own)
    picture = orient(render(stored, scale, Rendering.VOI), look.orientation)
    return greys, _png(Image.fromarray(picture), look.longest_side)


def _greys(stored: StoredImage, scale: GreyScale, look: Look) -> Greys:
    low, high = value_range(stored, scale)
    # PS3.3 C.11.2.1.2.1: this linear window takes `low` to black and `high` to white
    width = max(high - low + 1.0, 1.0)
    center = low + width / 2.0
    if look.window is not None:
        center, width = look.window
    elif scale.window is not None:
        center, width = scale.window.center, scale.window.width
    return Greys(
        center=center,
        width=width,
        low=low,
        high=high,
        inverted=scale.inverted,
        by_table=look.window is None and scale.window is None and bool(scale.voi_table),
    )


def _png(picture: Image.Image, longest_side: int | None) -> bytes:
    longest = max(picture.size)
    if longest_side is not None and longest > longest_side:
        share = longest_side / longest
        width, height = (max(1, math.floor(side * share)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    file = BytesIO()
    picture.save(file, "PNG", compress_level=_COMPRESSION)
    return file.getvalue()


def shown_size(shape: tuple[int, ...], look: Look) -> tuple[int, int]:
    """Return rows and columns of the whole picture, turned, before it is made small."""
    rows, columns = int(shape[0]), int(shape[1])
    return (columns, rows) if look.orientation.transpose else (rows, columns)
