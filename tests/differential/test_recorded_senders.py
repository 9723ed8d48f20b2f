"""What each sender says, written down once and played again in pieces."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.receiving.intake import Intake
from tests.data.conversation import played
from tests.data.network import Recorder, listening
from tests.data.peers import require_data
from tests.data.tap import pdus, tapped
from tests.differential.senders import SENDERS
from tests.differential.stores import opened_intake

pytestmark = pytest.mark.peers

RELEASED = 6


@pytest.fixture(scope="module", params=list(SENDERS))
def stream(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> bytes:
    """Return the bytes of one sender for one association of two instances."""
    folder = tmp_path_factory.mktemp("sender")
    files = [
        require_data("odd") / "cr_cspine_ll_16px.dcm",
        require_data("odd") / "chrKoreanMulti.dcm",
    ]
    with listening(Recorder()) as listener, tapped(listener.port) as tap:
        SENDERS[request.param].send(folder, tap.port, files)
    return bytes(tap.requested)


@given(data=st.data())
@settings(max_examples=40, deadline=None)
def test_in_any_pieces_the_outcome_is_the_same(
    data: st.DataObject, stream: bytes
) -> None:
    cuts = data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=30))
    pieces = [stream[a:b] for a, b in pairwise([0, *sorted(cuts), len(stream)])]
    outcome = played(pieces)
    assert outcome == played([stream])
    assert len(outcome.stored) == 2
    assert outcome.kinds[-1] == RELEASED


@pytest.fixture(scope="module")
def intake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Intake]:
    with opened_intake(tmp_path_factory.mktemp("intake")) as opened:
        yield opened


def test_cut_short_no_file_is_left(stream: bytes, intake: Intake) -> None:
    """The cuts: around each PDU of the first instance, and within it."""
    spool = intake.spool.path("")
    before = _files(spool)
    ends = [0]
    for each in pdus(stream):
        ends.append(ends[-1] + len(each.encoded))
    data_ends = ends[3]  # behind the request, the command set and the data set
    for length in {
        *(end + step for end in ends[:3] for step in (0, 1, 7, 13)),
        data_ends - 1,
    }:
        outcome = played([stream[:length]], sink=intake.receive)
        assert RELEASED not in outcome.kinds
        assert _files(spool) == before


def _files(folder: Path) -> set[Path]:
    return {each for each in folder.rglob("*") if each.is_file()}
