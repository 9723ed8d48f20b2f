"""A real gateway under `faketime`: its machine's clock is set while it runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Runs under faketime: a gateway with canned answers. Nothing comes over the network,
# for faketime stretches the waits of sockets.
PROGRAM = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from gateway.ledger import AuditFilter
from gateway.lifecycle import State
from gateway.serve import sent_intake
from tests.data.engines import CannedEngine
from tests.data.films import film_dataset, write_film
from tests.data.sites import running_gateway, site_settings, wait_until
from tests.data.stages import deliver

folder, clock = Path(sys.argv[1]), Path(sys.argv[2])

def clock_records(site):
    with site.ledger.reading() as rows:
        records = rows.audit(AuditFilter(limit=10_000))
    return [r.detail for r in records if r.event_type == "clock-set"]

with running_gateway(site_settings(folder / "data"), CannedEngine()) as gateway:
    for number, offset in enumerate(sys.argv[3:]):
        clock.write_text(offset + "\\n")
        uid = f"1.2.88.{number}"
        film = film_dataset(
            StudyInstanceUID=uid,
            SeriesInstanceUID=uid + ".1",
            SOPInstanceUID=uid + ".1.1",
        )
        path = write_film(folder / "f.dcm", film)
        deliver(sent_intake(gateway.site).receive, path)
        study = gateway.wait_for(uid, State.KEPT, seconds=100)
        assert (study.revision, study.attempts) == (1, 0)
        wait_until(
            lambda: len(clock_records(gateway.site)) >= number or None,
            100,
            lambda: clock_records(gateway.site),
        )
        print(datetime.now(UTC).year, flush=True)
    print(*clock_records(gateway.site), sep="\\n")
"""


def test_a_clock_that_is_set_stops_and_repeats_nothing(tmp_path: Path) -> None:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
    if not found or shutil.which("faketime") is None:
        if os.environ.get("REQUIRE_PEERS") == "1":
            pytest.fail("faketime is not installed")
        pytest.skip("faketime is not installed")
    clock = tmp_path / "clock"
    clock.write_text("+0\n", "ascii")
    offsets = ["+0", "-86400", "+3600", "-1700000000", "+400000000"]
    environment = {
        **os.environ,
        "LD_PRELOAD": str(found[0]),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_CACHE_DURATION": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "TZ": "Europe/Berlin",
    }
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path), str(clock), *offsets],
        env=environment,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    lines = ended.stdout.splitlines()
    ways = [line.split(" by ")[0].rpartition(" ")[2] for line in lines[5:]]
    assert ways == ["back", "forward", "back", "forward"]
