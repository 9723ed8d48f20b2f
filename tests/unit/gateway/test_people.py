"""Who decides, as the life of a study shows it."""

import pytest

from gateway.people import Decider, PersonRole


@pytest.mark.parametrize("role", PersonRole)
def test_a_decider_is_shown_with_the_stated_role(role: PersonRole) -> None:
    assert str(Decider(name="anna", why="seen", role=role)) == f"anna ({role})"


def test_a_decider_without_a_role_is_shown_by_name() -> None:
    assert str(Decider(name="anna", why="seen")) == "anna"
