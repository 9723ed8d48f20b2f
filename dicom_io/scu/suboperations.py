"""The sub-operations of a C-GET or C-MOVE, followed to their end (PS3.4 C.4.2, C.4.3).

An archive may report progress without end, or none: both have their time.
"""

import time
from dataclasses import dataclass, replace
from enum import StrEnum

from pydicom.dataset import Dataset
from pynetdicom.association import Association

from dicom_io.ae import LocalAE, RemoteAE, Retrieval
from dicom_io.errors import PeerTimedOut
from dicom_io.scu.asking import GRACE_SECONDS, Responses, stop
from dicom_io.scu.association import PENDING, answered_code, require_success
from dicom_io.sink import Sink
from dicom_io.status import Status

_NOTHING_YET = (-1, -1, -1)
"""Counts of sub-operations before the first response."""


class Level(StrEnum):
    """What one request of a retrieval names (PS3.4 C.4.2.1.4)."""

    STUDY = "study"
    SERIES = "series"
    IMAGE = "image"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieved:
    """How a retrieval ended: its sub-operations.

    service : c-get, c-move or wado-rs.
    """

    service: str
    completed: int
    failed: int
    warning: int
    status: int
    level: Level = Level.STUDY

    @property
    def is_whole(self) -> bool:
        """Whether every instance that the archive counted came."""
        return self.status == Status.SUCCESS and not self.failed

    @property
    def sent(self) -> int:
        """How many instances the archive says that it has sent."""
        return self.completed + self.warning

    def __add__(self, other: "Retrieved") -> "Retrieved":
        """Return both as one; the first status that is no success stands."""
        return replace(
            self,
            completed=self.completed + other.completed,
            failed=self.failed + other.failed,
            warning=self.warning + other.warning,
            status=self.status or other.status,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What is fetched from whom, whereto, and until when (`time.monotonic`)."""

    local: LocalAE
    remote: RemoteAE
    study: str
    sink: Sink
    ends_at: float

    def wait_seconds(self) -> float:
        """Return how long a response is awaited: past the end, to be cancelled."""
        return max(self.ends_at - time.monotonic(), 0.0) + GRACE_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One C-GET or C-MOVE request."""

    service: Retrieval
    model: str
    message_id: int


def followed(
    assoc: Association, responses: Responses, errand: Errand, request: Request
) -> Retrieved:
    """Follow the sub-operations to the end.

    Given up are those that stand still, fall silent, or are not over in time.
    """
    remote, what = errand.remote, request.service.value.upper()
    pace = _Pace(errand)
    for status, _ in pace.timed(assoc, responses):
        if "Status" not in status and pace.has_begun:
            break
        code = answered_code(status, remote, what)
        counts = _counts(status)
        if code not in PENDING:
            if not any(counts):
                require_success(status, remote, what)
            return _ended(request.service, counts, code)
        if not pace.goes_on(counts):
            stop(assoc, request.model, request.message_id, responses)
            break
    raise PeerTimedOut(f"{remote.name} did not end the {what} in time")


class _Pace:
    """Whether sub-operations still get on, and are to go on."""

    def __init__(self, errand: Errand) -> None:
        self._errand = errand
        self._last, self._since = _NOTHING_YET, time.monotonic()

    @property
    def has_begun(self) -> bool:
        """Whether any progress was reported."""
        return self._last != _NOTHING_YET

    def timed(self, assoc: Association, responses: Responses) -> Responses:
        """Yield the responses, and wait for none of them longer than is left."""
        longest = self._errand.remote.deadline_seconds
        assoc.dimse_timeout = min(longest, self._errand.wait_seconds())
        for each in responses:
            yield each
            assoc.dimse_timeout = min(longest, self._errand.wait_seconds())

    def goes_on(self, counts: tuple[int, int, int]) -> bool:
        """Note how far it is; false where that is as long ago as the deadline."""
        now = time.monotonic()
        if counts != self._last:
            self._last, self._since = counts, now
        stands = now - self._since > self._errand.remote.deadline_seconds
        return not stands and now < self._errand.ends_at


def _ended(service: Retrieval, counts: tuple[int, int, int], code: int) -> Retrieved:
    completed, failed, warning = counts
    return Retrieved(
        service=service,
        completed=completed,
        failed=failed,
        warning=warning,
        status=code,
    )


def _counts(status: Dataset) -> tuple[int, int, int]:
    """Return how many sub-operations are completed, failed, with a warning."""
    return (
        int(status.get("NumberOfCompletedSuboperations") or 0),
        int(status.get("NumberOfFailedSuboperations") or 0),
        int(status.get("NumberOfWarningSuboperations") or 0),
    )
