"""One association, byte by byte: what the receiver makes of the legal and the not."""

import gc
import logging
import mmap
import weakref
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_io.scp import acceptor
from dicom_io.scp.acceptor import Limits
from dicom_io.scp.command import Command, encode_response
from dicom_io.scp.pdu import PDU_HEADER, rejection
from dicom_io.scp.window import Rooms
from tests.data import requests as rq
from tests.data.conversation import (
    ABORT,
    RELEASE,
    Recording,
    crowded,
    data_pdu,
    played,
    recorded,
    value_of,
)

ACCEPT, REJECT, DATA, RELEASED, ABORTED = 2, 3, 4, 6, 7
COMMAND, LAST = 1, 2
ECHO_CONTEXT, CR_CONTEXT = 3, 1
REQUEST = rq.Request().encoded


def _fixed(kind: int, body: bytes) -> bytes:
    return PDU_HEADER.pack(kind, len(body)) + body


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    return recorded(tmp_path_factory.mktemp("recording"))


def _status(reply: bytes) -> int:
    at = reply.index(bytes.fromhex("0000000902000000")) + 8
    return int.from_bytes(reply[at : at + 2], "little")


def test_a_recorded_association_is_answered_pdu_by_pdu(recording: Recording) -> None:
    outcome = played([recording.whole])
    assert outcome.kinds == [ACCEPT, DATA, DATA, RELEASED]
    assert [_status(each) for each in outcome.replies[1:3]] == [0, 0]
    assert outcome.stored == (value_of(recording.data),)
    assert (outcome.opened, outcome.closed) == (1, 1)


class Watched(Rooms):
    """Keeps none of its rooms, and knows which of them is still there."""

    def __init__(self) -> None:
        super().__init__(1 << 20, spare=0)
        self.lent: list[weakref.ref[mmap.mmap]] = []
        self.returned = 0

    def lend(self) -> mmap.mmap:
        room = super().lend()
        self.lent.append(weakref.ref(room))
        return room

    def take_back(self, room: mmap.mmap) -> None:
        self.returned += 1
        super().take_back(room)


@pytest.fixture
def rooms(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> Iterator[Watched]:
    """Watch the memory of every window while nothing is collected."""
    watched = Watched()
    monkeypatch.setattr(acceptor, "_ROOMS", watched)
    # Who records what cut an association keeps its frames, and what they see.
    caplog.set_level(logging.WARNING, acceptor.LOGGER.name)
    gc.disable()
    yield watched
    gc.enable()


@pytest.mark.parametrize("kept", [1.0, 0.9, 0.5, 0.0])
def test_an_association_that_has_ended_holds_no_memory_of_a_window(
    recording: Recording, rooms: Watched, kept: float
) -> None:
    """Its objects are in cycles, and a mebibyte each would wait for the collector."""
    whole = crowded(recording).whole
    played([whole[: int(len(whole) * kept)]])
    assert [each() for each in rooms.lent] == [None]
    assert rooms.returned == 1


def test_requests_within_a_window_of_operations_are_answered_in_their_order(
    recording: Recording,
) -> None:
    outcome = played([crowded(recording).whole])
    assert outcome.kinds == [ACCEPT, DATA, DATA, DATA, RELEASED]
    assert [_status(each) for each in outcome.replies[1:4]] == [0, 0, 0]
    assert outcome.stored == (value_of(recording.data),) * 2
    assert (outcome.opened, outcome.closed) == (1, 1)


@pytest.mark.slow
def test_cut_in_two_anywhere_the_outcome_is_the_same(recording: Recording) -> None:
    whole = crowded(recording).whole
    outcome = played([whole])
    for at in range(1, len(whole)):
        assert played([whole[:at], whole[at:]]) == outcome


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_in_any_pieces_the_outcome_is_the_same(
    data: st.DataObject, recording: Recording
) -> None:
    whole = crowded(recording).whole
    cuts = data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=60))
    ends = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(ends)]
    assert played(pieces) == played([whole])


def test_byte_by_byte_the_outcome_is_the_same(recording: Recording) -> None:
    whole = crowded(recording).whole
    pieces = [whole[at : at + 1] for at in range(len(whole))]
    assert played(pieces) == played([whole])


