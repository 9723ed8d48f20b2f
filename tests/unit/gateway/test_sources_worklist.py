"""A worklist is asked at the pace that all questions to its node share."""

from dataclasses import replace

import pytest

from dicom_io.ae import AETitle, RemoteAE
from dicom_io.errors import PeerFailure, PeerUnreachable
from gateway.errors import SourceFailure
from gateway.pacing import Pacing
from gateway.sources.kinds import OrderKey
from gateway.sources.worklist import WorklistOrders
from tests.data.films import film_instance
from tests.data.network import LOCAL
from tests.data.ports import NOBODYS_PORT

KEY = OrderKey(accession_number="ACC1", patient=film_instance().patient)


def nobody(pacing: Pacing, max_queries: int) -> WorklistOrders:
    """Return a worklist at a port that nobody listens to."""
    remote = RemoteAE(
        name="ris",
        title=AETitle("RIS"),
        host="127.0.0.1",
        port=NOBODYS_PORT,
        deadline_seconds=0.2,
        max_queries=max_queries,
    )
    return WorklistOrders(local=LOCAL, remote=remote, pacing=pacing)


def test_a_worklist_is_not_asked_while_its_places_are_taken() -> None:
    pacing = Pacing()
    with (
        pacing.holding("ris", 1, 1.0),
        pytest.raises(PeerFailure, match="busy") as raised,
    ):
        nobody(pacing, 1).find(KEY)
    assert not isinstance(raised.value, PeerUnreachable)


def test_a_worklist_that_is_silent_is_asked_less() -> None:
    pacing = Pacing()
    with pytest.raises(PeerUnreachable):
        nobody(pacing, 4).find(KEY)
    assert pacing.places("ris") == 2


def test_a_number_that_is_no_exact_key_is_not_sent() -> None:
    with pytest.raises(SourceFailure, match="nothing is sent"):
        nobody(Pacing(), 1).find(replace(KEY, accession_number="A*"))
