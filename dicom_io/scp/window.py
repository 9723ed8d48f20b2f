"""The bytes of an association, seen through a window of fixed size.

Whatever length a peer announces, no more than the window is held. What is handed
out are views into it: they are good until `before_reuse` is called.
"""

import mmap
from collections import deque
from collections.abc import Callable, Iterator
from struct import Struct
from typing import NamedTuple

from dicom_io.scp.pdu import (
    IS_COMMAND,
    IS_LAST,
    PDU_HEADER,
    PDV_HEADER,
    VALUE_HEADER,
    PduType,
)
from dicom_io.scp.states import Event, Interruption

_LEAST_ROOM = 1 << 16
"""Below this the window starts anew rather than receive in small pieces."""

_EMPTY = memoryview(b"")


class Rooms:
    """Memory for windows, lent to one after the other. Safe for many threads.

    The kernel gives fresh pages one by one, and on two cores 32 associations that begin
    together spend a third of a receiver's time on that.

    size : of each, in bytes. spare : how many are kept while nobody has them.
    """

    def __init__(self, size: int, spare: int) -> None:
        self._size = size
        self._spare: deque[mmap.mmap] = deque(maxlen=spare)

    def lend(self) -> mmap.mmap:
        """Return the one that was used last: it is the likeliest in a cache."""
        try:
            return self._spare.pop()
        except IndexError:
            # Mapped, so that a connection that sends little costs little; private,
            # for pages that could be shared cost more.
            flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            return mmap.mmap(-1, self._size, flags=flags)

    def take_back(self, room: mmap.mmap) -> None:
        """Keep one to be lent again; where there are enough, the oldest is dropped."""
        self._spare.append(room)


class Window:
    """A buffer between a receiving function and those who walk what it received.

    receive : fills the start of a view with at least one byte and returns the count.
    before_reuse : called before bytes that were handed out are overwritten.
    rooms : where its memory comes from, and where it goes when it is closed.
    """

    def __init__(
        self,
        receive: Callable[[memoryview], int],
        before_reuse: Callable[[], None],
        rooms: Rooms,
    ) -> None:
        self._receive = receive
        self._before_reuse = before_reuse
        self._rooms = rooms
        self._room: mmap.mmap | None = rooms.lend()
        self._bytes = memoryview(self._room)
        self._begin = 0
        self._end = 0

    def close(self) -> None:
        """Give the memory back, of which nobody may read any view; nothing comes after.

        Whoever has the window may be in a cycle, which is collected much later.
        """
        self._bytes = _EMPTY
        self._begin = self._end = 0
        if self._room is not None:
            self._rooms.take_back(self._room)
            self._room = None

    @property
    def unread(self) -> int:
        """Count the bytes that were received and not taken."""
        return self._end - self._begin

    @property
    def touched(self) -> bool:
        """Whether anything was received."""
        return self._end > 0

    def fill(self) -> None:
        """Receive more."""
        if len(self._bytes) - self._end < _LEAST_ROOM:
            self.rewind()
        self._end += self._receive(self._bytes[self._end :])

    def rewind(self) -> None:
        """Take what was handed out back, and move what is unread to the front."""
        self._before_reuse()
        rest = bytes(self._bytes[self._begin : self._end])
        self._begin, self._end = 0, len(rest)
        self._bytes[: self._end] = rest

    def unpack(self, form: Struct) -> tuple[int, ...]:
        """Take one header of unsigned numbers, whole."""
        while self._end - self._begin < form.size:
            self.fill()
        numbers: tuple[int, ...] = form.unpack_from(self._bytes, self._begin)
        self._begin += form.size
        return numbers

    def take(self, count: int) -> memoryview:
        """Take up to `count` bytes, at least one."""
        if self._begin == self._end:
            self.fill()
        begin = self._begin
        self._begin = min(begin + count, self._end)
        return self._bytes[begin : self._begin]

    def take_run(self, context_id: int, longest: int) -> list[memoryview]:
        """Take the PDUs that are here whole, of one fragment of a data set each.

        So comes nearly all of a data set: in a context, none of them the last, each
        PDU of up to `longest` bytes. What looks otherwise ends the run, and is left.
        """
        run: list[memoryview] = []
        room, at, end = self._bytes, self._begin, self._end
        goes_on = (PduType.DATA_TF, context_id)
        while end - at >= VALUE_HEADER.size:
            kind, length, item, context, control = VALUE_HEADER.unpack_from(room, at)
            after = at + PDU_HEADER.size + length
            if (
                (kind, context) != goes_on
                or control & (IS_COMMAND | IS_LAST)
                or item != length - 4
                or item <= 2
                or length > longest
                or after > end
            ):
                break
            run.append(room[at + VALUE_HEADER.size : after])
            at = after
        self._begin = at
        return run

    def begins_with(self, first: int, size: int) -> bool:
        """Whether so many bytes are there to be taken, the first of them this."""
        return self._end - self._begin >= size and self._bytes[self._begin] == first

    def gather(self, count: int) -> bytes:
        """Take exactly `count` bytes; they are copied."""
        gathered = bytearray()
        while len(gathered) < count:
            gathered += self.take(count - len(gathered))
        return bytes(gathered)


class Fragment(NamedTuple):
    """A piece of a presentation data value, as much of it as has come.

    `ends_value`: its last piece.
    """

    context_id: int
    control: int
    data: memoryview
    ends_value: bool


def fragments(window: Window, length: int) -> Iterator[Fragment]:
    """Walk the PDV items of a P-DATA-TF of `length` bytes (PS3.8 9.3.5).

    Raises Interruption where an item does not fit. An item without data is legal.
    """
    while length:
        if length < PDV_HEADER.size:
            raise Interruption(Event.INVALID_PDU, "PDV item cut short")
        item, context_id, control = window.unpack(PDV_HEADER)
        length -= item + 4
        left = item - 2
        if left < 0 or length < 0:
            raise Interruption(Event.INVALID_PDU, "PDV item of a wrong length")
        if not left:
            yield Fragment(context_id, control, _EMPTY, ends_value=True)
        while left:
            data = window.take(left)
            left -= len(data)
            yield Fragment(context_id, control, data, not left)
