"""How the gateway stands as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from gateway.ledger import DeliveryState, ProcessRecord, SilenceRecord, Way
from gateway.lifecycle import WORKING, State
from gateway.running.composition import close_site, open_site
from gateway.site import Site
from gateway.watching.system import SystemStanding, system_standing
from model.engine import EngineIdentity
from tests.data.engines import CannedEngine
from tests.data.ledgers import NOW, at, given_campaign, given_study, result_of
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


def test_a_campaign_is_shown_with_what_holds_it_up(site: Site) -> None:
    with site.ledger.writing() as rows:
        given_campaign(rows, ["1.2.1", "1.2.2"])
        given_campaign(rows, ["1.2.3"], name="other", peer="gone")
    other, lung = standing(site).campaigns
    assert (lung.name, lung.progress.total, lung.held_up) == ("lung", 2, None)
    assert (other.name, other.held_up) == ("other", "archive.peer is not gone")


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


def test_versions_are_told(site: Site) -> None:
    assert {"maira-gateway", "Python", "pydicom", "torch"} <= {
        n for n, _ in standing(site).versions
    }


def process(name: str, **changes: object) -> ProcessRecord:
    plain = ProcessRecord(
        name=name,
        host="gateway-1",
        pid=12,
        boot="a",
        roles="worker",
        started_at=NOW,
        beat_at=at(97),
        findings='[{"name": "engine", "ok": false, "detail": "is being started"}]',
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_each_process_is_shown_with_what_it_last_said_of_itself(site: Site) -> None:
    engine = TypeAdapter(EngineIdentity).dump_json(site.engine.identity).decode()
    with site.ledger.writing() as rows:
        rows.add_process(process("a", engine=engine))
        rows.add_process(process("b", engine=engine, beat_at=at(98), findings="[]"))
        rows.add_process(process("c", roles="scheduler", started_at=at(1)))
        rows.hold_jobs(["purge", "seal"], "c", at(90), at(190))
        rows.hold_jobs(["forget"], "c", at(0), at(10))
    found = standing(site)
    first, second, third = found.processes
    assert [each.name for each in first.failing] == ["engine"]
    assert second.failing == ()
    assert (first.jobs, third.jobs) == ((), ("purge", "seal"))
    assert not first.is_silent
    assert found.engines == (site.engine.identity,)


def test_a_process_that_is_not_heard_of_for_a_lease_is_silent(site: Site) -> None:
    lease = site.settings.work.lease_seconds
    with site.ledger.writing() as rows:
        rows.add_process(process("a", beat_at=at(99 - lease)))
        rows.add_process(process("b", beat_at=at(101 - lease), started_at=at(1)))
    assert [each.is_silent for each in standing(site).processes] == [True, False]
