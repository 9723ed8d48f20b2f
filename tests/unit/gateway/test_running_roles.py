"""Processes that play some roles each: what they open, and what they do together."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from dicom_io.scu.send import store_instances
from gateway.errors import NotReady
from gateway.ledger import AuditFilter, GroundingState, ProcessRecord
from gateway.lifecycle import State
from gateway.running.composition import NoEngine, open_site
from gateway.running.process_roles import ProcessRole, parse_roles
from gateway.running.serve import Gateway
from gateway.site import Site
from gateway.stages import grounding
from model.engines.rayserve.asking import RayEngine
from model.engines.rayserve.plan import ServePlace
from model.errors import EngineAway
from model.options import Domain
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.ledgers import ON_POSTGRESQL
from tests.data.sites import MODALITY, Running, site_settings, wait_until

if TYPE_CHECKING:
    from config.load import Table

NO_PORT: "Table" = {"health": {"port": 0}}
UID = "1.2.3"


class Hosts:
    """Starts processes of roles over one folder and ledger, in this one."""

    def __init__(self, folder: Path, opened: ExitStack) -> None:
        self._folder, self._opened = folder, opened

    def start(self, roles: str, **overrides: "Table") -> Gateway:
        wanted = parse_roles(roles)
        settings = site_settings(self._folder / "data", {**NO_PORT, **overrides})
        engine = CannedEngine() if ProcessRole.WORKER in wanted else NoEngine()
        gateway = Gateway(open_site(settings, engine), roles=wanted)
        return self._opened.enter_context(gateway)


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[Hosts]:
    with ExitStack() as opened:
        yield Hosts(tmp_path, opened)


def ask(gateway: Gateway, page: str) -> tuple[int, dict[str, dict[str, object]]]:
    url = f"http://127.0.0.1:{gateway.web_port}/{page}"
    try:
        with urlopen(url, timeout=30) as answer:
            return answer.status, json.load(answer)["findings"]
    except HTTPError as error:
        with error:
            return error.code, {}


def findings_once_ready(gateway: Gateway) -> set[str]:
    """Wait until it is ready, for the ledger may be slow; return what was looked at."""

    def ready() -> set[str] | None:
        status, findings = ask(gateway, "health/ready")
        return {*findings} if status == 200 else None

    return wait_until(ready, 30, lambda: ask(gateway, "health/ready"))


def test_a_study_passes_through_a_process_of_each_role(
    hosts: Hosts, tmp_path: Path
) -> None:
    listener, worker = hosts.start("listener"), hosts.start("worker")
    scheduler, web = hosts.start("scheduler"), hosts.start("web")
    running = Running(gateway=listener)
    film = write_film(tmp_path / "film.dcm", film_dataset())
    (outcome,) = store_instances(MODALITY, running.remote, [film])
    assert outcome.verdict.is_stored
    running.wait_for(UID, State.KEPT)
    record = grounding.ask(
        web.site.ledger, UID, "A nodule.", "reader", web.site.clock()
    )

    def answered() -> bool | None:
        with web.site.ledger.reading() as rows:
            now = rows.grounding(record.id)
        assert now is not None
        return now.state is GroundingState.ANSWERED or None

    wait_until(answered, 60, lambda: "an answer")
    assert_each_says_the_truth(listener, worker, scheduler, web)
    with web.site.ledger.reading() as rows:
        roles = {each.roles: each for each in rows.processes()}
        assert {job.holder for job in rows.jobs()} == {roles["scheduler"].name}
        assert rows.samples(10) != []
    assert set(roles) == {"listener", "worker", "scheduler", "web"}
    assert "canned answers" in str(roles["worker"].engine)
    assert roles["web"].engine is None


def assert_each_says_the_truth(*processes: Gateway) -> None:
    live = [set(ask(each, "health/live")[1]) for each in processes]
    assert live == [{"listener"}, {"workers"}, set(), set()]
    assert [findings_once_ready(each) for each in processes] == [
        {"listener", "ledger", "disk"},
        {"workers", "ledger", "engine"},
        {"ledger", "scheduler"},
        {"ledger"},
    ]
    for each in processes[:3]:
        assert ask(each, "system")[0] == 404
        with pytest.raises(NotReady) if each is not processes[0] else ExitStack():
            assert each.port


def test_a_process_that_is_no_worker_reads_nothing_and_opens_no_port(
    hosts: Hosts,
) -> None:
    web = hosts.start("web")
    with pytest.raises(EngineAway):
        web.site.engine.generate([])
    assert web.hl7_port is None
    with pytest.raises(NotReady, match="no listener"):
        assert web.port


def starts_and_stops(gateway: Gateway) -> list[tuple[str | None, str | None]]:
    with gateway.site.ledger.reading() as rows:
        found = rows.audit(AuditFilter(limit=1000))
    kinds = ("110120", "110121")
    return [(r.event_type, r.detail) for r in found if r.event_type in kinds]


def test_each_process_records_its_own_start_and_stop(tmp_path: Path) -> None:
    with ExitStack() as others:
        web = Hosts(tmp_path, others).start("web")
        with ExitStack() as opened:
            Hosts(tmp_path, opened).start("worker,scheduler")
        assert starts_and_stops(web) == [
            ("110120", "as web"),
            ("110120", "as worker,scheduler"),
            ("110121", "as worker,scheduler"),
        ]


def test_a_scheduler_that_stops_leaves_its_jobs_to_the_other(tmp_path: Path) -> None:
    lease: Table = {"lease_seconds": 12.0}
    with ExitStack() as opened:
        second: Gateway
        with ExitStack() as first:
            Hosts(tmp_path, first).start("scheduler", work=lease)
            second = Hosts(tmp_path, opened).start("scheduler", work=lease)
            assert second._scheduling is not None
            leases = second._scheduling.leases
            assert not leases.holds("purge")
        wait_until(lambda: leases.holds("purge") or None, 60, lambda: "taken over")


@pytest.mark.skipif(ON_POSTGRESQL, reason="it lets any number of processes in")
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("worker", "listener,worker,scheduler,web"),
        ("listener,worker,scheduler,web", "web"),
    ],
)
def test_a_gateway_with_all_roles_is_alone_on_its_own_ledger(
    hosts: Hosts, first: str, second: str
) -> None:
    hosts.start(first)
    with pytest.raises(NotReady, match="another gateway works in"):
        hosts.start(second)


def test_gateways_with_all_roles_share_a_ledger_that_has_a_url(
    hosts: Hosts, tmp_path: Path
) -> None:
    url: Table = {} if ON_POSTGRESQL else {"url": f"sqlite:///{tmp_path / 'l.db'}"}
    one = hosts.start("listener,worker,scheduler,web", ledger=url)
    two = hosts.start("listener,worker,scheduler,web", ledger=url)
    with one.site.ledger.reading() as rows:
        assert len(rows.processes()) == 2
    with pytest.raises(NotReady, match="not where the files of the ledger lie"):
        hosts.start("web", ledger=url, storage={"folder": str(tmp_path / "other")})
    assert two.site.device_uid == one.site.device_uid


def test_a_taken_health_port_is_named(hosts: Hosts) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(NotReady, match=r"health\.port"):
            hosts.start("worker", health={"port": port})


def test_a_worker_whose_replicas_nobody_has_heard_yet_says_so(tmp_path: Path) -> None:
    place = ServePlace(
        proxies=("http://127.0.0.1:1",), application="maira", domain=Domain.PHANTOM
    )
    site = open_site(site_settings(tmp_path / "data", NO_PORT), RayEngine(place))
    with Gateway(site, roles=parse_roles("worker")) as worker:
        (process,) = processes_of(worker.site)
    assert process.engine is None
    assert '"engine"' in (process.findings or "")


def processes_of(site: Site) -> list[ProcessRecord]:
    with site.ledger.reading() as rows:
        return list(rows.processes())
