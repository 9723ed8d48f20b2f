"""Times of the test groups, printed at the end of a run."""

from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

_SECONDS: defaultdict[str, float] = defaultdict(float)
_TESTS: defaultdict[str, int] = defaultdict(int)


def pytest_runtest_logreport(report: "pytest.TestReport") -> None:
    """Add the set-up, the call and the tear-down of a test to its group."""
    group = _group_of(report.nodeid)
    _SECONDS[group] += report.duration
    _TESTS[group] += report.when == "call"


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter") -> None:
    """Print a line a group: tests that ran, and seconds."""
    terminalreporter.section("time of each test group")
    for group in sorted(_SECONDS):
        line = f"{group:<24}{_TESTS[group]:5d} tests {_SECONDS[group]:8.1f} s"
        terminalreporter.line(line)


def _group_of(nodeid: str) -> str:
    """Return tests/<kind>, and the package too for unit tests."""
    folders = PurePath(nodeid.partition("::")[0]).parts[1:-1]
    return "/".join(folders[:2]) or "tests"
