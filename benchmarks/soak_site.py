"""A whole gateway as a process of its own, with an engine that no setting can select.

It asks one peer for priors and stores into another. Prints its port, and ends when its
standard input does. Usage: python -m benchmarks.soak_site FOLDER ARCHIVE RESULTS
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from config.settings import Settings
from model.options import Domain
from model.report import GroundedReport, ReportRequest
from tests.data.engines import CannedEngine
from tests.data.sites import running_gateway, site_settings

if TYPE_CHECKING:
    from config.load import Table

QUIET_SECONDS = 0.5
ENGINE_SECONDS = 0.005


@dataclass
class FixedEngine(CannedEngine):
    """Answers after a fixed delay and, unlike the tests' engine, remembers nothing."""

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        time.sleep(ENGINE_SECONDS * len(requests))
        answers = super().generate(requests)
        self.asked.clear()
        return answers


def settings_of(folder: Path, archive: int, results: int) -> Settings:
    """Return the settings of a gateway whose two peers listen on these ports."""
    overrides: Table = {
        "peers": {
            "archive": {"title": "ARCHIVE", "host": "127.0.0.1", "port": archive},
            "results": {
                "title": "RESULTS",
                "host": "127.0.0.1",
                "port": results,
                "proof": "none",
            },
        },
        "archive": {"peer": "archive"},
        "results": {"destinations": ["results"]},
        "completeness": {"quiet_seconds": QUIET_SECONDS, "ask_archive": False},
        "work": {"lease_seconds": 60.0},
    }
    return site_settings(folder, overrides)


def main(words: Sequence[str]) -> None:
    """Run until standard input ends."""
    folder, archive, results = Path(words[0]), int(words[1]), int(words[2])
    engine = FixedEngine(domain=Domain.PHANTOM)
    with running_gateway(settings_of(folder, archive, results), engine) as running:
        print(running.gateway.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
