"""G8: destinations that are down, slow, refusing or lying; none delays another."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.ae import AETitle, Proof, RemoteAE, WebEndpoint
from gateway import away
from gateway.couriers import Couriers
from gateway.ledger import DeliveryState
from gateway.lifecycle import State
from gateway.running.membership import Membership, new_name
from gateway.running.process_roles import ALL_ROLES
from gateway.stages import reported
from tests.data.misbehaving import (
    BEFORE,
    NEVER,
    NEW,
    NEW_WITHOUT_ROLE,
    SAME,
    BadDestination,
    Manners,
    bad_destination,
    destination,
    drop_after,
    raw_peer,
    reject,
    say_nothing,
)
from tests.data.network import LOCAL, Recorder, listening
from tests.data.peers import storescp, until
from tests.data.ports import NOBODYS_PORT
from tests.data.sites import await_reports
from tests.data.stages import Bench, bench_from, keep_encoded
from tests.data.web import Answer, serving

PAUSES: Table = {
    "delivery": {
        "first_pause_seconds": 10.0,
        "max_pause_seconds": 100.0,
        "commitment_wait_seconds": 60.0,
    }
}
QUICK_SECONDS = 1.0
"""The deadline of what never answers."""

STATUSES = {
    "A700": DeliveryState.PENDING,
    "0110": DeliveryState.PENDING,
    "0213": DeliveryState.PENDING,
    "A900": DeliveryState.REFUSED,
    "C000": DeliveryState.REFUSED,
    "C123": DeliveryState.REFUSED,
    "0124": DeliveryState.REFUSED,
    "B000": DeliveryState.COMMITTED,
    "B006": DeliveryState.COMMITTED,
    "0111": DeliveryState.COMMITTED,
}
RAW = {
    "accepts and never answers": (say_nothing, DeliveryState.PENDING),
    "closes at once": (drop_after(0), DeliveryState.PENDING),
    "drops within the request": (drop_after(100), DeliveryState.PENDING),
    "rejects for now": (reject(2, 3, 2), DeliveryState.PENDING),
    "rejects for good": (reject(1, 1, 7), DeliveryState.REFUSED),
}
WEB = {
    "STOW 503": (Answer(status=503), DeliveryState.PENDING),
    "STOW 409": (Answer(status=409), DeliveryState.REFUSED),
    "STOW 403": (Answer(status=403), DeliveryState.REFUSED),
    "STOW cut": (Answer(body=b"{}", missing=9), DeliveryState.PENDING),
}


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return keep_encoded(tmp_path_factory.mktemp("encoded"))


@pytest.fixture
def bench(kept: Path, tmp_path: Path) -> Iterator[Bench]:
    with bench_from(kept, tmp_path, PAUSES) as opened:
        yield opened


@pytest.fixture
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    await_reports(monkeypatch)


def states(bench: Bench, name: str = "pacs") -> set[DeliveryState]:
    found = {r.state for r in bench.deliveries() if r.destination == name}
    assert found
    return found


def only_states(bench: Bench) -> Mapping[str, DeliveryState]:
    """Return the one state that each destination's results are in."""
    names = {row.destination for row in bench.deliveries()}
    return {name: next(iter(states(bench, name))) for name in sorted(names)}


def store(bench: Bench, *destinations: RemoteAE) -> Bench:
    site = bench.at(destinations=destinations)
    assert site.turn(State.ENCODED)
    return site


