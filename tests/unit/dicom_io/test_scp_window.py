import weakref
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_io.scp.pdu import PDU_HEADER, PDV_HEADER, VALUE_HEADER
from dicom_io.scp.states import Event, Interruption
from dicom_io.scp.window import Rooms, Window, fragments

SIZE = 1 << 17
ROOMS = Rooms(SIZE, spare=1)


def _received(stream: bytes, steps: list[int]) -> Callable[[memoryview], int]:
    """Return a receiving function that gives `stream` in pieces of `steps` bytes."""
    state = {"at": 0, "turn": 0}

    def receive(room: memoryview) -> int:
        step = steps[state["turn"] % len(steps)]
        piece = stream[state["at"] :][: min(step, len(room))]
        if not piece:
            raise Interruption(Event.TRANSPORT_CLOSED, "end")
        room[: len(piece)] = piece
        state["at"] += len(piece)
        state["turn"] += 1
        return len(piece)

    return receive


def _window(stream: bytes, steps: list[int], before: Callable[[], None]) -> Window:
    return Window(_received(stream, steps), before, ROOMS)


def _pdv(context_id: int, control: int, data: bytes) -> bytes:
    return PDV_HEADER.pack(len(data) + 2, context_id, control) + data


VALUES = st.lists(
    st.tuples(st.integers(1, 255), st.integers(0, 3), st.binary(max_size=400)),
    max_size=12,
)


@given(values=VALUES, steps=st.lists(st.integers(1, 300), min_size=1, max_size=5))
@settings(max_examples=60, deadline=None)
def test_values_are_the_same_however_their_bytes_come(
    values: list[tuple[int, int, bytes]], steps: list[int]
) -> None:
    body = b"".join(_pdv(*value) for value in values)
    window = _window(body, steps, lambda: None)
    found: list[tuple[int, int, bytes]] = []
    value = b""
    for piece in fragments(window, len(body)):
        value += piece.data
        if piece.ends_value:
            found.append((piece.context_id, piece.control, value))
            value = b""
    assert found == values


def test_more_than_the_window_passes_through_it() -> None:
    body = bytes(range(256)) * 4096
    pieces: list[memoryview] = []
    taken = bytearray()

    def before_reuse() -> None:
        for piece in pieces:
            taken.extend(piece)
        pieces.clear()

    window = _window(_pdv(1, 2, body), [50_000, 7, 33_333], before_reuse)
    for piece in fragments(window, len(body) + PDV_HEADER.size):
        pieces.append(piece.data)
        assert sum(map(len, pieces)) <= SIZE
    before_reuse()
    assert taken == body


@pytest.mark.parametrize(
    "body",
    [
        b"\0\0\0\1\1",
        b"\0\0\0\1\1\2",
        b"\0\0\0\0\1\2",
        b"\0\0\0\x09\1\2ab",
        b"\xff\xff\xff\xff\1\2ab",
    ],
    ids=["cut", "too short", "empty", "beyond the PDU", "four gibibytes"],
)
def test_an_item_that_does_not_fit_is_an_invalid_pdu(body: bytes) -> None:
    window = _window(body, [100], lambda: None)
    with pytest.raises(Interruption) as cut:
        list(fragments(window, len(body)))
    assert cut.value.event is Event.INVALID_PDU


def test_a_value_without_data_is_legal() -> None:
    window = _window(_pdv(5, 2, b""), [3], lambda: None)
    (piece,) = fragments(window, PDV_HEADER.size)
    assert (piece.context_id, bytes(piece.data), piece.ends_value) == (5, b"", True)


def test_headers_and_bodies_are_read_over_the_edge_of_the_window() -> None:
    pdu = PDU_HEADER.pack(1, 1000) + bytes(1000)
    window = _window(pdu * 500, [997], lambda: None)
    for _ in range(500):
        kind, length = window.unpack(PDU_HEADER)
        assert (kind, length) == (1, 1000)
        assert window.gather(length) == bytes(1000)


def test_the_end_of_the_stream_comes_through() -> None:
    window = _window(b"\1\0\0", [1], lambda: None)
    with pytest.raises(Interruption) as cut:
        window.unpack(PDU_HEADER)
    assert cut.value.event is Event.TRANSPORT_CLOSED


def _pdu(data: bytes, control: int = 0, context: int = 3, kind: int = 4) -> bytes:
    header = VALUE_HEADER.pack(kind, len(data) + 6, len(data) + 2, context, control)
    return header + data


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(_pdu(b"last", control=2), id="last fragment"),
        pytest.param(_pdu(b"command", control=1), id="command"),
        pytest.param(_pdu(b"mixed", context=5), id="other context"),
        pytest.param(_pdu(b"no data", kind=5), id="other PDU"),
        pytest.param(_pdu(b""), id="no data"),
        pytest.param(_pdu(bytes(64)), id="too long"),
        pytest.param(_pdu(b"cut short")[:-1], id="not whole"),
        pytest.param(_pdu(b"")[:7], id="header not whole"),
        pytest.param(PDU_HEADER.pack(4, 14) + 2 * _pdv(3, 0, b"a"), id="two values"),
        pytest.param(PDU_HEADER.pack(4, 8) + _pdv(3, 0, b"abcd"), id="value too long"),
        pytest.param(VALUE_HEADER.pack(4, 1, 0, 3, 0) + b"abc", id="value too short"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_run_ends_before_what_is_no_middle_of_the_data_set(other: bytes) -> None:
    stream = _pdu(b"one") + _pdu(b"two", control=0xFC) + other
    window = _window(stream, [len(stream)], lambda: None)
    window.fill()
    run = window.take_run(3, longest=32)
    assert [bytes(piece) for piece in run] == [b"one", b"two"]
    assert window.unread == len(other)
    assert window.take_run(3, longest=32) == []
    assert window.unread == len(other)


def test_a_room_is_lent_again_and_more_than_the_spare_ones_are_dropped() -> None:
    rooms = Rooms(SIZE, spare=2)
    lent = [rooms.lend() for _ in range(3)]
    assert [len(room) for room in lent] == [SIZE] * 3
    first, second, third = map(weakref.ref, lent)
    for room in lent:
        rooms.take_back(room)
    del lent, room
    assert first() is None
    assert (rooms.lend(), rooms.lend()) == (third(), second())
    assert rooms.lend() is not None


def test_a_window_that_is_closed_again_gives_its_room_back_once() -> None:
    rooms = Rooms(SIZE, spare=2)
    window = Window(_received(b"abc", [3]), lambda: None, rooms)
    assert bytes(window.take(3)) == b"abc"
    window.close()
    window.close()
    assert rooms.lend() is not rooms.lend()
