"""How often somebody may try a password.

A stranger must be slowed down and must not lock anybody out. So failures count for
an account as tried from one address, for the address, and for the account as tried by
all strangers; a browser that signed in to the account before shows a secret that says
so and counts for itself alone.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gateway.accounts.secrets import digest_of
from gateway.errors import TooManyFailures
from gateway.ledger import Reading, Writing

WINDOW = timedelta(minutes=15)
"""Failures that are older do not count."""

OF_ONE, OF_ADDRESS, OF_ALL = 5, 30, 100
"""Failures within the window from which on nothing is tried: of an account from one
place, of an address, and of an account from all places that it was never used from."""

_MINUTES = int(WINDOW.total_seconds() // 60)
_LATER = f"too many failures: try again in {_MINUTES} minutes"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """Somebody tries a password.

    `device` is the secret by which a browser shows that it signed in before.
    """

    name: str
    address: str
    device: str | None
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """An attempt that counts as a failure until it is forgiven.

    `is_last`: after it nothing more is tried for a while.
    """

    own: str
    numbers: tuple[int, ...]
    is_last: bool


def begin_attempt(rows: Writing, attempt: Attempt) -> Counted:
    """Count an attempt as failed before the password is looked at.

    So many attempts at one time count as many. Raises TooManyFailures.
    """
    oldest = attempt.at - WINDOW
    rows.forget_failed_logins(before=oldest)
    limits = _limits(rows, attempt)
    counted = rows.failed_logins([*limits], oldest)
    left = [most - counted.get(bucket, 0) for bucket, most in limits.items()]
    if min(left) <= 0:
        raise TooManyFailures(_LATER)
    numbers = rows.add_failed_logins(limits, attempt.at)
    return Counted(
        own=next(iter(limits)), numbers=tuple(numbers), is_last=min(left) == 1
    )


def begin_elsewhere(rows: Writing, address: str, at: datetime) -> Counted:
    """Count a sign-in at a provider as failed until the browser is back.

    Raises TooManyFailures.
    """
    bucket, oldest = f"openid:{address}", at - WINDOW
    rows.forget_failed_logins(before=oldest)
    left = OF_ADDRESS - rows.failed_logins([bucket], oldest).get(bucket, 0)
    if left <= 0:
        raise TooManyFailures(_LATER)
    numbers = rows.add_failed_logins([bucket], at)
    return Counted(own=bucket, numbers=tuple(numbers), is_last=left == 1)


def forgive(rows: Writing, counted: Counted) -> None:
    """Forget what an attempt counted, and what failed from its place before."""
    rows.forget_failed_logins(numbers=counted.numbers)
    rows.forget_failed_logins(bucket=counted.own)


def _limits(rows: Reading, attempt: Attempt) -> dict[str, int]:
    """Return the buckets of an attempt, its own first, and what each may hold."""
    name = attempt.name[:64]
    device = attempt.device and digest_of(attempt.device)
    if device and rows.is_device(device, name):
        return {f"device:{device}": OF_ONE}
    return {
        f"place:{name}@{attempt.address}": OF_ONE,
        f"address:{attempt.address}": OF_ADDRESS,
        f"account:{name}": OF_ALL,
    }
