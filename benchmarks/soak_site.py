"""A whole gateway as a process of its own, with an engine that no setting can select.

It asks one peer for priors and stores into another. Prints its port, and ends when its
standard input does. Usage: python -m benchmarks.soak_site FOLDER ARCHIVE RESULTS
[--engine-seconds 0.005] [--quiet-seconds 0.5]
"""

import argparse
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

    delay: float = ENGINE_SECONDS

    def generate(
        self, requests: Sequence[ReportRequest]
    ) -> list[tuple[GroundedReport, ...]]:
        time.sleep(self.delay * len(requests))
        answers = super().generate(requests)
        self.asked.clear()
        return answers


def settings_of(
    folder: Path, archive: int, results: int, quiet_seconds: float = QUIET_SECONDS
) -> Settings:
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
        "completeness": {"quiet_seconds": quiet_seconds, "ask_archive": False},
        "work": {"lease_seconds": 60.0},
    }
    return site_settings(folder, overrides)


def main(words: Sequence[str]) -> None:
    """Run until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("archive", type=int)
    parser.add_argument("results", type=int)
    parser.add_argument("--engine-seconds", type=float, default=ENGINE_SECONDS)
    parser.add_argument("--quiet-seconds", type=float, default=QUIET_SECONDS)
    given = parser.parse_args(words)
    engine = FixedEngine(domain=Domain.PHANTOM, delay=given.engine_seconds)
    settings = settings_of(
        given.folder, given.archive, given.results, given.quiet_seconds
    )
    with running_gateway(settings, engine) as running:
        print(running.gateway.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1:])
