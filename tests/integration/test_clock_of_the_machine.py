"""A running gateway, its jobs and its peers, while the wall clock is set.

The clock is handed in: libfaketime breaks the sleep of Python 3.11 (EINVAL from
clock_nanosleep) and stretches the waits of sockets.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dicom_io.scu.send import store_instances
from gateway.ledger import AuditFilter
from gateway.lifecycle import State
from gateway.running.composition import open_site
from gateway.running.serve import Gateway
from gateway.site import utc_now
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.sites import MODALITY, Running, site_settings, wait_until

STEPS = [
    timedelta(),
    timedelta(days=-1),
    timedelta(hours=1),
    timedelta(days=-20_000),
    timedelta(days=24_500),
]


@dataclass
class Wall:
    """The machine's clock, off by as much as somebody set it."""

    off: timedelta = timedelta()

    def __call__(self) -> datetime:
        return utc_now() + self.off


def clock_records(gateway: Running) -> list[str]:
    with gateway.site.ledger.reading() as rows:
        records = rows.audit(AuditFilter(limit=10_000))
    return [one.detail or "" for one in records if one.event_type == "clock-set"]


def test_a_clock_that_is_set_stops_and_repeats_nothing(tmp_path: Path) -> None:
    wall, settings = Wall(), site_settings(tmp_path / "data")
    with Gateway(open_site(settings, CannedEngine(), wall)) as opened:
        gateway = Running(gateway=opened)
        for number, step in enumerate(STEPS):
            uid = f"1.2.88.{number}"
            ds = film_dataset(
                StudyInstanceUID=uid,
                SeriesInstanceUID=f"{uid}.1",
                SOPInstanceUID=f"{uid}.1.1",
            )
            film = write_film(tmp_path / "film.dcm", ds)
            (outcome,) = store_instances(MODALITY, gateway.remote, [film])
            assert outcome.verdict.is_stored
            wall.off += step  # in the quiet period of that study
            study = gateway.wait_for(uid, State.KEPT)
            assert (study.revision, study.attempts) == (1, 0)
            wait_until(
                lambda number=number: len(clock_records(gateway)) >= number or None,  # type: ignore[misc]
                60,
                lambda: clock_records(gateway),
            )
        told = [
            one.split(" by ")[0].rpartition(" ")[2] for one in clock_records(gateway)
        ]
    assert told == ["back", "forward", "back", "forward"]
