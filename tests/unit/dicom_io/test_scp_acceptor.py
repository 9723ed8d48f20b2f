"""One association, byte by byte: what the receiver makes of the legal and the not."""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dicom_io.scp.command import Command, encode_response
from tests.data.conversation import (
    ABORT,
    LIMITS,
    RELEASE,
    Recording,
    data_pdu,
    played,
    recorded,
    value_of,
)

ACCEPT, REJECT, DATA, RELEASED, ABORTED = 2, 3, 4, 6, 7
COMMAND, LAST = 1, 2
ECHO_CONTEXT, CR_CONTEXT = 3, 1


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


@pytest.mark.slow
def test_cut_in_two_anywhere_the_outcome_is_the_same(recording: Recording) -> None:
    whole = recording.whole
    outcome = played([whole])
    for at in range(1, len(whole)):
        assert played([whole[:at], whole[at:]]) == outcome


@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_in_any_pieces_the_outcome_is_the_same(
    data: st.DataObject, recording: Recording
) -> None:
    whole = recording.whole
    cuts = data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=60))
    ends = [0, *sorted(cuts), len(whole)]
    pieces = [whole[a:b] for a, b in pairwise(ends)]
    assert played(pieces) == played([whole])


def test_byte_by_byte_the_outcome_is_the_same(recording: Recording) -> None:
    whole = recording.whole
    pieces = [whole[at : at + 1] for at in range(len(whole))]
    assert played(pieces) == played([whole])


@pytest.mark.slow
def test_what_ends_early_leaves_nothing_behind(recording: Recording) -> None:
    whole = recording.whole
    complete = len(whole) - len(RELEASE)
    for length in range(1, len(whole)):
        outcome = played([whole[:length]])
        assert len(outcome.stored) == (length >= complete)
        assert outcome.opened == outcome.closed
        begun = length >= complete - len(recording.data)
        assert outcome.discarded == (begun and length < complete)


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


@pytest.mark.parametrize("count", range(5))
def test_an_abort_after_any_pdu_ends_it_without_an_answer(
    recording: Recording, count: int
) -> None:
    outcome = played([b"".join(recording.pdus[:count]) + ABORT])
    assert ABORTED not in outcome.kinds
    assert outcome.opened == outcome.closed == (count > 0)


@pytest.mark.parametrize("number", range(1, 5))
def test_what_comes_before_its_association_is_aborted(
    recording: Recording, number: int
) -> None:
    assert played([recording.pdus[number]]).kinds == [ABORTED]


@pytest.mark.parametrize("kind", [1, 2, 3, 6])
def test_a_pdu_of_another_phase_is_aborted(recording: Recording, kind: int) -> None:
    wrong = bytes([kind]) + RELEASE[1:]
    outcome = played([recording.request + recording.command + wrong])
    # Source: the provider; reason: unexpected PDU (PS3.8 9.3.8).
    assert outcome.replies[-1] == bytes.fromhex("07000000000400000202")
    assert outcome.discarded == 1


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
        b"\x05\x00\x00\x00\x00\x05\x00\x00\x00\x00\x00",
        b"\x00" * 10,
    ],
    ids=[
        "a context that was not accepted",
        "data before its command",
        "no command set",
        "an empty command set",
        "two contexts mixed",
        "a cut item",
        "a PDU over the cap",
        "a release of a wrong length",
        "an unknown type",
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


def _slowly(pieces: Iterable[bytes], seconds: float) -> Iterator[bytes]:
    """Hand the pieces out with a pause before each."""
    pause = threading.Event()
    for piece in pieces:
        pause.wait(seconds)
        yield piece


def _long_store(recording: Recording) -> tuple[list[bytes], bytes]:
    """Return one association in pieces whose data set is one PDU, and the data set."""
    value = value_of(recording.data) + bytes(1 << 19)
    data = data_pdu((CR_CONTEXT, LAST, value))
    pieces = [data[at : at + (1 << 16)] for at in range(0, len(data), 1 << 16)]
    return [recording.request, recording.command, *pieces, RELEASE], value


def test_a_long_pdu_on_a_slow_line_is_late_only_once_it_stops_coming(
    recording: Recording,
) -> None:
    pieces, value = _long_store(recording)
    outcome = played(_slowly(pieces, 0.15), limits=replace(LIMITS, max_pdu_bytes=0))
    assert outcome.stored == (value,)
    assert outcome.kinds == [ACCEPT, DATA, RELEASED]


def test_a_long_pdu_that_drips_is_cut(recording: Recording) -> None:
    pieces, _ = _long_store(recording)
    drops = [bytes([byte]) for byte in pieces[2][:100]]
    dripping = _slowly([*pieces[:2], *drops], 0.1)
    outcome = played(dripping, limits=replace(LIMITS, max_pdu_bytes=0))
    assert outcome.kinds == [ACCEPT, ABORTED]
    assert (outcome.stored, outcome.discarded) == ((), 1)
