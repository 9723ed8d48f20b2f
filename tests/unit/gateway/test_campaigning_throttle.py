"""When a campaign may ask for its next study."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from gateway.campaigning.throttle import Situation, held_up, is_open, pace
from gateway.ledger import CampaignRecord, CampaignState, Throttle
from tests.data.ledgers import NOW, at

BERLIN = ZoneInfo("Europe/Berlin")
CAMPAIGN = CampaignRecord(
    id=1,
    name="lung",
    project="",
    state=CampaignState.RUNNING,
    emit=False,
    peer="archive",
    source="file",
    per_hour=60.0,
    in_flight=4,
    opens="19:00",
    closes="07:00",
    started_by="ann",
    created_at=NOW,
    changed_at=NOW,
    next_at=NOW,
)
NIGHT = Situation(now=datetime(2026, 3, 2, 22, 0, tzinfo=BERLIN), zone=BERLIN)


def test_at_night_with_nothing_else_to_do_it_asks() -> None:
    assert held_up(CAMPAIGN, NIGHT) is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"now": datetime(2026, 3, 2, 12, 0, tzinfo=BERLIN)}, "from 19:00 to 07:00"),
        ({"others_wait": True}, "urgent or routine studies wait"),
        ({"in_flight": 4}, "4 of its studies are at work"),
        ({"away_until": at(1)}, "archive does not answer"),
        ({"has_room": False}, "at its reserve"),
        ({"is_peer": False}, "archive.peer is not archive"),
    ],
)
def test_it_says_what_holds_it_up(changes: dict[str, object], told: str) -> None:
    situation = replace(NIGHT, **changes)  # type: ignore[arg-type]
    assert told in (held_up(CAMPAIGN, situation) or "")


def test_it_keeps_its_pace() -> None:
    soon = replace(CAMPAIGN, next_at=NIGHT.now + timedelta(seconds=1))
    assert held_up(soon, NIGHT) == "60 studies an hour"
    assert pace(CAMPAIGN.throttle) == timedelta(minutes=1)


def test_a_paused_one_is_paused_whatever_the_hour() -> None:
    paused = replace(CAMPAIGN, state=CampaignState.PAUSED)
    assert held_up(paused, NIGHT) == "it is paused"


def test_the_hours_are_those_of_the_site() -> None:
    now = datetime(2026, 7, 1, 17, 30, tzinfo=ZoneInfo("UTC"))  # 19:30 in Berlin
    assert held_up(CAMPAIGN, Situation(now=now, zone=BERLIN)) is None
    assert held_up(CAMPAIGN, Situation(now=now, zone=ZoneInfo("UTC")))


@pytest.mark.parametrize(
    ("opens", "closes", "open_at", "closed_at"),
    [
        ("19:00", "07:00", ["19:00", "23:59", "00:00", "06:59"], ["07:00", "18:59"]),
        ("01:00", "05:00", ["01:00", "04:59"], ["00:59", "05:00", "23:00"]),
        ("00:00", "00:00", ["00:00", "12:00", "23:59"], []),
        ("20:00", "00:00", ["20:00", "23:59"], ["00:00", "19:59"]),
    ],
)
def test_hours_go_over_midnight(
    opens: str, closes: str, open_at: list[str], closed_at: list[str]
) -> None:
    limits = Throttle(per_hour=1.0, in_flight=1, opens=opens, closes=closes)
    clock = datetime.fromisoformat
    for text in open_at:
        assert is_open(limits, clock(f"2026-01-01T{text}").time())
    for text in closed_at:
        assert not is_open(limits, clock(f"2026-01-01T{text}").time())
