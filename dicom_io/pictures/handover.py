"""Pictures on their way from who looked at them to who reads them.

The view of a film is seen in its pixels, and moments later the same picture is read.
What waits here spares decoding it again; what is not here is decoded anew.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from dicom_io.options import DecodeLimits, Rendering
from dicom_io.pictures.pixels import render_image
from model.report import GreyImage

_ROOM_BYTES = 96 << 20
"""Twelve films of 8 megapixels: what is in flight, as a rule."""


@dataclass(frozen=True, slots=True)
class PictureKey:
    """A file as it was, and how it was rendered."""

    path: Path
    size: int
    changed_ns: int
    rendering: Rendering
    limits: DecodeLimits


class Handover:
    """Holds the newest pictures, within a bound; each is taken once.

    Safe to share between threads. The pictures cannot be written to.
    """

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._room_bytes = room_bytes
        self._pictures: OrderedDict[PictureKey, GreyImage] = OrderedDict()
        self._lock = threading.Lock()

    def look(self, path: Path, rendering: Rendering, limits: DecodeLimits) -> GreyImage:
        """Render the image in `path` and keep it; see `render_image`."""
        picture = render_image(path, rendering, limits)
        picture.flags.writeable = False
        key = key_of(path, rendering, limits)
        with self._lock:
            if key is not None:
                self._pictures[key] = picture
            self._make_room()
        return picture

    def take(self, path: Path, rendering: Rendering, limits: DecodeLimits) -> GreyImage:
        """Return what was kept and forget it, or render; see `render_image`."""
        key = key_of(path, rendering, limits)
        with self._lock:
            kept = None if key is None else self._pictures.pop(key, None)
        return render_image(path, rendering, limits) if kept is None else kept

    def has_room(self) -> bool:
        """Whether another picture can be kept beside most of those that are."""
        with self._lock:
            return 2 * self._held_bytes() < self._room_bytes

    def _make_room(self) -> None:
        while self._held_bytes() > self._room_bytes:
            self._pictures.popitem(last=False)

    def _held_bytes(self) -> int:
        return sum(each.nbytes for each in self._pictures.values())


def key_of(path: Path, rendering: Rendering, limits: DecodeLimits) -> PictureKey | None:
    """Return what a rendering of a file is known by; None: the file is gone."""
    try:
        file = path.stat()
    except OSError:  # rendering says what is wrong
        return None
    return PictureKey(path, file.st_size, file.st_mtime_ns, rendering, limits)


FILMS = Handover()
"""From `looking` to `context`."""
