"""A destination that counts what arrives and keeps none of it."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from dicom_io.ae import AETitle, LocalAE
from dicom_io.scp.listener import ListenerEvents, open_listener
from dicom_io.sink import StoreFacts
from dicom_io.status import Status


class Arrivals:
    """How often each SOP instance was stored. Thread-safe."""

    def __init__(self) -> None:
        self._counts = Counter[str]()
        self._lock = threading.Lock()

    def open(self, facts: StoreFacts) -> "_Passing":
        """Take one instance: the sink of a listener."""
        return _Passing(self, facts.sop_instance_uid)

    def add(self, sop_instance_uid: str) -> None:
        """Count one that came whole."""
        with self._lock:
            self._counts[sop_instance_uid] += 1

    def counts(self) -> Counter[str]:
        """Return a copy of the counts."""
        with self._lock:
            return self._counts.copy()


class _Passing:
    """An instance that is let go piece by piece."""

    def __init__(self, arrivals: Arrivals, sop_instance_uid: str) -> None:
        self._arrivals, self._uid = arrivals, sop_instance_uid

    def write(self, data: bytes | memoryview) -> None:
        del data

    def commit(self) -> Status:
        self._arrivals.add(self._uid)
        return Status.SUCCESS

    def discard(self) -> None:
        pass


@contextmanager
def counting(title: str) -> Iterator[tuple[int, Arrivals]]:
    """Listen on a free port; yield it, and what arrives."""
    arrivals = Arrivals()
    local = LocalAE(
        title=AETitle(title), host="127.0.0.1", port=0, require_calling=False
    )
    listener = open_listener(local, (), arrivals.open, unheard())
    try:
        yield listener.port, arrivals
    finally:
        listener.close()


def unheard() -> ListenerEvents:
    """Return the events of a listener that nobody hears."""
    return ListenerEvents(
        association_opened=lambda _facts: None,
        association_refused=lambda _facts, _why: None,
        association_closed=lambda _facts, _counts: None,
        commitment_reported=lambda _report: None,
    )
