"""Times of the test groups, and an ear for patients in what is logged."""

import gc
import logging
import os
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePath

import pytest
from hypothesis import HealthCheck, settings
from playwright.sync_api import Playwright, sync_playwright
from sqlalchemy import Engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from gateway.ledger import engine
from gateway.ledger.engine import open_engine
from gateway.patient_key import text_of_key
from tests.data.ledgers import ON_POSTGRESQL
from tests.data.postgresql import drop_databases

PLANTED = (
    *("Doe^Jane", "Phantom^One", "Fictional^Frontal", "Canary^Zebra", "FICT-1"),
    *("Müller^Zoë", "Yamada^Tarou", "Nobody^Known", "Somebody^Else"),
)
"""Names and IDs that the builders of `tests/data` and single tests give to patients."""

OURS = ("gateway", "config", "dicom_io", "model")
"""Loggers that speak at a site; `quieten_libraries` silences those of others."""


# Tests share cores: how long one example takes says nothing of what is tested.
settings.register_profile(
    "suite", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("suite")


class _Ear(logging.Handler):
    """Keeps the records of ours that name a patient."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(name)s %(message)s"))
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Look at the whole text of a record, with its traceback."""
        if record.name.partition(".")[0] not in OURS:
            return
        text = self.format(record)
        if any(name in text for name in PLANTED):
            self.heard.append(text)


_EAR = _Ear()


@pytest.fixture(autouse=True)
def _no_patient_is_logged() -> Iterator[None]:
    """Fail the test in which a record named a patient (or the one after it)."""
    yield
    heard, _EAR.heard = _EAR.heard, []
    assert heard == [], "a patient is named in the log"


def pytest_configure() -> None:
    """Listen to what every test logs, from INFO on, as `serve` does.

    Threads of torch that wait for one another sleep, here and in all children: several
    tests share two cores, and those that spin take half of the time from the others.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read when torch is loaded
    if ON_POSTGRESQL:  # there is no file beside which a ledger's key could lie
        os.environ["MAIRA_GATEWAY_PATIENT_KEY"] = text_of_key(bytes(32))
    logging.getLogger().addHandler(_EAR)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)


def pytest_collection_finish() -> None:
    """Keep what is loaded out of every look for garbage, as `serve` does."""
    _forget_the_old()


def _forget_the_old() -> None:
    """Throw garbage away; what is left, libraries most of all, is not looked at again.

    A whole look takes a second in the end, and some of our peers take one themselves.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what may take longest: no worker is alone with it at the end."""
    items.sort(key=_time_limit, reverse=True)


def _time_limit(item: pytest.Item) -> float:
    """Return the seconds that a test asks for; 0: the usual ones do."""
    limit = item.get_closest_marker("timeout")
    return float(limit.args[0]) if limit else 0.0


def _is_of_same_class(one: object, other: object) -> bool:
    return type(one) is type(other)


def _hash_of_class(one: object) -> int:
    return hash(type(one))


@pytest.fixture(autouse=True, scope="session")
def _ledgers_begin_as_copies(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[None]:
    """Let a new ledger of SQLite be a copy of one that was migrated.

    Thousands of tests open a ledger; a chain of migrations takes a tenth of a second,
    and as much to compile the statements of a few moves, which all of them share.
    """
    whole = tmp_path_factory.mktemp("ledger") / "ledger.sqlite"
    open_engine(f"sqlite:///{whole}").dispose()
    migrated = whole.read_bytes()
    compiled: dict[object, object] = {}  # by statement and dialect
    usual = engine.engine_of

    def engine_of(url: str) -> Engine:
        """Return an engine as usual, on a copy where the file was not there."""
        opened = usual(url)
        if opened.dialect.name == "sqlite" and opened.url.database:
            opened.update_execution_options(compiled_cache=compiled)
            file = Path(opened.url.database)
            if file.is_file() and not file.stat().st_size:
                file.write_bytes(migrated)
        return opened

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine, "engine_of", engine_of)
        patch.setattr(SQLiteDialect_pysqlite, "__eq__", _is_of_same_class)
        patch.setattr(SQLiteDialect_pysqlite, "__hash__", _hash_of_class)
        yield


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """The one Playwright of a process: a second one beside it refuses to start."""
    with sync_playwright() as started:
        yield started


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Tidy up after a module, whose fixtures have ended by now."""
    if nextitem is None or nextitem.path != item.path:
        drop_databases()
        _forget_the_old()


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
