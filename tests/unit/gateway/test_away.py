"""Peers that do not answer: how long they are left alone, and who asks again."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from config.load import Table
from dicom_io.errors import PeerFailure, PeerRefused, PeerTimedOut, PeerUnreachable
from gateway import away
from gateway.couriers import Couriers
from gateway.ledger import Ledger
from tests.data.stages import Bench, bench_at

PAUSES: Table = {"delivery": {"first_pause_seconds": 10.0, "max_pause_seconds": 3600.0}}
SILENCE = [PeerUnreachable("nobody"), PeerTimedOut("no answer")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with bench_at(tmp_path, PAUSES) as opened:
        yield opened


def ask(bench: Bench, failure: PeerFailure | None = None, peer: str = "pacs") -> bool:
    """Ask a peer that fails so, None: that answers; return whether it was asked."""
    asked = False
    try:
        with away.asking(bench.site, peer):
            asked = True
            if failure is not None:
                raise failure
    except PeerFailure:
        assert failure is not None or not asked
    return asked


def left_alone(bench: Bench) -> timedelta:
    """Return how long the peer is left alone from now on."""
    until = away.is_away(bench.site, "pacs")
    return until - bench.clock() if until else timedelta()


def test_a_peer_that_nobody_knows_of_may_be_asked(bench: Bench) -> None:
    assert away.is_away(bench.site, "pacs") is None
    assert ask(bench)


@pytest.mark.parametrize("silence", SILENCE)
def test_a_silent_peer_is_left_alone_for_a_while(
    bench: Bench, silence: PeerFailure
) -> None:
    assert ask(bench, silence)
    pause = left_alone(bench)
    assert timedelta(seconds=5) <= pause <= timedelta(seconds=10)  # half at least
    assert not ask(bench)
    bench.clock.add(seconds=10)
    assert ask(bench)


def test_who_asks_a_peer_that_is_left_alone_is_told_until_when(bench: Bench) -> None:
    until = away.note_silence(bench.site, "pacs")
    said = f"pacs is left alone until {until:%H:%M:%S} UTC"
    with pytest.raises(PeerUnreachable, match=said), away.asking(bench.site, "pacs"):
        pass


def test_who_asks_is_told_the_failure_itself(bench: Bench) -> None:
    with pytest.raises(PeerTimedOut), away.asking(bench.site, "pacs"):
        raise PeerTimedOut("no answer")


def test_the_pause_doubles_up_to_a_minute(bench: Bench) -> None:
    # first_pause_seconds is 10, and max_pause_seconds more than a minute.
    for longest in (10, 20, 40, 60, 60, 60):
        assert ask(bench, SILENCE[0])
        least, most = timedelta(seconds=longest / 2), timedelta(seconds=longest)
        assert least <= left_alone(bench) <= most
        bench.clock.add(seconds=60)


def test_a_site_may_want_shorter_pauses(tmp_path: Path) -> None:
    short: Table = {
        "delivery": {"first_pause_seconds": 10.0, "max_pause_seconds": 15.0}
    }
    with bench_at(tmp_path, short) as bench:
        for _ in range(5):
            assert ask(bench, SILENCE[0])
            assert left_alone(bench) <= timedelta(seconds=15)
            bench.clock.add(seconds=15)


def test_an_answer_forgets_the_silence(bench: Bench) -> None:
    for _ in range(4):
        ask(bench, SILENCE[0])
        bench.clock.add(seconds=60)
    assert ask(bench)
    assert left_alone(bench) == timedelta()
    ask(bench, SILENCE[0])
    assert left_alone(bench) <= timedelta(seconds=10)  # the first pause again


def test_a_refusal_is_no_silence(bench: Bench) -> None:
    assert ask(bench, PeerRefused("no"))
    assert left_alone(bench) == timedelta()


def test_a_failure_of_ours_is_no_silence(bench: Bench) -> None:
    with pytest.raises(OSError, match="disk"), away.asking(bench.site, "pacs"):
        raise OSError("the disk said no")
    assert left_alone(bench) == timedelta()


def test_a_silent_peer_says_nothing_of_another(bench: Bench) -> None:
    ask(bench, SILENCE[0])
    assert ask(bench, peer="archive")


def test_what_is_known_of_a_peer_stands_in_the_ledger(bench: Bench) -> None:
    began = bench.clock()
    until = away.note_silence(bench.site, "pacs")
    with bench.site.ledger.reading() as rows:
        known, other = rows.silence("pacs"), rows.silence("archive")
    assert known is not None
    assert (known.failures, known.since, known.until) == (1, began, until)
    assert other is None
    away.note_answer(bench.site, "pacs")
    with bench.site.ledger.reading() as rows:
        assert rows.silences() == []


def test_when_the_pause_is_over_only_one_caller_asks(bench: Bench) -> None:
    ask(bench, SILENCE[0])
    bench.clock.add(seconds=10)
    with away.asking(bench.site, "pacs"):
        assert not ask(bench)
        assert left_alone(bench) == timedelta(
            seconds=60
        )  # as long as an answer may take
    assert ask(bench)


def test_a_caller_that_died_does_not_keep_the_others_away_for_ever(
    bench: Bench,
) -> None:
    ask(bench, SILENCE[0])
    bench.clock.add(seconds=10)
    with bench.site.ledger.writing() as rows:
        assert away.claim(bench.site, rows, "pacs") is None  # and nothing came of it
    assert not ask(bench)
    bench.clock.add(seconds=61)
    assert ask(bench)


def test_the_first_refusal_of_a_silent_peer_is_an_answer(bench: Bench) -> None:
    ask(bench, SILENCE[0])
    bench.clock.add(seconds=10)
    assert ask(bench, PeerRefused("no"))
    with bench.site.ledger.reading() as rows:
        assert rows.silences() == []


def test_a_failure_of_ours_lets_the_next_one_ask(bench: Bench) -> None:
    ask(bench, SILENCE[0])
    bench.clock.add(seconds=10)
    with pytest.raises(OSError, match="disk"), away.asking(bench.site, "pacs"):
        raise OSError("the disk said no")
    assert ask(bench)


def fail_often(bench: Bench, times: int) -> None:
    for _ in range(times):
        ask(bench, SILENCE[0])
        bench.clock.add(seconds=60)


def told_of(bench: Bench, word: str) -> list[str]:
    return [told for told in bench.told() if word in told]


def test_silence_in_a_row_is_audited_once_and_so_is_its_end(bench: Bench) -> None:
    fail_often(bench, 2)
    assert told_of(bench, "pacs") == []
    fail_often(bench, 3)
    since = "2026-03-02 10:30:00 UTC"
    opened = f"pacs does not answer, 3 times in a row since {since}"
    assert told_of(bench, "pacs") == [opened]
    assert ask(bench)
    closed = f"pacs answers again; it was silent since {since}"
    assert told_of(bench, "pacs") == [opened, closed]


def test_one_silence_alone_is_not_worth_a_record(bench: Bench) -> None:
    for _ in range(4):
        fail_often(bench, 1)
        assert ask(bench)
    assert told_of(bench, "pacs") == []


def test_two_processes_count_the_failures_of_a_peer_together(bench: Bench) -> None:
    url = bench.site.settings.ledger_url
    other = replace(bench.site, ledger=Ledger.open(url), couriers=Couriers())
    try:
        for site in (bench.site, other, bench.site):
            away.note_silence(site, "pacs")
        assert away.is_away(other, "pacs") == away.is_away(bench.site, "pacs")
        assert len(told_of(bench, "3 times in a row")) == 1
    finally:
        other.ledger.close()


def test_a_peer_that_owes_an_answer_is_left_alone_until_it_comes(bench: Bench) -> None:
    away.note_slow(bench.site, "pacs")
    assert not ask(bench)
    away.note_end(bench.site, "pacs")
    assert ask(bench)


def test_who_is_known_to_be_silent_is_not_left_alone_longer_for_being_slow(
    bench: Bench,
) -> None:
    until = away.note_silence(bench.site, "pacs")
    assert away.note_slow(bench.site, "pacs", 300.0) == until
    assert away.is_away(bench.site, "pacs") == until


def test_the_end_of_a_slow_answer_does_not_forget_a_silence(bench: Bench) -> None:
    away.note_slow(bench.site, "pacs", 300.0)
    away.note_silence(bench.site, "pacs")
    away.note_end(bench.site, "pacs")
    assert timedelta() < left_alone(bench) <= timedelta(seconds=10)