@contextmanager
def all_modes() -> Iterator[tuple[list[RemoteAE], dict[str, DeliveryState]]]:
    """Run a destination of each mode; yields them, and what becomes of results."""
    expected = {"nobody listens": DeliveryState.PENDING}
    remotes = [destination(NOBODYS_PORT, "nobody listens")]
    with ExitStack() as opened:
        for name, (behave, state) in RAW.items():
            peer = opened.enter_context(raw_peer(behave))
            remotes.append(
                destination(peer.port, name, QUICK_SECONDS)
                if behave is say_nothing
                else destination(peer.port, name)
            )
            expected[name] = state
        for name, state in STATUSES.items():
            manners = Manners(status=int(name, 16))
            bad = opened.enter_context(bad_destination(manners, name))
            remotes.append(bad.remote)
            expected[name] = state
        bad = opened.enter_context(bad_destination(Manners(aborts=True), "aborts"))
        remotes.append(bad.remote)
        expected["aborts"] = DeliveryState.PENDING
        for name, (answer, state) in WEB.items():
            service = opened.enter_context(serving(answer))
            remotes.append(replace(service.remote(), name=name))
            expected[name] = state
        silent_web = opened.enter_context(raw_peer(say_nothing))
        expected["STOW silent"] = DeliveryState.PENDING
        remotes.append(web_destination(silent_web.port, "STOW silent"))
        yield remotes, expected


def web_destination(port: int, name: str) -> RemoteAE:
    """Return what listens on a port as a DICOMweb service."""
    endpoint = WebEndpoint(url=f"http://127.0.0.1:{port}/dicom-web")
    plain = destination(0, name, QUICK_SECONDS)
    return replace(plain, host="", web=endpoint)


@pytest.mark.usefixtures("_patience")
def test_each_mode_has_its_outcome_and_the_good_one_has_everything(
    bench: Bench,
) -> None:
    bench = bench.at(couriers=Couriers(60.0))  # until each has had its outcome
    with all_modes() as (bad, expected), bad_destination(Manners(), "good") as good:
        store(bench, *bad, good.remote)
    assert only_states(bench) == {**expected, "good": DeliveryState.COMMITTED}
    assert len(good.held) == 3
    assert bench.study().state is State.ENCODED  # waits for those that may come back


def test_a_hung_destination_delays_neither_the_others_nor_the_next_study(
    bench: Bench,
) -> None:
    bench = bench.at(couriers=Couriers(0.5))
    with ExitStack() as opened:
        good = [
            opened.enter_context(bad_destination(Manners(), f"good-{number}"))
            for number in range(3)
        ]
        hung = opened.enter_context(raw_peer(say_nothing))
        slow = destination(hung.port, "hung", 300.0)
        site = store(bench, slow, *[each.remote for each in good])
        until(lambda: all(len(e.held) == 3 for e in good), 20, "the good ones have all")
        until(lambda: hung.visits == 1, 20, "the hung one is visited")
        assert states(bench, "hung") == {DeliveryState.PENDING}
        for _ in range(2):  # it is looked at again, and nothing is begun twice
            bench.clock.add(seconds=3)
            assert site.turn(State.ENCODED)
        assert hung.visits == 1
        until(lambda: silent(bench) == ["hung"], 20, "the good ones are known as such")
        second_study(site)

        def all_have_both() -> bool:
            site.turn(State.ENCODED)
            return all(len(each.held) == 6 for each in good)

        until(all_have_both, 30, "the good ones have the next study too")
        assert hung.visits == 1
    bench.site.couriers.close(30.0)
    assert all(each.stores == 6 for each in good)
    until(lambda: silent(bench) == ["hung"], 20, "the hung one is known as such")
    with bench.site.ledger.reading() as rows:
        (silence,) = rows.silences()
    assert (silence.peer, silence.failures) == ("hung", 1)


def test_what_a_dead_process_had_under_way_is_sent_at_once(bench: Bench) -> None:
    bench = bench.at(couriers=Couriers(0.2))
    with raw_peer(say_nothing) as hung, bad_destination(Manners()) as good:
        store(bench, destination(hung.port, seconds=300.0))
        held = [row.not_before for row in bench.deliveries()]
        assert all(until is not None and until > bench.clock() for until in held)
        restarted = bench.at(couriers=Couriers(60.0))
        with ExitStack() as started:
            Membership(restarted.site, ALL_ROLES, new_name()).join(started)
        store(restarted, good.remote)
        assert states(restarted) == {DeliveryState.STORED}
        assert good.stores == 3
    bench.site.couriers.close(30.0)


