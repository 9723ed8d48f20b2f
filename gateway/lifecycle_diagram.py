"""The lifecycle as a picture for people: docs/lifecycle.md shows what this draws."""

from collections import defaultdict

from gateway.lifecycle import TRANSITIONS, WORKING, Event, State

_GROUPS = {
    frozenset(State): ("any", "any state"),
    frozenset(WORKING): ("working", "any state with a next stage"),
}
"""Sets of states that are drawn as one, so that the arrows can be followed."""


def mermaid_diagram() -> str:
    """Return every row of TRANSITIONS as a Mermaid state diagram."""
    sources: dict[tuple[Event, State], set[State]] = defaultdict(set)
    for (state, event), target in TRANSITIONS.items():
        sources[event, target].add(state)
    lines = ["stateDiagram-v2", "    direction TB"]
    lines += [f'    state "{title}" as {name}' for name, title in _GROUPS.values()]
    lines += [f"    [*] --> {State.RECEIVING}: {Event.IMAGE_ARRIVED}"]
    for (event, target), states in sources.items():
        lines += [f"    {name} --> {target}: {event}" for name in _names(states)]
    return "\n".join(lines) + "\n"


def _names(states: set[State]) -> list[str]:
    group = _GROUPS.get(frozenset(states))
    return [group[0]] if group else [state.value for state in State if state in states]