@pytest.mark.slow
def test_what_ends_early_leaves_nothing_behind(recording: Recording) -> None:
    full = crowded(recording)
    for length in range(len(full.whole)):
        outcome = played([full.whole[:length]])
        assert RELEASED not in outcome.kinds
        assert outcome.opened == outcome.closed
        assert len(outcome.stored) == sum(end <= length for _, end in full.spans)
        within = sum(begin <= length < end for begin, end in full.spans)
        assert outcome.discarded == within


@given(data=st.data())
@settings(max_examples=100, deadline=None)
def test_values_of_any_length_in_pdus_of_any_number_are_the_same(
    data: st.DataObject, recording: Recording
) -> None:
    """PS3.8 Annex E: an instance cut into values at will, some without data."""
    command, content = value_of(recording.command), value_of(recording.data)
    values = [
        *_values(data, COMMAND, command),
        *_values(data, 0, content),
    ]
    pdus, values_left = [recording.request], values
    while values_left:
        count = data.draw(st.integers(1, 4))
        pdus.append(data_pdu(*values_left[:count]))
        values_left = values_left[count:]
    outcome = played([b"".join([*pdus, RELEASE])])
    assert outcome.stored == (content,)
    assert outcome.kinds == [ACCEPT, DATA, RELEASED]


def _values(
    data: st.DataObject, kind: int, content: bytes
) -> list[tuple[int, int, bytes]]:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=8)))
    parts = [content[a:b] for a, b in pairwise([0, *cuts, len(content)])]
    last = len(parts) - 1
    return [
        (CR_CONTEXT, kind | (LAST if number == last else 0), part)
        for number, part in enumerate(parts)
    ]


def _store_in(recording: Recording, *values: tuple[int, int, bytes]) -> list[bytes]:
    return [recording.request, data_pdu(*values), RELEASE]


def test_command_and_data_may_come_in_one_pdu(recording: Recording) -> None:
    command, data = value_of(recording.command), value_of(recording.data)
    pdus = _store_in(
        recording,
        (CR_CONTEXT, COMMAND | LAST, command),
        (CR_CONTEXT, 0, data[:10]),
        (CR_CONTEXT, LAST, data[10:]),
    )
    assert played([b"".join(pdus)]).stored == (data,)


def test_fragments_without_data_are_taken(recording: Recording) -> None:
    command, data = value_of(recording.command), value_of(recording.data)
    pdus = _store_in(
        recording,
        (CR_CONTEXT, COMMAND, b""),
        (CR_CONTEXT, COMMAND, command),
        (CR_CONTEXT, COMMAND | LAST, b""),
        (CR_CONTEXT, 0, b""),
        (CR_CONTEXT, 0, data),
        (CR_CONTEXT, LAST, b""),
    )
    assert played([b"".join(pdus)]).stored == (data,)


def test_a_command_set_may_be_split(recording: Recording) -> None:
    command, data = value_of(recording.command), value_of(recording.data)
    pdus = [
        recording.request,
        *(data_pdu((CR_CONTEXT, COMMAND, command[n : n + 1])) for n in range(60)),
        data_pdu((CR_CONTEXT, COMMAND | LAST, command[60:])),
        data_pdu((CR_CONTEXT, LAST, data)),
        RELEASE,
    ]
    assert played([b"".join(pdus)]).stored == (data,)


def test_the_unused_bits_of_the_control_header_are_not_tested(
    recording: Recording,
) -> None:
    command, data = value_of(recording.command), value_of(recording.data)
    pdus = _store_in(recording, (CR_CONTEXT, 0xFF, command), (CR_CONTEXT, 0xFE, data))
    assert played([b"".join(pdus)]).stored == (data,)


def test_requests_that_do_not_wait_are_answered_in_their_order(
    recording: Recording,
) -> None:
    pdus = [recording.request, *[recording.command, recording.data] * 3, RELEASE]
    outcome = played([b"".join(pdus)])
    assert outcome.kinds == [ACCEPT, DATA, DATA, DATA, RELEASED]
    assert len(outcome.stored) == 3


def test_two_messages_in_one_pdu_are_answered_one_by_one(recording: Recording) -> None:
    """PS3.8 Annex E relates the values of a PDU to one message; we do not insist."""
    command, data = value_of(recording.command), value_of(recording.data)
    pdus = _store_in(
        recording,
        (CR_CONTEXT, COMMAND | LAST, command),
        (CR_CONTEXT, LAST, data),
        (ECHO_CONTEXT, COMMAND | LAST, value_of(recording.echo)),
    )
    assert played([b"".join(pdus)]).kinds == [ACCEPT, DATA, DATA, RELEASED]