def silent(bench: Bench) -> list[str]:
    with bench.site.ledger.reading() as rows:
        return [silence.peer for silence in rows.silences()]


def second_study(bench: Bench) -> None:
    """Bring another study into ENCODED."""
    uids = {"StudyInstanceUID": "1.2.4", "SOPInstanceUID": "1.2.4.1"}
    bench.send(bench.film("other", **uids))
    bench.clock.add(seconds=60)
    while bench.study("1.2.4").state is not State.ENCODED:
        assert bench.turn(bench.study("1.2.4").state)


def test_what_was_left_alone_goes_at_once_when_the_destination_answers(
    bench: Bench,
) -> None:
    away.note_silence(bench.site, "pacs")
    site = store(bench, destination(NOBODYS_PORT))
    assert {row.detail for row in bench.deliveries()} == {away.NO_ANSWER}
    assert not site.turn(State.ENCODED)
    away.note_answer(bench.site, "pacs")
    assert {row.not_before for row in bench.deliveries()} == {bench.clock()}
    assert site.turn(State.ENCODED)


def test_a_silent_destination_costs_one_connection_a_pause(bench: Bench) -> None:
    with raw_peer(drop_after(0)) as peer:
        remote = destination(peer.port)
        for failures in range(1, 5):
            site = store(bench, remote)
            bench.clock.add(seconds=1)
            assert not site.turn(State.ENCODED)
            assert peer.visits == failures
            bench.clock.add(seconds=100)
    told = [each for each in bench.told() if "in a row" in each]
    assert len(told) == 1
    with bad_destination(Manners()) as back:
        store(bench, back.remote)
    assert bench.study().state is State.STORED
    assert any(each.startswith("pacs answers again") for each in bench.told())


@pytest.mark.peers
@pytest.mark.usefixtures("_patience")
def test_the_storage_scp_of_dcmtk_as_it_misbehaves(
    bench: Bench, tmp_path: Path
) -> None:
    ways = ("--refuse", "--abort-after", "--abort-during")
    with ExitStack() as opened:
        remotes = []
        for way in ways:
            folder = tmp_path / way
            folder.mkdir()
            port = opened.enter_context(storescp(folder, "--accept-all", way))
            remotes.append(destination(port, way))
        good = opened.enter_context(bad_destination(Manners(), "good"))
        store(bench, *remotes, good.remote)
    pending = dict.fromkeys(ways, DeliveryState.PENDING)
    # storescp refuses for good, without a reason (result 1, source 1, reason 1).
    expected = {**pending, "--refuse": DeliveryState.REFUSED}
    assert only_states(bench) == {**expected, "good": DeliveryState.COMMITTED}


def test_success_for_what_was_not_kept_is_found_out_and_sent_again(
    bench: Bench,
) -> None:
    liar = Manners(keeps=False, with_commitment=False)
    with bad_destination(liar) as bad:
        site = store(bench, bad.remote)
        assert site.turn(State.STORED)
        assert bench.study().state is State.ENCODED
        assert bench.study().reason == "pacs: not found by C-FIND"
        bad.manners = replace(liar, keeps=True)
        bench.clock.add(seconds=101)
        assert site.turn(State.ENCODED)
        assert site.turn(State.STORED)
    assert bench.study().state is State.COMMITTED
    assert len(bad.held) == 3


@contextmanager
def committing(
    bench: Bench, manners: Manners
) -> Iterator[tuple[Bench, BadDestination]]:
    """Run a destination that takes the results, and our listener for its reports."""
    recorder = Recorder()
    with bad_destination(manners, proof=Proof.COMMITMENT) as bad:
        site = store(bench, bad.remote)
        assert bench.study().state is State.STORED
        other = replace(bad.remote, name="other", title=AETitle("OTHER"))
        recorder.report = lambda report: reported.take_report(site.site, report)  # type: ignore[method-assign]
        with listening(recorder, LOCAL, (bad.remote, other)) as listener:
            bad.listener = listener.port
            yield site, bad


