"""Pictures that people look at, kept for a while: they come back to them.

Decoding a film takes some 100 ms of processor time, and whoever drags a window or
opens a page again asks for what was made before.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from dicom_io.errors import UnreadablePixels
from dicom_io.options import DecodeLimits
from dicom_io.pictures.pixels import ShownPicture, show_image
from dicom_io.pictures.showing import Look

_ROOM_BYTES = 64 << 20
"""Some thirty films at the size of a screen."""
_AT_ONCE = 2
"""Decoders for people: the pipeline's own are not to wait for them."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A file as it was, and how it is shown."""

    path: Path
    size: int
    changed_ns: int
    look: Look


class Album:
    """Shows images and keeps the newest pictures, within a bound; safe for threads."""

    def __init__(self, room_bytes: int = _ROOM_BYTES) -> None:
        self._room_bytes = room_bytes
        self._pictures: OrderedDict[_Key, ShownPicture] = OrderedDict()
        self._lock = threading.Lock()
        self._decoders = threading.BoundedSemaphore(_AT_ONCE)

    def show(self, path: Path, look: Look, limits: DecodeLimits) -> ShownPicture:
        """Return a picture that is kept, or make it.

        Raises UnreadablePixels, also where others look at so much that it would take
        longer than a decoding may, and UnsupportedImage.
        """
        key = _key(path, look)
        with self._lock:
            kept = self._pictures.get(key)
            if kept is not None:
                self._pictures.move_to_end(key)
                return kept
        made = self._make(path, look, limits)
        with self._lock:
            self._pictures[key] = made
            self._make_room()
        return made

    def _make(self, path: Path, look: Look, limits: DecodeLimits) -> ShownPicture:
        if not self._decoders.acquire(timeout=limits.seconds):
            raise UnreadablePixels(f"{path.name}: too many pictures are asked for")
        try:
            return show_image(path, look, limits)
        finally:
            self._decoders.release()

    def _make_room(self) -> None:
        held = sum(len(each.png) for each in self._pictures.values())
        while held > self._room_bytes:
            _, gone = self._pictures.popitem(last=False)
            held -= len(gone.png)


def _key(path: Path, look: Look) -> _Key:
    try:
        file = path.stat()
    except OSError as error:
        raise UnreadablePixels(f"{path.name}: the file is gone") from error
    return _Key(path, file.st_size, file.st_mtime_ns, look)


ALBUM = Album()
"""What the pages of this process show."""
