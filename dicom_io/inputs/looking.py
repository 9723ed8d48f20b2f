"""What is known of a study's images beside their headers, before any is chosen."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicom_io.errors import UnreadablePixels, UnsupportedImage
from dicom_io.header import Instance
from dicom_io.inputs.film import FilmReading, read_film
from dicom_io.inputs.rejections import rejected_instances
from dicom_io.inputs.subject import is_radiograph
from dicom_io.options import PictureOptions
from dicom_io.pictures.handover import FILMS

MAX_LOOKED_AT = 8
"""Images of a study that are decoded to see their view; 99.6 % have three or fewer."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a study's images beside their headers; keys: SOP Instance UIDs.

    `rejected`: why a rejection note of the study says that an image is not to be
    used. `readings`: what the pixels say; an image that was not decoded has none.
    """

    rejected: Mapping[str, str] = field(default_factory=dict)
    readings: Mapping[str, FilmReading] = field(default_factory=dict)


HEADERS_ALONE = Seen()
"""Nothing was looked at: the headers decide."""


def look(
    documents: Sequence[Path], images: Sequence[Instance], options: PictureOptions
) -> Seen:
    """Read the rejection notes of a study, and the pixels of its radiographs.

    A rejected image is not decoded. One that cannot be decoded has no reading:
    its fault is named where the picture is needed.
    """
    rejected = rejected_instances(documents)
    radiographs = [
        item
        for item in images
        if item.has_pixels
        and is_radiograph(item)
        and item.sop_instance_uid not in rejected
    ]
    found = {
        item.sop_instance_uid: _read(item, options)
        for item in radiographs[:MAX_LOOKED_AT]
    }
    readings = {uid: reading for uid, reading in found.items() if reading is not None}
    return Seen(rejected=rejected, readings=readings)


def _read(instance: Instance, options: PictureOptions) -> FilmReading | None:
    try:
        picture = FILMS.look(instance.path, options.rendering, options.limits)
    except (UnreadablePixels, UnsupportedImage) as error:
        _log.info("%s: no view by pixels: %s", instance.sop_instance_uid, error)
        return None
    return read_film(picture)
