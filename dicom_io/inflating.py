"""A deflated data set (PS3.5 A.5) as a stream that is inflated while it is read."""

import io
import os
import zlib
from typing import BinaryIO

from dicom_io.errors import UnreadableHeader

HEADER_CEILING = 64 << 20
"""Inflated bytes before the pixel data; no header comes near them."""

_CHUNK = 1 << 16


def inflated_stream(deflated: BinaryIO) -> BinaryIO:
    """Return the inflated bytes of `deflated`, from its position on.

    It seeks forward, and back within its buffer of 64 KiB. Reading raises
    UnreadableHeader where the bytes are not deflated and beyond `HEADER_CEILING`.
    """
    return io.BufferedReader(_Inflater(deflated), _CHUNK)


class _Inflater(io.RawIOBase):
    """Keeps one chunk of deflated bytes and the position among the inflated ones.

    The chunk that was given last is given again where somebody seeks back into it:
    a buffered reader forgets a buffer as soon as its last byte is read.
    """

    def __init__(self, deflated: BinaryIO) -> None:
        self._deflated = deflated
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._position = 0
        self._last = self._again = b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        data = self._next(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Inflate and forget up to `offset`; return how far that went."""
        back = self._position - offset
        if whence != os.SEEK_SET or back > len(self._last):
            raise io.UnsupportedOperation("an inflated stream only goes forward")
        if back > 0:
            self._again = self._last[-back:] + self._again
            self._position = offset
        while self._position < offset:
            if not self._next(min(_CHUNK, offset - self._position)):
                break
        return self._position

    def _next(self, limit: int) -> bytes:
        """Return at least one and at most `limit` bytes, or none at the end."""
        data, self._again = self._again[:limit], self._again[limit:]
        fed = b"begin"
        while not data and fed and not self._inflater.eof:
            fed = self._inflater.unconsumed_tail or self._deflated.read(_CHUNK)
            data = self._inflate(fed, limit)
        self._position += len(data)
        self._last = data or self._last
        if self._position > HEADER_CEILING:
            raise UnreadableHeader(f"the header grows over {HEADER_CEILING} bytes")
        return data

    def _inflate(self, fed: bytes, limit: int) -> bytes:
        try:
            return self._inflater.decompress(fed, limit)
        except zlib.error as error:
            detail = f"the deflated data set is broken: {error}"
            raise UnreadableHeader(detail) from error
