"""An echo says whether a peer is there, and is remembered."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from dicom_io.archive import open_archive
from gateway.audit.parts import Person
from gateway.errors import NoSuchPeer
from gateway.ledger import ContactRecord, Way
from gateway.running.composition import close_site, open_site
from gateway.site import Site
from gateway.watching.echoing import echo_peer
from gateway.watching.system import system_standing
from tests.data.engines import CannedEngine
from tests.data.sites import archive_peer, site_settings

ANN = Person(name="ann", address="10.0.0.7")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site with an archive that answers, and a modality that is not there."""
    with open_archive(tmp_path / "archive", "PACS") as archive:
        peer = archive_peer("PACS", archive.port, deadline_seconds=30.0)
        site = open_site(site_settings(tmp_path / "site", peer), CannedEngine())
        yield site
        close_site(site)


def echo_of(site: Site, name: str) -> ContactRecord:
    """Return what the System page shows of a peer's echo."""
    with site.ledger.reading() as rows:
        peers = {peer.name: peer for peer in system_standing(site, rows).peers}
    return peers[name].contacts[Way.ECHO]


def test_a_peer_that_answers_is_remembered_with_the_time(site: Site) -> None:
    assert echo_peer(site, "archive", ANN).ok
    kept = echo_of(site, "archive")
    assert kept.answered_at is not None
    assert kept.failed_at is None


def test_why_there_was_no_answer_is_remembered(site: Site) -> None:
    echoed = echo_peer(site, "modality", ANN)
    assert not echoed.ok
    kept = echo_of(site, "modality")
    assert kept.answered_at is None
    assert kept.failed_at is not None
    assert kept.detail == echoed.detail


def test_nobody_is_asked_whom_the_settings_do_not_name(site: Site) -> None:
    with pytest.raises(NoSuchPeer, match="archive, modality"):
        echo_peer(site, "../etc", ANN)
