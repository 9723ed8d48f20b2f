"""Whose turn it is among studies of several priorities and projects; no clock.

Start-time fair queueing (Goyal, Vin, Cheng 1996), in two steps: first a priority by
its share, then a project by its weight. Who waited for nothing saves no turns up, and
is served next when it comes: so an urgent study is read next, and however many of them
come, the others get their share of the turns.
"""

import threading
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Priority(StrEnum):
    """How soon somebody needs the report; the first is served first."""

    URGENT = "urgent"
    ROUTINE = "routine"
    BACK_FILL = "back-fill"
    """Nobody waits for it: the studies of campaigns."""


NO_PROJECT = ""
"""The project of a study that the rules of the site give to none."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Group:
    """Studies that take their turns as one: of one priority and one project."""

    priority: Priority = Priority.ROUTINE
    project: str = NO_PROJECT


PLAIN = Group()
"""What a study is in that nobody said anything about."""


def more_urgent(one: Priority, other: Priority) -> Priority:
    """Return the one that is served first."""
    return min(one, other, key=list(Priority).index)


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Turns of each priority, and of each project within a priority; all above 0.

    A project that is not named has the weight 1.
    """

    priorities: Mapping[Priority, float]
    projects: Mapping[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Wheel:
    """Turns among names: the one that began the least of its turns is next."""

    begun: float = 0.0
    ended: dict[str, float] = field(default_factory=dict)

    def starts(self, name: str) -> float:
        return max(self.begun, self.ended.get(name, 0.0))

    def take(self, name: str, weight: float) -> None:
        self.begun = self.starts(name)
        self.ended[name] = self.begun + 1.0 / weight


class Shares:
    """Who has had how many turns in one line of work, in this process.

    Each process is fair by itself, and so are several together: nothing of this need
    outlive it. Safe to share between threads.
    """

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._among_priorities = _Wheel()
        self._among_projects = {priority: _Wheel() for priority in Priority}
        self._lock = threading.Lock()

    def in_turn(self, waiting: Iterable[Group]) -> list[Group]:
        """Return the groups that have work, the one whose turn it is first."""
        order = list(Priority)
        with self._lock:
            return sorted(
                waiting,
                key=lambda group: (
                    self._among_priorities.starts(group.priority),
                    order.index(group.priority),
                    self._among_projects[group.priority].starts(group.project),
                    group.project,
                ),
            )

    def took(self, group: Group, waiting: Collection[Group]) -> None:
        """Count the turn that a group took while these had work.

        Where nobody else had any it costs nothing: who is alone takes from nobody.
        """
        rivals = {each.priority for each in waiting} - {group.priority}
        peers = {g.project for g in waiting if g.priority is group.priority}
        weights = self._weights
        with self._lock:
            if rivals:
                share = weights.priorities[group.priority]
                self._among_priorities.take(group.priority, share)
            if peers - {group.project}:
                weight = weights.projects.get(group.project, 1.0)
                self._among_projects[group.priority].take(group.project, weight)
