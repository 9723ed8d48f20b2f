"""Take a multipart message apart while it arrives (RFC 2046 5.1). Pure.

Memory stays flat whatever the length of a part: what is handed on is forgotten.
"""

from collections.abc import Iterator
from enum import Enum, auto

_HEADER_CAP_BYTES = 16 << 10


class Malformed(ValueError):  # noqa: N818 - says what the message is
    """The message is not multipart as it claims to be."""


class _At(Enum):
    PREAMBLE = auto()
    DELIMITER = auto()
    HEADER = auto()
    BODY = auto()
    END = auto()


class Parts:
    """Splits the pieces of one message into those of its parts."""

    def __init__(self, boundary: str) -> None:
        """Check `boundary`: 1 to 70 ASCII characters; raises Malformed."""
        if not (1 <= len(boundary) <= 70 and boundary.isascii()):
            raise Malformed("the boundary is not 1 to 70 ASCII characters")
        self._delimiter = b"\r\n--" + boundary.encode("ascii")
        # The first delimiter may stand at the very start of the message.
        self._held = bytearray(b"\r\n")
        self._at = _At.PREAMBLE

    @property
    def is_ended(self) -> bool:
        """Whether the closing delimiter came: nothing is missing."""
        return self._at is _At.END

    def feed(self, piece: bytes) -> Iterator[bytes | None]:
        """Take a piece of the message; yield what it tells of the bodies.

        Bytes belong to the present part; None ends it. Raises Malformed.
        """
        self._held += piece
        moved = True
        while moved:
            match self._at:
                case _At.PREAMBLE:
                    moved = self._skip_preamble()
                case _At.DELIMITER:
                    moved = self._read_delimiter()
                case _At.HEADER:
                    moved = self._skip_header()
                case _At.BODY:
                    yield from self._body()
                    moved = self._at is not _At.BODY
                case _At.END:
                    self._held.clear()
                    moved = False

    def _skip_preamble(self) -> bool:
        found = self._held.find(self._delimiter)
        if found < 0:
            del self._held[: -len(self._delimiter)]
            return False
        self._move(found + len(self._delimiter), _At.DELIMITER)
        return True

    def _read_delimiter(self) -> bool:
        """Look at what follows a delimiter: two hyphens close the message."""
        if len(self._held) < 2:
            return False
        if self._held.startswith(b"--"):
            self._at = _At.END
            return True
        return self._past(b"\r\n", _At.HEADER)

    def _skip_header(self) -> bool:
        if self._held.startswith(b"\r\n"):
            self._move(2, _At.BODY)
            return True
        return self._past(b"\r\n\r\n", _At.BODY)

    def _past(self, mark: bytes, state: _At) -> bool:
        found = self._held.find(mark)
        if found < 0 and len(self._held) > _HEADER_CAP_BYTES:
            raise Malformed("the header of a part has no end")
        if found >= 0:
            self._move(found + len(mark), state)
        return found >= 0

    def _body(self) -> Iterator[bytes | None]:
        found = self._held.find(self._delimiter)
        # A delimiter may begin in this piece and end in the next.
        end = found if found >= 0 else len(self._held) - len(self._delimiter) + 1
        if end > 0:
            yield bytes(self._held[:end])
        if found >= 0:
            self._move(found + len(self._delimiter), _At.DELIMITER)
            yield None
        elif end > 0:
            del self._held[:end]

    def _move(self, length: int, state: _At) -> None:
        del self._held[:length]
        self._at = state
