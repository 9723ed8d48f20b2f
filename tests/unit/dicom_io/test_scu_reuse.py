from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from pynetdicom.sop_class import (  # type: ignore[attr-defined]
    StudyRootQueryRetrieveInformationModelFind,
)

from dicom_io.ae import RemoteAE
from dicom_io.archive import open_archive
from dicom_io.contexts import message_context
from dicom_io.errors import PeerUnreachable
from dicom_io.identifiers import StudyQuery
from dicom_io.scu.association import Proposal
from dicom_io.scu.query import find_studies
from dicom_io.scu.reuse import IDLE, IdleAssociations
from tests.data.network import at, caller, part10, radiograph
from tests.data.peers import until
from tests.data.ports import NOBODYS_PORT

FIND = Proposal(contexts=[message_context(StudyRootQueryRetrieveInformationModelFind)])


@pytest.fixture
def remote(tmp_path: Path) -> Iterator[RemoteAE]:
    with open_archive(tmp_path / "archive", "ARCHIVE") as archive:
        archive.put(part10(radiograph(1, 1)))
        yield replace(at(archive.port, "ARCHIVE"), keep_open_seconds=30.0)


@pytest.fixture
def pool() -> Iterator[IdleAssociations]:
    opened = IdleAssociations()
    yield opened
    opened.close()


def test_the_next_question_takes_the_association_that_is_open(
    pool: IdleAssociations, remote: RemoteAE
) -> None:
    with pool.borrow(caller(), remote, FIND) as first:
        assert first.next_message_id() == 1
    with pool.borrow(caller(), remote, FIND) as second:
        assert second is first
        assert second.next_message_id() == 2


def test_two_at_once_have_one_each_and_one_is_kept(
    pool: IdleAssociations, remote: RemoteAE
) -> None:
    with (
        pool.borrow(caller(), remote, FIND) as first,
        pool.borrow(caller(), remote, FIND) as second,
    ):
        assert first is not second
    assert second.association.is_established
    assert not first.association.is_established


def test_it_is_released_when_nobody_asks_again(
    pool: IdleAssociations, remote: RemoteAE
) -> None:
    brief = replace(remote, keep_open_seconds=0.05)
    with pool.borrow(caller(), brief, FIND) as opened:
        assert opened.association.is_established
    until(lambda: not opened.association.is_established, 30.0, "it is released")


def test_without_the_setting_it_is_released_at_once(
    pool: IdleAssociations, remote: RemoteAE
) -> None:
    with pool.borrow(caller(), replace(remote, keep_open_seconds=0.0), FIND) as opened:
        assert opened.association.is_established
    assert not opened.association.is_established


def test_one_that_the_peer_ended_is_replaced(
    pool: IdleAssociations, remote: RemoteAE
) -> None:
    with pool.borrow(caller(), remote, FIND) as first:
        pass
    first.association.abort()
    with pool.borrow(caller(), remote, FIND) as second:
        assert second is not first
        assert second.association.is_established


def test_one_that_failed_is_not_kept(pool: IdleAssociations, remote: RemoteAE) -> None:
    with suppress(KeyError), pool.borrow(caller(), remote, FIND) as first:
        raise KeyError
    assert not first.association.is_established
    with pool.borrow(caller(), remote, FIND) as second:
        assert second is not first


def test_one_that_the_library_calls_gone_is_unreachable(
    pool: IdleAssociations, remote: RemoteAE
) -> None:
    with (
        pytest.raises(PeerUnreachable, match="ended the association"),
        pool.borrow(caller(), remote, FIND),
    ):
        raise RuntimeError


def test_a_peer_that_is_away_is_told_as_ever(pool: IdleAssociations) -> None:
    with (
        pytest.raises(PeerUnreachable),
        pool.borrow(caller(), at(NOBODYS_PORT), FIND),
    ):
        pass


def test_questions_of_the_gateway_share_one(remote: RemoteAE) -> None:
    try:
        for _ in range(2):
            found = find_studies(caller(), remote, StudyQuery(patient_id="P-1"))
            assert len(found.studies) == 1
        with IDLE.borrow(caller(), remote, FIND) as opened:
            assert opened.next_message_id() == 3
    finally:
        IDLE.close()
