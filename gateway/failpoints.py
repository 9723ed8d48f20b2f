"""Named points where a test may kill the process; off by default.

`MAIRA_GATEWAY_KILL_AT=state:selected` ends the process with SIGKILL right after
the ledger has committed that state, as a power cut would. Only the kill-and-
restart tests set it.
"""

import os
import signal

VARIABLE = "MAIRA_GATEWAY_KILL_AT"


def pass_failpoint(name: str) -> None:
    """Die here if the environment names this point."""
    if os.environ.get(VARIABLE) == name:
        os.kill(os.getpid(), signal.SIGKILL)
