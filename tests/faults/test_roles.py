"""Processes of all roles, killed at random: nothing lost, nothing twice.

`make roles-storm` is the same with 2,000 studies and 200 kills.
"""

from pathlib import Path

import pytest

from tests.data.ledgers import skip_on_postgresql
from tests.faults import roles
from tests.faults.nursery import Nursery
from tests.faults.roles import CAST, Plan

pytestmark = [pytest.mark.slow, pytest.mark.peers, pytest.mark.timeout(900)]

STUDIES, KILLS = 200, 20


def test_kills_of_every_role_lose_nothing_and_repeat_nothing(
    children: Nursery, tmp_path: Path
) -> None:
    skip_on_postgresql()  # it has been run with the rest
    plan = Plan(studies=STUDIES, cast=CAST, kills=KILLS)
    found = roles.run(children, tmp_path, plan)
    assert found.faults == ()
    assert sum(found.kills.values()) == KILLS
    assert found.rounds > 0
