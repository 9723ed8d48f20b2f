"""How long a try that failed is waited for before the next; pure but for its jitter."""

import random
from datetime import timedelta


def pause_before(attempt: int, first: float, most: float) -> timedelta:
    """Return the pause before try `attempt` + 1: doubling, half to full jitter.

    first, most : seconds.
    """
    longest = min(most, first * 2.0 ** min(attempt, 30))
    return timedelta(seconds=longest * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
