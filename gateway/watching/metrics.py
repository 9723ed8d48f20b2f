"""What the ledger counts, as Prometheus text exposition; no patient data."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field

from dicom_io.evidence import SlotName
from gateway.campaigning.progress import Progress, progress_of
from gateway.ledger import Backlog, CampaignState, DeliveryState, Reading, Waiting
from gateway.lifecycle import WORKING, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Counts over all that the ledger holds.

    `filled[name] / readings` is the share of readings in which an input was given.
    `deliveries` by destination and state; `silences` are failures in a row of peers
    that do not answer just now; `commitments` are those that we owe others; `backlogs`
    are what audit repositories have not got yet; `waiting` are the studies at work, by
    priority and state; `campaigns` are those that are not over, by name.
    """

    studies: Mapping[State, int]
    readings: int
    filled: Mapping[SlotName, int]
    deliveries: Mapping[tuple[str, DeliveryState], int] = field(default_factory=dict)
    silences: Mapping[str, int] = field(default_factory=dict)
    commitments: int = 0
    backlogs: Sequence[Backlog] = ()
    waiting: Sequence[Waiting] = ()
    campaigns: Mapping[str, Progress] = field(default_factory=dict)


def collect(rows: Reading) -> Metrics:
    """Count the studies in each state, and how often each input was filled."""
    slots = rows.slot_counts()
    return Metrics(
        studies=rows.counts(),
        readings=max(of for _, of in slots.values()),
        filled={name: filled for name, (filled, _) in slots.items()},
        deliveries=rows.delivery_counts(),
        silences={each.peer: each.failures for each in rows.silences()},
        commitments=rows.commitments_open(),
        backlogs=rows.backlogs(),
        waiting=rows.waiting(WORKING),
        campaigns={
            each.name: progress_of(rows.campaign_counts(each.id))
            for each in rows.campaigns([CampaignState.RUNNING, CampaignState.PAUSED])
        },
    )


def exposition(metrics: Metrics) -> str:
    """Return the counts in the text format of Prometheus, version 0.0.4.

    One moment of the ledger: `rate` is of use where it is asked regularly.
    """
    return "".join(f"{line}\n" for line in _lines(metrics))


def _lines(metrics: Metrics) -> Iterator[str]:
    name = "maira_gateway_studies"
    yield from _head(name, "gauge", "Studies in each state.")
    for state, count in metrics.studies.items():
        yield f'{name}{{state="{state}"}} {count}'
    name = "maira_gateway_readings_total"
    yield from _head(name, "counter", "Readings by the model that the ledger holds.")
    yield f"{name} {metrics.readings}"
    name = "maira_gateway_input_filled_total"
    yield from _head(name, "counter", "Readings in which the model had this input.")
    for slot, count in metrics.filled.items():
        yield f'{name}{{input="{slot}"}} {count}'
    yield from _lines_of_queues(metrics.waiting)
    yield from _lines_of_campaigns(metrics.campaigns)
    yield from _lines_of_peers(metrics)


def _lines_of_queues(waiting: Sequence[Waiting]) -> Iterator[str]:
    name = "maira_gateway_queue"
    yield from _head(name, "gauge", "Studies at work, by priority and state.")
    for each in waiting:
        yield f"{name}{_of_queue(each)} {each.count}"
    name = "maira_gateway_queue_oldest_seconds"
    yield from _head(name, "gauge", "Since when the oldest is there, since 1970.")
    for each in waiting:
        yield f"{name}{_of_queue(each)} {each.since.timestamp():.0f}"


def _of_queue(waiting: Waiting) -> str:
    return f'{{priority="{waiting.priority}",state="{waiting.state}"}}'


def _lines_of_campaigns(campaigns: Mapping[str, Progress]) -> Iterator[str]:
    name = "maira_gateway_campaign_studies"
    yield from _head(name, "gauge", "Studies of campaigns that are not over.")
    for campaign, progress in campaigns.items():
        for where, count in asdict(progress).items():
            labels = f'campaign="{_label(campaign)}",where="{where}"'
            yield f"{name}{{{labels}}} {count}"


def _lines_of_peers(metrics: Metrics) -> Iterator[str]:
    name = "maira_gateway_deliveries"
    yield from _head(name, "gauge", "Results by destination and state.")
    for (peer, state), count in sorted(metrics.deliveries.items()):
        yield f'{name}{{destination="{_label(peer)}",state="{state}"}} {count}'
    name = "maira_gateway_peer_failures"
    yield from _head(name, "gauge", "Failures in a row of peers that do not answer.")
    for peer, failures in metrics.silences.items():
        yield f'{name}{{peer="{_label(peer)}"}} {failures}'
    name = "maira_gateway_commitments_owed"
    yield from _head(name, "gauge", "Storage commitments that others wait for.")
    yield f"{name} {metrics.commitments}"
    yield from _lines_of_repositories(metrics.backlogs)


def _lines_of_repositories(backlogs: Sequence[Backlog]) -> Iterator[str]:
    name = "maira_gateway_audit_backlog"
    yield from _head(name, "gauge", "Audit records that a repository has not got.")
    for each in backlogs:
        yield f'{name}{{repository="{each.repository.name}"}} {each.records}'
    name = "maira_gateway_audit_backlog_oldest_seconds"
    yield from _head(name, "gauge", "Time of the oldest of them, since 1970.")
    for each in backlogs:
        if each.oldest is not None:
            since = each.oldest.timestamp()
            yield f'{name}{{repository="{each.repository.name}"}} {since:.0f}'
    name = "maira_gateway_audit_repository_failures"
    yield from _head(name, "gauge", "Failures in a row of an audit repository.")
    for known in (each.repository for each in backlogs):
        yield f'{name}{{repository="{known.name}"}} {known.failures}'


def _label(text: str) -> str:
    """Return a site's name as the value of a label."""
    plain = text.replace("\\", r"\\").replace('"', r"\"")
    return plain.replace("\n", r"\n")


def _head(name: str, kind: str, what: str) -> tuple[str, str]:
    return f"# HELP {name} {what}", f"# TYPE {name} {kind}"
