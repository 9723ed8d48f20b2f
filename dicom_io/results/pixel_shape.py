"""Pixels that are not square, as the header tells them; pure."""

from dataclasses import dataclass

from dicom_io.elements import Attributes
from dicom_io.results.source import numbers, value

_SPACINGS = ("PixelSpacing", "ImagerPixelSpacing")
_SQUARE = ("1", "1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PixelShape:
    """Height and width of a pixel, row spacing first as in Pixel Spacing.

    spacing : in mm, None where no usable spacing is known or pixels are square.
    ratio : (vertical, horizontal), whole numbers above zero as they are stored.
    """

    spacing: tuple[float, float] | None = None
    ratio: tuple[str, str] = _SQUARE

    @property
    def is_square(self) -> bool:
        """Whether rows and columns are as far apart."""
        return self.spacing is None and int(self.ratio[0]) == int(self.ratio[1])


def pixel_shape(header: Attributes) -> PixelShape:
    """Return the shape of the pixels; square where the header says nothing usable.

    The first usable spacing decides; a spacing of 0 says nothing. Only without one
    does the Pixel Aspect Ratio count (PS3.3 C.7.6.3.1.7).
    """
    for keyword in _SPACINGS:
        spacing = numbers(header, keyword)
        if len(spacing) == 2 and min(spacing) > 0:
            row, column = spacing
            return PixelShape(spacing=None if row == column else (row, column))
    ratio = (value(header, "PixelAspectRatio") or "").split("\\")
    if len(ratio) == 2 and all(_is_positive(part.strip()) for part in ratio):
        return PixelShape(ratio=(ratio[0].strip(), ratio[1].strip()))
    return PixelShape()


def misplaced_by_viewers(header: Attributes) -> str | None:
    """Warn of viewers that misplace boxes here; None where the pixels are square.

    OHIF 3.13.2 takes row for column spacing (cornerstone3D issue 2758).
    """
    if pixel_shape(header).is_square:
        return None
    return (
        "The pixels of the image are not square: some viewers draw the boxes at a "
        "wrong place. The coordinates are right."
    )


def _is_positive(number: str) -> bool:
    return number.isascii() and number.isdigit() and int(number) > 0