def test_a_data_set_of_odd_length_is_kept_as_it_came(recording: Recording) -> None:
    """PS3.8 Annex E has fragments of even length; DCMTK aborts over an odd one."""
    command, data = value_of(recording.command), value_of(recording.data)[:-1]
    pdus = _store_in(
        recording, (CR_CONTEXT, COMMAND | LAST, command), (CR_CONTEXT, LAST, data)
    )
    assert played([b"".join(pdus)]).stored == (data,)


def test_a_pdu_without_values_changes_nothing(recording: Recording) -> None:
    pdus = [recording.request, data_pdu(), recording.echo, RELEASE]
    assert played([b"".join(pdus)]).kinds == [ACCEPT, DATA, RELEASED]


def test_an_instance_without_a_data_set_is_refused(recording: Recording) -> None:
    command = value_of(recording.command)
    bare = command.replace(
        bytes.fromhex("0000000802000000") + b"\x01\x00",
        bytes.fromhex("0000000802000000") + b"\x01\x01",
    )
    assert bare != command
    pdus = _store_in(recording, (CR_CONTEXT, COMMAND | LAST, bare))
    outcome = played([b"".join(pdus)])
    assert _status(outcome.replies[1]) == 0xC000
    assert (outcome.stored, outcome.discarded) == ((), 0)


def test_a_service_that_is_not_offered_is_answered_so(recording: Recording) -> None:
    # The command field of the C-ECHO request becomes that of C-FIND.
    echo = value_of(recording.echo)
    find = echo.replace(
        bytes.fromhex("0000000102000000") + b"\x30\x00",
        bytes.fromhex("0000000102000000") + b"\x20\x00",
    )
    pdus = _store_in(recording, (ECHO_CONTEXT, COMMAND | LAST, find))
    outcome = played([b"".join(pdus)])
    assert _status(outcome.replies[1]) == 0x0211
    assert outcome.kinds[-1] == RELEASED


def test_a_response_and_a_cancel_are_not_answered(recording: Recording) -> None:
    echoed = Command(
        field=0x30,
        message_id=1,
        has_data_set=False,
        sop_class_uid="1.2.840.10008.1.1",
        sop_instance_uid="",
        move_originator="",
        encoded=b"",
    )
    response = encode_response(echoed, 0)
    pdus = _store_in(recording, (ECHO_CONTEXT, COMMAND | LAST, response))
    assert played([b"".join(pdus)]).kinds == [ACCEPT, RELEASED]


def test_a_release_within_a_message_discards_it(recording: Recording) -> None:
    outcome = played([recording.request + recording.command + RELEASE])
    assert outcome.kinds == [ACCEPT, RELEASED]
    assert (outcome.stored, outcome.discarded) == ((), 1)


BY_USER, UNEXPECTED, INVALID = "abort 0.0", "abort 2.2", "abort 2.6"
NOTHING, REPLIED, AGREED = "nothing", "release", "acceptance"

# PS3.8 Table 9-10 as a peer sees it: a PDU, and what is said to it before there is an
# association (Sta2), in one (Sta6), and behind the end of one (Sta13).
PDUS = {
    "A-ASSOCIATE-RQ": (REQUEST, AGREED, UNEXPECTED, NOTHING),
    "A-ASSOCIATE-AC": (b"\2" + REQUEST[1:], BY_USER, UNEXPECTED, NOTHING),
    "A-ASSOCIATE-RJ": (rejection(1, 1, 1), BY_USER, UNEXPECTED, NOTHING),
    "P-DATA-TF": (data_pdu((3, 3, b"")), BY_USER, BY_USER, NOTHING),
    "P-DATA-TF, empty": (data_pdu(), BY_USER, NOTHING, NOTHING),
    "A-RELEASE-RQ": (RELEASE, BY_USER, REPLIED, NOTHING),
    "A-RELEASE-RP": (b"\6" + RELEASE[1:], BY_USER, UNEXPECTED, NOTHING),
    "A-ABORT": (ABORT, NOTHING, NOTHING, NOTHING),
    "a type that is none": (b"\x08" + RELEASE[1:], BY_USER, INVALID, NOTHING),
    "a type of zero": (bytes(10), BY_USER, INVALID, NOTHING),
    "a long release": (_fixed(5, bytes(5)), BY_USER, INVALID, NOTHING),
    "a short release": (_fixed(5, b""), BY_USER, INVALID, NOTHING),
    "a long abort": (_fixed(7, bytes(5)), BY_USER, INVALID, NOTHING),
    "a long request": (b"\1\0\0\4\0\1", BY_USER, INVALID, NOTHING),
    "a request of nothing": (_fixed(1, b""), BY_USER, UNEXPECTED, NOTHING),
    "half a header": (b"\4\0\0", NOTHING, NOTHING, NOTHING),
}


