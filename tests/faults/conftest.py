"""One nursery for all tests of kills in a process."""

from collections.abc import Iterator

import pytest

from tests.faults.nursery import Nursery, nursery


@pytest.fixture(scope="session")
def children() -> Iterator[Nursery]:
    """Return what starts gateways that may be killed."""
    with nursery() as opened:
        yield opened
