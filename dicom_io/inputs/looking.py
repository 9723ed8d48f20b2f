"""What is known of a study's images beside their headers, before any is chosen."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dicom_io.errors import UnreadablePixels, UnsupportedImage
from dicom_io.header import Instance
from dicom_io.inputs.film import FilmReading, read_film
from dicom_io.inputs.rejections import rejected_instances
from dicom_io.inputs.subject import is_radiograph
from dicom_io.options import PictureOptions
from dicom_io.pictures.handover import FILMS, PictureKey, key_of

MAX_LOOKED_AT = 8
"""Images of a study that are decoded to see their view; 99.6 % have three or fewer."""

_KEPT_READINGS = 512
"""About a kilobyte each: what waits for its quiet, and some that come again."""

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
    used = [item for item in images if item.sop_instance_uid not in rejected]
    found = {
        item.sop_instance_uid: _READINGS.read(item, options)
        for item in _radiographs(used)
    }
    readings = {uid: reading for uid, reading in found.items() if reading is not None}
    return Seen(rejected=rejected, readings=readings)


def look_ahead(images: Sequence[Instance], options: PictureOptions) -> None:
    """See the pixels of radiographs before anybody asks, while pictures can be kept.

    `look` then finds what they say, and who reads the picture finds that.
    """
    for item in _radiographs(images):
        if FILMS.has_room():
            _READINGS.read(item, options)


def _radiographs(images: Sequence[Instance]) -> list[Instance]:
    """Return the first images that are worth a look."""
    found = [item for item in images if item.has_pixels and is_radiograph(item)]
    return found[:MAX_LOOKED_AT]


class _Readings:
    """What the pixels of the newest files said. Safe to share between threads."""

    def __init__(self) -> None:
        self._readings: OrderedDict[PictureKey, FilmReading | None] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, instance: Instance, options: PictureOptions) -> FilmReading | None:
        """Return what was kept of this file as it is now, or look at it."""
        key = key_of(instance.path, options.rendering, options.limits)
        with self._lock:
            if key is not None and key in self._readings:
                return self._readings[key]
        reading = _read(instance, options)
        with self._lock:
            if key is not None:
                self._readings[key] = reading
            while len(self._readings) > _KEPT_READINGS:
                self._readings.popitem(last=False)
        return reading


_READINGS = _Readings()


def _read(instance: Instance, options: PictureOptions) -> FilmReading | None:
    try:
        picture = FILMS.look(instance.path, options.rendering, options.limits)
    except (UnreadablePixels, UnsupportedImage) as error:
        _log.info("%s: no view by pixels: %s", instance.sop_instance_uid, error)
        return None
    return read_film(picture)