def _said(replies: Sequence[bytes]) -> str:
    if not replies:
        return NOTHING
    (reply,) = replies
    match reply[0]:
        case 2:
            return AGREED
        case 6:
            return REPLIED
        case _:
            return f"abort {reply[8]}.{reply[9]}"


@pytest.mark.parametrize("name", PDUS)
def test_a_pdu_before_there_is_an_association(name: str) -> None:
    pdu, expected, _, _ = PDUS[name]
    assert _said(played([pdu]).replies) == expected


@pytest.mark.parametrize("name", PDUS)
@pytest.mark.parametrize(
    "within", ["a message", "a command set", "a data set", "no message"]
)
def test_a_pdu_in_an_association(name: str, within: str, recording: Recording) -> None:
    pdu, _, expected, _ = PDUS[name]
    begun = {
        "a message": recording.command,
        "a command set": data_pdu((CR_CONTEXT, COMMAND, b"\0\0")),
        "a data set": recording.command + data_pdu((CR_CONTEXT, 0, b"\1\2")),
        "no message": b"",
    }
    outcome = played([REQUEST + begun[within] + pdu])
    assert outcome.kinds[0] == ACCEPT
    assert _said(outcome.replies[1:]) == expected
    assert (outcome.opened, outcome.closed, outcome.stored) == (1, 1, ())
    assert outcome.discarded == (within in ("a message", "a data set"))


@pytest.mark.parametrize("name", PDUS)
@pytest.mark.parametrize("end", ["released", "rejected", "aborted"])
def test_a_pdu_behind_the_end_of_an_association(name: str, end: str) -> None:
    ends = {
        "released": (REQUEST + RELEASE, [ACCEPT, RELEASED]),
        "rejected": (rq.Request(calling=b"NOBODY").encoded, [REJECT]),
        "aborted": (REQUEST + rejection(1, 1, 1), [ACCEPT, ABORTED]),
    }
    before, kinds = ends[end]
    assert played([before + PDUS[name][0]]).kinds == kinds


SOON = Limits(max_pdu_bytes=1 << 16, pdu_seconds=0.05, idle_seconds=0.05)


@pytest.mark.parametrize(
    ("said", "kinds"),
    [
        # The ARTIM timer: AA-2 closes and says nothing (PS3.8 9.1.5).
        (b"", []),
        (REQUEST[:100], []),
        (rq.Request(calling=b"NOBODY").encoded, [REJECT]),
        (REQUEST + RELEASE, [ACCEPT, RELEASED]),
        (REQUEST + rejection(1, 1, 1), [ACCEPT, ABORTED]),
        # In an association we abort who says nothing, or half of something.
        (REQUEST, [ACCEPT, ABORTED]),
        (REQUEST + RELEASE[:5], [ACCEPT, ABORTED]),
        (REQUEST + data_pdu((CR_CONTEXT, COMMAND, b"\0\0")), [ACCEPT, ABORTED]),
    ],
)
def test_who_says_no_more_and_does_not_close_is_closed(
    said: bytes, kinds: list[int]
) -> None:
    outcome = played([said] if said else [], limits=SOON, stays=True)
    assert outcome.kinds == kinds
    assert outcome.opened == outcome.closed


