"""Attributes of the source image, taken over as far as they are usable.

Real headers lack mandatory attributes and hold values that their VR forbids. A
result must still carry the identity of its study unchanged, so that the archive
files it with its images.
"""

import math
from collections.abc import Iterable

import numpy as np
from pydicom import config
from pydicom.datadict import dictionary_VR
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pydicom.valuerep import DSfloat, validate_value

from dicom_io.elements import Attributes
from dicom_io.errors import NotEncodable
from dicom_io.values import find, integer, items, text

_FORMAT_MATTERS = frozenset({"AS", "CS", "DA", "DS", "IS", "TM", "UI"})
"""VRs whose invalid values are left out; texts are kept as they are."""
_LUT_TEXTS = ("LUTExplanation", "ModalityLUTType")


def value(header: Attributes, keyword: str) -> str | None:
    """Return the text of an attribute, None where absent, empty or unusable.

    Several values are joined by a backslash, as they were stored.
    """
    content = text(header, keyword)
    return content if content and _usable(keyword, content) else None


def numbers(header: Attributes, keyword: str) -> tuple[float, ...]:
    """Return the values of a decimal string attribute, () where one is no number.

    Longer than a DS may be is still read: senders write all digits of a double.
    """
    try:
        found = tuple(map(float, (text(header, keyword) or "").split("\\")))
    except ValueError:
        return ()
    return found if all(map(math.isfinite, found)) else ()


def decimals(found: Iterable[float]) -> list[DSfloat]:
    """Return numbers as decimal strings of at most 16 characters (PS3.5 6.2)."""
    return [DSfloat(number, auto_format=True) for number in found]


def required(header: Attributes, keyword: str) -> str:
    """Return an attribute without which no result can be filed.

    Raises NotEncodable.
    """
    content = value(header, keyword)
    if content is None:
        raise NotEncodable(f"the frontal image has no usable {keyword}")
    return content


def copy_mandatory(
    header: Attributes, target: Dataset, keywords: Iterable[str]
) -> None:
    """Copy type 2 attributes; what is missing becomes empty (PS3.5 7.4.3)."""
    for keyword in keywords:
        _put(target, keyword, value(header, keyword) or "")


def copy_optional(header: Attributes, target: Dataset, keywords: Iterable[str]) -> None:
    """Copy attributes where the source has a usable value."""
    for keyword in keywords:
        content = value(header, keyword)
        if content is not None:
            _put(target, keyword, content)


def first_lut(header: Attributes, keyword: str) -> Dataset | None:
    """Return the first usable item of a LUT sequence (PS3.3 C.11.1, C.11.2).

    Its data become VR OW, little endian; its descriptor is signed where that of
    the image is, or where the image is and its VR is not written (PS3.5 A.1).
    """
    for item in items(header, keyword):
        descriptor, data = find(item, "LUTDescriptor"), find(item, "LUTData")
        if descriptor is None or data is None or len(descriptor.value) != 6:
            continue
        image_is_signed = integer(header, "PixelRepresentation") == 1
        vr = descriptor.vr if descriptor.vr in ("US", "SS") else None
        signed = vr == "SS" or (vr is None and image_is_signed)
        table = Dataset()
        table.add_new(
            "LUTDescriptor",
            "SS" if signed else "US",
            _words(descriptor.value, item).astype("<i2" if signed else "<u2").tolist(),
        )
        table.add_new("LUTData", "OW", _words(data.value, item).tobytes())
        copy_optional(item, table, _LUT_TEXTS)
        return table
    return None


def _words(
    stored: bytes, item: Attributes
) -> np.ndarray[tuple[int], np.dtype[np.uint16]]:
    """Return 16-bit words of either byte order as little endian ones."""
    even = stored[: len(stored) // 2 * 2]
    return np.frombuffer(even, "<u2" if item.little_endian else ">u2").astype("<u2")


def _usable(keyword: str, content: str) -> bool:
    vr = dictionary_VR(keyword)
    if vr not in _FORMAT_MATTERS:
        return True
    try:
        for part in content.split("\\"):
            validate_value(vr, part, config.RAISE)
    except ValueError:
        return False
    return True


def _put(target: Dataset, keyword: str, content: str) -> None:
    # not validated: an identity that is too long for its VR must still be equal
    tag = Tag(keyword)
    vr = dictionary_VR(tag)
    target.add(DataElement(tag, vr, content, validation_mode=config.IGNORE))
