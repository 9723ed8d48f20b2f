"""How a study went, as the templates of its page take it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from gateway.ledger import DeliveryRecord
from gateway.showing.review import StudyDetail
from gateway.showing.study_page import StudyPage
from gateway.web.moments import clock, span
from model.version import VERSION

if TYPE_CHECKING:
    from datetime import datetime

Values = dict[str, object]


def destinations_values(detail: StudyDetail) -> list[Values]:
    """Return where the results stand on their ways, by destination."""
    kinds = {each.sop_instance_uid: each.kind for each in detail.results}
    ordered = sorted(detail.deliveries, key=lambda row: row.destination)
    return [
        _destination(name, list(rows), kinds)
        for name, rows in groupby(ordered, key=lambda row: row.destination)
    ]


def _destination(
    name: str, rows: Sequence[DeliveryRecord], kinds: Mapping[str, str]
) -> Values:
    states = [row.state.value for row in rows]
    tally = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(states))
    return {
        "name": name,
        "tally": tally,
        "rows": [
            {
                "kind": kinds.get(row.sop_instance_uid, row.sop_instance_uid),
                "state": row.state.value,
                "attempts": row.attempts,
                "committed_how": row.committed_how,
                "detail": row.detail,
            }
            for row in rows
        ],
    }


def steps_values(detail: StudyDetail) -> Iterator[Values]:
    """Yield the moves of a study, each with the time since the one before."""
    before: datetime | None = None
    for move in detail.moves:
        yield {
            "at": move.at.isoformat(),
            "clock": clock(move.at),
            "took": "" if before is None else f"+{span(move.at - before)}",
            "state": move.to_state.value,
            "event": move.event.value,
            "reason": move.reason,
        }
        before = move.at


def origin_values(shown: StudyPage) -> Iterator[tuple[str, str]]:
    """Yield name and value of what decided the answer; a value may be empty."""
    engine = shown.detail.engine
    if engine is None:
        return
    yield "Model", f"{engine.model_name}, {engine.model_manufacturer}"
    yield "Weights, SHA-256", engine.weights_digest
    yield "Engine", f"{engine.engine}, reads {engine.domain}s"
    yield "Settings, SHA-256", engine.settings_digest
    yield "Gateway", VERSION
    for reading in shown.readings[:1]:
        made = reading.provenance
        yield "Adapter", made.adapter_version
        yield "Computed on", f"{made.device}, {made.dtype}"
        yield "Square that the model reads", f"{made.crop_side} pixels"
        tokens = f"{made.prompt_tokens} read, {made.new_tokens} written"
        yield "Tokens", f"{tokens}, at most {made.max_new_tokens}"
        yield "Seconds", f"{made.seconds:.2f}"
        yield from ((name.capitalize(), value) for name, value in made.settings)
        yield "Libraries", ", ".join(f"{n} {v}" for n, v in made.libraries)
        yield "Prompt, SHA-256", made.prompt_digest