@pytest.mark.parametrize(
    "wrong",
    [
        data_pdu((7, COMMAND | LAST, b"")),
        data_pdu((CR_CONTEXT, LAST, b"data before its command")),
        data_pdu((CR_CONTEXT, COMMAND | LAST, b"no command")),
        data_pdu((CR_CONTEXT, COMMAND | LAST, b"")),
        data_pdu((CR_CONTEXT, COMMAND, b"a"), (ECHO_CONTEXT, COMMAND, b"b")),
        b"\x04\x00\x00\x00\x00\x05\x00\x00\x00\x01\x01",
        b"\x04\x00\x00\x01\x00\x01",
    ],
    ids=[
        "a context that was not accepted",
        "data before its command",
        "no command set",
        "an empty command set",
        "two contexts mixed",
        "a cut item",
        "a PDU over the cap",
    ],
)
def test_what_breaks_the_protocol_is_aborted(
    recording: Recording, wrong: bytes
) -> None:
    outcome = played([recording.request, wrong])
    assert outcome.kinds == [ACCEPT, ABORTED]
    assert (outcome.opened, outcome.closed) == (1, 1)


def test_a_command_within_a_data_set_is_aborted(recording: Recording) -> None:
    outcome = played([recording.request, recording.command, recording.command])
    assert outcome.kinds == [ACCEPT, ABORTED]
    assert outcome.discarded == 1


def test_another_protocol_version_is_rejected(recording: Recording) -> None:
    request = recording.request[:6] + b"\x00\x02" + recording.request[8:]
    # Rejected for good by the provider, protocol version not supported.
    assert played([request]).replies == (bytes.fromhex("03000000000400010202"),)


def test_another_application_context_is_rejected(recording: Recording) -> None:
    request = recording.request.replace(
        b"1.2.840.10008.3.1.1.1", b"1.2.840.10008.3.1.1.2"
    )
    assert played([request]).replies == (bytes.fromhex("03000000000400010102"),)


def test_a_stranger_is_rejected(recording: Recording) -> None:
    assert played([recording.request], peers=()).kinds == [REJECT]


class _Clock:
    """The seconds that a receiver counts; they pass when they are told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def slowly(self, pieces: Iterable[bytes], seconds: float) -> Iterator[bytes]:
        """Hand the pieces out with a pause before each."""
        for piece in pieces:
            self.now += seconds
            yield piece


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> _Clock:
    made = _Clock()
    for module in ("channel", "dialogue"):
        monkeypatch.setattr(f"dicom_io.scp.{module}.time", made)
    return made


SLOW = Limits(max_pdu_bytes=0, pdu_seconds=1.0, idle_seconds=1.0)


def _long_store(recording: Recording) -> tuple[list[bytes], bytes]:
    """Return one association in pieces whose data set is one PDU, and the data set."""
    value = value_of(recording.data) + bytes(1 << 19)
    data = data_pdu((CR_CONTEXT, LAST, value))
    pieces = [data[at : at + (1 << 16)] for at in range(0, len(data), 1 << 16)]
    return [recording.request, recording.command, *pieces, RELEASE], value


def test_a_long_pdu_on_a_slow_line_is_late_only_once_it_stops_coming(
    recording: Recording, clock: _Clock
) -> None:
    pieces, value = _long_store(recording)
    outcome = played(clock.slowly(pieces, 0.15), limits=SLOW)
    assert clock.now > SLOW.pdu_seconds
    assert outcome.stored == (value,)
    assert outcome.kinds == [ACCEPT, DATA, RELEASED]


def test_a_long_pdu_that_drips_is_cut(recording: Recording, clock: _Clock) -> None:
    pieces, _ = _long_store(recording)
    drops = [bytes([byte]) for byte in pieces[2][:100]]
    dripping = clock.slowly([*pieces[:2], *drops], 0.1)
    outcome = played(dripping, limits=SLOW)
    assert outcome.kinds == [ACCEPT, ABORTED]
    assert (outcome.stored, outcome.discarded) == ((), 1)


def test_short_pdus_that_always_hold_the_start_of_the_next_are_cut(
    recording: Recording, clock: _Clock
) -> None:
    # Never is all taken that has come, so there is always another PDU at hand.
    stream = data_pdu((CR_CONTEXT, 0, b"\0" * 14)) * 100
    length, ahead = len(stream) // 100, 10
    cuts = range(length + ahead, len(stream), length)
    drops = [stream[: length + ahead], *(stream[at : at + length] for at in cuts)]
    pieces = [recording.request, recording.command, *drops]
    outcome = played(clock.slowly(pieces, 0.9), limits=SLOW)
    assert outcome.kinds == [ACCEPT, ABORTED]
    assert (outcome.stored, outcome.discarded) == ((), 1)
    assert clock.now < 10