@pytest.mark.usefixtures("_patience")
@pytest.mark.parametrize("where", [BEFORE, NEW, NEW_WITHOUT_ROLE])
def test_a_commitment_is_taken_wherever_it_is_reported_and_twice_is_no_harm(
    bench: Bench, where: str
) -> None:
    with committing(bench, Manners(reports=where, times=2)) as (site, bad):
        assert site.turn(State.STORED)
        until(lambda: bad.answers == [0, 0], 20, "both reports are answered")
        site.turn(State.STORED)
    assert bench.study().state is State.COMMITTED
    assert {r.committed_how for r in bench.deliveries()} == {"storage commitment"}
    told = [each for each in bench.told() if each.startswith("transaction ")]
    assert ["awaited" in each for each in told] == [True, False]
    assert "answered before" in told[1]


@pytest.mark.usefixtures("_patience")
def test_a_commitment_on_the_association_of_the_request_ends_it(bench: Bench) -> None:
    with committing(bench, Manners(reports=SAME)) as (site, bad):
        assert site.turn(State.STORED)
        until(lambda: bad.answers == [0], 20, "the report is answered")
    assert bench.study().state is State.COMMITTED


@pytest.mark.parametrize(
    ("manners", "said"),
    [
        (Manners(reports=NEW, transaction="1.2.3.77"), "not awaited here"),
        (Manners(reports=NEW, calls_itself="OTHER"), "asked of another node"),
    ],
)
def test_a_report_of_a_wrong_transaction_or_a_foreign_node_changes_nothing(
    bench: Bench, manners: Manners, said: str
) -> None:
    with committing(bench, manners) as (site, bad):
        assert site.turn(State.STORED)
        until(lambda: len(bad.answers) == 1, 20, "the report is answered")
    assert states(bench) == {DeliveryState.STORED}
    assert any(said in told for told in bench.told())


def test_a_report_that_never_comes_is_asked_for_again_with_another_transaction(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with committing(bench, Manners(reports=NEVER)) as (site, bad):
        assert site.turn(State.STORED)
        bench.clock.add(seconds=61)
        bad.manners = Manners(reports=SAME)
        await_reports(monkeypatch)
        assert site.turn(State.STORED)
    assert bench.study().state is State.COMMITTED
    assert len({str(each.TransactionUID) for each in bad.asked}) == 2


@pytest.mark.usefixtures("_patience")
def test_what_was_not_committed_is_sent_again_alone(bench: Bench) -> None:
    with committing(bench, Manners(failures={1: 0x0112})) as (site, bad):
        assert site.turn(State.STORED)
        assert bench.study().state is State.ENCODED
        bad.manners = Manners()
        bench.clock.add(seconds=101)
        assert site.turn(State.ENCODED)
        assert site.turn(State.STORED)
    assert bench.study().state is State.COMMITTED
    assert bad.stores == 4


@pytest.mark.usefixtures("_patience")
def test_a_hung_commitment_delays_no_other_proof(bench: Bench) -> None:
    with (
        bad_destination(Manners(), "good") as good,
        bad_destination(Manners(), "hung") as taker,
        raw_peer(say_nothing) as hung,
    ):
        store(bench, taker.remote, good.remote)
        silent = destination(hung.port, "hung", 300.0)
        site = bench.at(destinations=(silent, good.remote), couriers=Couriers(0.5))
        assert site.turn(State.STORED)
        until(
            lambda: states(bench, "good") == {DeliveryState.COMMITTED},
            20,
            "the good one has committed",
        )
        assert bench.study().state is State.STORED
        assert "hung has not answered yet" in (bench.study().reason or "")
    site.site.couriers.close()
