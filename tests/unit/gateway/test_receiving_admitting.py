"""As what a study is opened: by its calling AE title."""

from pathlib import Path

import pytest

from config.load import Table
from gateway.fairness import Group, Priority
from gateway.receiving.admitting import admission_rule
from tests.data.sites import site_settings

RULES: Table = {
    "queue": {"urgent_titles": ["ER"], "back_fill_titles": ["ATTIC"]},
    "projects": {"lung": {"titles": ["ATTIC", "STUDY"], "weight": 2.0}},
}


@pytest.mark.parametrize(
    ("title", "priority", "project"),
    [
        ("ER", Priority.URGENT, ""),
        ("ATTIC", Priority.BACK_FILL, "lung"),
        ("STUDY", Priority.ROUTINE, "lung"),
        ("CR1", Priority.ROUTINE, ""),
    ],
)
def test_the_title_says_priority_and_project(
    tmp_path: Path, title: str, priority: Priority, project: str
) -> None:
    admit = admission_rule(site_settings(tmp_path, RULES))
    admission = admit(title)
    assert admission.group == Group(priority=priority, project=project)
    assert (admission.emit, admission.campaign_id) == (True, None)
