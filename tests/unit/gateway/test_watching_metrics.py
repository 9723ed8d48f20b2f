from datetime import UTC, datetime
from pathlib import Path

from dicom_io.evidence import SlotName
from gateway.campaigning.progress import Progress
from gateway.fairness import Priority
from gateway.ledger import Backlog, DeliveryState, RepositoryRecord, Waiting
from gateway.lifecycle import State
from gateway.watching.metrics import Metrics, collect, exposition
from tests.data.stages import bench_at


def test_an_empty_ledger_counts_nothing(tmp_path: Path) -> None:
    with bench_at(tmp_path) as bench, bench.site.ledger.reading() as rows:
        counted = collect(rows)
    assert counted.readings == 0
    assert set(counted.studies) == set(State)
    assert set(counted.filled.values()) == {0}


def test_a_reading_counts_the_inputs_that_were_filled(tmp_path: Path) -> None:
    with bench_at(tmp_path) as bench:
        bench.reach(State.REPORTED)
        with bench.site.ledger.reading() as rows:
            counted = collect(rows)
    assert counted.readings == 1
    assert counted.studies[State.REPORTED] == 1
    assert counted.filled[SlotName.CURRENT_FRONTAL] == 1
    assert counted.filled[SlotName.PRIOR_FRONTAL] == 0


def test_the_text_is_that_of_prometheus() -> None:
    counted = Metrics(
        studies={State.HELD: 2},
        readings=3,
        filled={SlotName.PRIOR_REPORT: 1},
        deliveries={("pacs", DeliveryState.REFUSED): 2},
        silences={"vna": 4},
        commitments=1,
        backlogs=[
            Backlog(
                repository=RepositoryRecord(name="hospital", failures=2),
                records=7,
                oldest=datetime(1970, 1, 1, 0, 1, tzinfo=UTC),
            ),
            Backlog(repository=RepositoryRecord(name="second"), records=0, oldest=None),
        ],
        waiting=[
            Waiting(
                priority=Priority.URGENT,
                state=State.GATHERED,
                count=3,
                since=datetime(1970, 1, 1, 0, 2, tzinfo=UTC),
            )
        ],
        campaigns={
            "lung": Progress(
                total=9,
                waiting=1,
                at_work=2,
                read=3,
                declined=0,
                parked=1,
                known=1,
                failed=1,
            )
        },
    )
    assert exposition(counted) == (
        "# HELP maira_gateway_studies Studies in each state.\n"
        "# TYPE maira_gateway_studies gauge\n"
        'maira_gateway_studies{state="held"} 2\n'
        "# HELP maira_gateway_readings_total "
        "Readings by the model that the ledger holds.\n"
        "# TYPE maira_gateway_readings_total counter\n"
        "maira_gateway_readings_total 3\n"
        "# HELP maira_gateway_input_filled_total "
        "Readings in which the model had this input.\n"
        "# TYPE maira_gateway_input_filled_total counter\n"
        'maira_gateway_input_filled_total{input="prior_report"} 1\n'
        "# HELP maira_gateway_queue Studies at work, by priority and state.\n"
        "# TYPE maira_gateway_queue gauge\n"
        'maira_gateway_queue{priority="urgent",state="gathered"} 3\n'
        "# HELP maira_gateway_queue_oldest_seconds "
        "Since when the oldest is there, since 1970.\n"
        "# TYPE maira_gateway_queue_oldest_seconds gauge\n"
        'maira_gateway_queue_oldest_seconds{priority="urgent",state="gathered"} 120\n'
        "# HELP maira_gateway_campaign_studies "
        "Studies of campaigns that are not over.\n"
        "# TYPE maira_gateway_campaign_studies gauge\n"
        'maira_gateway_campaign_studies{campaign="lung",where="total"} 9\n'
        'maira_gateway_campaign_studies{campaign="lung",where="waiting"} 1\n'
        'maira_gateway_campaign_studies{campaign="lung",where="at_work"} 2\n'
        'maira_gateway_campaign_studies{campaign="lung",where="read"} 3\n'
        'maira_gateway_campaign_studies{campaign="lung",where="declined"} 0\n'
        'maira_gateway_campaign_studies{campaign="lung",where="parked"} 1\n'
        'maira_gateway_campaign_studies{campaign="lung",where="known"} 1\n'
        'maira_gateway_campaign_studies{campaign="lung",where="failed"} 1\n'
        "# HELP maira_gateway_deliveries Results by destination and state.\n"
        "# TYPE maira_gateway_deliveries gauge\n"
        'maira_gateway_deliveries{destination="pacs",state="refused"} 2\n'
        "# HELP maira_gateway_peer_failures "
        "Failures in a row of peers that do not answer.\n"
        "# TYPE maira_gateway_peer_failures gauge\n"
        'maira_gateway_peer_failures{peer="vna"} 4\n'
        "# HELP maira_gateway_commitments_owed "
        "Storage commitments that others wait for.\n"
        "# TYPE maira_gateway_commitments_owed gauge\n"
        "maira_gateway_commitments_owed 1\n"
        "# HELP maira_gateway_audit_backlog "
        "Audit records that a repository has not got.\n"
        "# TYPE maira_gateway_audit_backlog gauge\n"
        'maira_gateway_audit_backlog{repository="hospital"} 7\n'
        'maira_gateway_audit_backlog{repository="second"} 0\n'
        "# HELP maira_gateway_audit_backlog_oldest_seconds "
        "Time of the oldest of them, since 1970.\n"
        "# TYPE maira_gateway_audit_backlog_oldest_seconds gauge\n"
        'maira_gateway_audit_backlog_oldest_seconds{repository="hospital"} 60\n'
        "# HELP maira_gateway_audit_repository_failures "
        "Failures in a row of an audit repository.\n"
        "# TYPE maira_gateway_audit_repository_failures gauge\n"
        'maira_gateway_audit_repository_failures{repository="hospital"} 2\n'
        'maira_gateway_audit_repository_failures{repository="second"} 0\n'
    )
