"""How the gateway stands as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.ledger import DeliveryState, SilenceRecord, Way
from gateway.lifecycle import WORKING, State
from gateway.running.composition import close_site, open_site
from gateway.site import Site
from gateway.watching.system import SystemStanding, system_standing
from model.engines.rayserve.asking import RayEngine
from model.engines.rayserve.plan import ServePlace
from model.options import Domain
from tests.data.engines import CannedEngine
from tests.data.ledgers import NOW, at, given_study, result_of
from tests.data.sites import archive_peer, site_settings


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = site_settings(tmp_path, archive_peer("PACS", 1))
    site = open_site(settings, CannedEngine(), lambda: at(100))
    yield site
    close_site(site)


def standing(site: Site) -> SystemStanding:
    with site.ledger.reading() as rows:
        return system_standing(site, rows)


def test_work_that_waits_is_shown_by_state_and_since_when(site: Site) -> None:
    given_study(site.ledger, "1.2.1", State.SELECTED, at(5))
    given_study(site.ledger, "1.2.2", State.SELECTED, at(9))
    queues = {queue.state: queue for queue in standing(site).queues}
    assert list(queues) == list(WORKING)
    assert (queues[State.SELECTED].count, queues[State.SELECTED].since) == (2, at(5))
    assert queues[State.GATHERED].count == 0


def test_what_waits_for_a_person_is_listed_with_its_reason(site: Site) -> None:
    given_study(site.ledger, "1.2.1", State.PARKED, at(5))
    given_study(site.ledger, "1.2.2", State.COMPLETE)
    found = standing(site)
    assert [study.study_instance_uid for study in found.waiting] == ["1.2.1"]
    assert found.waiting_count == 1


def test_a_destination_shows_what_it_is_owed_and_a_sender_does_not(site: Site) -> None:
    study = given_study(site.ledger, "1.2.1", State.SELECTED)
    with site.ledger.writing() as rows:
        rows.add_deliveries(study.id, 1, "archive", [result_of(study)])
        (row,) = rows.deliveries(study.id, 1)
        rows.update_delivery(row.id, now=at(7), attempts=1)
    peers = {peer.name: peer for peer in standing(site).peers}
    (pending, *_) = peers["archive"].outbox
    assert (pending.state, pending.count) == (DeliveryState.PENDING, 1)
    assert pending.since == at(7)
    assert peers["modality"].outbox == ()
    assert "destination" in peers["archive"].uses
    assert peers["modality"].uses == ("sends",)


def test_a_peer_that_is_left_alone_says_until_when(site: Site) -> None:
    silence = SilenceRecord(
        peer="archive", failures=4, since=NOW, until=at(130), told=True
    )
    with site.ledger.writing() as rows:
        rows.put_silence(silence)
    peer = next(peer for peer in standing(site).peers if peer.name == "archive")
    assert (peer.breaker, peer.failures, peer.left_alone_until) == (
        "silent",
        4,
        at(130),
    )


def test_a_sender_without_a_place_in_the_settings_is_shown_apart(site: Site) -> None:
    site.contacts.answered("STRANGER", Way.SENT, NOW)
    site.contacts.keep(site.ledger)
    assert [each.peer for each in standing(site).strangers] == ["STRANGER"]


def test_versions_and_the_digest_of_the_weights_are_told(site: Site) -> None:
    found = standing(site)
    assert found.engine == site.engine.identity
    assert {"maira-gateway", "Python", "pydicom", "torch"} <= {
        n for n, _ in found.versions
    }


def test_an_engine_that_nobody_has_heard_yet_is_told_as_unknown(site: Site) -> None:
    place = ServePlace(
        proxies=("http://127.0.0.1:1",), application="maira", domain=Domain.PHANTOM
    )
    assert standing(replace(site, engine=RayEngine(place))).engine is None
